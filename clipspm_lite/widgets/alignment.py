"""The alignment explorer: OTAM's costs, its soft path and the most probable path between two clips."""

from functools import lru_cache

import torch
from torch import Tensor

from clipspm_lite.model.otam import SMOOTHING, frame_distances
from clipspm_lite.plots.alignment import aligned_frames, soft_paths
from clipspm_lite.plots.paths import DIRECTIONS, Pairs, most_probable_path, share_of_path, smoothed, soft_path
from clipspm_lite.widgets.base import Explorer, Picture, choose, play, slider
from clipspm_lite.widgets.choices import choose_clip
from clipspm_lite.widgets.gallery import Gallery

EPISODE_WAY = 5
FEATURES = {"as CLIP gave them": "raw", "fused by SPM (the model)": "fused", "centred (our addition)": "centred"}
SMOOTHINGS = (0.01, 0.02, 0.05, 0.1, 0.2, SMOOTHING, 1.0, 2.0)
BOTH = "both (OTAM)"


def alignment_explorer(gallery: Gallery) -> Explorer:
    """OTAM between a query and a support clip of the gallery, and the most probable path, step by step."""
    second = gallery.starts[min(1, len(gallery.names) - 1)]
    offered = [(name, value) for name, value in FEATURES.items() if value != "fused" or gallery.model.config.with_spm]
    controls = {
        **choose_clip(gallery, ("query_class", "query_clip"), ("query", "query clip")),
        **choose_clip(gallery, ("support_class", "support_clip"), ("support", "support clip"), second),
        "features": choose("features", offered),
        "smoothing": choose("smoothing λ", [(f"{value:g}", value) for value in SMOOTHINGS], SMOOTHING),
        "directions": choose("directions", [(BOTH, tuple(DIRECTIONS)), *((name, (name,)) for name in DIRECTIONS)]),
        "step": slider("step", 1, gallery.data.features.shape[1]),
    }
    pictures = AlignmentPictures(gallery)
    return Explorer(
        "alignment",
        controls,
        {"matrix": pictures.matrix, "pairs": pictures.pairs},
        derive={
            "query": lambda query_class, query_clip: gallery.video(query_class, query_clip),
            "support": lambda support_class, support_clip: gallery.video(support_class, support_clip),
        },
        extra=[play(controls["step"], "walk along the path")],
    )


class AlignmentPictures:
    """The pictures of the alignment explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery):
        self.gallery = gallery
        self._costs_and_paths = lru_cache(maxsize=16)(self._align)

    def matrix(self, query: int, support: int, features: str, smoothing: float, directions: tuple[str, ...]) -> Picture:
        """The frame distances with OTAM's soft path over them."""
        costs, paths = self._costs_and_paths(query, support, features)
        distances = [float(smoothed(DIRECTIONS[name], costs, smoothing)) for name in directions]
        path = torch.stack([soft_path(costs, DIRECTIONS[name], smoothing) for name in directions]).mean(0)
        shares = [f"{share_of_path(costs, paths[name], DIRECTIONS[name], smoothing):.1%}" for name in directions]
        several = len(directions) > 1
        label = "OTAM distance" if several else "cost of this direction"
        total = f"{label} {sum(distances):.2f}"
        clips = self.gallery.thumbnails(query), [self.gallery.thumbnails(support)]
        sum_of = " = " + " + ".join(f"{distance:.2f}" for distance in distances) if several else ""
        rule = "" if smoothing == SMOOTHING else f" (the method's is {SMOOTHING})"
        return Picture(
            soft_paths([costs], [path], *clips, [total], [{name: paths[name] for name in directions}]),
            f"{self._compared_in_words(query, support, features)}: {total}{sum_of} with λ = {smoothing:g}{rule}; the "
            "smaller, the more alike, and only differences count. Dark cells: frames that differ. A disc's area: the "
            f"share of all paths that goes through its cell. Line{'s' if several else ''}: the most probable path"
            f"{' of each direction' if several else ''}, which alone carries {' and '.join(shares)}.",
            f"Grey matrix of {costs.shape[0]} × {costs.shape[1]} frame distances between "
            f"{self.gallery.clip_name(query)} and {self.gallery.clip_name(support)}, small frames along its sides, "
            f"orange discs for the soft path and lines for the most probable one. {total}.",
        )

    def pairs(self, query: int, support: int, features: str, directions: tuple[str, ...], step: int) -> Picture:
        """The two clips with the frames joined that the most probable path aligns."""
        costs, paths = self._costs_and_paths(query, support, features)
        frames = len(paths[directions[0]])  # a model that compares steps between frames has one less than the clip
        step = min(step, frames)
        said = []
        for name in directions:
            i, j = paths[name][step - 1]
            distance = float(costs[i, j])
            said.append(f"{name}: query frame {i + 1} with support frame {j + 1}, d = {distance:.3f}")
        text = f"Step {step} of {frames} along the most probable path. " + "; ".join(said).capitalize()
        which = "; solid: the first of the directions named, dashed: the second" if len(directions) > 1 else ""
        links = {name: paths[name] for name in directions}
        return Picture(
            aligned_frames(self.gallery.thumbnails(query), self.gallery.thumbnails(support), links, step - 1),
            f"{text}. {self._compared_in_words(query, support, features)}. Lines join aligned frames{which}.",
            f"Film strips of {self.gallery.clip_name(query)} above {self.gallery.clip_name(support)}, aligned frames "
            f"joined. {text}.",
        )

    def _align(self, query: int, support: int, features: str) -> tuple[Tensor, dict[str, Pairs]]:
        costs = frame_distances(*self._compared(query, support, features)).clone()
        return costs, {name: most_probable_path(costs, align) for name, align in DIRECTIONS.items()}

    def _compared(self, query: int, support: int, features: str) -> tuple[Tensor, Tensor]:
        """The frames that are compared, ``[T, C]`` each."""
        videos = self.gallery.data.features
        if features == "raw":
            return videos[query], videos[support]
        if features == "centred":
            return videos[query] - videos[query].mean(0), videos[support] - videos[support].mean(0)
        classes = self._episode_classes(query, support)
        shots = [support, *(self.gallery.starts[number] for number in classes[1:])]
        class_text = self.gallery.data.text[classes]
        with self.gallery.scoring() as model:
            spm = model(videos[shots].unsqueeze(1), videos[[query]], class_text).spm
        return spm.query[0], spm.support[0, 0]

    def _episode_classes(self, query: int, support: int) -> list[int]:
        """The classes that SPM tells apart: those of the two clips, and those after them in the gallery."""
        first, count = self.gallery.class_of(support), len(self.gallery.names)
        others = [(first + step) % count for step in range(1, count)]
        return list(dict.fromkeys([first, self.gallery.class_of(query), *others]))[:EPISODE_WAY]

    def _compared_in_words(self, query: int, support: int, features: str) -> str:
        names = f"Query {self.gallery.clip_name(query)}, support {self.gallery.clip_name(support)}"
        if features == "raw":
            return f"{names}, frames as CLIP gave them"
        if features == "centred":
            return f"{names}, frames less their clip's mean over time (our addition, not the paper's)"
        classes = ", ".join(self.gallery.names[n] for n in self._episode_classes(query, support))
        return f"{names}, frames fused by SPM in an episode of {classes}"
