"""Files that are there whole or not at all, what identifies their content, and weights from a stranger's file."""

import glob
import hashlib
import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from tqdm.auto import tqdm

UNFINISHED = ".partial"
ABANDONED_AFTER = 3600  # seconds
CLOCK_TICK = 100_000_000  # nanoseconds; changes this close together may leave a file the same times

Stamp = tuple[int, int, int]


class CheckpointError(ValueError):
    """A file of weights that cannot be used: what was found, what to do, and its name, in one line."""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Give the name of a file near ``path`` to write to; it takes ``path``'s place when the block ends well.

    Whatever happens, ``path`` afterwards holds what it held before or the complete new content, also after a loss of
    power. A link is followed. A process that is killed meanwhile leaves its unfinished file; a later write to ``path``
    removes it.

    Raises:
        OSError: it cannot be written (no space, no permission, not a regular file); ``path`` is as it was.
    """
    # In a folder, because some libraries first write to another name and would leave that file behind.
    with _written(path) as target:
        folder = TemporaryDirectory(UNFINISHED, f".{target.name}.", target.parent, ignore_cleanup_errors=True)
        with folder as name:
            unfinished = os.path.join(name, target.name)
            yield unfinished
            _put(unfinished, target)


def replace_file(path: str | os.PathLike, content: bytes, *, sync: bool = True) -> None:
    """Write ``content`` to ``path`` as `replacing` does.

    Without ``sync`` a loss of power may leave a damaged file. Syncing takes milliseconds, too long for a cache of many
    small files.
    """
    with _written(path) as target:
        unfinished = target.with_name(f".{target.name}.{token_hex(4)}{UNFINISHED}")
        try:
            unfinished.write_bytes(content)
            _put(unfinished, target, sync)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def _written(path: str | os.PathLike) -> Iterator[Path]:
    """What ``path`` really is, in a folder that is there; errors in the block say what to do."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            raise OSError("not a regular file")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        yield target
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise OSError(
            f"cannot be written ({reason}), nothing there was changed; make room or choose another place: {path}"
        ) from error


def _put(unfinished: str | Path, target: Path, sync: bool = True) -> None:
    if sync:
        with open(unfinished, "rb+") as written:
            os.fsync(written.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(unfinished, 0o666 & ~umask)  # some libraries let nobody else read
    os.replace(unfinished, target)
    if sync:
        with suppress(OSError):  # Windows opens no folder, and not every file system syncs one
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _remove_abandoned(path: Path) -> None:
    """Remove unfinished files of ``path`` that nobody has written to for an hour: their processes were killed."""
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
        with suppress(OSError):
            last = max(written.stat().st_mtime for written in (unfinished, *unfinished.glob("*")))
            if time.time() - last > ABANDONED_AFTER:
                shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()


def check_writable(path: str | os.PathLike) -> None:
    """Refuse a file that could not be written, before the work whose result it is to keep; raises OSError."""
    with _written(path) as target:
        if not os.access(target.parent, os.W_OK):
            raise OSError("its folder does not allow it")


def end_with_parent() -> None:
    """Called as a worker process starts: if its parent is killed, it ends too and writes no more files."""

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


def stamp(status: os.stat_result) -> Stamp:
    """What changes with a file's content: its size and times."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def hash_files(
    stamps: Mapping[str | Path, Stamp], cache: Path, *, progress: bool = False
) -> dict[str | Path, str]:
    """`file_sha256` of each file, kept from one call to the next.

    Args:
        stamps: the files, each with the `stamp` that it had before this call.
        cache: a text file that keeps hashes by absolute path and stamp. It only grows, by one line of JSON per hash, so
            several processes may append to it. A line that a kill or a full disk cut short is passed over.
    """
    known: dict[tuple[str, Stamp], str] = {}
    with suppress(OSError):
        for line in cache.read_bytes().splitlines():
            with suppress(ValueError, TypeError):
                name, stamped, sha256 = json.loads(line)
                known[name, tuple(stamped)] = sha256
    places = {path: (os.path.abspath(path), stamped) for path, stamped in stamps.items()}
    new = [path for path, place in places.items() if place not in known]
    for path in tqdm(new, desc="hashing videos", disable=None if progress and new else True):
        started, place = time.time_ns(), places[path]
        known[place] = file_sha256(path)
        if started - max(stamps[path][1:]) > CLOCK_TICK:
            with suppress(OSError):  # a folder that cannot be written serves all the same
                cache.parent.mkdir(parents=True, exist_ok=True)
                with cache.open("ab", buffering=0) as file:
                    file.write(b"\n" + json.dumps([*place, known[place]]).encode())
    return {path: known[place] for path, place in places.items()}


def is_safetensors(path: Path) -> bool:
    """Whether a file is meant to be safetensors: by its content, or by its name if the content is damaged."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{" or path.suffix == ".safetensors"


def read_torch(path: str | os.PathLike, allowed: Collection[tuple[Callable[..., Any], str]] = ()) -> Any:
    """What `torch.save` wrote, mapped from the file: tensors, numbers and containers. No code in it is run.

    Args:
        allowed: what else the file may ask for: (what is called, the name by which the file asks for it).

    Raises:
        CheckpointError: another file, a damaged one, or one that asks for more.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            # Mapped, so that an optimizer's state, twice the size of the model, is never read.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch, pickle and zipfile raise their own types, with advice that is unsafe here
        raise CheckpointError(
            f"not a torch file of tensors and numbers, or damaged; nothing in it was run: {path}"
        ) from None


def fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module that was built on the meta device its weights: copies, float32.

    Raises:
        ValueError: names or shapes differ; the message is one line.
    """
    own = {
        name: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        for name, tensor in tensors.items()
    }
    try:
        module.load_state_dict(own, assign=True)
    except RuntimeError as error:
        raise ValueError(one_line(error)) from None


def one_line(error: Exception, longest: int = 300) -> str:
    """An error's message on one line, cut off at ``longest`` characters."""
    message = " ".join(str(error).split())
    return message if len(message) <= longest else message[:longest].rstrip() + " …"
