"""From a folder with a few clips per action to a recogniser that names the action in a new clip, kept in one file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from clipspm_lite.clip.backbone import Backbone, public_name
from clipspm_lite.clip.checkpoints import DEFAULT_HEAD, checkpoint_kind, open_checkpoint, open_store, restore_head
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.prompts import TEMPLATES
from clipspm_lite.data.datasets import VideoDataset, open_folder
from clipspm_lite.data.encoded import check_finite
from clipspm_lite.data.names import readable
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.clip_fsar import CLIPFSAROutput
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.head import check_episode
from clipspm_lite.model.heads import Head, describe_head, scored_in_eval_mode
from clipspm_lite.model.otam import centred, frame_distances
from clipspm_lite.model.transformer import shot_mean
from clipspm_lite.storage.files import CheckpointError, one_line
from clipspm_lite.storage.tensors import read_tensors, write_tensors
from clipspm_lite.threads import pick_device

RECOGNISER = "recogniser"  # of a file that `Recogniser.save` writes
HEAD = "head."  # before the names of the head's weights in it
COSINES = ("zero-shot", "prototype", "prototype dcor")  # methods whose logits are cosines, or the like


@dataclass(frozen=True)
class Support:
    """Clips and names of two or more actions; raises ValueError for names that read alike or shapes that don't fit."""

    classes: tuple[str, ...]  # names of the N actions
    features: Tensor  # of frames [N, K, T, C]; an action with fewer than K clips is filled up with zeros
    mask: Tensor  # bool [N, K], False where there is no clip
    class_text: Tensor  # text features of the names [N, C]

    def __post_init__(self) -> None:
        named = len(set(map(readable, self.classes))) == len(self.classes) == len(self.features)
        if len(self.classes) < 2 or not named:
            found = f"{', '.join(self.classes) or 'none'} for {len(self.features)} in features"
            raise ValueError(f"classes: expected at least 2 actions of different names, found {found}")
        check_episode(self.features, self.features[:, 0], self.class_text, self.mask)
        check_finite("features", self.features[self.mask])
        check_finite("class_text", self.class_text)

    def episode(self, query: Tensor) -> list[Tensor]:
        """What a method is called with to answer clips ``[Q, T, C]``, on their device."""
        return [tensor.to(query.device) for tensor in (self.features, query, self.class_text, self.mask)]


def encode_support(
    store: FeatureStore,
    support: VideoDataset | str | Path,
    templates: Sequence[str] = TEMPLATES,
    *,
    progress: bool = False,
) -> Support:
    """The support of a recogniser: the videos of a data set, or of a folder with one folder per action, encoded.

    Counts of clips may differ. ``templates`` are as for `Backbone.encode_class_names`. Raises DatasetError, VideoError.
    """
    dataset = support if isinstance(support, VideoDataset) else open_folder(support)
    class_text = store.backbone.encode_class_names(dataset.classes, templates).cpu()
    by_class = store.encode(dataset.paths, progress=progress).split(dataset.videos_per_class)
    shots = max(dataset.videos_per_class)
    features = torch.stack([torch.cat([f, f.new_zeros(shots - len(f), *f.shape[1:])]) for f in by_class])
    mask = torch.arange(shots) < torch.tensor(dataset.videos_per_class)[:, None]
    return Support(dataset.classes, features, mask, class_text)


class Score(NamedTuple):
    """What a clip got for one action."""

    action: str
    probability: float  # softmax of the logits (of cosines times CLIP's own scale); not calibrated
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


class Explanation(NamedTuple):
    """What an answer was made of, actions in the order of the ranking."""

    actions: tuple[str, ...]
    matchings: dict[str, Matching]  # of CLIP-SPM "spm" and "padm", of OTAM and CLIP-FSAR "otam", of others none
    terms: dict[str, Tensor]  # distances [N] that add up to −logit, of CLIP-SPM "½ D_SPM", "D_PADM" and "D_anchor"


class Prediction(NamedTuple):
    """The answer for one video: every action with its score, the best first, and why."""

    video: str
    ranking: tuple[Score, ...]
    explanation: Explanation

    @property
    def action(self) -> str:
        return self.ranking[0].action

    @property
    def runner_up(self) -> Score:
        return self.ranking[1]


class Recogniser:
    """A method on a backbone's features, and the clips and names it knows its actions by.

    The argument ``method`` is a head or a name in `TRAINING_FREE`; the attributes are ``head``, or None, and
    ``method``, always a name. A head is asked about one clip at a time; `LITE_INDUCTIVE_MODEL` was trained so.
    """

    def __init__(self, method: str | Head, store: FeatureStore, support: Support | None = None):
        self.method, self.head = method_name(method), None if isinstance(method, str) else method
        self.store, self.support = store, support

    def __repr__(self) -> str:
        backbone, known = self.store.backbone, self.support
        knows = f"{len(known.classes)} actions from {int(known.mask.sum())} clips" if known else "no actions yet"
        weights = f" ({backbone.weights})" if backbone.weights else ""
        return f"Recogniser({self.method} on {backbone.name}{weights}, {self.store.frames} frames; {knows})"

    def with_support(self, support: VideoDataset | str | Path, templates: Sequence[str] = TEMPLATES) -> "Recogniser":
        """The same method on the same backbone, knowing these actions instead; arguments as for `encode_support`."""
        return Recogniser(self.head or self.method, self.store, encode_support(self.store, support, templates))

    @torch.inference_mode()
    def predict(self, videos: Sequence[str | Path] | Tensor, *, together: bool = False) -> list[Prediction]:
        """Name the action in each video, or in clips that are encoded already, features ``[Q, T, C]``.

        ``together`` lets a CLIP-SPM head see all as the queries of one episode, as the released code does: the answer
        for one then depends on the others. Raises ValueError if it knows no actions, and as `FeatureStore.encode`.
        """
        support, method = self._known(), self.head or self.method
        if len(videos) == 0:
            return []
        queries = videos if isinstance(videos, Tensor) else self.store.encode(videos)
        names = [""] * len(videos) if isinstance(videos, Tensor) else map(str, videos)
        scale = self.store.backbone.cosine_scale if self.method in COSINES else 1
        answers: list[tuple[tuple[Score, ...], Explanation]] = []
        with scored_in_eval_mode(method):
            for episode in [queries] if together else queries.split(1):
                output = ask(method, support, episode)
                whole = explain(method, support, episode, output)
                answers += [_answer(logits, scale, whole, row) for row, logits in enumerate(output.logits)]
        return [Prediction(name, *answer) for name, answer in zip(names, answers, strict=True)]

    def save(self, path: str | os.PathLike) -> None:
        """Write it to one safetensors file, whole or not at all, for `clipspm_lite.load`.

        It holds head, actions, features and the encoder's fingerprint, no video. Raises ValueError without actions.
        """
        support, backbone = self._known(), self.store.backbone
        tensors = dict(support=support.features, support_mask=support.mask, class_text=support.class_text)
        if self.head is not None:
            tensors |= {HEAD + name: tensor for name, tensor in self.head.state_dict().items()}
        made_with = {"name": public_name(backbone.name), "weights": backbone.weights}
        made_with |= {key: getattr(backbone, key) for key in ("normalize_pixels", "visual_fingerprint")}
        head = self.head and describe_head(self.head)
        description = dict[str, Any](kind=RECOGNISER, method=self.method, classes=list(support.classes), head=head)
        description |= {"frames": self.store.frames, "resize": self.store.resize, "backbone": made_with}
        write_tensors(path, tensors, description)

    def _known(self) -> Support:
        if self.support is None:
            raise ValueError("this recogniser knows no actions yet: give it clips, .with_support(FOLDER)")
        return self.support


def load(
    path: str | os.PathLike,
    *,
    head: Any = None,
    backbone: Backbone | str | None = None,
    weights: str | Path | None = None,
    text_weights: str | Path | None = None,
    dataset: str | Mapping[str, float] | None = None,
    frames: int | None = None,
    device: str | torch.device = "auto",
    store: str | Path | None = None,
) -> Recogniser:
    """Open a recogniser, or a trained head as one: ours, a fine-tuned one, or the authors' released checkpoint.

    A saved recogniser knows its actions, a head none until `Recogniser.with_support`. The rest is as `open_checkpoint`.
    """
    given: Any = dict(backbone=backbone, weights=weights, text_weights=text_weights, device=device, store=store)
    if checkpoint_kind(path) != RECOGNISER:
        opened = open_checkpoint(path, head=head, dataset=dataset, frames=frames, **given)
        return Recogniser(opened.head, opened.store)
    tensors, description = read_tensors(path, RECOGNISER)
    try:
        features, class_text = tensors["support"].float(), tensors["class_text"].float()
        support = Support(tuple(description["classes"]), features, tensors["support_mask"], class_text)
        method: Any = str(description["method"])
        made_with = {key: description[key] for key in ("frames", "resize")} | description["backbone"]
        made_with["visual_fingerprint"] = str(made_with["visual_fingerprint"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(f"a damaged recogniser ({one_line(error)}): {path}") from None
    if method not in TRAINING_FREE or description.get("head"):
        of_head = {name.removeprefix(HEAD): t for name, t in tensors.items() if name.startswith(HEAD)}
        method = restore_head(description.get("head"), of_head, path, head).to(pick_device(device))
    given["frames"] = features.shape[-2] if frames is None else frames
    return Recogniser(method, open_store(made_with, path, {}, given), support)


def method_name(method: object) -> str:
    """What a method is called; raises ValueError for what is neither a head nor a training-free method."""
    if isinstance(method, nn.Module) and hasattr(method, "config"):
        return str(describe_head(method).get("model", DEFAULT_HEAD))
    if isinstance(method, str) and method in TRAINING_FREE:
        return method
    raise ValueError(f"method: expected a head or one of {', '.join(TRAINING_FREE)}, found {repr(method)[:80]}")


def ask(method: str | Head, support: Support, query: Tensor) -> Any:
    """A method's output, with ``.logits`` ``[Q, N]``, for clips ``[Q, T, C]`` as the queries of one episode."""
    if isinstance(method, str):
        return TRAINING_FREE[method](*support.episode(query))
    options = {"inductive": False} if isinstance(method, CLIPSPM) else {}
    return method(*support.episode(query.to(next(method.parameters()).device)), **options)


def explain(method: Any, support: Support, query: Tensor, output: Any) -> Explanation:
    """What a method's output for one episode was made of; distances are ``[Q, N]``, actions those of the support."""
    terms = getattr(output, "terms", {"distance": -output.logits})
    terms = {name: term.expand_as(output.logits) for name, term in terms.items()}
    compared: dict[str, Matching] = {}
    if isinstance(output, CLIPSPMOutput):
        if output.spm is not None:
            query, prototypes = output.spm.query, output.spm.prototypes
        else:
            shots, query, _ = method.prepare(*support.episode(query.to(output.logits.device)))
            prototypes = shot_mean(shots, support.mask.to(query.device))
        compared["spm"] = Matching(query, prototypes, terms["½ D_SPM"])
        if output.padm is not None:
            compared["padm"] = Matching(output.padm.query, output.padm.prototypes, terms["D_PADM"])
    elif isinstance(output, CLIPFSAROutput):
        compared["otam"] = Matching(output.query, output.prototypes, terms["distance"])
    elif method in ("otam", "otam centred"):
        query, shots = (x if method == "otam" else centred(x) for x in (query, support.features))
        compared["otam"] = Matching(query, shot_mean(shots, support.mask), terms["distance"])
    return Explanation(support.classes, compared, terms)


def _answer(logits: Tensor, scale: float, whole: Explanation, row: int) -> tuple[tuple[Score, ...], Explanation]:
    """The ranking for one query of an episode, and its explanation in that order."""
    order = logits.argsort(descending=True, stable=True)
    probabilities = (scale * logits).softmax(-1)
    ranking = tuple(Score(whole.actions[i], float(probabilities[i]), float(logits[i])) for i in order.tolist())
    matchings = {
        name: Matching(query[row].cpu(), prototypes[order].cpu(), distance[row, order].cpu())
        for name, (query, prototypes, distance) in whole.matchings.items()
    }
    terms = {name: term[row, order].cpu() for name, term in whole.terms.items()}
    return ranking, Explanation(tuple(score.action for score in ranking), matchings, terms)
