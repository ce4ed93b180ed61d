"""The heads that can be trained and kept in a checkpoint: how one is described, built again, and put in eval mode."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from torch import nn

from clipspm_lite.arguments import check_known
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.presets import CLIPSPMConfig
from clipspm_lite.model.trx import TRX

Head = CLIPSPM | CLIPFSAR | TRX

# By the name under "model" in a description.
HEADS: dict[str, type[Head]] = {
    "clip-spm": CLIPSPM,
    "clip-spm-extended": ExtendedCLIPSPM,
    "clip-fsar": CLIPFSAR,
    "trx": TRX,
}


def describe_head(head: Any) -> dict[str, Any]:
    """The configuration of a head as JSON can hold it, for `build_head`.

    "model" says which head it is; CLIP-SPM's description has none, as files had before there was another model. A
    module of your own may keep a dict as its ``config``, which is returned as it is.
    """
    config = head.config
    if isinstance(config, dict):
        return config
    described = {} if config.model == CLIPSPMConfig.model else {"model": config.model}
    for field, value in asdict(config).items():
        described[field] = list(value) if isinstance(value, tuple) else value
    return described


def build_head(description: Mapping[str, Any]) -> Head:
    """A new head from what `describe_head` gave for another.

    Raises:
        ValueError: an unknown model, or what its class refuses.
        TypeError: arguments that its class does not have.
    """
    arguments = dict(description)
    name = arguments.pop("model", "clip-spm")
    check_known("model", name, HEADS)
    return HEADS[name](**arguments)


@contextmanager
def scored_in_eval_mode(*methods: Any) -> Iterator[None]:
    """Put every torch module behind the methods into eval mode, and hand each submodule back in the mode it came in.

    Behind a method are: the module itself; what a `functools.partial` holds; the owner of a bound method such as
    ``model.forward``; a function's closure, its default values and the globals that it names, in it and in functions of
    the same file that it names; and the attributes of any other object. Methods that are strings pass. What is hidden
    deeper, in a list for example, can't be known: call ``.eval()`` on such a module yourself.
    """
    behind = [module for method in methods for module in _modules_behind(method)]
    modes = [(part, part.training) for module in behind for part in module.modules()]
    try:
        for module in behind:
            module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


def _modules_behind(method: Any) -> list[nn.Module]:
    found: list[nn.Module] = []
    waiting, seen = [method], set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, nn.Module):
            found.append(thing)
        elif isinstance(thing, partial):
            waiting += [thing.func, *thing.args, *thing.keywords.values()]
        elif isinstance(thing, MethodType):
            waiting.append(thing.__self__)
        elif isinstance(thing, FunctionType):
            waiting += [
                value
                for value in _values_named_in(thing)
                if not isinstance(value, FunctionType) or value.__module__ == thing.__module__
            ]
        else:
            attributes = getattr(thing, "__dict__", {}).values()
            waiting += [value for value in attributes if isinstance(value, nn.Module)]
    return found


def _values_named_in(function: FunctionType) -> list[Any]:
    """The values of a function's closure, its defaults, and the globals that its code names."""
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    values += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    names = _names(function.__code__)
    return values + [function.__globals__[name] for name in names if name in function.__globals__]


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
