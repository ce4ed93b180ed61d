"""Files that are there whole or not at all, what identifies their content, and weights out of a stranger's file."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn


class CheckpointError(ValueError):
    """A file of weights that cannot be used: what was found, what to do, and its name, in one line."""


def check_writable(path: str | os.PathLike, what: str) -> None:
    """Refuse a file that could not be written, before the work that it is to keep.

    Args:
        what: names it in the message, by an option or an argument.

    Raises:
        ValueError: it is a folder, or no file can be made in the folder it is to lie in.
    """
    path = Path(path)
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if path.is_dir():
        raise ValueError(f"{what}: cannot be written, this is a folder; give the name of a file: {path}")
    if not folder.is_dir():
        raise ValueError(f"{what}: cannot be written, {folder} is a file and no folder; give another: {path}")
    if not os.access(folder, os.W_OK):
        raise ValueError(
            f"{what}: cannot be written, nothing may be written in {folder}; give another: {path}"
        )


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Gives the name of a file beside ``path`` to write to, which takes ``path``'s place when the block ends well.

    Whatever happens, ``path`` afterwards holds what it held before or the complete new content.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(handle)
    try:
        yield name
        with open(name, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp lets nobody else read
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` to ``path`` as `replacing` does."""
    with replacing(path) as name:
        Path(name).write_bytes(content)


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_safetensors(path: Path) -> bool:
    """Whether a file is meant to be safetensors: by its content, or by its name where the content is damaged."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{" or path.suffix == ".safetensors"


def fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module that was built on the meta device its weights: float32, in memory of their own.

    Names and shapes are compared before anything of the module's size is allocated.

    Raises:
        ValueError: names or shapes differ; the message is one line.
    """
    try:
        module.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise ValueError(one_line(error)) from None
    own = {
        name: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        for name, tensor in tensors.items()
    }
    module.load_state_dict(own, assign=True)


def one_line(error: Exception, longest: int = 300) -> str:
    """An error's message on one line, cut where it goes on and on."""
    message = " ".join(str(error).split())
    return message if len(message) <= longest else message[:longest].rstrip() + " …"
