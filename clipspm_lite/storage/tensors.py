"""Tensors with a JSON description in one safetensors file, which carries a format version."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from safetensors import SafetensorError
from safetensors.torch import load, save, save_file
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, one_line, replace_file, replacing

FORMAT_VERSION = 1


def write_tensors(
    path: str | os.PathLike,
    tensors: Mapping[str, Tensor],
    description: dict[str, Any],
    *,
    sync: bool = True,
) -> None:
    """Write tensors and a JSON-able description to ``path``, whole or not at all; ``sync`` as for `replace_file`."""
    header = {"clipspm_lite": json.dumps({"format_version": FORMAT_VERSION, **description})}
    written = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    if not sync:
        replace_file(path, save(written, header), sync=False)
        return
    with replacing(path) as unfinished:
        save_file(written, unfinished, header)


def read_tensors(path: str | os.PathLike, *kinds: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote with a ``description["kind"]`` that is one of ``kinds``.

    Raises:
        CheckpointError: a missing, damaged or foreign file, another kind, or a format newer than this version knows.
    """
    with _opened(path, *kinds) as (file, description):
        file.seek(0)
        # Read through the one open file: its header and its tensors belong together, even if it is replaced meanwhile.
        return load(file.read()), description


def read_description(path: str | os.PathLike, *kinds: str) -> dict[str, Any]:
    """The description alone, from the header of the file; otherwise as `read_tensors`."""
    with _opened(path, *kinds) as (_, description):
        return description


@contextmanager
def _opened(path: str | os.PathLike, *kinds: str) -> Iterator[tuple[BinaryIO, dict[str, Any]]]:
    """A file of one of ``kinds``, and its description."""
    kind = " or ".join(kinds)
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, os.fstat(file.fileno()).st_size)))
            description = json.loads(header["__metadata__"]["clipspm_lite"])
            if description["format_version"] > FORMAT_VERSION:
                raise CheckpointError(
                    f"format {description['format_version']} is newer than this version of clipspm_lite reads "
                    f"({FORMAT_VERSION}): update clipspm_lite to open {path}"
                )
            if description["kind"] not in kinds:
                raise CheckpointError(f"expected a {kind}, found a {description['kind']}: {path}")
            yield file, description
    except CheckpointError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(
            f"cannot be read as a {kind} written by clipspm_lite ({reason}): {path}"
        ) from None
