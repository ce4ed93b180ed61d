"""The feature store: every video of a data set encoded once, each kept in one small file, never stale."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import platformdirs
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.data.clips import find_clip
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import MOST_FRAMES, VideoError, load_videos, or_raise
from clipspm_lite.data.encoded import EncodedDataset, check_finite
from clipspm_lite.data.names import printable
from clipspm_lite.model.heads import scored_in_eval_mode
from clipspm_lite.storage.files import CheckpointError, Stamp, check_writable, hash_all
from clipspm_lite.storage.tensors import read_tensors, write_tensors

VIDEOS_PER_BATCH = 16
VIDEO_FEATURES = "features of a video"


class FeatureStore:
    """Frame features of videos, encoded on first use and kept in ``folder`` (default: this user's cache folder).

    Args:
        backbone: its weights may change between two calls; each call looks at them again.
        frames: T, frames per video, from 1 to 1024, one from the centre of each segment.
        resize: length of the shorter side before the centre crop; default, and least: the backbone's image size.
        workers: processes that decode videos at once; default: as `load_videos`.
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
        self.resize = whole_number("resize", backbone.image_size if resize is None else resize, backbone.image_size)
        self.workers = workers
        self.folder = Path(folder) if folder is not None else platformdirs.user_cache_path("clipspm_lite")

    @property
    def path(self) -> Path:
        """The folder for this sampling and the backbone's weights as they are now, hashed at each access."""
        key = json.dumps([self.backbone.fingerprint, self.frames, self.resize, self.backbone.image_size])
        return self.folder / f"features-{hashlib.sha256(key.encode()).hexdigest()[:20]}"

    def encode(self, paths: Sequence[str | Path], *, progress: bool = False) -> Tensor:
        """Features ``[V, T, C]`` of video files, on the CPU; only what the store lacks is decoded and encoded.

        Raises VideoError, whose ``paths`` cannot be read (the others are kept), TypeError, ValueError or OSError.
        """
        if isinstance(paths, (str, Path)):
            raise TypeError(f"paths: expected a sequence of video files, found one: use [{str(paths)!r}]")
        folder = self.path  # in it the SHA-256 of a video's bytes names the file; 256 folders keep each small
        stamps: dict[str | Path, Stamp] = {}
        errors: dict[str | Path, VideoError] = {}
        for path in paths:
            try:
                stamps[path] = find_clip(path).stamp()
            except VideoError as error:
                errors[path] = error
        cache = self.folder / "hashes.jsonl"
        contents = hash_all(stamps, lambda path: find_clip(path).sha256(), cache, progress=progress)
        files = {content: folder / content[:2] / f"{content}.safetensors" for content in contents.values()}
        rows = {content: row for content, file in files.items() if (row := _stored(file)) is not None}
        todo = {content: path for path, content in contents.items() if content not in rows}
        if todo:
            check_writable(files[next(iter(todo))])
        shown = tqdm(todo.items(), disable=None if progress and todo else True, desc="encoding videos")
        videos = zip(shown, self._load(todo.values()), strict=True)
        while batch := list(islice(videos, VIDEOS_PER_BATCH)):
            loaded: dict[str, Tensor] = {}
            for (content, path), video in batch:
                try:
                    if find_clip(path).stamp() != stamps[path]:  # what was hashed is not what was decoded
                        raise VideoError(f"it changed while it was read; try again: {printable(path)}")
                    loaded[content] = or_raise(video)
                except VideoError as error:
                    errors[path] = error
            if loaded:
                encoded = self.encode_clips(list(loaded.values()))
                check_finite("features of the videos", encoded)
                rows |= dict(zip(loaded, encoded, strict=True))
            for content in loaded:
                description = {"kind": VIDEO_FEATURES, "crc32": zlib.crc32(rows[content].numpy().data)}
                write_tensors(files[content], {"features": rows[content]}, description, durable=False)
        if unreadable := [path for path in dict.fromkeys(paths) if contents.get(path) not in rows]:
            lines = [str(errors.get(p, f"a copy of a video that cannot be read: {printable(p)}")) for p in unreadable]
            if (count := len(lines)) > 1:
                lines.insert(0, f"{count} of {len(paths)} videos cannot be read, others are kept (--skip-unreadable):")
            failed = VideoError("\n".join(lines))
            failed.paths = unreadable
            raise failed
        return torch.stack([rows[contents[path]] for path in paths])

    def encode_dataset(self, dataset: VideoDataset, *, progress: bool = False) -> EncodedDataset:
        """All videos and texts of a data set; raises what `encode` does, ValueError without a text encoder."""
        encode_text, stage_text = self.backbone.encode_class_names, None
        class_text = encode_text(dataset.classes).cpu()
        if dataset.stages is not None:  # they are sentences as they stand, and too long for some templates
            stage_text = torch.stack([encode_text(sentences, ["{}"]) for sentences in dataset.stages]).cpu()
        encoded = self.encode(dataset.paths, progress=progress), class_text, self.backbone.fingerprint
        return EncodedDataset(dataset.classes, dataset.videos_per_class, *encoded, stage_text)

    def encode_anew(self, paths: Sequence[str | Path]) -> Tensor:
        """Features ``[V, T, C]`` of a few videos, all at once; nothing is looked up or kept; raises VideoError."""
        return self.encode_clips([or_raise(video) for video in self._load(paths)])

    def _load(self, paths: Iterable[str | Path]) -> Iterator[Tensor | VideoError]:
        """The videos' frames or errors; while a batch is being encoded, all of the next can be decoded."""
        size, ahead = self.backbone.image_size, VIDEOS_PER_BATCH
        return load_videos(paths, self.frames, size, resize=self.resize, workers=self.workers, ahead=ahead)

    @torch.inference_mode()
    def encode_clips(self, clips: list[Tensor]) -> Tensor:
        """Features ``[V, T, C]`` of clips ``[T, 3, H, W]`` that are decoded already; nothing is looked up or kept."""
        with scored_in_eval_mode(self.backbone):
            return self.backbone.encode_frames(torch.stack(clips)).float().cpu()


def _stored(file: Path) -> Tensor | None:
    """A row that is there and sound; a damaged one is encoded again, which loses nothing."""
    with suppress(CheckpointError, KeyError):
        tensors, description = read_tensors(file, VIDEO_FEATURES)
        if description["crc32"] == zlib.crc32(tensors["features"].numpy().data):
            return tensors["features"]
    return None
