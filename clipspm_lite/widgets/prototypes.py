"""The prototypes explorer: where text (SPM) and the other clips of an episode (PADM) move its prototypes."""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.data.episodes import Episode
from clipspm_lite.model.otam import otam
from clipspm_lite.model.transformer import shot_mean
from clipspm_lite.plots.base import limits_around
from clipspm_lite.plots.prototypes import distances_by_frame, prototype_distances, prototype_paths
from clipspm_lite.widgets.base import Explorer, Picture, choose, slider
from clipspm_lite.widgets.choices import MOST_WAYS, explore_episodes
from clipspm_lite.widgets.gallery import AFTER_PADM, AFTER_SPM, Gallery, model_stages

BEFORE_TEXT = "before text"
AVERAGED, BY_FRAME = "frames averaged", "frame by frame"
STAR = {
    BEFORE_TEXT: "There is no anchor yet.",
    AFTER_SPM: "Star: the mean of the class tokens, which PADM starts the anchor from.",
    AFTER_PADM: "Star: the anchor after attention.",
}
NO_ANCHOR = "This model has no anchor that all queries share."
Places = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # on a plane: as in PrototypeStage, with 2 for C


@dataclass(frozen=True)
class PrototypeStage:
    """Prototypes ``[N, T, C]``, queries ``[Q, T, C]`` and the anchor ``[T, C]`` (None where there is none)."""

    prototypes: Tensor
    queries: Tensor
    anchor: Tensor | None

    def distances(self, view: str) -> Tensor:
        """Between prototypes ``[N, N]``, with the anchor's as a last row: OTAM, or 1 − cosine of the frame means."""
        anchor = [] if self.anchor is None else [self.anchor[None]]
        rows = torch.cat([self.prototypes, *anchor])
        if view == BY_FRAME:
            return otam(rows, self.prototypes)
        means = F.normalize(rows.mean(1), dim=-1)
        return 1 - means @ means[: len(self.prototypes)].T


@dataclass(frozen=True)
class Plane:
    """Every stage on one plane: places by stage, limits of x and y, and how much of the spread it shows, per cent."""

    places: dict[str, Places]
    limits: tuple[float, float, float, float]
    share: float


def prototypes_explorer(gallery: Gallery) -> Explorer:
    """Prototypes of an episode before text, after SPM and after PADM, with the anchor, frame by frame or averaged.

    Queries are asked together here, even if the model is inductive.
    """
    controls = {
        "stage": choose("stage", model_stages(gallery.model, BEFORE_TEXT)),
        "view": choose("view", [AVERAGED, BY_FRAME]),
        "chosen": slider("from class", 1, MOST_WAYS),
    }
    pictures = PrototypePictures(gallery)
    draw = {"map": pictures.map, "distances": pictures.distances, "frames": pictures.frames}
    return explore_episodes("prototypes", gallery, controls, draw, "chosen", {})


class PrototypePictures:
    """The pictures of the prototypes explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery):
        self.gallery = gallery
        self._stages = lru_cache(maxsize=16)(partial(prototype_stages, gallery))
        self._plane = lru_cache(maxsize=16)(
            lambda episode, view: on_one_plane(self._stages(episode), averaged=view == AVERAGED)
        )

    def map(self, drawn: tuple[Episode, str], stage: str, view: str) -> Picture:
        """The prototypes, the queries and the anchor on one plane."""
        episode, source = drawn
        names, plane = self.gallery.names_of(episode), self._plane(episode, view)
        prototypes, queries, anchor = plane.places[stage]
        what = "one point per class" if view == AVERAGED else "one path per class, its first frame ringed"
        asked = ", asked together though this model is inductive" if self.gallery.model.inductive else ""
        star = STAR[stage] if self.gallery.has_anchor else NO_ANCHOR
        return Picture(
            prototype_paths(prototypes, queries, episode.query_labels, names, anchor, plane.limits),
            f"{source}, {len(episode.support[0])}-shot, {stage}, {view}: {what}; small: queries{asked}, frames "
            f"averaged, joined with their class. {star} One plane (PCA) for all stages, each moved to a common "
            f"centre and to one size: it shows {plane.share:.0f} % of their spread.",
            f"Map of the prototypes of {', '.join(names)}, {stage}, {view}.",
        )

    def distances(self, drawn: tuple[Episode, str], stage: str, view: str) -> Picture:
        """The distances between the prototypes."""
        names = self.gallery.names_of(drawn[0])
        tables = {name: of.distances(view) for name, of in self._stages(drawn[0]).items()}
        every, table = torch.cat([table.flatten() for table in tables.values()]), tables[stage]
        others = table[: len(names)] + torch.diag(torch.full((len(names),), torch.inf))
        one, other = divmod(int(others.argmin()), len(names))
        label = "OTAM distance" if view == BY_FRAME else "1 − cosine of means"
        soft = " OTAM's distance of a prototype from itself isn't zero: its path is soft."
        return Picture(
            prototype_distances(table, names, (float(every.min()), float(every.max())), label),
            f"{label} between the prototypes, {stage}; one colour scale for all stages. The nearest two: {names[one]} "
            f"and {names[other]}, {float(others.min()):.2f}.{soft if view == BY_FRAME else ''}",
            f"Heatmap of {label} between {', '.join(names)}, {stage}; nearest: {names[one]} and {names[other]}.",
        )

    def frames(self, drawn: tuple[Episode, str], stage: str, chosen: int) -> Picture:
        """How far one prototype is from the others at each frame."""
        names = self.gallery.names_of(drawn[0])
        place = min(chosen, len(names)) - 1
        shown = self._stages(drawn[0])[stage]
        directions = F.normalize(shown.prototypes, dim=-1)
        own = directions[place]
        apart = {name: 1 - (own * other).sum(-1) for name, other in zip(names, directions, strict=True)}
        others = torch.stack([values for name, values in apart.items() if name != names[place]])
        if shown.anchor is not None:
            apart["anchor"] = 1 - (own * F.normalize(shown.anchor, dim=-1)).sum(-1)
        nearest = others.min(0).values
        return Picture(
            distances_by_frame(apart, names[place], "1 − cosine"),
            f"How far the prototype of {names[place]} is from the others at each frame, {stage}, same frame against "
            f"same frame. It stands out most at frame {int(nearest.argmax()) + 1}, where its nearest neighbour is "
            f"{float(nearest.max()):.2f} away.",
            f"Lines over {len(own)} frames of the distance from {names[place]} to {', '.join(apart)}, {stage}.",
        )


def prototype_stages(gallery: Gallery, episode: Episode) -> dict[str, PrototypeStage]:
    """The prototypes of an episode, its queries and its anchor, at every stage that the model has."""
    support, query, text = (tensor[0] for tensor in gallery.tensors(episode))
    with gallery.scoring() as model:
        output = model(support, query, text, inductive=False)
        support, query, _ = model.prepare(support, query, text, None)
    stages = {BEFORE_TEXT: PrototypeStage(shot_mean(support, None), query, None)}
    if output.spm is not None:
        support, query = output.spm.support, output.spm.query
        # a = mean over n of u_n, and u_n the mean of class n's supports and all queries
        tokens = (support.sum(1) + query.sum(0)) / (support.shape[1] + len(query))
        anchor = tokens.mean(0) if gallery.has_anchor else None
        stages[AFTER_SPM] = PrototypeStage(output.spm.prototypes, query, anchor)
    if output.padm is not None:
        anchor = output.padm.anchor[0] if gallery.has_anchor else None
        stages[AFTER_PADM] = PrototypeStage(output.padm.prototypes, output.padm.query, anchor)
    return stages


def on_one_plane(stages: dict[str, PrototypeStage], *, averaged: bool) -> Plane:
    """Every stage on the plane of the two main directions of all of them.

    Each stage is first moved to a common centre and brought to one size: between stages everything moves together,
    which would hide how classes move among each other.
    """

    def rows(videos: Tensor) -> Tensor:
        return videos.mean(-2, keepdim=True) if averaged else videos

    moved = {}
    for name, stage in stages.items():
        parts = [rows(stage.prototypes), stage.queries.mean(-2)]
        if stage.anchor is not None:
            parts.append(rows(stage.anchor))
        centre = rows(stage.prototypes).flatten(0, -2).mean(0)
        size = (rows(stage.prototypes) - centre).square().sum(-1).mean().sqrt()
        moved[name] = [((part - centre) / size).numpy() for part in parts]
    width = next(iter(moved.values()))[0].shape[-1]
    every = np.concatenate([part.reshape(-1, width) for parts in moved.values() for part in parts])
    plane = PCA(2, random_state=0).fit(every)
    placed = {
        name: [plane.transform(part.reshape(-1, width)).reshape(*part.shape[:-1], 2) for part in parts]
        for name, parts in moved.items()
    }
    points = np.concatenate([part.reshape(-1, 2) for parts in placed.values() for part in parts])
    return Plane(
        {name: (parts[0], parts[1], parts[2] if len(parts) == 3 else None) for name, parts in placed.items()},
        limits_around(points),
        100 * float(plane.explained_variance_ratio_.sum()),
    )
