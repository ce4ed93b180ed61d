"""The embeddings explorer: everything in an episode on one map, before and after SPM and PADM."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.data.episodes import Episode, EpisodeSampler
from clipspm_lite.model.padm import PADMOutput
from clipspm_lite.model.spm import SPMOutput, generate_prompt, support_prompt
from clipspm_lite.model.transformer import shot_mean
from clipspm_lite.plots.base import film_strips, limits_around
from clipspm_lite.plots.embeddings import StageMap, stage_maps
from clipspm_lite.widgets.base import Explorer, Picture, choose, slider
from clipspm_lite.widgets.choices import LISTED_EPISODES
from clipspm_lite.widgets.gallery import AFTER_PADM, AFTER_SPM, Gallery, model_stages

RAW_CLIP = "raw CLIP"
SUPPORT, QUERY, PROTOTYPE, NAME = "support clip", "query clip", "prototype", "class text"
REAL, GENERATED, ANCHOR = "support's prompt", "generated prompt", "anchor"
STAYS = "Words don't enter PADM: after it they are as SPM left them."
KINDS = {
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
    """One point of the map: its kind, its class in the episode (None: all of them), the videos it was made of."""

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
    answers: tuple[int, ...]  # of the whole model, one per query


def embeddings_explorer(gallery: Gallery) -> Explorer:
    """Clips, words, prompts, prototypes and the anchor of listed episodes as points, stage by stage.

    Queries are asked together here, even if the model is inductive.

    Raises:
        ValueError: a class has fewer than two videos, which support and query need.
    """
    pictures = EmbeddingPictures(gallery)
    controls = {
        "episode": slider("episode", 0, LISTED_EPISODES - 1, continuous=False),
        "stage": choose("stage", pictures.stages),
        "perplexity": slider("perplexity", 2, 30, 10, continuous=False),
        "colour": choose("colour by", ["class", "role", *(["split"] if gallery.parts else [])]),
        "point": choose("point", pictures.point_names(0)),
    }
    draw: dict[str, Any] = {"map": pictures.map, "clips": pictures.clips}
    explorer = Explorer("embeddings", controls, draw, slow=["episode", "perplexity"])

    def renew(change: object) -> None:  # after the pictures were drawn, so that "computing" is said first
        with suppress(Exception):  # the pictures could not be drawn either, and said why
            controls["point"].options = pictures.point_names(controls["episode"].value)

    controls["episode"].observe(renew, names="value")
    return explorer


class EmbeddingPictures:
    """The pictures of the embeddings explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery):
        self.gallery, self.stages = gallery, model_stages(gallery.model, RAW_CLIP)
        counts, names = gallery.data.videos_per_class, gallery.data.classes
        shot = max(1, min(2, min(counts) - 1))
        queries = max(1, min(3, min(counts) - shot))
        sampler = EpisodeSampler(counts, min(5, len(names)), shot, queries, class_names=names)
        self._cloud = lru_cache(maxsize=4)(lambda episode: cloud_of(gallery, sampler[episode]))
        self._places = lru_cache(maxsize=16)(lambda episode, *how: places_by_stage(self._cloud(episode).vectors, *how))

    def point_names(self, episode: int) -> list[tuple[str, int]]:
        """The names of an episode's points with their numbers, as options of a list."""
        return [(point.name, number) for number, point in enumerate(self._cloud(episode).points)]

    def map(self, episode: int, stage: str, perplexity: int, colour: str, point: int) -> Picture:
        """Every point at a stage, by t-SNE and by PCA."""
        cloud = self._cloud(episode)
        at, number = min(point, len(cloud.points) - 1), self.stages.index(stage)
        shown = np.flatnonzero(~np.isnan(cloud.vectors[stage][:, 0])).tolist()
        maps = {}
        for method in ("t-SNE", "PCA"):
            places = self._places(episode, method, perplexity)
            maps[f"{method}, {stage}"] = StageMap(
                places[stage][shown],
                limits_around(np.concatenate(list(places.values()))),
                places[self.stages[number - 1]][shown] if number else None,
            )
        names, gallery = self.gallery.names_of(cloud.episode), self.gallery
        visible = [cloud.points[n] for n in shown]
        figure = stage_maps(
            maps,
            [one.kind for one in visible],
            [one.label for one in visible],
            names,
            colour=colour,
            parts=[gallery.parts[n] for n in cloud.episode.classes] if gallery.parts else (),
            chosen=shown.index(at) if at in shown else None,
        )
        name = cloud.points[at].name
        ringed = f"ringed: {name}" if at in shown else f"{name} isn't there yet"
        return Picture(
            figure,
            f"Episode {episode}, {stage}; {ringed}. A number stands at the centre of its class, with thin lines to its "
            f"marks. t-SNE, perplexity {effective(perplexity, len(shown))}: each stage "
            "is fitted on its own, begins where the one before ended, and is turned back onto it. It keeps neighbours "
            "and distorts distances: who changes company means something, the gaps between groups and the length of a "
            "grey line do not. PCA: one plane for all stages, so that a grey line is a movement in the full space, "
            f"seen from one side.{self._movement(cloud, number)}{self._remarks()}",
            f"t-SNE and PCA map of {len(shown)} points of {len(names)} classes, {stage}; {ringed}.",
            hints=hints_of(figure, maps, visible),
        )

    def clips(self, episode: int, point: int) -> Picture:
        """The clips that the chosen point was made of."""
        cloud, gallery = self._cloud(episode), self.gallery
        chosen = cloud.points[min(point, len(cloud.points) - 1)]
        strips = {}
        for video in chosen.videos[:2]:
            name = gallery.names[gallery.class_of(video)]
            strips[f"{name}, {gallery.dataset.paths[video].name}"] = gallery.clip(video)
        near = [text for stage in self.stages if (text := self._nearest(cloud, stage, chosen))]
        text = f"{chosen.name}. {KINDS[chosen.kind]}"
        if near:
            text += f" Its nearest prototype{' of another class' if chosen.kind == PROTOTYPE else ''} in the full "
            text += f"space, frames averaged (cosine): {'; '.join(near)}."
        if chosen.kind == QUERY:
            answer = cloud.answers[cloud.episode.query.index(chosen.videos[0])]
            mark = "✓" if answer == chosen.label else "✗"
            text += f" The whole model answers {gallery.names[cloud.episode.classes[answer]]} {mark}."
        return Picture(film_strips(strips), text, f"Film strips of {', '.join(strips)}: {chosen.name}.")

    def _movement(self, cloud: Cloud, number: int) -> str:
        """How far points moved from the stage before this one."""
        if not number:
            return ""
        before, after = self.stages[number - 1 : number + 1]
        cosines = (cloud.vectors[before] * cloud.vectors[after]).sum(-1)
        kinds = np.array([point.kind for point in cloud.points])
        means = ", ".join(f"{kind} {cosines[kinds == kind].mean():.2f}" for kind in (SUPPORT, QUERY, PROTOTYPE))
        return f" Grey: from where they were, {before}. Mean cosine of before and after: {means}."

    def _remarks(self) -> str:
        """What this model lacks, and how its queries are asked here."""
        model = self.gallery.model
        lacks = {"SPM": not model.config.with_spm, "PADM": not model.config.with_padm}
        lacks["anchor that all queries share"] = model.config.with_padm and not self.gallery.has_anchor
        text = "".join(f" This model has no {part}." for part, lacking in lacks.items() if lacking)
        together = " Queries are asked together here, though this model is inductive."
        return text + together if model.config.with_padm and model.inductive else text

    def _nearest(self, cloud: Cloud, stage: str, chosen: Point) -> str:
        """The prototype that is nearest, with a tick or a cross where the point has a class."""
        at = cloud.points.index(chosen)
        if np.isnan(cloud.vectors[stage][at, 0]):
            return ""
        prototypes = [n for n, p in enumerate(cloud.points) if p.kind == PROTOTYPE and n != at]
        cosines = cloud.vectors[stage][prototypes] @ cloud.vectors[stage][at]
        label = cloud.points[prototypes[int(cosines.argmax())]].label
        assert label is not None
        judged = chosen.label is not None and chosen.kind != PROTOTYPE
        mark = ("✓ " if label == chosen.label else "✗ ") if judged else ""
        return f"{stage} {self.gallery.names[cloud.episode.classes[label]]} {mark}{cosines.max():.2f}"


def hints_of(figure: Figure, maps: dict[str, StageMap], points: list[Point]) -> tuple[tuple[float, float, str], ...]:
    """Where each point lies on the figure of the maps, and its name."""
    hints = []
    for ax, shown in zip(figure.axes, maps.values(), strict=True):
        places = figure.transFigure.inverted().transform(ax.transData.transform(shown.places))
        hints += [(float(x), 1 - float(y), one.name) for (x, y), one in zip(places, points, strict=True)]
    return tuple(hints)


def cloud_of(gallery: Gallery, episode: Episode) -> Cloud:
    """Every point of an episode at every stage that the model has, from the model's own outputs."""
    given = gallery.tensors(episode)
    with gallery.scoring() as model:
        output = model(*given, inductive=False)
        logits = model(*given).logits if model.inductive else output.logits
        support, query, text = model.prepare(*given, None)
        generated = generate_prompt(query, text, model.prompt_generator)
        real = support_prompt(support, text)
        if model.config.support_text == "generated":
            real = generate_prompt(support, text, model.prompt_generator)
    parts: dict[str, dict[str, Tensor]] = {
        RAW_CLIP: {
            SUPPORT: frame_means(support),
            QUERY: frame_means(query),
            PROTOTYPE: frame_means(shot_mean(support, None)),
            NAME: text[0],
        }
    }
    if output.spm is not None:
        parts[RAW_CLIP] |= {REAL: frame_means(real), GENERATED: frame_means(generated)}
        tokens = {REAL: frame_means(output.spm.support_token), GENERATED: frame_means(output.spm.query_token)}
        parts[AFTER_SPM] = parts[RAW_CLIP] | clips_of(output.spm) | tokens
    if output.padm is not None:
        parts[AFTER_PADM] = parts[list(parts)[-1]] | clips_of(output.padm)
        if gallery.has_anchor:
            nothing = torch.full((1, model.dim), torch.nan)
            parts = {stage: kinds | {ANCHOR: nothing} for stage, kinds in parts.items()}
            parts[AFTER_PADM][ANCHOR] = frame_means(output.padm.anchor)
    vectors = {stage: F.normalize(torch.cat(list(kinds.values())), dim=-1).numpy() for stage, kinds in parts.items()}
    points = points_of(episode, gallery.names_of(episode), list(parts[RAW_CLIP]))
    return Cloud(episode, points, vectors, tuple(logits[0].argmax(-1).tolist()))


def clips_of(stage: SPMOutput | PADMOutput) -> dict[str, Tensor]:
    """The points of the clips and the prototypes after a part of the model."""
    videos = {SUPPORT: stage.support, QUERY: stage.query, PROTOTYPE: stage.prototypes}
    return {kind: frame_means(of_kind) for kind, of_kind in videos.items()}


def frame_means(videos: Tensor) -> Tensor:
    """``[…, T, C]`` → one row ``[C]`` per video."""
    return videos.mean(-2).flatten(0, -2)


def points_of(episode: Episode, names: list[str], kinds: list[str]) -> tuple[Point, ...]:
    """The points of an episode, kind after kind, in the order of the model's outputs."""
    made: dict[str, list[Point]] = {kind: [] for kind in KINDS}
    for n, videos in enumerate(episode.support):
        for k, video in enumerate(videos, start=1):
            made[SUPPORT].append(Point(SUPPORT, n, (video,), f"{names[n]}: support {k}"))
            made[REAL].append(Point(REAL, n, (video,), f"{names[n]}: prompt of support {k}"))
        made[PROTOTYPE].append(Point(PROTOTYPE, n, videos, f"{names[n]}: prototype"))
        made[NAME].append(Point(NAME, n, videos, f"{names[n]}: class text"))
    counts = [0] * len(names)
    for video, n in zip(episode.query, episode.query_labels, strict=True):
        counts[n] += 1
        made[QUERY].append(Point(QUERY, n, (video,), f"{names[n]}: query {counts[n]}"))
        prompt = f"{names[n]}: generated prompt of query {counts[n]}"
        made[GENERATED].append(Point(GENERATED, n, (video,), prompt))
    made[ANCHOR].append(Point(ANCHOR, None, tuple(videos[0] for videos in episode.support), "anchor"))
    return tuple(point for kind in kinds for point in made[kind])


def effective(perplexity: int, points: int) -> int:
    """t-SNE needs fewer neighbours than there are points."""
    return max(1, min(perplexity, (points - 1) // 3))


def places_by_stage(vectors: dict[str, np.ndarray], method: str, perplexity: int) -> dict[str, np.ndarray]:
    """Places ``[P, 2]`` of each stage's points, nan where a point isn't there: comparable from stage to stage.

    PCA: one plane, fitted to the points of all stages. t-SNE: each stage begins at the layout of the stage before it,
    and is then turned, mirrored and shifted to lie on it as well as it can; all have the same mean size.
    """
    present = {stage: ~np.isnan(points[:, 0]) for stage, points in vectors.items()}
    result = {stage: np.full((len(points), 2), np.nan) for stage, points in vectors.items()}
    if method == "PCA":
        plane = PCA(2, random_state=0).fit(np.concatenate([vectors[stage][present[stage]] for stage in vectors]))
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
