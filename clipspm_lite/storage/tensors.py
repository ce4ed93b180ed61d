"""Tensors with a JSON description in one safetensors file, which carries a format version."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, one_line, replacing
from clipspm_lite.storage.untrusted import check_safetensors, parse_json

FORMAT_VERSION = 1


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, Tensor], description: dict[str, Any]
) -> None:
    """Write tensors and a JSON-able description to ``path``, whole or not at all."""
    header = {"clipspm_lite": json.dumps({"format_version": FORMAT_VERSION, **description})}
    with replacing(path) as name:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, name, header)


def read_tensors(path: str | os.PathLike, *kinds: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote with a ``description["kind"]`` that is one of ``kinds``.

    The header is checked before any tensor is read; a tensor's size is bounded by the file's.

    Raises:
        CheckpointError: a missing or foreign file, another kind, or a format newer than this version knows.
    """
    while True:
        before = _version(path)
        try:
            with _opened(path, *kinds) as (file, description):
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except CheckpointError:
            if _version(path) == before:
                raise
            continue
        # safetensors opens a file twice, once for its header: replaced in between, it is of two files.
        if _version(path) == before:
            return tensors, description


def _version(path: str | os.PathLike) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_description(path: str | os.PathLike, *kinds: str) -> dict[str, Any]:
    """The description alone, from the header of the file; otherwise as `read_tensors`."""
    with _opened(path, *kinds) as (_, description):
        return description


@contextmanager
def _opened(path: str | os.PathLike, *kinds: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A file of one of ``kinds`` whose tensors can be read, and its description."""
    kind = " or ".join(kinds)
    if not os.path.isfile(path):
        found = "not a regular file" if os.path.exists(path) else "no such file"
        raise CheckpointError(f"{found}, expected a {kind} written by clipspm_lite: {path}")
    try:
        check_safetensors(path)
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("clipspm_lite")
            if header is None:
                raise CheckpointError(
                    f"a safetensors file without clipspm_lite's description, expected a {kind}: {path}"
                )
            description = parse_json(header)
            version = description["format_version"]
            if version > FORMAT_VERSION:
                raise CheckpointError(
                    f"format {version} is newer than this version of clipspm_lite reads ({FORMAT_VERSION}): "
                    f"update clipspm_lite to open {path}"
                )
            if description["kind"] not in kinds:
                raise CheckpointError(f"expected a {kind}, found a {description['kind']}: {path}")
            yield file, description
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot be read ({error.strerror or one_line(error)}): {path}") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"not a {kind} of clipspm_lite, or damaged ({one_line(error)}): {path}"
        ) from None
