"""What is looked at in a stranger's file before any of it is believed: sizes, types, names (SECURITY.md).

Nothing here or after it runs what a file says, and a file takes no more memory than a small multiple of its own size.
"""

import json
import os
import pickletools
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HEADER_LIMIT = 10_000_000  # bytes of JSON, of which Python makes up to 25 times as much memory
ROOM = 64_000_000  # bytes: what may be unpacked from a compressed file in any case

# What a file of torch may ask for: tensors and containers.
PLAIN = {
    "_codecs.encode",
    "collections.Counter",
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
}
_STORAGE = re.compile(r"torch\.\w+Storage")


class Refused(ValueError):
    """What is wrong with a file, in one line without its name."""


def file_size(path: str | os.PathLike) -> int:
    """In bytes."""
    return os.stat(path).st_size


def read_text(path: str | os.PathLike, limit: int) -> str:
    """A text file in UTF-8: bounded, and not waited for where it is a pipe.

    Raises:
        Refused: it cannot be read, is larger than ``limit`` bytes, or no text.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise Refused("not a regular file; expected a text file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise Refused(f"larger than {limit // 1_000_000} MB; is this the right file?")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror}); expected a text file") from None
    except UnicodeDecodeError:
        raise Refused("not a text file in UTF-8") from None


def parse_json(text: str) -> Any:
    """JSON in which no object has a name twice, as of the two values only one would be seen; raises Refused."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise Refused("not JSON that can be read: nested too deeply") from None
    except ValueError as error:
        raise Refused(f"not JSON ({error})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice[:80]!r} is there twice")
    return found


def check_safetensors(path: str | os.PathLike) -> None:
    """Refuse a safetensors file whose header is larger than one needs, before it is read; raises Refused.

    (The library itself checks that tensors lie inside the file and don't overlap.)
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > max(HEADER_LIMIT, file_size(path) // 20):  # a feature store's names every row
        raise Refused(f"it claims a header of {length:,} bytes")


def read_torch(path: str | os.PathLike, allowed: Collection[tuple[Callable[..., Any], str]] = ()) -> Any:
    """What `torch.save` wrote, mapped from the file: plain tensors, numbers and containers.

    ``weights_only`` alone lets a file of 400 bytes fill the memory: it calls ``bytearray(n)``, and whatever is allowed
    beside it with any arguments. Nor does it mind entries that are compressed a thousand times.

    Args:
        allowed: (what to call, under which name a file may ask for it) beside what torch's tensors need.

    Raises:
        Refused: another file, or one that asks for more.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            (pickled,) = (entry for entry in entries if entry.filename.lower().endswith("/data.pkl"))
            if pickled.file_size > HEADER_LIMIT or sum(e.file_size for e in entries) > file_size(path) + ROOM:
                raise Refused("it would unpack to much more than such a file holds")
            names = PLAIN | {name for _, name in allowed}
            for opcode, argument, _ in pickletools.genops(archive.read(pickled)):
                name = str(argument).replace(" ", ".")
                if opcode.name in ("GLOBAL", "INST") and name not in names and not _STORAGE.fullmatch(name):
                    raise Refused(
                        f"a pickle that asks for {name[:80]}, more than tensors and numbers; as that could run code or "
                        "fill the memory, it was not opened"
                    )
        with torch.serialization.safe_globals(list(allowed)):
            # Mapped, so that an optimizer's state, twice the size of the model, is never read.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Refused:
        raise
    except Exception:  # torch, pickle and zipfile raise types of their own, with advice not meant for this
        raise Refused("not a file of torch, or damaged") from None


def check_size(tensors: Iterable[Tensor], path: str | os.PathLike) -> None:
    """Refuse tensors of a file that together are larger than it, as a few numbers can be seen as a tensor of any shape.

    Raises:
        Refused: they are, or one is no plain tensor with its numbers in memory.
    """
    tensors = list(tensors)
    if any(t.layout != torch.strided or t.device.type != "cpu" or t.is_quantized for t in tensors):
        raise Refused("a tensor that is not stored plainly")
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > file_size(path):
        raise Refused("tensors that are larger than their file")
