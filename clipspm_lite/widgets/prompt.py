"""The prompt explorer: what the gates let through, real against generated prompt, and α."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets as widgets
import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.episodes import Episode, EpisodeSampler, gather
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.spm import generate_prompt
from clipspm_lite.plots.base import film_strips
from clipspm_lite.plots.prompts import fused_frames, gate_maps, over_prompt_weight
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture
from clipspm_lite.widgets.gallery import Gallery, check_gallery

RIGHT_NAMES, WRONG_NAMES, NO_NAMES = "each its own", "each the next class's (wrong)", "the mean of all names"
SCORE, D_SPM = "whole distance (½ D_SPM + D_PADM + D_anchor)", "D_SPM"
GRID = tuple(step / 5 for step in range(6))  # values of α that are drawn


@dataclass(frozen=True)
class Case:
    """One query of an episode with the text that its class's support was given; tensors as the model sees them."""

    episode: Episode
    query: int
    label: int
    name: str  # of the text
    video: Tensor  # [T, C]
    prompts: dict[str, Tensor]  # real and generated, [1, C]


def prompt_explorer(gallery: Gallery, *, way: int = 5, seed: int = 0, episodes: int = 20) -> Explorer:
    """The gates of a query, its class's text against its generated prompt, and what α and wrong names change.

    Args:
        gallery: clips, features and model.
        way: classes in an episode (one support and one query each); fewer where the gallery has fewer.
        seed: of the list of episodes.
        episodes: how many of the list can be chosen.

    Raises:
        ValueError: way or episodes is no whole number of at least 1, or a class has fewer than two videos, so
            that it can't give support and query.
    """
    check_gallery(gallery)
    model, data = gallery.model, gallery.data
    way, episodes = min(whole_number("way", way), len(gallery.names)), whole_number("episodes", episodes)
    sampler = EpisodeSampler(data.videos_per_class, way, seed=seed, class_names=data.classes)

    def texts(names: str, class_text: Tensor) -> Tensor:
        """Class texts ``[B, N, C]`` of which the supports get another; their mean, and so the prompts, stay."""
        if names == WRONG_NAMES:
            return class_text.roll(-1, -2)
        return class_text.mean(-2, keepdim=True).expand_as(class_text) if names == NO_NAMES else class_text

    @lru_cache(maxsize=8)
    @torch.inference_mode()
    def case(episode: int, query: int, names: str) -> Case:
        if not model.with_spm:
            raise ValueError("this model has no SPM (with_spm=False): its clips meet no prompt")
        drawn = sampler[episode]
        batch = gather(data.features, data.class_text, [drawn])
        text = texts(names, batch.class_text)
        _, videos, text = (x[0] for x in model.prepare(batch.support, batch.query, text, None))
        generated = generate_prompt(videos, text, model.prompt_generator)[query - 1]
        label = drawn.query_labels[query - 1]
        given = {RIGHT_NAMES: label, WRONG_NAMES: (label + 1) % way}.get(names)
        name = "the mean of all names" if given is None else gallery.names[drawn.classes[given]]
        return Case(
            drawn,
            query - 1,
            label,
            name,
            videos[query - 1],
            {"real": text[label][None], "generated": generated},
        )

    @lru_cache(maxsize=64)
    @torch.inference_mode()
    def answer(episode: int, names: str, alpha: float) -> CLIPSPMOutput:
        batch = gather(data.features, data.class_text, [sampler[episode]])
        return with_prompt_weight(model, alpha)(batch.support, batch.query, texts(names, batch.class_text))

    def distances(episode: int, names: str, query: int, alpha: float, shown: str) -> Tensor:
        output = answer(episode, names, alpha)
        assert output.spm is not None
        return output.spm.distance[0, query] if shown == D_SPM else -output.logits[0, query]

    def clips(episode: int, query: int) -> Picture:
        drawn = sampler[episode]
        label = drawn.query_labels[query - 1]
        name = gallery.names[drawn.classes[label]]
        support, asked = drawn.support[label][0], drawn.query[query - 1]
        others = ", ".join(gallery.names[n] for n in drawn.classes if n != drawn.classes[label])
        return Picture(
            film_strips({f"support: {name}": gallery.clip(support), f"query {query}": gallery.clip(asked)}),
            f"Episode {episode}: query {query} shows {name}; the other classes are {others}.",
            f"Two film strips of {name}: the support, whose name is given, and the query, whose name is asked.",
        )

    @torch.inference_mode()
    def gates(episode: int, query: int, names: str) -> Picture:
        shown = case(episode, query, names)
        visual = model.fusion.visual_gate(shown.video)
        gate = {which: model.fusion.prompt_gate(prompt)[0] for which, prompt in shown.prompts.items()}
        (real, generated), (p, q) = gate.values(), (prompt[0] for prompt in shown.prompts.values())
        return Picture(
            gate_maps(visual, gate),
            f"Query {query}, gates open by {float(visual.mean()):.2f} for its frames, {float(real.mean()):.2f} for the "
            f"real prompt ({shown.name}) and {float(generated.mean()):.2f} for the generated one, on average. The two "
            f"prompts have lengths {float(p.norm()):.2f} and {float(q.norm()):.2f} and cosine {cosine(p, q):.2f}; what "
            f"the gate lets through of them has cosine {cosine(real * p, generated * q):.2f}.",
            f"Colour maps of gate values: {len(visual)} frames by {len(real)} channels, and two rows for the prompts.",
        )

    @torch.inference_mode()
    def fused(episode: int, query: int, names: str, alpha: float) -> Picture:
        shown = case(episode, query, names)
        fusion = with_prompt_weight(model, alpha).fusion
        after = {which: fusion(shown.video, prompt)[0] for which, prompt in shown.prompts.items()}
        cosines = {
            "before, after: real prompt": F.cosine_similarity(shown.video, after["real"], dim=-1),
            "before, after: generated": F.cosine_similarity(shown.video, after["generated"], dim=-1),
            "after: real, generated": F.cosine_similarity(after["real"], after["generated"], dim=-1),
        }
        mean = [float(values.mean()) for values in cosines.values()]
        added = [float((alpha * fusion.prompt_gate(p) * p).norm()) for p in shown.prompts.values()]
        own = float((fusion.visual_gate(shown.video) * shown.video).norm(dim=-1).mean())
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

    def alphas(episode: int, query: int, names: str, alpha: float, shown: str) -> Picture:
        chosen = case(episode, query, names)
        rows = torch.stack([distances(episode, names, query - 1, weight, shown) for weight in GRID])
        here = distances(episode, names, query - 1, alpha, shown)
        classes = gallery.names_of(chosen.episode)
        best, label = int(here.argmin()), chosen.label
        mark = "✓" if best == label else f"✗, it is {classes[label]}"
        others = here.clone()
        others[label] = torch.inf
        margin = float(others.min() - here[label])
        answers = [classes[n] for n in rows.argmin(-1).tolist()]
        changes = [
            f"{w:.1f} {name}"
            for k, (w, name) in enumerate(zip(GRID, answers, strict=True))
            if k and name != answers[k - 1]
        ]
        moves = (
            f"It changes from {answers[0]} at α = {', '.join(changes)}."
            if changes
            else "It is so from 0 to 1, in steps of 0.2."
        )
        trained = model.fusion.prompt_weight
        if model.support_text == "generated":
            moves += " In this model supports get generated prompts, no names."
        what = "D_SPM" if shown == D_SPM else "The whole distance"
        return Picture(
            over_prompt_weight(GRID, rows, classes, label, alpha, what),
            f"{what} of query {query}, supports named {names}: at α = {alpha:.2f} the answer is {classes[best]} "
            f"{mark}, the true class {abs(margin):.2f} {'nearer' if margin > 0 else 'farther'} than the best other. "
            f"{moves} Made with α = {trained:g}; elsewhere its weights meet what they were not "
            "trained for. α moves supports and queries alike.",
            f"Lines of {what} above the nearest class over α from 0 to 1, one a class; at {alpha:.2f} the answer "
            f"is {classes[best]}.",
        )

    alpha = float(model.fusion.prompt_weight)
    controls = {
        "episode": widgets.IntSlider(description="episode", min=0, max=episodes - 1, style=LABELLED),
        "query": widgets.IntSlider(description="query", min=1, max=way, style=LABELLED),
        "names": widgets.Dropdown(
            description="support names",
            options=[RIGHT_NAMES, WRONG_NAMES, NO_NAMES],
            style=LABELLED,
            layout={"width": "30em"},
        ),
        "alpha": widgets.FloatSlider(
            description="α", min=0, max=1, step=0.05, value=min(max(alpha, 0), 1), style=LABELLED
        ),
        "shown": widgets.Dropdown(
            description="distance", options=[D_SPM, SCORE], style=LABELLED, layout={"width": "34em"}
        ),
    }
    draw: dict[str, Callable[..., Picture | None]] = dict(
        clips=clips, gates=gates, fused=fused, alphas=alphas
    )
    return Explorer("prompt", controls, draw, slow=["episode", "query", "names"])


def cosine(x: Tensor, y: Tensor) -> float:
    """Of two vectors."""
    return float(F.cosine_similarity(x, y, dim=0))


def with_prompt_weight(model: CLIPSPM, alpha: float) -> CLIPSPM:
    """The same weights with another α; the model that was given stays as it is."""
    other = copy.copy(model)
    other._modules = dict(model._modules)
    other.fusion = copy.copy(model.fusion)
    other.fusion.prompt_weight = alpha
    return other
