"""What the models and baselines refuse: tensors that are no episode, labels that are none of its classes, sizes."""

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn


def check_episode(
    support: Tensor,
    query: Tensor,
    class_text: Tensor,
    support_mask: Tensor | None,
    model: nn.Module | None = None,
) -> None:
    """Refuse tensors that are no class-major episode, naming the argument, what was found and what was expected.

    Values are not looked at, on a GPU that would wait for them: what is not finite gives logits that are not.

    Args:
        model: whose width ``dim``, dtype and device they must have; without one they must only agree.

    Raises:
        TypeError: an argument that is no tensor.
        ValueError: shapes, dtypes or devices that do not fit together, no class, shot, query or frame, or a class
            whose shots are all masked.
    """
    features = {"support": support, "query": query, "class_text": class_text}
    given = features if support_mask is None else features | {"support_mask": support_mask}
    check_tensors(given)
    if support.ndim < 4:
        raise ValueError(f"support: expected [..., N, K, T, C], found shape {tuple(support.shape)}")
    *leading, way, shot, frames, width = support.shape
    expected = {"query": (*leading, "Q", frames, width), "class_text": (*leading, way, width)}
    if support_mask is not None:
        expected["support_mask"] = (*leading, way, shot)
    for name, shape in expected.items():
        found = given[name].shape
        fits = len(found) == len(shape) and all(
            want == "Q" or have == want for have, want in zip(found, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{name}: expected shape ({', '.join(map(str, shape))}) beside a support of "
                f"{tuple(support.shape)}, found {tuple(found)}"
            )
    if model is not None and width != model.dim:
        raise ValueError(
            f"support: expected frame features of width {model.dim}, found {width}: "
            "the backbone that made them is not the one this model was built for"
        )
    if 0 in support.shape or 0 in query.shape:
        raise ValueError(
            f"an episode needs at least one class, shot, query and frame, found support "
            f"{tuple(support.shape)} and query {tuple(query.shape)}"
        )
    check_same_kind(features, given, support if model is None else next(model.parameters()))
    if support_mask is not None:
        if support_mask.dtype != torch.bool:
            raise ValueError(f"support_mask: expected booleans, found {support_mask.dtype}")
        if not support_mask.any(-1).all():
            raise ValueError("support_mask: a class has no shot at all; every class needs at least one")


def check_tensors(arguments: Mapping[str, object]) -> None:
    """Refuse what is no plain tensor, by its name."""
    for name, argument in arguments.items():
        if not isinstance(argument, Tensor):
            raise TypeError(
                f"{name}: expected a torch.Tensor, found {type(argument).__name__} (torch.as_tensor makes one)"
            )
        if argument.layout != torch.strided:
            raise TypeError(f"{name}: expected a dense tensor, found {argument.layout}; use .to_dense()")


def check_same_kind(features: Mapping[str, Tensor], given: Mapping[str, Tensor], like: Tensor) -> None:
    """Refuse features that are no real numbers or have another dtype than ``like``, and what lies on another device."""
    for name, tensor in given.items():
        if tensor.device != like.device:
            raise ValueError(
                f"{name}: expected on {like.device}, where the rest is, found on {tensor.device}"
            )
    for name, tensor in features.items():
        mixed = tensor.dtype != like.dtype and not torch.is_autocast_enabled(tensor.device.type)
        if mixed or not tensor.is_floating_point():
            wanted = like.dtype if like.is_floating_point() else torch.float32
            raise ValueError(
                f"{name}: expected features of dtype {wanted}, found {tensor.dtype}; use .to({wanted})"
            )


def check_labels(query_labels: Tensor, query: Tensor, class_text: Tensor) -> None:
    """Refuse labels that are not one class index of the episode for each query.

    Raises:
        TypeError: no tensor.
        ValueError: another shape, dtype or device, or an index out of range.
    """
    check_tensors({"query_labels": query_labels})
    way = class_text.shape[-2]
    if query_labels.shape != query.shape[:-2]:
        raise ValueError(
            f"query_labels: expected shape {tuple(query.shape[:-2])}, one for each query, "
            f"found {tuple(query_labels.shape)}"
        )
    if query_labels.dtype != torch.long:
        raise ValueError(f"query_labels: expected integers of dtype torch.int64, found {query_labels.dtype}")
    if query_labels.device != query.device:
        raise ValueError(
            f"query_labels: expected on {query.device} as the query, found on {query_labels.device}"
        )
    if ((query_labels < 0) | (query_labels >= way)).any():
        raise ValueError(
            f"query_labels: expected class indices 0 … {way - 1} of the episode, "
            f"found {int(query_labels.min())} … {int(query_labels.max())}"
        )


def check_config(config: Mapping[str, Any], sizes: Iterable[str], numbers: Iterable[str]) -> None:
    """Refuse a model's settings that no model can have.

    Raises:
        ValueError: one of ``sizes`` is no whole number of at least 1, or one of ``numbers`` is none or not finite.
    """
    for name in sizes:
        if type(config[name]) is not int or config[name] < 1:  # True would pass for one
            raise ValueError(f"{name}: expected a whole number of at least 1, found {config[name]!r}")
    for name in numbers:
        if not isinstance(config[name], Real) or not math.isfinite(config[name]):
            raise ValueError(f"{name}: expected a finite number, found {config[name]!r}")
