"""The heads that can be trained and kept in a checkpoint: how one is described, built again, and put in eval mode."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from clipspm_lite.arguments import check_known
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.head import Head
from clipspm_lite.model.recommended import Recommended
from clipspm_lite.model.trx import TRX

# By the name under "model" in a description.
HEADS: dict[str, type[Head]] = {"clip-spm": CLIPSPM, "clip-spm-extended": ExtendedCLIPSPM}
HEADS |= {"clip-fsar": CLIPFSAR, "trx": TRX, "recommended": Recommended}
_move = torch.inference_mode(False)(nn.Module.to)  # weights that are moved in that mode can never be trained again


def describe_head(head: Any) -> dict[str, Any]:
    """The configuration of a head as JSON can hold it, for `build_head`.

    "model" names the head; CLIP-SPM's has none, as in old files. The ``config`` of your own may be a dict of arguments.
    """
    config, own_name = head.config, type(head).__name__
    if not is_dataclass(config):
        return {"model": own_name} | config
    described = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
    model = getattr(config, "model", own_name)
    if HEADS.get(model, type(head)) is not type(head):  # a subclass, which must not be opened as its parent
        model = own_name
    return described if model == "clip-spm" else {"model": model} | described


def build_head(description: Mapping[str, Any], own: Any = None) -> Head:
    """A new head from what `describe_head` gave for another: of your ``own`` class or, else ValueError, of `HEADS`."""
    arguments = dict(description)
    recommended = arguments.get("preset") == "recommended"  # which is a model of its own
    name = arguments.pop("preset" if recommended else "model", "clip-spm")
    if own is None:
        check_known("model", name, [*HEADS, "your own class with head= (--head)"])
    return (own or HEADS[name])(**arguments)


@contextmanager
def scored_in_eval_mode(*methods: Any, device: torch.device | None = None) -> Iterator[None]:
    """Put every torch module behind the methods into eval mode and on ``device``, and back as they were afterwards.

    Behind a method are: the module itself; what a `functools.partial` holds; the owner of a bound method such as
    ``model.forward``; and a function's closure and the globals that it names, also through other functions of its file.
    What is hidden deeper, in a list or an object for example, can't be known: call ``.eval()`` on such a module
    yourself, and move it. Methods that are strings pass.
    """
    behind = _modules_behind(methods)
    modes = [(part, part.training) for module in behind for part in module.modules()]
    homes = [(module, weight.device) for module in behind for weight in [*module.parameters()][:1]]
    try:
        for module in behind:
            _move(module.eval(), device)
        yield
    finally:
        for module, home in homes:
            _move(module, home)
        for part, training in modes:
            part.training = training


def _modules_behind(methods: tuple[Any, ...]) -> list[nn.Module]:
    found: list[nn.Module] = []
    waiting, seen = list(methods), set()
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, nn.Module):
            found.append(thing)
        elif isinstance(thing, partial):
            waiting += [thing.func, *thing.args, *thing.keywords.values()]
        elif isinstance(thing, MethodType):
            waiting.append(thing.__self__)
        elif isinstance(thing, FunctionType) and thing not in seen:
            seen.add(thing)
            named = [thing.__globals__.get(name) for name in _names(thing.__code__)]
            named += [cell.cell_contents for cell in thing.__closure__ or ()]
            waiting += [x for x in named if not isinstance(x, FunctionType) or x.__module__ == thing.__module__]
    return found


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
