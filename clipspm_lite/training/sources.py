"""Where training takes its episodes from: stored features, or videos through an encoder that is trained.

One loop calls both kinds. Their ``identity`` must be the same to resume a run; ``kept`` goes into the checkpoint.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import islice, tee
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.lora import LoRA, adapt
from clipspm_lite.data.clips import find_clip
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import count_workers, load_ahead, load_video, or_raise
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import Episode, EpisodeBatch, gather

VALIDATION_VIDEOS_AT_ONCE = 16
TRAINING_VIDEOS_AHEAD = 64  # decoded while an episode is trained on, which has 25 to 45
Listed = Sequence[tuple[int, Episode]]  # episodes with their index in the sampler's list
TrainingData = EncodedDataset | VideoDataset


@dataclass(frozen=True)
class FineTuning:
    """The visual encoder is trained with the head, from videos (SPEC section 4).

    While training, a video is one random frame of each of its T segments, and one random square for all of them. In
    validation it is the centres of its segments and the square in the centre.
    """

    backbone: Backbone  # its visual encoder is trained in place; its text encoder stays as it is
    frames: int = 8  # T, per video
    resize: int | None = None  # pixels, of the shorter side before the cut; default: 256 for 224, others in proportion
    flip: bool = True  # mirror every second training video; not where a class depends on the side, as in SSv2
    recompute: bool = False  # gradient checkpointing, see `Backbone.encode_frames`
    chunk: int = 16  # frames that pass the encoder at once while training
    lora: LoRA | None = None  # what is trained of the encoder; default: all of it, with the head's learning rate


class FeatureSource:
    """Episodes of stored features: all that a process takes in a step go through the head at once."""

    one_by_one, lora = False, None

    def __init__(self, training: EncodedDataset, validation: EncodedDataset) -> None:
        self.training, self.validation = training, validation
        self.kept = {"frames": training.features.shape[1]}
        self.identity: dict[str, Any] = {"data": [training.fingerprint, validation.fingerprint]}

    def prepare(self, fabric: Fabric, seed: int) -> dict[str, nn.Module]:
        """What is trained beside the head, by name, on the engine's device."""
        return {}

    def batches(self, listed: Iterable[Listed], seed: int, fabric: Fabric) -> Iterator[EpisodeBatch]:
        """A batch for each of `listed`."""
        features, class_text = map(fabric.to_device, (self.training.features, self.training.text))
        for episodes in listed:
            yield gather(features, class_text, [episode for _, episode in episodes])

    def validation_features(self, fabric: Fabric, limit: int | None = None) -> EncodedDataset:
        return self.validation


class VideoSource:
    """Episodes of videos, decoded ahead by threads and encoded when the loop asks for them."""

    one_by_one = True  # an episode's frames are what takes the memory

    def __init__(self, training: VideoDataset, validation: VideoDataset, how: FineTuning) -> None:
        how = replace(how, resize=how.resize or how.backbone.benchmark_resize)
        self.training, self.validation, self.how, self.lora = training, validation, how, how.lora
        adapted = {"lora": asdict(how.lora)} if how.lora else {}
        self.store = FeatureStore(how.backbone, frames=how.frames, resize=how.resize)
        self.kept: dict[str, Any] = {"finetuned": how.backbone, "frames": how.frames, "resize": how.resize, **adapted}
        encoding = {name: getattr(how, name) for name in ("frames", "resize", "flip")}
        self.identity: dict[str, Any] = {
            "data": [_video_fingerprint(training), _video_fingerprint(validation)],
            "encoding": {"backbone": how.backbone.fingerprint, **encoding, **adapted},
        }

    def prepare(self, fabric: Fabric, seed: int) -> dict[str, nn.Module]:
        fabric.to_device(self.how.backbone)
        self.identity["encoding"]["precision"] = fabric.strategy.precision.precision
        visual = self.how.backbone.set_trainable(True).clip.visual
        if self.lora:
            adapt(visual, self.lora, seed_of(f"lora {seed}"))
        return {"visual": visual}

    def batches(self, listed: Iterable[Listed], seed: int, fabric: Fabric) -> Iterator[EpisodeBatch]:
        """A batch for each of `listed`, encoded with the weights at the moment it is asked for."""
        how, backbone = self.how, self.how.backbone
        class_text = backbone.encode_class_names(self.training.classes)
        for episode, videos in self._decoded(listed, seed):
            # LoRA's sum of weight and update is computed once for all chunks, or again with their activations.
            with fabric.autocast(), nullcontext() if how.recompute else parametrize.cached():
                features = backbone.train().encode_frames(videos, chunk=how.chunk, recompute=how.recompute)
            way, shot = len(episode.support), len(episode.support[0])
            support, query = features.float().tensor_split((way * shot,))
            yield EpisodeBatch(
                support=support.unflatten(0, (1, way, shot)),
                query=query.unsqueeze(0),
                class_text=class_text[list(episode.classes)].unsqueeze(0),
                query_labels=torch.tensor([episode.query_labels], device=features.device),
            )

    def _decoded(self, listed: Iterable[Listed], seed: int) -> Iterator[tuple[Episode, Tensor]]:
        """Each episode with its videos, the supports first, `[videos, T, 3, H, W]`; the next are being decoded."""
        listed, decoding = tee(listed)
        places = ((seed, index, *place) for ((index, one),) in decoding for place in enumerate(one.videos))
        videos = load_ahead(self._training_video, places, count_workers(), TRAINING_VIDEOS_AHEAD)
        for ((_, episode),) in listed:
            yield episode, torch.stack([or_raise(video) for video in islice(videos, len(episode.videos))])

    def _training_video(self, video: tuple[int, int, int, int]) -> Tensor:
        how, (seed, index, place, number) = self.how, video
        generator = torch.Generator().manual_seed(seed_of(f"video {seed},{index},{place}"))
        cut = dict(random_segments=True, random_crop=True, random_flip=how.flip)
        path, size = self.training.paths[number], how.backbone.image_size
        return load_video(path, how.frames, size, resize=how.resize, generator=generator, **cut)

    @torch.no_grad()
    def validation_features(self, fabric: Fabric, limit: int | None = None) -> EncodedDataset:
        """The validation videos with the weights of this moment; every process encodes its share of them."""
        classes, videos_per_class = self.validation.classes, self.validation.videos_per_class
        backbone, paths = self.how.backbone.eval(), self.validation.paths
        features = torch.zeros(len(paths), self.how.frames, backbone.dim, device=fabric.device)
        mine = range(fabric.global_rank, len(paths[:limit]), fabric.world_size)
        for start in range(0, len(mine), VALIDATION_VIDEOS_AT_ONCE):
            numbers = list(mine[start : start + VALIDATION_VIDEOS_AT_ONCE])
            with fabric.autocast():
                features[numbers] = fabric.to_device(self.store.encode_anew([paths[number] for number in numbers]))
        fabric.all_reduce(features, reduce_op="sum")
        return EncodedDataset(classes, videos_per_class, features, backbone.encode_class_names(classes))


def seed_of(key: str) -> int:
    """What chance is drawn from at the place in a run that ``key`` names."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1


def _video_fingerprint(dataset: VideoDataset) -> str:
    """SHA-256 over classes, names and sizes: hashing the videos themselves would take hours for the large sets."""
    sizes = [find_clip(path).stamp()[0] for path in dataset.paths]
    return hashlib.sha256(json.dumps([dataset.classes, dataset.videos, sizes]).encode()).hexdigest()


Source = FeatureSource | VideoSource


def training_source(training: Any, validation: Any, finetuning: FineTuning | None) -> Source:
    """The source for these data; raises ValueError where they are not of the kind for this training."""
    expected: Any = EncodedDataset if finetuning is None else VideoDataset
    if not (isinstance(training, expected) and isinstance(validation, expected)):
        raise ValueError("training_data, validation_data: expected EncodedDatasets, or VideoDatasets with finetuning")
    return VideoSource(training, validation, finetuning) if finetuning else FeatureSource(training, validation)
