"""From a folder with a few clips per action to a recogniser that names the action in a new clip, kept in one file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clipspm_lite.clip.backbone import public_name
from clipspm_lite.clip.checkpoints import DEFAULT_HEAD
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.prompts import TEMPLATES
from clipspm_lite.data.datasets import VideoDataset, open_folder
from clipspm_lite.data.encoded import check_finite
from clipspm_lite.data.names import readable
from clipspm_lite.model.baselines import TRAINING_FREE, centred, prototypes
from clipspm_lite.model.checks import check_episode
from clipspm_lite.model.clip_fsar import CLIPFSAROutput
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.heads import HEADS, Head, describe_head, scored_in_eval_mode
from clipspm_lite.model.otam import frame_distances
from clipspm_lite.storage.tensors import write_tensors

KIND = "recogniser"  # of a file that `Recogniser.save` writes
HEAD = "head."  # before the names of the head's weights in it
COSINES = ("zero-shot", "prototype")  # methods whose logits are cosines

Compared = tuple[Tensor, Tensor, str]  # queries, prototypes, and the name of their distance


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
        named = len(set(map(readable, self.classes))) == len(self.classes) == len(self.features)
        if len(self.classes) < 2 or not named:
            raise ValueError(
                f"classes: a recogniser needs at least 2 actions of different names, one for each of the "
                f"{len(self.features)} in features, found {', '.join(self.classes) or 'none'}"
            )
        check_episode(self.features, self.features[:, 0], self.class_text, self.mask)
        check_finite("features", self.features[self.mask])
        check_finite("class_text", self.class_text)


def encode_support(
    store: FeatureStore,
    support: VideoDataset | str | Path,
    templates: Sequence[str] = TEMPLATES,
    *,
    progress: bool = False,
) -> Support:
    """The support of a recogniser: videos encoded, and names of actions in every template.

    Args:
        support: a data set, or a folder with one folder per action, of two or more; counts of clips may differ.
        templates: sentences with one `{}` each.

    Raises:
        DatasetError: no such folder.
        ValueError: fewer than two actions, or a backbone without a text encoder.
        VideoError: a video cannot be read.
    """
    dataset = support if isinstance(support, VideoDataset) else open_folder(support)
    class_text = store.backbone.encode_class_names(dataset.classes, templates).cpu()
    by_class = store.encode(dataset.paths, progress=progress).split(dataset.videos_per_class)
    shots = max(dataset.videos_per_class)
    features = torch.stack([torch.cat([f, f.new_zeros(shots - len(f), *f.shape[1:])]) for f in by_class])
    mask = torch.arange(shots) < torch.tensor(dataset.videos_per_class)[:, None]
    return Support(dataset.classes, features, mask, class_text)


class Score(NamedTuple):
    """What a clip got for one action.

    ``probability`` is the softmax of the logits (of cosines times CLIP's own scale). It is not calibrated: of the
    answers given with 90 %, many more or many fewer than 90 % may be right.
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

    Attributes:
        actions: their names.
        matchings: of CLIP-SPM "spm" and "padm", of OTAM and CLIP-FSAR "otam"; none where no frames are aligned.
        terms: distances ``[N]`` that add up to −logit, of CLIP-SPM "½ D_SPM", "D_PADM" and "D_anchor".
    """

    actions: tuple[str, ...]
    matchings: dict[str, Matching]
    terms: dict[str, Tensor]

    @property
    def anchor_distance(self) -> Tensor | None:
        """D_anchor ``[N]``; None where the method has no anchor."""
        return self.terms.get("D_anchor")


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
        """The second best."""
        return self.ranking[1]


class Recogniser:
    """A method on a backbone's features, and the clips and names it knows its actions by.

    Args:
        method: a head, or the name of a training-free method (`TRAINING_FREE`). A head is asked about one clip at a
            time; one trained so answers best: `LITE_INDUCTIVE_MODEL`.
        store: encodes videos and class names with a backbone.
        support: what it knows; `with_support` makes it from videos.

    Attributes:
        head: the head, or None.
        method: the name of the head's model, such as "clip-spm", or of the training-free method.
    """

    def __init__(self, method: str | Head, store: FeatureStore, support: Support | None = None):
        self.method = method_name(method)
        self.head = None if isinstance(method, str) else method
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
        """The same method on the same backbone, knowing these actions instead; arguments as for `encode_support`."""
        known = encode_support(self.store, support, templates)
        return Recogniser(self.head or self.method, self.store, known)

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
        if not videos:
            return []
        queries = self.store.encode(videos)
        method = self.head or self.method
        answers: list[tuple[tuple[Score, ...], Explanation]] = []
        with scored_in_eval_mode(method):
            for episode in [queries] if together else queries.split(1):
                output = ask(method, support, episode)
                parts = explain(method, support, episode, output)
                answers += [self._answer(output.logits, *parts, row) for row in range(len(episode))]
        return [Prediction(str(video), *answer) for video, answer in zip(videos, answers, strict=True)]

    def save(self, path: str | os.PathLike) -> None:
        """Write it to one safetensors file, whole or not at all, for `clipspm_lite.load`.

        In it are method and head, names of the actions, support features and texts, and which backbone made them: its
        name and the fingerprint of its visual encoder, in place of its weights. No video is in it.

        Raises:
            ValueError: it knows no actions yet.
        """
        support, backbone = self._known(), self.store.backbone
        tensors = dict(support=support.features, support_mask=support.mask, class_text=support.class_text)
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
        self, logits: Tensor, terms: dict[str, Tensor], compared: dict[str, Compared], row: int
    ) -> tuple[tuple[Score, ...], Explanation]:
        classes = self._known().classes
        scale = self.store.backbone.cosine_scale if self.method in COSINES else 1
        probabilities = (scale * logits[row]).softmax(-1)
        order = logits[row].argsort(descending=True, stable=True)
        ranking = tuple(
            Score(classes[i], float(probabilities[i]), float(logits[row, i])) for i in order.tolist()
        )
        distances = {name: term.expand_as(logits)[row, order].cpu() for name, term in terms.items()}
        matchings = {
            name: Matching(query[row].cpu(), prototype[order].cpu(), distances[term])
            for name, (query, prototype, term) in compared.items()
        }
        return ranking, Explanation(tuple(score.action for score in ranking), matchings, distances)


def method_name(method: object) -> str:
    """What a method is called; raises ValueError for what is neither a head nor a training-free method."""
    if isinstance(method, tuple(HEADS.values())):
        return str(describe_head(method).get("model", DEFAULT_HEAD))
    if isinstance(method, str) and method in TRAINING_FREE:
        return method
    found = repr(method) if isinstance(method, str) else f"a {type(method).__name__}"
    raise ValueError(f"method: expected a head or one of {', '.join(TRAINING_FREE)}, found {found}")


def ask(method: str | Head, support: Support, query: Tensor) -> Any:
    """A method's output, with ``.logits`` ``[Q, N]``, for clips ``[Q, T, C]`` as the queries of one episode."""
    episode = (support.features, query, support.class_text, support.mask)
    if isinstance(method, str):
        return TRAINING_FREE[method](*episode)
    device = next(method.parameters()).device
    options = {"inductive": False} if isinstance(method, CLIPSPM) else {}
    return method(*(tensor.to(device) for tensor in episode), **options)


def explain(
    method: str | Head, support: Support, query: Tensor, output: Any
) -> tuple[dict[str, Tensor], dict[str, Compared]]:
    """The distances that logits are made of, each ``[Q, N]`` or ``[1, N]``, and the frames that were compared.

    The frames are queries ``[Q, T, C]``, prototypes ``[N, T, C]`` and the name of their distance.
    """
    if isinstance(output, CLIPSPMOutput):
        assert isinstance(method, CLIPSPM)
        if output.spm is not None:
            frames = output.spm.query, output.spm.prototypes
        else:
            device = output.logits.device
            episode = (support.features, query, support.class_text, support.mask)
            shots, query, _ = method.prepare(*(tensor.to(device) for tensor in episode))
            frames = query, prototypes(shots, support.mask.to(device))
        compared = {"spm": (*frames, "½ D_SPM")}
        if output.padm is not None:
            compared["padm"] = output.padm.query, output.padm.prototypes, "D_PADM"
        return output.terms, compared
    terms = {"distance": -output.logits}
    if isinstance(output, CLIPFSAROutput):
        return terms, {"otam": (output.query, output.prototypes, "distance")}
    if method == "otam":
        return terms, {"otam": (query, prototypes(support.features, support.mask), "distance")}
    if method == "otam centred":
        frames = centred(query), prototypes(centred(support.features), support.mask)
        return terms, {"otam": (*frames, "distance")}
    return terms, {}
