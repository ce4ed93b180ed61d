"""What the public calls refuse: tensors that do not form an episode, labels of other classes, wrong settings."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from clipspm_lite.arguments import check_known, whole_number


def check_episode(
    support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None, dim: int | None = None
) -> None:
    """Refuse tensors whose shapes do not form a class-major episode. The message names the argument.

    Values are not looked at, as a GPU would wait for that: features that hold NaN give logits that hold NaN.

    Args:
        dim: the width that the features must have; None takes any.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: shapes do not fit together, a class, shot, query or frame is missing, or a class has no shot left.
    """
    given = {"support": support, "query": query, "class_text": class_text}
    if support_mask is not None:
        given["support_mask"] = support_mask
    check_tensors(given)
    if support.ndim < 4 or 0 in support.shape:
        raise ValueError(
            f"support: expected [..., N, K, T, C], at least one of each, found shape {tuple(support.shape)}"
        )
    *leading, way, shot, frames, width = support.shape
    queries = query.shape[-3] if query.ndim == support.ndim - 1 else 0
    expected = {
        "query": (*leading, queries or "Q ≥ 1", frames, width),
        "class_text": (*leading, way, width),
        "support_mask": (*leading, way, shot),
    }
    for name, tensor in given.items():
        if name != "support" and tensor.shape != expected[name]:
            raise ValueError(
                f"{name}: expected shape ({', '.join(map(str, expected[name]))}) beside a support of "
                f"{tuple(support.shape)}, found {tuple(tensor.shape)}"
            )
    if dim is not None and width != dim:
        raise ValueError(
            f"support: expected frame features of width {dim}, found {width}: "
            "they come from another backbone than the one this model was built for"
        )
    if support_mask is not None and not support_mask.any(-1).all():
        raise ValueError("support_mask: every class needs at least one shot, found a class with none")


def check_tensors(arguments: Mapping[str, object]) -> None:
    """Refuse lists and arrays in a tensor's place, by the argument's name; raises TypeError."""
    for name, argument in arguments.items():
        if not isinstance(argument, Tensor):
            raise TypeError(
                f"{name}: expected a torch.Tensor, found {type(argument).__name__} (torch.as_tensor makes one)"
            )


def check_labels(query_labels: Tensor, query: Tensor, class_text: Tensor) -> None:
    """Refuse labels that are not one class index of the episode for each query; raises ValueError."""
    way = class_text.shape[-2]
    if query_labels.shape != query.shape[:-2] or query_labels.dtype != torch.long:
        raise ValueError(
            f"query_labels: expected an int64 for each query, shape {tuple(query.shape[:-2])}, "
            f"found {query_labels.dtype} of shape {tuple(query_labels.shape)}"
        )
    if ((query_labels < 0) | (query_labels >= way)).any():
        raise ValueError(
            f"query_labels: expected class indices 0 … {way - 1} of the episode, "
            f"found {int(query_labels.min())} … {int(query_labels.max())}"
        )


def check_fields(config: Any) -> None:
    """Refuse a configuration by its dataclass's annotations: an int is at least 1, a `Literal` one of its words."""
    annotations = get_type_hints(type(config))
    for field in fields(config):
        annotation, value = annotations[field.name], getattr(config, field.name)
        if annotation is int:
            whole_number(field.name, value)
        elif get_origin(annotation) is Literal:
            check_known(field.name, value, get_args(annotation))
