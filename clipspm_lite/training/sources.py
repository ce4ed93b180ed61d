"""Where training takes its episodes from: stored features, or videos through an encoder that is trained.

Both kinds answer the same calls, so there is one training loop. Their ``identity`` is what must be the same when a run
is resumed.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.clip.checkpoints import save_model
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import Episode, EpisodeBatch, gather
from clipspm_lite.model.heads import Head

VALIDATION_VIDEOS_AT_ONCE = 16
Listed = Sequence[tuple[int, Episode]]  # episodes with their index in the sampler's list
TrainingData = EncodedDataset | VideoDataset


@dataclass(frozen=True)
class FineTuning:
    """The visual encoder is trained with the head, from videos (SPEC section 4).

    While training, a video is one random frame of each of its T segments, and one random square, mirrored or not, for
    all of them. Seed, the episode's index and the video's place in it decide which. In validation a video is the
    centres of its segments and the square in the centre. BatchNorm keeps its stored statistics (see `Backbone`).

    Attributes:
        backbone: its visual encoder is trained in place; its text encoder stays as it is.
        frames: T, frames per video.
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


class FeatureSource:
    """Episodes of stored features: all that a process takes in a step go through the head at once."""

    one_by_one = False

    def __init__(self, training: EncodedDataset, validation: EncodedDataset) -> None:
        if training.features.shape[1:] != validation.features.shape[1:]:
            raise ValueError(
                "validation_data: expected features of the T frames and C channels of training_data, "
                f"{list(training.features.shape[1:])}, found {list(validation.features.shape[1:])}"
            )
        self.training, self.validation = training, validation
        self.identity: dict[str, Any] = {"data": [training.fingerprint, validation.fingerprint]}

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

    def save(self, path: Path, model: Head, description: dict[str, Any]) -> None:
        """Write a checkpoint, which says of how many frames the features are."""
        save_model(path, model, **description | {"frames": self.training.features.shape[1]})


class VideoSource:
    """Episodes of videos, decoded ahead by threads and encoded when the loop asks for them.

    One by one: an episode's frames are what takes the memory.
    """

    one_by_one = True

    def __init__(self, training: VideoDataset, validation: VideoDataset, how: FineTuning) -> None:
        self.training, self.validation, self.how = training, validation, how
        encoding = {name: getattr(how, name) for name in ("frames", "resize", "augment", "flip")}
        self.identity = {
            "data": [_video_fingerprint(training), _video_fingerprint(validation)],
            "encoding": {"backbone": how.backbone.fingerprint, **encoding},
        }
        size = how.backbone.image_size
        self.load = partial(load_video, frames=how.frames, size=size, resize=how.resize)

    def prepare(self, fabric: Fabric) -> dict[str, nn.Module]:
        """What is trained beside the head, by name, on the engine's device."""
        fabric.to_device(self.how.backbone)
        return {"visual": self.how.backbone.set_trainable(True).clip.visual}

    def batches(self, listed: Iterable[Listed], seed: int, fabric: Fabric) -> Iterator[EpisodeBatch]:
        """A batch for each of `listed`, encoded with the weights at the moment it is asked for."""
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
        with ThreadPoolExecutor(self.how.readers) as pool:
            ahead: tuple[Episode, Iterator[Tensor]] | None = None
            for ((index, episode),) in listed:
                numbers = [number for shots in episode.support for number in shots] + list(episode.query)
                load = partial(self._training_video, seed, index)
                decoding = episode, pool.map(load, range(len(numbers)), numbers)
                if ahead is not None:
                    yield ahead[0], torch.stack(list(ahead[1]))
                ahead = decoding
            if ahead is not None:
                yield ahead[0], torch.stack(list(ahead[1]))

    def _training_video(self, seed: int, index: int, place: int, number: int) -> Tensor:
        path, how = self.training.paths[number], self.how
        if not how.augment:
            return self.load(path)
        digest = hashlib.sha256(f"video {seed},{index},{place}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        at_random = dict(random_segments=True, random_crop=True, random_flip=how.flip)
        return self.load(path, generator=generator, **at_random)

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
            for start in range(0, len(mine), VALIDATION_VIDEOS_AT_ONCE):
                numbers = list(mine[start : start + VALIDATION_VIDEOS_AT_ONCE])
                videos = torch.stack(list(pool.map(self.load, [paths[number] for number in numbers])))
                with fabric.autocast():
                    features[numbers] = backbone.encode_frames(fabric.to_device(videos)).float()
        fabric.all_reduce(features, reduce_op="sum")
        classes, videos_per_class = self.validation.classes, self.validation.videos_per_class
        return EncodedDataset(classes, videos_per_class, features, backbone.encode_class_names(classes))

    def save(self, path: Path, model: Head, description: dict[str, Any]) -> None:
        """Write a checkpoint of head and visual encoder, which says how videos became frames."""
        how = self.how
        save_model(path, model, finetuned=how.backbone, frames=how.frames, resize=how.resize, **description)


def _video_fingerprint(dataset: VideoDataset) -> str:
    """SHA-256 over classes, names and sizes: hashing the videos themselves would take hours for the large sets."""
    sizes = [path.stat().st_size for path in dataset.paths]
    return hashlib.sha256(json.dumps([dataset.classes, dataset.videos, sizes]).encode()).hexdigest()


Source = FeatureSource | VideoSource


def training_source(
    training: TrainingData, validation: TrainingData, finetuning: FineTuning | None
) -> Source:
    """The source for these data; raises ValueError where they are not of the kind for this training."""
    if isinstance(training, EncodedDataset) and isinstance(validation, EncodedDataset) and finetuning is None:
        return FeatureSource(training, validation)
    if isinstance(training, VideoDataset) and isinstance(validation, VideoDataset) and finetuning is not None:
        return VideoSource(training, validation, finetuning)
    raise ValueError(
        "training_data, validation_data: expected EncodedDatasets without finetuning=, or VideoDatasets with it"
    )
