"""The embeddings explorer: everything in an episode on one map, before and after SPM and PADM."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.episodes import Episode, EpisodeSampler, gather
from clipspm_lite.model.spm import generate_prompt, support_prompt
from clipspm_lite.model.transformer import shot_mean
from clipspm_lite.plots.base import film_strips, limits_around
from clipspm_lite.plots.embeddings import StageMap, stage_maps
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture
from clipspm_lite.widgets.gallery import Gallery, check_gallery

RAW, SPM, PADM = "raw CLIP", "after SPM", "after PADM"
WIDE = {"width": "34em"}  # room for a long option
SUPPORT, QUERY, PROTOTYPE, NAME = "support clip", "query clip", "prototype", "class text"
REAL, GENERATED, ANCHOR = "support's prompt", "generated prompt", "anchor"


STAYS = "Words don't enter PADM: after it they are as SPM left them."
WHAT = {
    SUPPORT: "One vector: the mean over its frames.",
    QUERY: "One vector: the mean over its frames.",
    PROTOTYPE: "The mean over the class's supports and their frames.",
    NAME: "CLIP's feature of the name: a landmark, the same at every stage. The clips are supports of the class.",
    REAL: f"Under raw CLIP what the support is fused with (its class text), then the fused token. {STAYS}",
    GENERATED: "Made from the query's frames and the mean class text; CLIP has none, so that under raw CLIP it is the "
    f"prompt before fusion, then the fused token. {STAYS}",
    ANCHOR: "One for all classes and queries, there after PADM only. The clips are supports of the first classes.",
}


@dataclass(frozen=True)
class Point:
    """One point of the map: what it is, its class in the episode (None: all of them), the videos it was made of."""

    kind: str
    label: int | None
    videos: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Cloud:
    """An episode as points: a vector of every point for each stage, nan where it isn't there yet."""

    episode: Episode
    points: tuple[Point, ...]
    vectors: dict[str, np.ndarray]  # stage → [P, C], of length 1
    answers: tuple[int, ...]  # of the whole model, one a query


def embeddings_explorer(gallery: Gallery, *, seed: int = 0, episodes: int = 20) -> Explorer:
    """Clips, words, prompts, prototypes and the anchor of listed episodes as points, stage by stage.

    Args:
        gallery: clips, features and model.
        seed: of the list of episodes.
        episodes: how many of the list can be chosen.

    Raises:
        ValueError: episodes is no whole number of at least 1, or a class has fewer than two videos, so
            that it can't give support and query.
    """
    check_gallery(gallery)
    episodes = whole_number("episodes", episodes)
    smallest, ways = min(gallery.data.videos_per_class), len(gallery.names)
    sizes = {}
    for way, shot, queries in ((5, 2, 3), (8, 2, 8)):
        way, shot = min(way, ways), max(1, min(shot, smallest - 1))
        queries = max(1, min(queries, smallest - shot))
        text = f"{way} classes: {shot} supports, {queries} queries each"
        sizes[text] = EpisodeSampler(
            gallery.data.videos_per_class, way, shot, queries, seed, class_names=gallery.data.classes
        )
    stages = [RAW, *([SPM] if gallery.model.with_spm else []), *([PADM] if gallery.model.with_padm else [])]
    lacks = "".join(
        f" This model has no {part}." for part, has in (("SPM", SPM), ("PADM", PADM)) if has not in stages
    )

    @lru_cache(maxsize=4)
    def cloud(size: str, episode: int) -> Cloud:
        return cloud_of(gallery, sizes[size][episode])

    @lru_cache(maxsize=16)
    def layout(size: str, episode: int, method: str, perplexity: int) -> dict[str, np.ndarray]:
        return layouts(cloud(size, episode).vectors, method, perplexity)

    def map_(points: str, episode: int, stage: str, perplexity: int, colour: str, point: int) -> Picture:
        data = cloud(points, episode)
        at = min(point, len(data.points) - 1)
        number = stages.index(stage)
        maps = {}
        for title, method in ((f"t-SNE, {stage}", "t-SNE"), (f"PCA, {stage}", "PCA")):
            every = layout(points, episode, method, perplexity)
            shown = [n for n, place in enumerate(every[stage]) if not np.isnan(place[0])]
            maps[title] = StageMap(
                every[stage][shown],
                limits_around(np.concatenate(list(every.values()))),
                every[stages[number - 1]][shown] if number else None,
            )
        names = gallery.names_of(data.episode)
        figure = stage_maps(
            maps,
            [data.points[n].kind for n in shown],
            [data.points[n].label for n in shown],
            names,
            colour=colour,
            parts=[gallery.parts[n] for n in data.episode.classes] if gallery.parts else (),
            chosen=shown.index(at) if at in shown else None,
        )
        corners = [
            figure.transFigure.inverted().transform(ax.transData.transform(of.places))
            for ax, of in zip(figure.axes, maps.values(), strict=True)
        ]
        hints = [
            (float(x), 1 - float(y), data.points[n].name)
            for places in corners
            for n, (x, y) in zip(shown, places, strict=True)
        ]
        said = ""
        if number:
            moved = cosines_between(data.vectors[stages[number - 1]], data.vectors[stage], data.points)
            said = f" Grey: from where they were, {stages[number - 1]}. Mean cosine of before and after: {moved}."
        ringed = (
            f"ringed: {data.points[at].name}" if at in shown else f"{data.points[at].name} isn't there yet"
        )
        return Picture(
            figure,
            f"Episode {episode}, {stage}; {ringed}. t-SNE, perplexity {effective(perplexity, len(shown))}: each stage "
            "is fitted on its own, begins where the one before ended, and is turned back onto it. It keeps neighbours "
            "and distorts distances: who changes company means something, the gaps between groups and the length of a "
            "grey line do not. PCA: one plane for all stages, so that a grey line is a movement in the full space, "
            f"seen from one side.{said}{lacks} Point at a mark to read its name.",
            f"t-SNE and PCA map of {len(shown)} points of {len(names)} classes, {stage}; {ringed}.",
            hints=tuple(hints),
        )

    def clips(points: str, episode: int, point: int) -> Picture:
        data = cloud(points, episode)
        chosen = data.points[min(point, len(data.points) - 1)]
        strips = {}
        for video in chosen.videos[:2]:
            name = gallery.names[gallery.class_of(video)]
            strips[f"{name}, {gallery.dataset.paths[video].name}"] = gallery.clip(video)
        near = [text for stage in stages if (text := nearest(data, stage, chosen))]
        text = f"{chosen.name}. {WHAT[chosen.kind]}"
        if near:
            text += f" Its nearest prototype{' of another class' if chosen.kind == PROTOTYPE else ''} in the full "
            text += f"space, frames averaged (cosine): {'; '.join(near)}."
        if chosen.kind == QUERY:
            answer = data.answers[data.episode.query.index(chosen.videos[0])]
            mark = "✓" if answer == chosen.label else "✗"
            text += f" The whole model answers {gallery.names[data.episode.classes[answer]]} {mark}."
        return Picture(film_strips(strips), text, f"Film strips of {', '.join(strips)}: {chosen.name}.")

    def nearest(data: Cloud, stage: str, chosen: Point) -> str:
        """The prototype that is nearest, with a tick or a cross where the point has a class."""
        at = data.points.index(chosen)
        if np.isnan(data.vectors[stage][at, 0]):
            return ""
        prototypes = [n for n, p in enumerate(data.points) if p.kind == PROTOTYPE and n != at]
        cosines = data.vectors[stage][prototypes] @ data.vectors[stage][at]
        label = data.points[prototypes[int(cosines.argmax())]].label
        assert label is not None
        judged = chosen.label is not None and chosen.kind != PROTOTYPE
        mark = ("✓ " if label == chosen.label else "✗ ") if judged else ""
        return f"{stage} {gallery.names[data.episode.classes[label]]} {mark}{cosines.max():.2f}"

    def options(size: str, episode: int) -> list[tuple[str, int]]:
        return [(point.name, number) for number, point in enumerate(cloud(size, episode).points)]

    first = list(sizes)[0]
    colours = ["class", "role", *(["split"] if gallery.parts else [])]
    controls = {
        "points": widgets.Dropdown(description="points", options=list(sizes), style=LABELLED, layout=WIDE),
        "episode": widgets.IntSlider(
            description="episode", min=0, max=episodes - 1, continuous_update=False, style=LABELLED
        ),
        "stage": widgets.SelectionSlider(description="stage", options=stages, style=LABELLED),
        "perplexity": widgets.IntSlider(
            description="perplexity", min=2, max=30, value=10, continuous_update=False, style=LABELLED
        ),
        "colour": widgets.Dropdown(description="colour by", options=colours, style=LABELLED),
        "point": widgets.Dropdown(
            description="point", options=options(first, 0), style=LABELLED, layout=WIDE
        ),
    }
    explorer = Explorer(
        "embeddings",
        controls,
        {"map": map_, "clips": clips},
        slow=["points", "episode", "perplexity"],
    )

    def renew(change: object) -> None:  # after the pictures were drawn, so that "computing" is said first
        with suppress(Exception):  # the pictures could not be drawn either, and said why
            controls["point"].options = options(controls["points"].value, controls["episode"].value)

    for name in ("points", "episode"):
        controls[name].observe(renew, names="value")
    return explorer


@torch.inference_mode()
def cloud_of(gallery: Gallery, episode: Episode) -> Cloud:
    """Every point of an episode at every stage that the model has, from the model's own outputs."""
    model = gallery.model
    batch = gather(gallery.data.features, gallery.data.class_text, [episode])
    output = model(batch.support, batch.query, batch.class_text)
    support, query, text = (x[0] for x in model.prepare(batch.support, batch.query, batch.class_text, None))
    way, shot = support.shape[:2]

    def rows(videos: Tensor) -> Tensor:
        return videos.mean(-2).flatten(0, -2)

    prompt = generate_prompt(query, text, model.prompt_generator)
    own = support_prompt(support, text)
    if model.support_text == "generated":
        own = generate_prompt(support, text, model.prompt_generator)
    nothing = torch.full((1, model.dim), torch.nan)
    parts = {
        RAW: {
            SUPPORT: rows(support),
            QUERY: rows(query),
            PROTOTYPE: rows(shot_mean(support, None)),
            NAME: text,
        }
    }
    if output.spm is not None:
        parts[RAW] |= {REAL: rows(own), GENERATED: rows(prompt)}
        modulated = output.spm
        parts[SPM] = parts[RAW] | {
            SUPPORT: rows(modulated.support[0]),
            QUERY: rows(modulated.query[0]),
            PROTOTYPE: rows(modulated.prototypes[0]),
            REAL: rows(modulated.support_token[0]),
            GENERATED: rows(modulated.query_token[0]),
        }
    if output.padm is not None:
        refined = output.padm
        parts = {stage: kinds | {ANCHOR: nothing} for stage, kinds in parts.items()}
        parts[PADM] = parts[list(parts)[-1]] | {
            SUPPORT: rows(refined.support[0]),
            QUERY: rows(refined.query[0]),
            PROTOTYPE: rows(refined.prototypes[0]),
            ANCHOR: rows(refined.anchor[0]),
        }
    vectors = {
        stage: F.normalize(torch.cat(list(kinds.values())), dim=-1).numpy() for stage, kinds in parts.items()
    }

    names = gallery.names_of(episode)
    supports = [(n, k) for n in range(way) for k in range(shot)]
    queries, counts = [], [0] * way
    for video, label in zip(episode.query, episode.query_labels, strict=True):
        counts[label] += 1
        queries.append((label, counts[label], video))
    made = {
        SUPPORT: [
            Point(SUPPORT, n, (episode.support[n][k],), f"{names[n]}: support {k + 1}") for n, k in supports
        ],
        QUERY: [Point(QUERY, n, (video,), f"{names[n]}: query {q}") for n, q, video in queries],
        PROTOTYPE: [Point(PROTOTYPE, n, episode.support[n], f"{names[n]}: prototype") for n in range(way)],
        NAME: [Point(NAME, n, episode.support[n], f"{names[n]}: class text") for n in range(way)],
        REAL: [
            Point(REAL, n, (episode.support[n][k],), f"{names[n]}: prompt of support {k + 1}")
            for n, k in supports
        ],
        GENERATED: [
            Point(GENERATED, n, (video,), f"{names[n]}: generated prompt of query {q}")
            for n, q, video in queries
        ],
        ANCHOR: [Point(ANCHOR, None, tuple(videos[0] for videos in episode.support), "anchor")],
    }
    points = tuple(point for kind in parts[RAW] for point in made[kind])
    return Cloud(episode, points, vectors, tuple(output.logits[0].argmax(-1).tolist()))


def cosines_between(before: np.ndarray, after: np.ndarray, points: tuple[Point, ...]) -> str:
    """How far each kind moved in the full space, in words."""
    values = (before * after).sum(-1)
    kinds = np.array([point.kind for point in points])
    return ", ".join(f"{kind} {values[kinds == kind].mean():.2f}" for kind in (SUPPORT, QUERY, PROTOTYPE))


def effective(perplexity: int, points: int) -> int:
    """t-SNE needs fewer neighbours than there are points."""
    return max(1, min(perplexity, (points - 1) // 3))


def layouts(vectors: dict[str, np.ndarray], method: str, perplexity: int) -> dict[str, np.ndarray]:
    """Places ``[P, 2]`` of each stage's points, nan where a point isn't there: comparable from stage to stage.

    PCA: one plane, fitted to the points of all stages. t-SNE: each stage begins at the layout of the stage before it,
    and is then turned, mirrored and shifted to lie on it as well as it can; all have the same mean size.
    """
    present = {stage: ~np.isnan(points[:, 0]) for stage, points in vectors.items()}
    result = {stage: np.full((len(points), 2), np.nan) for stage, points in vectors.items()}
    if method == "PCA":
        plane = PCA(2, random_state=0).fit(
            np.concatenate([vectors[stage][present[stage]] for stage in vectors])
        )
        for stage, there in present.items():
            result[stage][there] = plane.transform(vectors[stage][there])
        return result
    ended: np.ndarray | None = None  # where t-SNE left the stage before, as it left it
    before = np.full((len(present[next(iter(vectors))]), 2), np.nan)
    for stage, there in present.items():
        start = ended if ended is None else np.where(np.isnan(ended), np.nanmean(ended, 0), ended)[there]
        ended = np.full_like(before, np.nan)
        ended[there] = _tsne(vectors[stage][there], perplexity, start)
        size = np.sqrt(np.nansum(np.square(ended - np.nanmean(ended, 0)), 1)[there].mean())
        result[stage] = before = _laid_onto(ended / size, before)
    return result


def _tsne(points: np.ndarray, perplexity: int, start: np.ndarray | None) -> np.ndarray:
    """t-SNE's places, from the points' first two principal components, or from ``start`` on without exaggeration.

    Points that coincide (a name and the prompt that it is) are one point to t-SNE, which is slow and unstable on them.
    """
    _, first, back = np.unique(points.round(5), axis=0, return_index=True, return_inverse=True)
    settings: dict[str, Any] = dict(perplexity=effective(perplexity, len(first)), random_state=0, init="pca")
    if start is not None:
        settings |= dict(init=start[first].astype(np.float32), early_exaggeration=1.0)
    return TSNE(2, **settings).fit_transform(points[first])[back.reshape(-1)].astype(float)


def _laid_onto(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Turned, mirrored and shifted to where the same points were (orthogonal Procrustes)."""
    both = ~np.isnan(places[:, 0]) & ~np.isnan(before[:, 0])
    if not both.any():  # the first stage
        return places - np.nanmean(places, 0)
    centre, target = places[both].mean(0), before[both].mean(0)
    left, _, right = np.linalg.svd((places[both] - centre).T @ (before[both] - target))
    return (places - centre) @ (left @ right) + target
