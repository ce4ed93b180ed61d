"""The prompt explorer: what the gates let through, real against generated prompt, and α."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.spm import generate_prompt
from clipspm_lite.plots.base import film_strips
from clipspm_lite.plots.prompts import fused_frames, gate_maps, over_prompt_weight
from clipspm_lite.widgets.base import LABELLED, NARROW, Explorer, Picture, choose, slider
from clipspm_lite.widgets.choices import LISTED_EPISODES, margin_over_others
from clipspm_lite.widgets.gallery import Gallery

RIGHT_NAMES, WRONG_NAMES, NO_NAMES = "its own name", "the next class's name (wrong)", "the mean of all names"
SCORE, D_SPM = "whole distance (½ D_SPM + D_PADM + D_anchor)", "D_SPM"
PROMPT_WEIGHTS = tuple(step / 5 for step in range(6))  # values of α that are drawn


def prompt_explorer(gallery: Gallery) -> Explorer:
    """The gates of a query, its class's text against its generated prompt, and what α and wrong names change.

    An episode has five classes, fewer where the gallery has fewer, with one support and one query each.

    Raises:
        ValueError: a model without SPM, or a class with fewer than two videos, which support and query need.
    """
    if not gallery.model.config.with_spm:
        raise ValueError("this model has no SPM (with_spm=False): its clips meet no prompt")
    way = min(5, len(gallery.names))
    sampler = EpisodeSampler(gallery.data.videos_per_class, way, class_names=gallery.data.classes)
    alpha = min(max(float(gallery.model.fusion.prompt_weight), 0), 1)
    controls = {
        "episode": slider("episode", 0, LISTED_EPISODES - 1),
        "query": slider("query", 1, way),
        "names": choose("names", [RIGHT_NAMES, WRONG_NAMES, NO_NAMES]),
        "alpha": widgets.FloatSlider(alpha, description="α", min=0, max=1, step=0.05, style=LABELLED, layout=NARROW),
        "shown": choose("distance", [D_SPM, SCORE]),
    }
    pictures = PromptPictures(gallery, sampler)
    draw: dict[str, Any] = {"clips": pictures.clips, "gates": pictures.gates}
    draw |= {"fused": pictures.fused, "alphas": pictures.alphas}
    return Explorer("prompt", controls, draw, slow=["episode", "query", "names"])


@dataclass(frozen=True)
class PromptedQuery:
    """One query of an episode with the text that its class's support was given; tensors as the model sees them."""

    name: str  # of the text
    video: Tensor  # [T, C]
    real: Tensor  # prompt [1, C]
    generated: Tensor  # prompt [1, C]


class PromptPictures:
    """The pictures of the prompt explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery, sampler: EpisodeSampler):
        self.gallery, self.sampler = gallery, sampler
        self._prompted = lru_cache(maxsize=8)(self._prompted_query)
        self._output = lru_cache(maxsize=64)(self._compute_output)

    def clips(self, episode: int, query: int) -> Picture:
        """A support and the query of its class."""
        drawn = self.sampler[episode]
        names, label = self.gallery.names_of(drawn), drawn.query_labels[query - 1]
        name, others = names[label], ", ".join(names[:label] + names[label + 1 :])
        videos = {f"support: {name}": drawn.support[label][0], f"query {query}": drawn.query[query - 1]}
        return Picture(
            film_strips({title: self.gallery.clip(video) for title, video in videos.items()}),
            f"Episode {episode}: query {query} shows {name}; the other classes are {others}.",
            f"Two film strips of {name}: the support, whose name is given, and the query, whose name is asked.",
        )

    def gates(self, episode: int, query: int, names: str) -> Picture:
        """What the gates let through of the query's frames and of its two prompts."""
        shown = self._prompted(episode, query, names)
        p, q = shown.real[0], shown.generated[0]
        with self.gallery.scoring() as model:
            visual = model.fusion.visual_gate(shown.video)
            real, generated = (model.fusion.prompt_gate(prompt) for prompt in (p, q))
        raw, gated = F.cosine_similarity(p, q, dim=0), F.cosine_similarity(real * p, generated * q, dim=0)
        return Picture(
            gate_maps(visual, {"real": real, "generated": generated}),
            f"Query {query}, gates open by {float(visual.mean()):.2f} for its frames, {float(real.mean()):.2f} for the "
            f"real prompt ({shown.name}) and {float(generated.mean()):.2f} for the generated one, on average. The two "
            f"prompts have lengths {float(p.norm()):.2f} and {float(q.norm()):.2f} and cosine {raw:.2f}; what "
            f"the gate lets through of them has cosine {gated:.2f}.",
            f"Colour maps of gate values: {len(visual)} frames by {len(real)} channels, and two rows for the prompts.",
        )

    def fused(self, episode: int, query: int, names: str, alpha: float) -> Picture:
        """What fusion with either prompt does to the query's frames."""
        shown = self._prompted(episode, query, names)
        with self.gallery.scoring() as model:
            fusion = with_prompt_weight(model, alpha).fusion
            real, generated = (fusion(shown.video, prompt)[0] for prompt in (shown.real, shown.generated))
            added = [float((alpha * fusion.prompt_gate(p) * p).norm()) for p in (shown.real, shown.generated)]
            own = float((fusion.visual_gate(shown.video) * shown.video).norm(dim=-1).mean())
        cosines = {
            "before, after: real prompt": F.cosine_similarity(shown.video, real, dim=-1),
            "before, after: generated": F.cosine_similarity(shown.video, generated, dim=-1),
            "after: real, generated": F.cosine_similarity(real, generated, dim=-1),
        }
        mean = [float(values.mean()) for values in cosines.values()]
        return Picture(
            fused_frames(cosines, alpha),
            f"Query {query} fused at α = {alpha:.2f} with its real prompt ({shown.name}) and with its generated one. "
            f"Fusion turns its frames to cosine {mean[0]:.2f} (real) and {mean[1]:.2f} (generated) with what they "
            f"were; with each other they have {mean[2]:.2f}. Into every frame goes α g_p ⊙ p of length {added[0]:.2f} "
            f"(real) or {added[1]:.2f} (generated), beside g_v ⊙ f of {own:.2f}. The raw prompt is attended to at any "
            "α, 0 too.",
            f"Three lines of cosines over {len(shown.video)} frames at α = {alpha:.2f}: {mean[0]:.2f}, {mean[1]:.2f} "
            f"and {mean[2]:.2f} on average.",
        )

    def alphas(self, episode: int, query: int, names: str, alpha: float, shown: str) -> Picture:
        """The query's distances to the classes over α."""
        drawn = self.sampler[episode]
        classes, label = self.gallery.names_of(drawn), drawn.query_labels[query - 1]
        rows = torch.stack([self._distances(episode, names, query, weight, shown) for weight in PROMPT_WEIGHTS])
        here = self._distances(episode, names, query, alpha, shown)
        best, margin = int(here.argmin()), margin_over_others(-here, label)
        mark = "✓" if best == label else f"✗, it is {classes[label]}"
        what = "D_SPM" if shown == D_SPM else "The whole distance"
        return Picture(
            over_prompt_weight(PROMPT_WEIGHTS, rows, classes, label, alpha, what),
            f"{what} of query {query}, each support with {names}: at α = {alpha:.2f} the answer is {classes[best]} "
            f"{mark}, the true class {abs(margin):.2f} {'nearer' if margin > 0 else 'farther'} than the best other. "
            f"{self._changes_in_words([classes[n] for n in rows.argmin(-1).tolist()])} Made with "
            f"α = {self.gallery.model.fusion.prompt_weight:g}, the only α that it was trained with. "
            "α moves supports and queries alike.",
            f"Lines of {what} above the nearest class over α from 0 to 1, one per class; at {alpha:.2f} the answer "
            f"is {classes[best]}.",
        )

    def _changes_in_words(self, answers: list[str]) -> str:
        """Where the answer changes over α, and whether names reach the supports at all."""
        pairs = zip(PROMPT_WEIGHTS[1:], answers[:-1], answers[1:], strict=True)
        changes = [f"to {now} at α = {weight:.1f}" for weight, before, now in pairs if now != before]
        text = "It is so from 0 to 1, in steps of 0.2."
        if changes:
            text = f"It changes from {answers[0]} {', '.join(changes)}."
        if self.gallery.model.config.support_text == "generated":
            text += " In this model supports get generated prompts, no names."
        return text

    def _prompted_query(self, episode: int, query: int, names: str) -> PromptedQuery:
        drawn = self.sampler[episode]
        label, classes = drawn.query_labels[query - 1], self.gallery.names_of(drawn)
        support, videos, class_text = self.gallery.tensors(drawn)
        with self.gallery.scoring() as model:
            prepared = model.prepare(support, videos, given_texts(names, class_text), None)
            _, videos, text = (tensor[0] for tensor in prepared)
            generated = generate_prompt(videos, text, model.prompt_generator)[query - 1]
        given = classes[(label + (names == WRONG_NAMES)) % len(classes)]
        name = NO_NAMES if names == NO_NAMES else given
        return PromptedQuery(name, videos[query - 1], text[label][None], generated)

    def _compute_output(self, episode: int, names: str, alpha: float) -> CLIPSPMOutput:
        support, query, class_text = self.gallery.tensors(self.sampler[episode])
        with self.gallery.scoring() as model:
            return with_prompt_weight(model, alpha)(support, query, given_texts(names, class_text))

    def _distances(self, episode: int, names: str, query: int, alpha: float, shown: str) -> Tensor:
        output = self._output(episode, names, alpha)
        assert output.spm is not None
        return (output.spm.distance if shown == D_SPM else -output.logits)[0, query - 1]


def given_texts(names: str, class_text: Tensor) -> Tensor:
    """Class texts ``[B, N, C]`` of which the supports get another; their mean, and so the prompts, stay."""
    if names == WRONG_NAMES:
        return class_text.roll(-1, -2)
    return class_text.mean(-2, keepdim=True).expand_as(class_text) if names == NO_NAMES else class_text


def with_prompt_weight(model: CLIPSPM, alpha: float) -> CLIPSPM:
    """The same weights with another α; the model that was given stays as it is."""
    other = copy.copy(model)
    other._modules = dict(model._modules)
    other.fusion = copy.copy(model.fusion)
    other.fusion.prompt_weight = alpha
    return other
