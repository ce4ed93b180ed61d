"""The feature store: every video of a data set encoded once, each kept in one small file, never stale.

A file is found by what determines its features. The backbone with its weights and the way frames are sampled name
the folder; the bytes of the video file (their SHA-256) name the file in it. So a changed video, another number of
frames or other weights never meet an old feature.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import platformdirs
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import MOST_FRAMES, VideoError, check_file, load_video, load_videos
from clipspm_lite.data.encoded import EncodedDataset, check_finite
from clipspm_lite.data.names import printable
from clipspm_lite.model.heads import scored_in_eval_mode
from clipspm_lite.storage.files import CheckpointError, Stamp, check_writable, hash_files, stamp
from clipspm_lite.storage.tensors import read_tensors, write_tensors

VIDEOS_PER_BATCH = 16
KIND = "features of a video"


class FeatureStore:
    """Frame features of videos, encoded on first use and kept in ``folder``.

    Args:
        backbone: its weights may change between two calls; each call looks at them again.
        folder: default: this user's cache folder.
        frames: T, frames per video, one from the centre of each segment.
        resize: length of the shorter side before the centre crop; default: the backbone's image size.
        workers: processes that decode videos at once; default: as `load_videos`.

    Raises:
        ValueError: frames is not a whole number from 1 to 1024, or resize is less than the backbone's image size.
    """

    def __init__(
        self,
        backbone: Backbone,
        folder: str | Path | None = None,
        *,
        frames: int = 8,
        resize: int | None = None,
        workers: int | None = None,
    ):
        if isinstance(backbone, str):
            raise TypeError(f"backbone: expected a backbone, found its name: use load_backbone({backbone!r})")
        self.backbone = backbone
        self.frames = whole_number("frames", frames, most=MOST_FRAMES)
        image_size = backbone.image_size
        self.resize = image_size if resize is None else whole_number("resize", resize, least=image_size)
        self.workers = workers
        self.folder = Path(folder) if folder is not None else platformdirs.user_cache_path("clipspm_lite")

    @property
    def backbone_fingerprint(self) -> str:
        """Of the backbone's weights as they are now, read anew each time."""
        return self.backbone.fingerprint

    @property
    def path(self) -> Path:
        """The folder for this sampling and the backbone's weights as they are now."""
        key = json.dumps([self.backbone_fingerprint, self.frames, self.resize, self.backbone.image_size])
        return self.folder / f"features-{hashlib.sha256(key.encode()).hexdigest()[:20]}"

    def encode(self, paths: Sequence[str | Path], *, progress: bool = False) -> Tensor:
        """Features ``[V, T, C]`` of video files, on the CPU; only what the store lacks is decoded and encoded.

        Raises:
            TypeError: one path instead of a sequence of them.
            ValueError: no paths, or features that are not finite.
            VideoError: videos cannot be read; it names each of them. The others are encoded all the same and kept.
            OSError: the store cannot be written.
        """
        if isinstance(paths, (str, Path)):
            raise TypeError(f"paths: expected a sequence of video files, found one: use [{str(paths)!r}]")
        if not paths:
            raise ValueError("paths: expected at least one video, found none")
        folder = self.path
        stamps: dict[str | Path, Stamp] = {}
        failures: dict[str | Path, str] = {}
        for path in paths:
            try:
                stamps[path] = stamp(check_file(path))
            except VideoError as error:
                failures[path] = str(error)
        contents = hash_files(stamps, self.folder / "hashes.jsonl", progress=progress)
        rows = self._read(folder, set(contents.values()))
        todo: dict[str, str | Path] = {}
        for path, content in contents.items():
            if content not in rows:
                todo.setdefault(content, path)
        if todo:
            check_writable(_row_file(folder, next(iter(todo))))
        size, hidden = self.backbone.image_size, None if progress and todo else True
        videos = load_videos(list(todo.values()), self.frames, size, resize=self.resize, workers=self.workers)
        loaded: dict[str, Tensor] = {}
        for number, content in enumerate(tqdm(todo, disable=hidden, desc="encoding videos"), 1):
            path = todo[content]
            try:
                loaded[content] = _unchanged(next(videos), path, stamps[path])
            except VideoError as error:
                failures[path] = str(error)
            if loaded and (number % VIDEOS_PER_BATCH == 0 or number == len(todo)):
                rows |= self._encode_and_keep(folder, loaded)
                loaded = {}
        for path, content in contents.items():
            if content not in rows:
                failures.setdefault(path, f"a copy of a video that cannot be read: {printable(path)}")
        lines = [failures[path] for path in dict.fromkeys(paths) if path in failures]
        if len(lines) > 1:
            found = f"{len(lines)} of {len(paths)} videos cannot be read, the others are encoded and kept"
            lines.insert(0, f"{found}; mend these or leave them out:")
        if lines:
            raise VideoError("\n".join(lines))
        return torch.stack([rows[contents[path]] for path in paths])

    def encode_dataset(self, dataset: VideoDataset, *, progress: bool = False) -> EncodedDataset:
        """All videos and class names of a data set.

        Raises:
            ValueError: a backbone without a text encoder; before any video is read.
            VideoError: as `encode`.
        """
        class_text = self.backbone.encode_class_names(dataset.classes).cpu()
        return EncodedDataset(
            classes=dataset.classes,
            videos_per_class=dataset.videos_per_class,
            features=self.encode(dataset.paths, progress=progress),
            class_text=class_text,
        )

    def encode_anew(self, paths: Sequence[str | Path]) -> Tensor:
        """Features ``[V, T, C]`` of a few videos, all at once; nothing is looked up or kept."""
        size = self.backbone.image_size
        return self._encode([load_video(path, self.frames, size, resize=self.resize) for path in paths])

    @torch.inference_mode()
    def _encode(self, videos: list[Tensor]) -> Tensor:
        device = next(self.backbone.parameters()).device
        with scored_in_eval_mode(self.backbone):
            return self.backbone.encode_frames(torch.stack(videos).to(device)).float().cpu()

    def _encode_and_keep(self, folder: Path, videos: dict[str, Tensor]) -> dict[str, Tensor]:
        rows = self._encode(list(videos.values()))
        check_finite("features of the videos", rows)
        for content, row in zip(videos, rows, strict=True):
            description = {"kind": KIND, "crc32": _checksum(row)}
            write_tensors(_row_file(folder, content), {"features": row}, description, sync=False)
        return dict(zip(videos, rows, strict=True))

    def _read(self, folder: Path, contents: Iterable[str]) -> dict[str, Tensor]:
        """The rows that are stored. A damaged one is left out: encoding it again loses nothing."""
        rows = {}
        for content in contents:
            with suppress(CheckpointError, KeyError):
                tensors, description = read_tensors(_row_file(folder, content), KIND)
                row = tensors["features"]
                sound = (row.dtype, row.shape) == (torch.float32, (self.frames, self.backbone.dim))
                if sound and description["crc32"] == _checksum(row):
                    rows[content] = row
        return rows


def _row_file(folder: Path, content: str) -> Path:
    """In one of 256 folders, so that none holds too many files."""
    return folder / content[:2] / f"{content}.safetensors"


def _checksum(row: Tensor) -> int:
    return zlib.crc32(row.numpy().data)


def _unchanged(video: Tensor | VideoError, path: str | Path, before: Stamp) -> Tensor:
    """A video whose file is still the one that was hashed; raises VideoError."""
    if isinstance(video, VideoError):
        raise video
    if stamp(check_file(path)) != before:
        raise VideoError(f"it changed while it was read; try again when it is complete: {printable(path)}")
    return video
