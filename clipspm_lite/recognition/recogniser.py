"""From a folder with a few clips an action to a recogniser that names the action in a new clip, kept in one file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from clipspm_lite.clip.backbone import public_name
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.prompts import TEMPLATES
from clipspm_lite.data.datasets import VideoDataset, open_folder
from clipspm_lite.data.encoded import check_finite
from clipspm_lite.data.names import readable
from clipspm_lite.model.baselines import TRAINING_FREE, Scores, centred, prototypes
from clipspm_lite.model.checks import check_episode, check_tensors
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.heads import describe_head
from clipspm_lite.model.otam import frame_distances
from clipspm_lite.model.padm import PADMOutput
from clipspm_lite.model.spm import SPMOutput
from clipspm_lite.storage.tensors import write_tensors

CLIP_SPM = "clip-spm"
KIND = "recogniser"  # of a file that `Recogniser.save` writes
HEAD = "head."  # before the names of the head's weights in it
COSINES = ("zero-shot", "prototype")  # methods whose logits are cosines


@dataclass(frozen=True)
class Support:
    """The clips and names from which a recogniser knows its actions.

    Attributes:
        classes: names of the actions, N of them, 2 or more.
        features: frame features ``[N, K, T, C]``; an action with fewer than K clips is filled up with zeros.
        mask: bool ``[N, K]``, False where there is no clip.
        class_text: text features of the names ``[N, C]``.

    Raises:
        ValueError: fewer than two actions, names that read alike, shapes that do not fit together, or values that are
            not finite.
    """

    classes: tuple[str, ...]
    features: Tensor
    mask: Tensor
    class_text: Tensor

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(map(readable, self.classes))) < len(self.classes):
            raise ValueError(
                f"a recogniser needs at least 2 actions of different names, found {', '.join(self.classes) or 'none'}"
            )
        check_tensors({"features": self.features, "mask": self.mask, "class_text": self.class_text})
        if self.features.ndim != 4 or 0 in self.features.shape:
            raise ValueError(f"features: expected [N, K, T, C], found shape {tuple(self.features.shape)}")
        if len(self.classes) != len(self.features):
            raise ValueError(
                f"{len(self.classes)} names for {len(self.features)} actions of support features"
            )
        check_episode(self.features, self.features[:, 0], self.class_text, self.mask)
        check_finite("features", self.features[self.mask])
        check_finite("class_text", self.class_text)


def encode_support(
    store: FeatureStore,
    dataset: VideoDataset,
    templates: Sequence[str] = TEMPLATES,
    *,
    progress: bool = False,
) -> Support:
    """Encode a data set's videos and its class names, each in every template, to be known by.

    Raises:
        ValueError: fewer than two actions, or a backbone without a text encoder; before any video is read.
        VideoError: a video cannot be read.
    """
    if not isinstance(dataset, VideoDataset):
        raise TypeError(
            f"dataset: expected a VideoDataset, found {type(dataset).__name__}: open_folder makes one of a folder"
        )
    if len(dataset.classes) < 2:
        raise ValueError(
            f"a recogniser needs at least 2 actions, found {len(dataset.classes)}: {dataset.root}"
        )
    class_text = store.backbone.encode_class_names(dataset.classes, templates).cpu()
    by_class = store.encode(dataset.paths, progress=progress).split(dataset.videos_per_class)
    shots = max(dataset.videos_per_class)
    features = torch.stack([torch.cat([f, f.new_zeros(shots - len(f), *f.shape[1:])]) for f in by_class])
    mask = torch.tensor([[k < count for k in range(shots)] for count in dataset.videos_per_class])
    return Support(dataset.classes, features, mask, class_text)


class Score(NamedTuple):
    """What a clip got for one action.

    ``probability`` is the softmax of the logits (of cosines times CLIP's own scale). It is for reading and not
    calibrated: of the answers given with 90 %, many more or many fewer than 90 % may be right.
    """

    action: str
    probability: float
    logit: float


class Matching(NamedTuple):
    """One alignment of a clip with every action's prototype, in the features that the method compares."""

    query: Tensor  # [T, C]
    prototypes: Tensor  # [N, T, C]
    distance: Tensor  # [N]: what it adds to −logit

    @property
    def frame_distances(self) -> Tensor:
        """``[N, T, T]``: query frame × prototype frame, what OTAM finds its way through."""
        return frame_distances(self.query, self.prototypes)


@dataclass(frozen=True)
class Explanation:
    """What an answer was made of, actions in the order of the ranking.

    The distances of all matchings, and ``anchor_distance``, add up to −logit.

    Attributes:
        matchings: of CLIP-SPM "spm" (½ D_SPM) and "padm" (D_PADM), of OTAM "otam"; none where no frames are aligned.
        anchor_distance: D_anchor ``[N]``, a bias of each action; None where the method has no anchor.
    """

    actions: tuple[str, ...]
    matchings: dict[str, Matching]
    anchor_distance: Tensor | None


@dataclass(frozen=True)
class Prediction:
    """The answer for one video: every action with its score, the best first, and why."""

    video: str
    ranking: tuple[Score, ...]
    explanation: Explanation

    @property
    def action(self) -> str:
        return self.ranking[0].action

    @property
    def probability(self) -> float:
        return self.ranking[0].probability

    @property
    def runner_up(self) -> Score:
        """What it nearly was."""
        return self.ranking[1]


class Recogniser:
    """A method on a backbone's features, and the clips and names it knows its actions by.

    Args:
        method: a head, or the name of a training-free method (`TRAINING_FREE`). A head is put in evaluation mode.
            It is asked about one clip at a time; one trained so answers best: `LITE_INDUCTIVE_MODEL`.
        store: encodes videos and class names with a backbone.
        support: what it knows; `with_support` makes it from videos.

    Attributes:
        head: the `CLIPSPM`, or None.
        method: "clip-spm", or the training-free method's name.
    """

    def __init__(self, method: str | CLIPSPM, store: FeatureStore, support: Support | None = None):
        check_method(method)
        if isinstance(store, Support) or isinstance(support, FeatureStore):
            raise TypeError(
                "expected (method, store, support), a FeatureStore and then what encode_support made, found a "
                f"{type(store).__name__} as the store"
            )
        self.head = None if isinstance(method, str) else method.eval()
        self.method = method if isinstance(method, str) else CLIP_SPM
        self.store = store
        self.support = support
        if self.head is not None and self.head.dim != store.backbone.dim:
            raise ValueError(
                f"the head was built for features of width {self.head.dim}, {store.backbone.name} makes "
                f"{store.backbone.dim}: give the backbone that the head was trained with"
            )

    def __repr__(self) -> str:
        backbone = self.store.backbone
        knows = "no actions yet"
        if self.support is not None:
            knows = f"{len(self.support.classes)} actions from {int(self.support.mask.sum())} clips"
        weights = f" ({backbone.weights})" if backbone.weights else ""
        return f"Recogniser({self.method} on {backbone.name}{weights}, {self.store.frames} frames; {knows})"

    def with_support(
        self, support: VideoDataset | str | Path, templates: Sequence[str] = TEMPLATES
    ) -> "Recogniser":
        """The same method on the same backbone, knowing these actions instead.

        Args:
            support: a data set, or a folder with one folder an action, of two or more; counts of clips may differ.
            templates: sentences with one `{}` each, in which an action's name is encoded.

        Raises:
            DatasetError: no such folder.
            ValueError: fewer than two actions, or a backbone without a text encoder.
            VideoError: a video cannot be read.
        """
        dataset = support if isinstance(support, VideoDataset) else open_folder(support)
        return Recogniser(
            self.head or self.method, self.store, encode_support(self.store, dataset, templates)
        )

    @torch.inference_mode()
    def predict(self, videos: Sequence[str | Path], *, together: bool = False) -> list[Prediction]:
        """Name the action in each video.

        Args:
            together: let a CLIP-SPM head see all videos as the queries of one episode, as the released code does. The
                answer for one then depends on the others. By default each is asked by itself.

        Raises:
            ValueError: it knows no actions yet.
            TypeError: one path instead of a list of them.
            VideoError: a video cannot be read.
        """
        support = self._known()
        if isinstance(videos, (str, Path)):
            raise TypeError(f"videos: expected a list of files, found one: use [{str(videos)!r}]")
        if not videos:
            return []
        queries = self.store.encode(videos)
        episodes = [queries] if together else queries.split(1)
        answers: list[tuple[tuple[Score, ...], Explanation]] = []
        for episode in episodes:
            scored = score(self.head or self.method, support, episode)
            answers += [self._answer(episode, scored, row) for row in range(len(episode))]
        return [Prediction(str(video), *answer) for video, answer in zip(videos, answers, strict=True)]

    def save(self, path: str | os.PathLike) -> None:
        """Write it to one safetensors file, whole or not at all, for `clipspm_lite.load`.

        In it are method and head, names of the actions, support features and texts, and which backbone made them: its
        name and the fingerprint of its visual encoder, in place of its weights. No video is in it.

        Raises:
            ValueError: it knows no actions yet.
        """
        support, backbone = self._known(), self.store.backbone
        tensors = {
            "support": support.features,
            "support_mask": support.mask,
            "class_text": support.class_text,
        }
        if self.head is not None:
            tensors |= {HEAD + name: tensor for name, tensor in self.head.state_dict().items()}
        description = {
            "kind": KIND,
            "method": self.method,
            "classes": list(support.classes),
            "head": None if self.head is None else describe_head(self.head),
            "frames": self.store.frames,
            "resize": self.store.resize,
            "backbone": {
                "name": public_name(backbone.name),
                "weights": backbone.weights,
                "normalize_pixels": backbone.normalize_pixels,
                "visual_fingerprint": backbone.visual_fingerprint,
            },
        }
        write_tensors(path, tensors, description)

    def _known(self) -> Support:
        if self.support is None:
            raise ValueError("this recogniser knows no actions yet: give it clips, .with_support(FOLDER)")
        return self.support

    def _answer(
        self, queries: Tensor, scored: Scores | CLIPSPMOutput, row: int
    ) -> tuple[tuple[Score, ...], Explanation]:
        classes = self._known().classes
        logits = scored.logits[row]
        scale = self.store.backbone.cosine_scale if self.method in COSINES else 1
        probabilities = (scale * logits).softmax(-1)
        order = logits.argsort(descending=True, stable=True)
        ranking = tuple(Score(classes[i], float(probabilities[i]), float(logits[i])) for i in order.tolist())
        matchings, anchor = self._matchings(queries, scored, row)
        return ranking, Explanation(
            actions=tuple(answer.action for answer in ranking),
            matchings={
                name: Matching(m.query, m.prototypes[order], m.distance[order])
                for name, m in matchings.items()
            },
            anchor_distance=None if anchor is None else anchor[order],
        )

    def _matchings(
        self, queries: Tensor, scored: Scores | CLIPSPMOutput, row: int
    ) -> tuple[dict[str, Matching], Tensor | None]:
        """The alignments behind a row of logits, and D_anchor, actions in the order of the support."""
        support = self._known()
        query, shots, distance = queries[row], support.features, -scored.logits[row]
        if not isinstance(scored, CLIPSPMOutput):
            if self.method not in ("otam", "otam centred"):
                return {}, None
            if self.method == "otam centred":
                query, shots = centred(query), centred(shots)
            return {"otam": Matching(query, prototypes(shots, support.mask), distance)}, None
        distance = scored.terms["½ D_SPM"][row]
        refined: dict[str, Matching] = {}
        anchor = scored.terms["D_anchor"][0] if "D_anchor" in scored.terms else None
        if scored.padm is not None:
            padm = Matching(scored.padm.query[row], scored.padm.prototypes, scored.padm.distance[row])
            refined["padm"] = padm
        if scored.spm is not None:
            compared = scored.spm.query[row], scored.spm.prototypes
        else:
            compared = query, prototypes(shots, support.mask)
        return {"spm": Matching(*compared, distance), **refined}, anchor


def check_method(method: object) -> None:
    """Refuse what is neither a `CLIPSPM` nor the name of a training-free method; raises ValueError."""
    if type(method) is not CLIPSPM and not (isinstance(method, str) and method in TRAINING_FREE):
        found = repr(method) if isinstance(method, str) else f"a {type(method).__name__}"
        raise ValueError(f"method: expected a CLIPSPM or one of {', '.join(TRAINING_FREE)}, found {found}")


def score(method: str | CLIPSPM, support: Support, query: Tensor) -> Scores | CLIPSPMOutput:
    """What a method makes of clips ``[Q, T, C]``, on the CPU; a CLIP-SPM head lets them see each other."""
    episode = (support.features, query, support.class_text, support.mask)
    if isinstance(method, str):
        return TRAINING_FREE[method](*episode)
    device = next(method.parameters()).device
    logits, spm, padm, terms = method(*(tensor.to(device) for tensor in episode), inductive=False)
    return CLIPSPMOutput(
        logits.cpu(),
        None if spm is None else SPMOutput(*(tensor.cpu() for tensor in spm)),
        None if padm is None else PADMOutput(*(tensor.cpu() for tensor in padm)),
        {name: term.cpu() for name, term in terms.items()},
    )
