"""What the public calls refuse: tensors that do not form an episode, labels of other classes, wrong settings."""

from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from clipspm_lite.arguments import check_known, whole_number


def check_episode(
    support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None, dim: int | None = None
) -> None:
    """Refuse tensors that do not form a class-major episode of features of width ``dim``; None takes any width.

    Values are not looked at, as a GPU would wait for that: features that hold NaN give logits that hold NaN.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: shapes do not fit together, a class, shot, query or frame is missing, or a class has no shot left.
    """
    given = {"support": support, "query": query, "class_text": class_text}
    if support_mask is not None:
        given["support_mask"] = support_mask
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, found {type(tensor).__name__}")
    if support.ndim < 4 or 0 in support.shape:
        raise ValueError(f"support: expected [..., N, K, T, C], at least one of each, found {tuple(support.shape)}")
    *leading, way, shot, frames, width = support.shape
    expected = {
        "support": support.shape,
        "query": (*leading, max((1, *query.shape[-3:-2])), frames, width),
        "class_text": (*leading, way, width),
        "support_mask": (*leading, way, shot),
    }
    for name, tensor in given.items():
        if tensor.shape != expected[name]:
            found, beside = tuple(tensor.shape), tuple(support.shape)
            raise ValueError(f"{name}: expected shape {expected[name]} beside a support of {beside}, found {found}")
    if dim is not None and width != dim:
        raise ValueError(f"support: expected width {dim}, found {width}: features of another backbone than the model's")
    if support_mask is not None and not support_mask.any(-1).all():
        raise ValueError("support_mask: every class needs at least one shot, found a class with none")


def check_labels(query_labels: Tensor, query: Tensor, class_text: Tensor) -> None:
    """Refuse labels that are not one class index of the episode for each query; raises ValueError."""
    shape, way = tuple(query.shape[:-2]), class_text.shape[-2]
    if query_labels.shape != shape or query_labels.dtype != torch.long:
        found = f"{query_labels.dtype} of shape {tuple(query_labels.shape)}"
        raise ValueError(f"query_labels: expected an int64 for each query, shape {shape}, found {found}")
    if ((query_labels < 0) | (query_labels >= way)).any():
        found = f"{int(query_labels.min())} … {int(query_labels.max())}"
        raise ValueError(f"query_labels: expected class indices 0 … {way - 1} of the episode, found {found}")


def check_fields(config: Any) -> None:
    """Refuse a configuration by its dataclass's annotations: an int is at least 1, a `Literal` one of its words."""
    annotations = get_type_hints(type(config))
    for field in fields(config):
        annotation, value = annotations[field.name], getattr(config, field.name)
        if annotation is int:
            whole_number(field.name, value)
        elif get_origin(annotation) is Literal:
            check_known(field.name, value, get_args(annotation))
