"""Files that are there whole or not at all, what identifies their content, and weights out of a stranger's file."""

import glob
import hashlib
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

UNFINISHED = ".partial"
ABANDONED_AFTER = 3600  # seconds


class CheckpointError(ValueError):
    """A file of weights that cannot be used: what was found, what to do, and its name, in one line."""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Gives the name of a file near ``path`` to write to, which takes ``path``'s place when the block ends well.

    Whatever happens, ``path`` afterwards holds what it held before or the complete new content; file and folder are
    synced, so that this holds for a loss of power too, and so does the order of two writes. A link is followed. A
    process that is killed meanwhile leaves its unfinished file; a later write to ``path`` removes it.

    Raises:
        OSError: it cannot be written (no space, no permission, no regular file); ``path`` is as it was.
    """
    path = Path(path)
    try:
        with _replacing(Path(os.path.realpath(path))) as name:
            yield name
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise OSError(
            f"cannot be written ({reason}), nothing there was changed; make room or choose another place: {path}"
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[str]:
    if path.exists() and not path.is_file():
        raise OSError("not a regular file")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    # A folder, as some libraries write to another name first and would leave that.
    unfinished = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        name = os.path.join(unfinished, path.name)
        yield name
        with open(name, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # some libraries let nobody else read
        os.replace(name, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    with suppress(OSError):  # no folder can be opened on Windows, and not every file system syncs one
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove_abandoned(path: Path) -> None:
    """Unfinished files of ``path`` that nobody has written to for an hour: their processes were killed."""
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
        with suppress(OSError):
            last = max(written.stat().st_mtime for written in (unfinished, *unfinished.iterdir()))
            if time.time() - last > ABANDONED_AFTER:
                shutil.rmtree(unfinished)


def check_writable(path: str | os.PathLike) -> None:
    """Refuse a file that could not be written, before the work that it is to keep; raises OSError."""
    path = Path(path)
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if (path.exists() and not path.is_file()) or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OSError(
            f"cannot be written: it is no regular file, or lies where nothing can be written; choose another place: "
            f"{path}"
        )


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` to ``path`` as `replacing` does."""
    with replacing(path) as name:
        Path(name).write_bytes(content)


def end_with_parent() -> None:
    """For a worker process, as it starts: should its parent be killed, it ends too, and writes no more files."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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
