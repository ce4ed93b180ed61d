"""A stand-in for a GPU: tensors that say they are on another device, compute on the CPU, and refuse to be mixed.

They call themselves "meta", a device that torch has everywhere, but have values. As with CUDA, an operation takes
tensors of one device, except for single numbers, copies, and indices from the CPU; and NumPy cannot see them.
"""

import sys
from collections import Counter
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

DEVICE = torch.device("meta")
MIXED = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_", "set_", "_local_scalar_dense")


class OnDevice(torch.Tensor):
    """A tensor of the stand-in device; ``inner`` has its values."""

    @staticmethod
    def __new__(cls, inner):
        how = dict(dtype=inner.dtype, strides=inner.stride(), storage_offset=inner.storage_offset(), device=DEVICE)
        with torch.inference_mode(False):
            return torch.Tensor._make_wrapper_subclass(cls, inner.size(), **how, requires_grad=False)

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"OnDevice({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {}, Counter())


def dispatch(func, args, kwargs, flops):
    name, (given, _) = func._schema.name.removeprefix("aten::"), tree_flatten((args, kwargs))
    tensors = [x for x in given if isinstance(x, torch.Tensor)]
    here = [x for x in tensors if isinstance(x, OnDevice)]
    asked = kwargs.get("device")
    on_device = bool(here) if asked is None else torch.device(asked) == DEVICE
    if here and name not in MIXED and (others := [x for x in tensors if not isinstance(x, OnDevice) and x.ndim]):
        raise RuntimeError(f"{name}: expected all tensors on one device, found {[list(x.shape) for x in others]}")
    if name == "copy_":
        on_device = isinstance(args[0], OnDevice)
    packet = func._overloadpacket
    if packet in flop_registry:
        where = DEVICE.type if on_device else "cpu"
    args, kwargs = tree_map_only(OnDevice, lambda x: x.inner, (args, kwargs))
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu") if on_device else asked}
    result = func(*args, **kwargs)
    if packet in flop_registry:
        flops[where] += flop_registry[packet](*args, **kwargs, out_val=result)
    if not on_device:
        return result
    originals = {id(x.inner): x for x in here}  # what was changed in place comes back as itself
    return tree_map_only(torch.Tensor, lambda x: originals.get(id(x)) if id(x) in originals else OnDevice(x), result)


class _Dispatch(TorchDispatchMode):
    def __init__(self, flops):
        super().__init__()
        self.flops = flops

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with self:  # what consists of other operations is taken apart
            parts = func.decompose(*args, **kwargs or {})
        return dispatch(func, args, kwargs or {}, self.flops) if parts is NotImplemented else parts


class _Function(TorchFunctionMode):
    """Calls that torch answers before any operation is asked for, as if there were no values."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.tensor and kwargs.get("device") is not None and torch.device(kwargs["device"]) == DEVICE:
            return torch.tensor(*args, **kwargs | {"device": "cpu"}).to(DEVICE)
        if func is torch.Tensor.tolist:
            return args[0].cpu().numpy().tolist()
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], OnDevice):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = args[0], tuple(torch.tensor(p) if isinstance(p, list) else p for p in places), *args[2:]
        return func(*args, **kwargs)


@contextmanager
def as_accelerator(patch):
    """Inside, "auto" is the stand-in; yields how many floating-point operations of products each device computed."""
    for name, module in list(sys.modules.items()):
        if name.startswith("clipspm_lite.") and hasattr(module, "pick_device"):
            patch.setattr(module, "pick_device", lambda device: DEVICE if device == "auto" else torch.device(device))
    flops = Counter()
    with _Function(), _Dispatch(flops):
        yield flops
