"""The alignment explorer: OTAM's costs, its soft path and the most probable path between two clips."""

from functools import lru_cache

import ipywidgets as widgets
import torch
from torch import Tensor

from clipspm_lite.model.otam import SMOOTHING, frame_distances
from clipspm_lite.model.paths import (
    DIRECTIONS,
    Pairs,
    most_probable_path,
    share_of_path,
    smoothed,
    soft_path,
)
from clipspm_lite.plots.alignment import soft_paths, aligned_frames
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture, play
from clipspm_lite.widgets.clips import WIDTH, called, choose_clip, video_of
from clipspm_lite.widgets.gallery import Gallery, check_gallery

EPISODE_WAY = 5
FEATURES = {
    "as CLIP gave them": "raw",
    "fused by SPM (the model)": "fused",
    "centred (our addition)": "centred",
}
SMOOTHINGS = (0.01, 0.02, 0.05, 0.1, 0.2, SMOOTHING, 1.0, 2.0)


BOTH = "both (OTAM)"


def alignment_explorer(gallery: Gallery) -> Explorer:
    """OTAM between a query and a support clip of the gallery, and the most probable path, step by step."""
    check_gallery(gallery)
    frames = gallery.data.features.shape[1]
    second = min(1, len(gallery.names) - 1)
    controls = {
        **choose_clip(gallery, ("query_class", "query_clip"), ("query action", "query clip")),
        **choose_clip(
            gallery,
            ("support_class", "support_clip"),
            ("support action", "support clip"),
            gallery.starts[second],
        ),
        "features": widgets.Dropdown(
            description="features", options=list(FEATURES.items()), style=LABELLED, layout={"width": WIDTH}
        ),
        "smoothing": widgets.SelectionSlider(
            description="smoothing λ",
            options=[(f"{value:g}", value) for value in SMOOTHINGS],
            value=SMOOTHING,
            style=LABELLED,
        ),
        "direction": widgets.Dropdown(
            description="directions", options=[BOTH, *DIRECTIONS], style=LABELLED, layout={"width": WIDTH}
        ),
        "step": widgets.IntSlider(description="step", min=1, max=frames, value=1, style=LABELLED),
    }

    def episode_classes(query: int, support: int) -> list[int]:
        """The classes of the two clips and those after them in the gallery: what SPM is asked to tell apart."""
        first = [gallery.class_of(support), gallery.class_of(query)]
        others = [(first[0] + step) % len(gallery.names) for step in range(1, len(gallery.names))]
        return list(dict.fromkeys([*first, *others]))[:EPISODE_WAY]

    @lru_cache(maxsize=16)
    @torch.inference_mode()
    def compared(query: int, support: int, features: str) -> tuple[Tensor, Tensor]:
        """The frames that are compared, ``[T, C]`` each."""
        videos = gallery.data.features
        if features == "raw":
            return videos[query], videos[support]
        if features == "centred":
            return videos[query] - videos[query].mean(0), videos[support] - videos[support].mean(0)
        classes = episode_classes(query, support)
        shots = [support, *(gallery.starts[number] for number in classes[1:])]
        output = gallery.model(videos[shots].unsqueeze(1), videos[[query]], gallery.data.class_text[classes])
        if output.spm is None:
            raise ValueError("this model has no SPM (with_spm=False): choose other features")
        return output.spm.query[0], output.spm.support[0, 0]

    @lru_cache(maxsize=16)
    def costs_and_walks(query: int, support: int, features: str) -> tuple[Tensor, dict[str, Pairs]]:
        costs = frame_distances(*compared(query, support, features)).clone()
        return costs, {name: most_probable_path(costs, align) for name, align in DIRECTIONS.items()}

    def taken(direction: str) -> list[str]:
        return list(DIRECTIONS) if direction == BOTH else [direction]

    def what(query: int, support: int, features: str) -> str:
        text = f"Query {called(gallery, query)}, support {called(gallery, support)}, frames "
        if features == "raw":
            return text + "as CLIP gave them"
        if features == "centred":
            return text + "less their clip's mean over time (our addition, not the paper's)"
        others = ", ".join(gallery.names[number] for number in episode_classes(query, support))
        return text + f"fused by SPM in an episode of {others}"

    def matrix(query: int, support: int, features: str, smoothing: float, direction: str) -> Picture:
        costs, walks = costs_and_walks(query, support, features)
        names = taken(direction)
        distances = {name: smoothed(DIRECTIONS[name], costs, smoothing) for name in names}
        path = torch.stack([soft_path(costs, DIRECTIONS[name], smoothing) for name in names]).mean(0)
        shares = [f"{share_of_path(costs, walks[name], DIRECTIONS[name], smoothing):.1%}" for name in names]
        total = sum(float(value) for value in distances.values())
        sum_of = " + ".join(f"{float(value):.2f}" for value in distances.values())
        label = "OTAM distance" if direction == BOTH else "cost of this direction"
        rule = "" if smoothing == SMOOTHING else f" (the method's is {SMOOTHING})"
        return Picture(
            soft_paths(
                [costs],
                [path],
                gallery.clip(query)[..., ::2, ::2],
                [gallery.clip(support)[..., ::2, ::2]],
                [f"{label} {total:.2f}"],
                [{name: walks[name] for name in names}],
            ),
            f"{what(query, support, features)}: {label} {total:.2f}"
            f"{f' = {sum_of}' if len(names) > 1 else ''} with λ = {smoothing:g}{rule}; the smaller, the more alike, "
            "and only differences count. Dark cells: frames that differ. A disc's area: the share of all paths that "
            f"goes through its cell. Line{'s' if len(names) > 1 else ''}: the most probable path"
            f"{' of each direction' if len(names) > 1 else ''}, which alone carries {' and '.join(shares)}.",
            f"Grey matrix of {costs.shape[0]} × {costs.shape[1]} frame distances between {called(gallery, query)} and "
            f"{called(gallery, support)}, small frames along its sides, orange discs for the soft path and lines for "
            f"the most probable one. {label} {total:.2f}.",
        )

    def pairs(query: int, support: int, features: str, direction: str, step: int) -> Picture:
        costs, walks = costs_and_walks(query, support, features)
        said = []
        for name in taken(direction):
            i, j = walks[name][step - 1]
            said.append(
                f"{name}: query frame {i + 1} with support frame {j + 1}, d = {float(costs[i, j]):.3f}"
            )
        text = f"Step {step} of {frames} along the most probable path. " + "; ".join(said).capitalize()
        return Picture(
            aligned_frames(
                gallery.clip(query)[..., ::2, ::2],
                gallery.clip(support)[..., ::2, ::2],
                {name: walks[name] for name in taken(direction)},
                step - 1,
            ),
            f"{text}. {what(query, support, features)}. Lines join aligned frames"
            + (
                "; solid: the first of the directions named, dashed: the second."
                if direction == BOTH
                else "."
            ),
            f"Film strips of {called(gallery, query)} above {called(gallery, support)}, aligned frames joined. {text}.",
        )

    button = play(controls["step"], "walk along the path")
    return Explorer(
        "alignment",
        controls,
        {"matrix": matrix, "pairs": pairs},
        derive={
            "query": lambda query_class, query_clip: video_of(gallery, query_class, query_clip),
            "support": lambda support_class, support_clip: video_of(gallery, support_class, support_clip),
        },
        extra=[button],
    )
