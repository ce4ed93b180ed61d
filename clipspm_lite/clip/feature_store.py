"""The feature store: every video of a data set encoded once, kept in a safetensors file, never stale.

A stored row is found by what determines it: the bytes of the video file (their SHA-256), how frames are sampled, and
the backbone with its weights. The last two name the file, the first names the row, so a changed video, another
number of frames or other weights never meet an old feature.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import VideoError, check_file, load_video
from clipspm_lite.data.encoded import EncodedDataset, check_finite
from clipspm_lite.storage.files import CheckpointError, check_writable, file_sha256
from clipspm_lite.storage.tensors import read_tensors, write_tensors

VIDEOS_PER_SAVE = 500  # a kill loses at most the encoding of so many videos
VIDEOS_PER_BATCH = 16
MOST_FRAMES = 1000  # of a video; every one of them is decoded, kept and encoded


class FeatureStore:
    """Frame features of videos, encoded on first use and kept in ``folder``.

    A file there that is damaged, or no such store, is refused with its name; it is never written over.

    Args:
        backbone: frozen while the store is used; its fingerprint is taken here.
        folder: default: this user's cache folder.
        frames: T, frames a video, one from the centre of each segment.
        resize: length of the shorter side before the centre crop; default: the backbone's image size.

    Raises:
        ValueError: frames no whole number of 1 … 1000, or resize none from the backbone's image size on.
    """

    def __init__(
        self,
        backbone: Backbone,
        folder: str | Path | None = None,
        *,
        frames: int = 8,
        resize: int | None = None,
    ):
        if isinstance(backbone, str):
            raise TypeError(f"backbone: expected a backbone, found its name: use load_backbone({backbone!r})")
        self.backbone = backbone
        self.frames = whole_number("frames", frames, most=MOST_FRAMES)
        image_size = backbone.image_size
        self.resize = image_size if resize is None else whole_number("resize", resize, least=image_size)
        self.backbone_fingerprint = backbone.fingerprint  # hashes all weights, so once
        key = json.dumps([self.backbone_fingerprint, self.frames, self.resize, image_size])
        folder = Path(folder) if folder is not None else platformdirs.user_cache_path("clipspm_lite")
        self.path = folder / f"features-{hashlib.sha256(key.encode()).hexdigest()[:20]}.safetensors"

    def encode(self, paths: Sequence[str | Path], *, progress: bool = False) -> Tensor:
        """Features ``[V, T, C]`` of video files, on the CPU; only what the store lacks is decoded and encoded.

        Raises:
            TypeError: one path instead of a sequence of them.
            ValueError: no paths, or features that are not finite.
            VideoError: videos cannot be read; it names each of them. The others were encoded all the same and are kept.
            CheckpointError: the store's file is damaged, or something else.
            OSError: it cannot be written.
        """
        if isinstance(paths, (str, Path)):
            raise TypeError(f"paths: expected a sequence of video files, found one: use [{str(paths)!r}]")
        if not paths:
            raise ValueError("paths: expected at least one video, found none")
        contents: list[str] = []
        todo: list[tuple[str, str | Path]] = []
        failures: list[str] = []
        stored = self._read()
        for path in paths:
            try:
                check_file(path)
                contents.append(file_sha256(path))
            except (VideoError, OSError) as error:
                failures.append(str(error))
                continue
            if contents[-1] not in stored:
                todo.append((contents[-1], path))
        if todo:
            check_writable(self.path)
        unsaved = 0
        try:
            with tqdm(
                total=len(todo), disable=None if progress and todo else True, desc="encoding videos"
            ) as bar:
                for start in range(0, len(todo), VIDEOS_PER_BATCH):
                    videos: dict[str, Tensor] = {}
                    for content, path in todo[start : start + VIDEOS_PER_BATCH]:
                        try:
                            if content not in stored and content not in videos:
                                videos[content] = self._load(path)
                        except VideoError as error:
                            failures.append(str(error))
                        bar.update()
                    if videos:
                        stored |= zip(videos, self._encode(list(videos.values())), strict=True)
                    unsaved += len(videos)
                    if unsaved >= VIDEOS_PER_SAVE:
                        self._write(stored)
                        unsaved = 0
        finally:
            if unsaved:
                self._write(stored)
        if len(failures) > 1:
            found = f"{len(failures)} of {len(paths)} videos cannot be read, the others are encoded and kept"
            failures.insert(0, f"{found}; mend these or leave them out:")
        if failures:
            raise VideoError("\n".join(failures))
        features = torch.stack([stored[content] for content in contents])
        check_finite("features of the videos", features)
        return features

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
        return self._encode([self._load(path) for path in paths])

    def _load(self, path: str | Path) -> Tensor:
        return load_video(path, self.frames, self.backbone.image_size, resize=self.resize)

    @torch.inference_mode()
    def _encode(self, videos: list[Tensor]) -> Tensor:
        device = next(self.backbone.parameters()).device
        return self.backbone.encode_frames(torch.stack(videos).to(device)).float().cpu()

    def _read(self) -> dict[str, Tensor]:
        if not self.path.exists():
            return {}
        try:
            tensors, description = read_tensors(self.path, "feature store")
            rows, contents = tensors["features"], description["contents"]
            expected = (self.frames, self.backbone.dim)
            if rows.dtype != torch.float32 or rows.ndim != 3 or rows.shape[1:] != expected:
                raise ValueError(f"rows of {list(rows.shape[1:])} {rows.dtype}, expected {list(expected)}")
            if not isinstance(contents, list) or not all(isinstance(content, str) for content in contents):
                raise ValueError("it does not say which videos its rows are")
            return dict(zip(contents, rows, strict=True))
        except (CheckpointError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"a damaged or foreign feature store ({error}); delete it, it is made again: {self.path}"
            ) from error

    def _write(self, stored: dict[str, Tensor]) -> None:
        """With what other processes wrote meanwhile. If two write in the same moment, one's rows are encoded again."""
        stored = self._read() | stored
        write_tensors(
            self.path,
            {"features": torch.stack(list(stored.values()))},
            {"kind": "feature store", "contents": list(stored)},
        )
