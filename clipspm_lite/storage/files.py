"""Files that are there whole or not at all, what identifies their content, and weights from a stranger's file."""

import glob
import hashlib
import io
import json
import os
import shutil
import textwrap
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from tqdm.auto import tqdm

UNFINISHED = ".partial"
CLOCK_TICK = 100_000_000  # nanoseconds, coarser than any file system's times
ABANDONED_AFTER = 3600  # seconds

Stamp = tuple[int, int, int]


class CheckpointError(ValueError):
    """A file of weights that cannot be used: what was found, what to do, and its name, in one line."""


@contextmanager
def replacing(path: str | os.PathLike, *, durable: bool = True) -> Iterator[str]:
    """Give the name of a file near ``path`` to write to; it takes ``path``'s place when the block ends well.

    Whatever happens, a loss of power included, ``path`` afterwards holds what it held before or the complete new
    content. A link is followed. A process that is killed meanwhile leaves its unfinished file; a later write to
    ``path`` removes it. Not ``durable`` is faster, for what can be made again after a loss of power. Raises OSError.
    """
    with _target(path) as target:
        # In a folder, because some libraries first write to another name and would leave that file behind.
        folder = TemporaryDirectory(UNFINISHED, f".{target.name}.", target.parent, ignore_cleanup_errors=True)
        with folder as name:
            unfinished = os.path.join(name, target.name)
            yield unfinished
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(unfinished, 0o666 & ~umask)  # some libraries let nobody else read
            if durable:
                with open(unfinished, "rb+") as written:
                    os.fsync(written.fileno())
            os.replace(unfinished, target)


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write ``content`` to ``path`` as `replacing` does."""
    with replacing(path) as unfinished:
        Path(unfinished).write_bytes(content)


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Write a dictionary as JSON, whole or not at all; raises ValueError for NaN or infinity, which JSON has not."""
    replace_file(path, (json.dumps(content, allow_nan=False) + "\n").encode())


def check_writable(path: str | os.PathLike) -> str | os.PathLike:
    """The path; refuses a file that could not be written, before the work whose result it keeps; raises OSError."""
    with _target(path) as target:
        if not os.access(target.parent, os.W_OK):
            raise OSError("its folder does not allow it")
    return path


@contextmanager
def _target(path: str | os.PathLike) -> Iterator[Path]:
    """What ``path`` really is, in a folder that is there; errors in the block say what to do."""
    target = Path(os.path.realpath(path))
    try:
        with suppress(FileNotFoundError):  # asked once, as another process may write or remove it
            if not S_ISREG(target.stat().st_mode):
                raise OSError("not a regular file")
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f".{glob.escape(target.name)}.*{UNFINISHED}"):
            with suppress(OSError):  # nobody wrote to it for an hour: its process was killed
                if time.time() - max(file.stat().st_mtime for file in (left, *left.glob("*"))) > ABANDONED_AFTER:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield target
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise OSError(f"cannot be written ({reason}); make room or choose another place: {path}") from error


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


def hash_all(stamps: Mapping[Any, Stamp], sha256: Any, cache: Path, *, progress: bool = False) -> dict[Any, str]:
    """The hash of each path; ``cache`` keeps it by absolute path and stamp. A damaged line is passed over."""
    known = _known_hashes(cache, stamp(cache.stat())).copy() if cache.is_file() else {}
    places = {path: (os.path.abspath(path), stamped) for path, stamped in stamps.items()}
    new = [path for path, place in places.items() if place not in known]
    for path in tqdm(new, desc="hashing videos", disable=None if progress and new else True):
        started = time.time_ns()
        known[places[path]] = sha256(path)
        if started - max(stamps[path][1:]) < CLOCK_TICK:  # another change could leave the same stamp
            continue
        with suppress(OSError):  # a folder that cannot be written serves all the same
            cache.parent.mkdir(parents=True, exist_ok=True)
            with cache.open("ab") as kept:
                kept.write(b"\n" + json.dumps([*places[path], known[places[path]]]).encode())
    return {path: known[place] for path, place in places.items()}


@lru_cache(maxsize=1)  # many calls for a few videos each would read the same file again
def _known_hashes(cache: Path, _stamp: Stamp) -> dict[tuple[str, Stamp], str]:
    known: dict[tuple[str, Stamp], str] = {}
    for line in cache.read_bytes().splitlines():
        with suppress(ValueError, TypeError):
            name, stamped, sha256 = json.loads(line)
            known[name, tuple(stamped)] = sha256
    return known


def is_safetensors(path: Path) -> bool:
    """Whether a file is meant to be safetensors: by its content, or by its name if the content is damaged."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{" or path.suffix == ".safetensors"


def read_torch(path: str | os.PathLike, allowed: Collection[tuple[Callable[..., Any], str]] = ()) -> Any:
    """Tensors, numbers, containers, what is ``allowed`` (callable, its name there); else CheckpointError.

    Of a TorchScript archive, whose code is neither compiled nor run, it gives the tensors: ``{"state_dict": …}``.
    """
    try:
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return {"state_dict": dict(_tensors_in(_read_torchscript(path)))}
        with torch.serialization.safe_globals(list(allowed)):
            # Mapped, so that an optimizer's state, twice the size of the model, is never read.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch, pickle and zipfile raise their own types, with advice that is unsafe here
        raise CheckpointError(f"not a torch file of tensors and numbers, or damaged; nothing was run: {path}") from None


def _read_torchscript(path: str | os.PathLike) -> SimpleNamespace:
    # By this name torch.load would know the archive and refuse it.
    archive = io.BytesIO(Path(path).read_bytes().replace(b"/constants.pkl", b"/constants.not"))
    used = torch.serialization.get_unsafe_globals_in_checkpoint(archive)
    allowed: list[Any] = [(SimpleNamespace, name) for name in used if name.startswith("__torch__.")]
    allowed += [(list, f"torch.jit._pickle.build_{kind}list") for kind in ("int", "double", "bool")]
    archive.seek(0)
    with torch.serialization.safe_globals(allowed):
        return torch.load(archive, map_location="cpu", weights_only=True)


def _tensors_in(module: SimpleNamespace, place: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield place + name, value
        elif isinstance(value, SimpleNamespace):
            yield from _tensors_in(value, f"{place}{name}.")


def fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module on the meta device its weights: copies, float32; raises ValueError if names or shapes differ."""
    own = {name: t.to(torch.float32 if t.is_floating_point() else t.dtype, copy=True) for name, t in tensors.items()}
    try:
        module.load_state_dict(own, assign=True)
    except RuntimeError as error:
        raise ValueError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """An error's message on one line, cut off at 300 characters."""
    return textwrap.shorten(str(error), 300, placeholder=" …")
