"""What a clip is, and which clips a folder has: a video file, a folder of images, a clip of a prepared folder.

So all three are taken everywhere. A prepared folder (`prepared.py`) has an index, and files with a tensor for each of
some clips: bytes, a table with length and CRC-32 of each picture in 4 bytes each, and then the pictures, as JPEGs.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from clipspm_lite.data.decoding import Each, frame_indices
from clipspm_lite.data.decoding.worker import DecodingFailed, decode
from clipspm_lite.data.names import printable
from clipspm_lite.storage.files import Stamp, file_sha256, one_line, stamp
from clipspm_lite.storage.tensors import read_description

VIDEO_SUFFIXES = (".mp4", ".avi", ".webm", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
CONVERT = "get it again, convert it with `ffmpeg -i IN -pix_fmt yuv420p OUT.mp4` if a player shows it, or leave it out"
A_FOLDER = f"this is a folder; expected a video, or a folder with its frames as images ({' '.join(IMAGE_SUFFIXES)})"
PREPARE_AGAIN = "prepare its clips again, in another folder"
# What web pages, Git LFS pointers and playlists start with. FFmpeg would open what a playlist names.
TEXTS = (b"<!doctype html", b"<html", b"version https://git-lfs", b"#extm3u", b"ffconcat", b"<?xml", b"<mpd", b"v=0")
A_TEXT = "a web page, a playlist or a Git LFS pointer (`git lfs pull` gets its file), not a video; it starts with"
INDEX, PICTURES = "prepared.safetensors", "pictures_{}.safetensors"  # each describes itself by one of these
PREPARED, SOME_CLIPS = "prepared folder", "file of prepared clips"


class VideoError(RuntimeError):
    """A clip could not be read; says what was found, what to do, and its name, in one line."""

    paths: Sequence[Any] = ()  # of `FeatureStore.encode`: the files that it is about


@dataclass(frozen=True)
class VideoFile:
    """A video in a file."""

    path: Path
    largest: int | None = None

    def stamp(self) -> Stamp:
        """What changes with the content; raises VideoError for what decord would call only unreadable, or wait for."""
        try:
            if self.path.is_file():
                with self.path.open("rb") as file:
                    status, start = os.fstat(file.fileno()), file.read(256)
                text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
                if start and not text.startswith(TEXTS):
                    return stamp(status)
                found = f"{A_TEXT} {start[:30]!r}" if start else "the file is empty; copy or download it again"
            elif self.path.is_dir():
                found = A_FOLDER
            else:
                found = "not a regular file" if self.path.exists() else "no such file, or a link to nothing"
        except (OSError, ValueError) as error:  # ValueError: a null byte in its name
            found = f"cannot be opened ({getattr(error, 'strerror', None) or error}); check its name and permissions"
        raise _error(self.path, found)

    def sha256(self) -> str:
        return file_sha256(self.path)

    def decode(self, offsets: Sequence[float], each: Each | None = None) -> tuple[np.ndarray, int, float]:
        """The frames at `offsets` (`frame_indices`), uint8 `[T, H, W, 3]`, how many there are, and how many per second.

        In place of offsets, `each` gets every frame with its number; from 0 again after a new start. Raises VideoError.
        """
        before, failure = self.stamp(), None
        try:  # an absolute path, because FFmpeg would take a name such as "http:clip.mp4" for an address
            decoded = decode(str(self.path.absolute()), offsets, each)
        except DecodingFailed as error:
            failure = f"{error}; {CONVERT}"
        # A file that was removed meanwhile was read to its end all the same.
        if (failure or self.path.exists()) and self.stamp() != before:
            failure = "it changed while it was read; try again when it is complete"
        if failure:
            raise _error(self.path, failure)
        return decoded


@dataclass(frozen=True)
class Pictures:
    """A clip of images, which torchvision reads one by one."""

    names: Sequence[str]  # for messages
    encoded: Callable[[int], bytes]  # an image by its number
    stamp: Callable[[], Stamp]
    sha256: Callable[[], str]
    largest: int | None = None  # what its shorter side was reduced to

    def decode(self, offsets: Sequence[float], each: Each | None = None) -> tuple[np.ndarray, int, float]:
        """As `VideoFile.decode`, 0 per second; reads only the images at `offsets`, or all without any."""
        from torchvision.io import ImageReadMode, decode_image  # takes a second to import

        chosen, pictures, shape = frame_indices(len(self.names), offsets), {}, ()
        for number in sorted(set(chosen)) or range(len(self.names)):
            try:
                encoded = torch.frombuffer(bytearray(self.encoded(number)), dtype=torch.uint8)
                image = decode_image(encoded, ImageReadMode.RGB, apply_exif_orientation=True)
                image = image if image.dtype == torch.uint8 else (image.int() // 257).byte()  # of 16 bits
                picture = image.permute(1, 2, 0).numpy()
            except (OSError, ValueError, RuntimeError) as error:
                raise _error(self.names[number], f"an image that cannot be read ({one_line(error)})") from None
            shape = shape or picture.shape
            if picture.shape != shape:
                raise _error(self.names[number], f"this image has not the size of others of its clip, {shape[:2]}")
            if each is not None:
                each(number, picture)
            if chosen:
                pictures[number] = picture
        return np.stack([pictures[number] for number in chosen] or [picture]), len(self.names), 0.0


def image_folder(path: Path) -> Pictures:
    """The clip whose frames are the images in a folder, in the order of the numbers in their names."""
    names = [item.name for item in _shown(path) if _is_named(item, IMAGE_SUFFIXES)]
    patterns = sorted({re.sub(r"\d+", "#", name.lower()) for name in names})
    if not _holds_images(path):
        raise _error(path, A_FOLDER)
    if len(patterns) > 1:  # such as img_#.jpg beside flow_x_#.jpg
        raise _error(path, f"images of several kinds ({', '.join(patterns[:3])}); expected the frames of one clip")
    names.sort(key=lambda name: ([*map(int, re.findall(r"\d+", name))], name))
    images = [path / name for name in names]

    def stamp_of_all() -> Stamp:
        sizes, changes, moves = zip(*(stamp(file.stat()) for file in (path, *images)), strict=True)
        return sum(sizes[1:]), max(changes), max(moves)

    def sha256_of_all() -> str:
        contents = (os.fsencode(image.name) + b"/" + file_sha256(image).encode() for image in images)
        return hashlib.sha256(b"".join(contents)).hexdigest()

    return Pictures([*map(str, images)], lambda number: images[number].read_bytes(), stamp_of_all, sha256_of_all)


class PreparedFolder:
    """What the files of a prepared folder say; raises VideoError where one is damaged."""

    def __init__(self, folder: Path) -> None:
        self.clips: dict[str, dict[str, Any]] = {}
        self._files: dict[str, Any] = {}  # the one that has a clip, memory-mapped
        try:
            self._stamp = stamp((folder / INDEX).stat())
            self.settings = read_description(folder / INDEX, PREPARED)
            # The errors of clips that were left out, by path; None until the folder is complete.
            self.left_out: dict[str, str] | None = self.settings.pop("left_out")
            files = [*folder.glob(PICTURES.format("*"))]
            for path in files:
                described = read_description(path, SOME_CLIPS)["clips"]
                self.clips |= described
                self._files |= dict.fromkeys(described, safe_open(path, "np"))
            if len(files) < self.settings.pop("files"):
                raise ValueError("files with pictures are missing")
        except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
            raise _error(folder, f"damaged, or not a prepared folder ({one_line(error)}); {PREPARE_AGAIN}") from None

    def inside(self, folder: str) -> list[str]:
        """All clips below one of its folders, as paths below that."""
        above = "" if folder == "." else f"{folder}/"
        return [source[len(above) :] for source in self.clips if source.startswith(above)]

    def clip(self, path: Path, source: str) -> Pictures:
        """The clip of a path: its frame i is picture i of the tensor, which is read where it is used."""
        try:
            about, content = self.clips[source], self._files[source].get_slice(source)
            table = content[: 8 * about["frames"]].view("<u4").reshape(-1, 2)
            ends = (table.nbytes + table[:, 0].cumsum(dtype=np.int64)).tolist()
            if content.get_shape() != ends[-1:]:
                raise ValueError("not as long as its table says")
            digest = hashlib.sha256(about["sha256"].encode() + table.tobytes())
            stamp, largest = (ends[-1], *self._stamp[1:]), about["reduced_to"]
        except (SafetensorError, ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
            raise _error(path, f"damaged ({one_line(error)}); {PREPARE_AGAIN}") from None

        def encoded(number: int) -> bytes:
            picture = content[ends[number] - int(table[number, 0]) : ends[number]].tobytes()
            if zlib.crc32(picture) != table[number, 1]:
                raise ValueError(f"damaged; {PREPARE_AGAIN}")
            return picture

        names = [f"{path}, frame {number}" for number in range(len(table))]
        return Pictures(names, encoded, lambda: stamp, digest.hexdigest, largest)


@lru_cache(maxsize=8)
def _opened(folder: Path, _stamp: Stamp) -> PreparedFolder:
    return PreparedFolder(folder)


def find_prepared(path: Path) -> tuple[PreparedFolder | None, str]:
    """The prepared folder that a path leads into, if there is one, and the rest of the path; raises VideoError."""
    for folder in (path, *path.parents):
        if os.path.isfile(folder / INDEX):
            prepared = _opened(folder.absolute(), stamp((folder / INDEX).stat()))
            if prepared.left_out is None:
                raise _error(folder, "not prepared to its end; give the command `prepare` again, and it goes on")
            return prepared, path.relative_to(folder).as_posix()
        if os.path.lexists(folder):  # clips of a prepared folder have no files of their own
            break
    return None, ""


def find_clip(path: str | Path) -> VideoFile | Pictures:
    """The clip at a path, not decoded yet; raises VideoError for a folder that is none, or a damaged one."""
    path = Path(path)
    prepared, source = find_prepared(path)
    if prepared is None:
        return image_folder(path) if os.path.isdir(path) else VideoFile(path)
    if source in prepared.clips:
        return prepared.clip(path, source)
    raise _error(path, A_FOLDER if prepared.inside(source) else "the prepared folder has no such clip")


def class_folders(root: Path) -> tuple[str, ...]:
    """Names of the folders in `root`, sorted, hidden ones left out, and what macOS adds to an archive."""
    prepared, inside = find_prepared(root)
    if prepared:
        return tuple(sorted({source.split("/")[0] for source in prepared.inside(inside) if "/" in source}))
    return tuple(sorted(i.name for i in _shown(root) if i.is_dir() and not i.name.startswith("__MACOSX")))


def video_names(folder: Path) -> tuple[str, ...]:
    """Names of the clips in a class folder, sorted, hidden ones left out."""
    prepared, inside = find_prepared(folder)
    if prepared:
        return tuple(sorted(source for source in prepared.inside(inside) if "/" not in source))
    found = (i for i in _shown(folder) if _is_named(i, VIDEO_SUFFIXES) or (i.is_dir() and _holds_images(i.path)))
    return tuple(sorted(item.name for item in found))


def _shown(folder: str | Path) -> list[os.DirEntry]:
    """What a folder holds; asks for no file's status, as SSv2 has 220,847 in one folder."""
    with os.scandir(folder) as items:
        return [item for item in items if item.name[0] != "."]


def _is_named(item: os.DirEntry, suffixes: tuple[str, ...]) -> bool:
    """Whether a file is a video or an image by its name, or a folder has the name of a video whose frames it holds."""
    return item.name.lower().endswith(suffixes)


def _holds_images(folder: str | Path) -> bool:
    """Whether a folder is a clip: it has images, and neither videos nor folders."""
    shown = _shown(folder)
    others = any(_is_named(item, VIDEO_SUFFIXES) or item.is_dir() for item in shown)
    return not others and any(_is_named(item, IMAGE_SUFFIXES) for item in shown)


def find_clips(root: Path, above: str = "") -> list[str]:
    """All clips in a folder and in the folders in it, as paths below it."""
    clips = dict.fromkeys(video_names(root))
    inner = [name for name in class_folders(root) if name not in clips]
    return [above + name for name in clips] + [c for name in inner for c in find_clips(root / name, f"{above}{name}/")]


def _error(path: str | Path, found: str) -> VideoError:
    return VideoError(f"{found}: {printable(path)}")
