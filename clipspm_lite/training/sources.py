"""Where training takes its episodes from: features that are stored, or videos through an encoder that is trained.

Both kinds answer the same calls of the training loop, so there is one loop.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.clip.feature_store import VIDEOS_PER_BATCH
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import Episode, EpisodeBatch, gather

Listed = Sequence[tuple[int, Episode]]  # episodes with their index in the sampler's list


@dataclass(frozen=True)
class FineTuning:
    """The visual encoder is trained with the head, from videos (SPEC section 4).

    While training, a video is one random frame of each of its T segments and one random square, mirrored or not, for
    all of them; which, is a function of the seed, the episode's index and the video's place in it. In validation it is
    the centres of its segments and a square from the centre. BatchNorm keeps its stored statistics (see `Backbone`).

    Attributes:
        backbone: its visual encoder is trained in place; its text encoder stays as it is.
        frames: T, frames a video.
        resize: length of the shorter side before the square is cut, in pixels; None: 256 for an encoder of 224, and in
            proportion for others.
        augment: False takes every training video as validation does.
        flip: mirror every second training video; off where a class depends on the side, as in SSv2.
        recompute: gradient checkpointing, see `Backbone.encode_frames`.
        chunk: frames that pass the encoder at once while training.
        readers: threads that decode ahead of the step; None: one for each core, at most 8.
    """

    backbone: Backbone
    frames: int = 8
    resize: int | None = None
    augment: bool = True
    flip: bool = True
    recompute: bool = False
    chunk: int = 16
    readers: int | None = None

    def __post_init__(self) -> None:
        if self.resize is None:
            object.__setattr__(self, "resize", round(self.backbone.image_size * 256 / 224))
        if self.readers is None:
            object.__setattr__(self, "readers", min(os.cpu_count() or 1, 8))
        for name, least in (
            ("frames", 1),
            ("resize", self.backbone.image_size),
            ("chunk", 1),
            ("readers", 1),
        ):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))


class FeatureSource:
    """Episodes of stored features: all that a process takes in a step go through the head at once."""

    one_by_one = False
    encoding: dict[str, Any] | None = None  # what a run is only continued with, beside its data

    def __init__(self, training: EncodedDataset, validation: EncodedDataset) -> None:
        self.training, self.validation = training, validation
        self.frames = training.features.shape[1]

    @property
    def fingerprints(self) -> list[str]:
        return [self.training.fingerprint, self.validation.fingerprint]

    def prepare(self, fabric: Fabric) -> dict[str, nn.Module]:
        """What is trained beside the head, by name, on the engine's device."""
        return {}

    def batches(self, listed: Iterable[Listed], seed: int, fabric: Fabric) -> Iterator[EpisodeBatch]:
        """A batch for each of `listed`."""
        features, class_text = map(fabric.to_device, (self.training.features, self.training.class_text))
        for episodes in listed:
            yield gather(features, class_text, [episode for _, episode in episodes])

    def validation_features(self, fabric: Fabric, limit: int | None = None) -> EncodedDataset:
        return self.validation


class VideoSource:
    """Episodes of videos, decoded ahead by threads and encoded when the loop asks for them.

    One by one: an episode's frames are what takes the memory.
    """

    one_by_one = True

    def __init__(self, training: VideoDataset, validation: VideoDataset, how: FineTuning) -> None:
        self.training, self.validation, self.how = training, validation, how
        self.frames = how.frames
        self.encoding: dict[str, Any] | None = dict(
            backbone=how.backbone.fingerprint,
            frames=how.frames,
            resize=how.resize,
            augment=how.augment,
            flip=how.flip,
        )

    @property
    def fingerprints(self) -> list[str]:
        return [_video_fingerprint(self.training), _video_fingerprint(self.validation)]

    def prepare(self, fabric: Fabric) -> dict[str, nn.Module]:
        """What is trained beside the head, by name, on the engine's device."""
        fabric.to_device(self.how.backbone)
        return {"visual": self.how.backbone.set_trainable(True).clip.visual}

    def batches(self, listed: Iterable[Listed], seed: int, fabric: Fabric) -> Iterator[EpisodeBatch]:
        """A batch for each of `listed`, encoded with the weights of the moment at which it is asked for."""
        backbone = self.how.backbone
        class_text = backbone.encode_class_names(self.training.classes)
        for episode, videos in self._decoded(listed, seed):
            with fabric.autocast():
                features = backbone.train().encode_frames(
                    fabric.to_device(videos), chunk=self.how.chunk, recompute=self.how.recompute
                )
            way, shot = len(episode.support), len(episode.support[0])
            support, query = features.float().tensor_split((way * shot,))
            yield EpisodeBatch(
                support=support.unflatten(0, (1, way, shot)),
                query=query.unsqueeze(0),
                class_text=class_text[list(episode.classes)].unsqueeze(0),
                query_labels=torch.tensor([episode.query_labels], device=features.device),
            )

    def _decoded(self, listed: Iterable[Listed], seed: int) -> Iterator[tuple[Episode, Tensor]]:
        """Each episode with its videos, the supports first, `[videos, T, 3, H, W]`; the next is being decoded."""
        pool = ThreadPoolExecutor(self.how.readers)
        ahead: deque[tuple[Episode, list[Future[Tensor]]]] = deque()

        def first() -> tuple[Episode, Tensor]:
            episode, videos = ahead.popleft()
            return episode, torch.stack([video.result() for video in videos])

        try:
            for ((index, episode),) in listed:
                numbers = [number for shots in episode.support for number in shots] + list(episode.query)
                videos = [
                    pool.submit(self._training_video, seed, index, *each) for each in enumerate(numbers)
                ]
                ahead.append((episode, videos))
                if len(ahead) > 1:
                    yield first()
            while ahead:
                yield first()
        finally:
            pool.shutdown(cancel_futures=True)

    def _training_video(self, seed: int, index: int, place: int, number: int) -> Tensor:
        digest = hashlib.sha256(f"video {seed},{index},{place}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        return self._load(self.training.paths[number], generator if self.how.augment else None)

    def _load(self, path: Path, generator: torch.Generator | None = None) -> Tensor:
        augment = generator is not None
        return load_video(
            path,
            self.how.frames,
            self.how.backbone.image_size,
            resize=self.how.resize,
            random_segments=augment,
            random_crop=augment,
            random_flip=augment and self.how.flip,
            generator=generator,
        )

    @torch.no_grad()
    def validation_features(self, fabric: Fabric, limit: int | None = None) -> EncodedDataset:
        """The validation videos with the weights of this moment; every process encodes its share of them."""
        backbone = self.how.backbone.eval()
        paths = self.validation.paths[:limit]
        features = torch.zeros(
            len(self.validation.paths), self.how.frames, backbone.dim, device=fabric.device
        )
        mine = range(fabric.global_rank, len(paths), fabric.world_size)
        with ThreadPoolExecutor(self.how.readers) as pool:
            for start in range(0, len(mine), VIDEOS_PER_BATCH):
                numbers = list(mine[start : start + VIDEOS_PER_BATCH])
                videos = torch.stack(list(pool.map(self._load, [paths[number] for number in numbers])))
                with fabric.autocast():
                    features[numbers] = backbone.encode_frames(fabric.to_device(videos)).float()
        fabric.all_reduce(features, reduce_op="sum")
        return EncodedDataset(
            classes=self.validation.classes,
            videos_per_class=self.validation.videos_per_class,
            features=features,
            class_text=backbone.encode_class_names(self.validation.classes),
        )


def _video_fingerprint(dataset: VideoDataset) -> str:
    """SHA-256 over classes, names and sizes: hashing the videos themselves would take hours for the large sets."""
    sizes = [path.stat().st_size for path in dataset.paths]
    return hashlib.sha256(json.dumps([dataset.classes, dataset.videos, sizes]).encode()).hexdigest()
