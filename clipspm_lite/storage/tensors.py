"""Tensors with a JSON description in one safetensors file, which carries a format version."""

import json
import os
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, one_line, replacing

FORMAT_VERSION = 1


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, Tensor], description: dict[str, Any], *, durable: bool = True
) -> None:
    """Write tensors and a JSON-able description to ``path``, as `replacing` does."""
    header = {"clipspm_lite": json.dumps({"format_version": FORMAT_VERSION, **description})}
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path, durable=durable) as unfinished:
        save_file(own, unfinished, header)


def read_tensors(
    path: str | os.PathLike, *kinds: str, description_only: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote with a ``description["kind"]`` that is one of ``kinds``; raises CheckpointError."""
    kind = " or ".join(kinds)
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, os.fstat(file.fileno()).st_size)))
            description = json.loads(header["__metadata__"]["clipspm_lite"])
            newer, found = description["format_version"] > FORMAT_VERSION, description["kind"]
            file.seek(0)  # header and tensors of one open file belong together, even if it is replaced meanwhile
            tensors = {} if description_only or newer or found not in kinds else load(file.read())
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(f"cannot be read as a {kind} written by clipspm_lite ({reason}): {path}") from None
    if newer or found not in kinds:
        wanted = f"format {FORMAT_VERSION} or older, update clipspm_lite" if newer else f"a {kind}, found a {found}"
        raise CheckpointError(f"expected {wanted}: {path}")
    return tensors, description


def read_description(path: str | os.PathLike, *kinds: str) -> dict[str, Any]:
    """The description alone, from the header of the file; otherwise as `read_tensors`."""
    return read_tensors(path, *kinds, description_only=True)[1]
