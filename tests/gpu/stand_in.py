"""A stand-in for a GPU: tensors that say they are on another device, compute on the CPU, and refuse to be mixed.

They call themselves "meta", a device that torch has everywhere, but have values. As with CUDA, an operation takes
tensors of one device, except for single numbers, copies, and indices from the CPU; and NumPy cannot see them.
"""

import sys
from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import CPUAccelerator
from lightning_fabric.strategies import SingleDeviceStrategy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from clipspm_lite.training import state

DEVICE = torch.device("meta")
MIXED = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_", "set_", "_local_scalar_dense")


class OnDevice(torch.Tensor):
    """A tensor of the stand-in device; ``held`` has its values."""

    @staticmethod
    def __new__(cls, held):
        how = dict(dtype=held.dtype, strides=held.stride(), storage_offset=held.storage_offset(), device=DEVICE)
        with torch.inference_mode(False):
            return torch.Tensor._make_wrapper_subclass(cls, held.size(), **how, requires_grad=False)

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"OnDevice({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {}, Counter())


def each(act, value):
    """``value`` with ``act`` done to each of its tensors; operations take and return lists of them at most."""
    if isinstance(value, (list, tuple)):
        return type(value)([each(act, part) for part in value])
    return act(value) if isinstance(value, torch.Tensor) else value


def dispatch(func, args, kwargs, flops):
    given: list[torch.Tensor] = []
    each(given.append, [*args, *kwargs.values()])
    here = [tensor for tensor in given if isinstance(tensor, OnDevice)]
    name, packet, asked = func._schema.name.removeprefix("aten::"), func._overloadpacket, kwargs.get("device")
    if here and name not in MIXED and (others := [x for x in given if not isinstance(x, OnDevice) and x.ndim]):
        raise RuntimeError(f"{name}: expected all tensors on one device, found {[list(x.shape) for x in others]}")
    on_device = bool(here) if asked is None else torch.device(asked) == DEVICE
    if name == "copy_":
        on_device = isinstance(args[0], OnDevice)
    args, values = (each(lambda x: getattr(x, "held", x), part) for part in (args, [*kwargs.values()]))
    kwargs = dict(zip(kwargs, values, strict=True))
    if asked is not None and on_device:
        kwargs["device"] = torch.device("cpu")
    result = func(*args, **kwargs)
    if packet in flop_registry:
        flops[DEVICE.type if on_device else "cpu"] += flop_registry[packet](*args, **kwargs, out_val=result)
    if not on_device:
        return result
    changed = {id(tensor.held): tensor for tensor in here}  # what was changed in place comes back as itself
    return each(lambda x: changed[id(x)] if id(x) in changed else OnDevice(x), result)


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
def as_accelerator():
    """Inside, "auto" is the stand-in; yields how many floating-point operations of products each device computed."""

    def fabric(accelerator, **how):
        return (
            Fabric(strategy=SingleDeviceStrategy(DEVICE)) if accelerator == DEVICE.type else Fabric(accelerator, **how)
        )

    def pick_device(device):
        return DEVICE if device == "auto" else torch.device(device)

    flops = Counter()
    with pytest.MonkeyPatch.context() as patch, _Function(), _Dispatch(flops):
        for module in [module for module in sys.modules.values() if "pick_device" in getattr(module, "__dict__", ())]:
            patch.setattr(module, "pick_device", pick_device)
        patch.setattr(state, "Fabric", fabric)
        patch.setattr(torch.accelerator, "synchronize", lambda: None)
        # Lightning refuses a device that it does not know, and "meta" because its tensors usually have no values.
        patch.setattr(CPUAccelerator, "setup_device", lambda *_: None)
        patch.setattr("lightning_fabric.fabric._has_meta_device_parameters_or_buffers", lambda *_: False)
        yield flops
