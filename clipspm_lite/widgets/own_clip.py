"""Asking a recogniser about a clip that is uploaded in the notebook, and the pictures of an answer."""

import html
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from clipspm_lite.data.datasets import VIDEO_SUFFIXES, VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.names import readable
from clipspm_lite.model.otam import SMOOTHING, align
from clipspm_lite.model.paths import soft_path
from clipspm_lite.plots.alignment import soft_paths
from clipspm_lite.plots.answers import ranking
from clipspm_lite.plots.base import limits_around
from clipspm_lite.plots.prototypes import prototype_paths
from clipspm_lite.recognition.recogniser import Prediction, Recogniser
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture
from clipspm_lite.widgets.gallery import SIZE

THUMBNAIL = 56  # pixels of a frame beside a matrix


@dataclass(frozen=True)
class Asked:
    """A clip that was asked: its name, its frames ``[T, 3, H, W]``, and the answer of each method."""

    name: str
    frames: Tensor
    predictions: dict[str, Prediction]


def own_clip_explorer(
    recognisers: Mapping[str, Recogniser], support: VideoDataset, start: str | Path
) -> Explorer:
    """Upload a clip and see what each recogniser makes of it, what it nearly was, and why.

    The clip is read, its file deleted at once, and it is taken out of the upload button again; what stays are its
    frames in the pictures and its features in the store.

    Args:
        recognisers: by a name to choose them by; all know the actions of ``support``.
        support: the clips they know them from, of which the first of each action is shown.
        start: a clip to show before one is uploaded.
    """
    if not recognisers:
        raise ValueError("recognisers: expected at least one, by name, found none")
    first = dict(zip(support.classes, support.videos, strict=True))
    length = next(iter(recognisers.values())).store.frames

    def asked(path: Path, name: str) -> Asked:
        predictions = {method: one.predict([path])[0] for method, one in recognisers.items()}
        return Asked(name, load_video(path, frames=length, size=SIZE), predictions)

    def support_clip(action: str) -> Tensor:
        return load_video(support.root / first[action][0], frames=length, size=THUMBNAIL)

    shown = asked(Path(start), Path(start).name)
    upload = widgets.FileUpload(accept="video/*", multiple=False, description="choose a clip")
    control = widgets.Dropdown(description="method", options=list(recognisers), style=LABELLED)

    def ranking_(method: str) -> Picture:
        return ranking_picture(shown.predictions[method], shown.frames, shown.name, method)

    def why(method: str) -> Picture | None:
        prediction = shown.predictions[method]
        if not prediction.explanation.matchings:
            return None
        clips = [support_clip(score.action) for score in prediction.ranking[:2]]
        return alignment_picture(prediction, shown.frames[..., ::2, ::2], clips, method)

    def among(method: str) -> Picture | None:
        prediction = shown.predictions[method]
        return prototypes_picture(prediction, method) if prediction.explanation.matchings else None

    explorer = Explorer(
        "own clip",
        {"method": control},
        {"ranking": ranking_, "alignment": why, "prototypes": among},
        extra=[upload],
    )

    def take(change: object) -> None:
        nonlocal shown
        found = uploaded(upload.value)
        if found is None:
            return
        empty(upload)
        explorer.status.value = "<em>computing …</em>"
        try:
            shown = ask_about(*found, asked)
        except Exception as error:  # a callback's traceback would be lost
            text = " ".join(str(error).split())
            explorer.status.value = f"<strong>{html.escape(text)}</strong>"
            return
        explorer.redraw({"method"})

    upload.observe(take, names="value")
    return explorer


def ask_about(name: str, content: bytes, asked: Any) -> Asked:
    """Write an uploaded clip where it can be read, ask about it, and delete it."""
    suffix = Path(name).suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        raise ValueError(f"{name} does not end as a video does: expected one of {', '.join(VIDEO_SUFFIXES)}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"  # the name is a stranger's and stays out of it
        path.write_bytes(content)
        try:
            return asked(path, name)
        except Exception as error:
            raise ValueError(str(error).replace(str(path), name)) from error


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the first file in a FileUpload's value, of ipywidgets 8 (a tuple) or 7 (a dict)."""
    files = (
        [(name, file["content"]) for name, file in value.items()]
        if isinstance(value, dict)
        else [(file["name"], file["content"]) for file in value]
    )
    return (files[0][0], bytes(files[0][1])) if files else None


def empty(upload: Any) -> None:
    """Take the file out of the widget, whose state a notebook may keep."""
    if isinstance(upload.value, dict):  # ipywidgets 7
        upload.metadata, upload.data = [], []
        upload._counter = 0
    else:
        upload.value = ()


def ranking_picture(prediction: Prediction, clip: Tensor, name: str, method: str) -> Picture:
    """The answer, the actions behind it, and how sure the method is."""
    best, second = prediction.ranking[:2]
    return Picture(
        ranking(clip, {readable(score.action): score.probability for score in prediction.ranking}),
        f"{name}: {method} says {readable(best.action)}; it nearly was {readable(second.action)}. The probabilities "
        "are a softmax of the method's scores: good for comparing actions, not for how often it is right.",
        f"Film strip of {name} above bars of probability, longest: {readable(best.action)}.",
    )


def alignment_picture(prediction: Prediction, clip: Tensor, supports: list[Tensor], method: str) -> Picture:
    """How the clip's frames lie against the prototypes of the answer and of what it nearly was, in time.

    Args:
        clip: frames ``[T, 3, H, W]``, small.
        supports: a clip of each of the two actions, likewise.

    Raises:
        ValueError: a method that aligns no frames.
    """
    matchings = prediction.explanation.matchings
    if not matchings:
        raise ValueError(f"{method} compares no frames in time: there is no alignment to show")
    name, matching = list(matchings.items())[-1]
    costs = list(matching.frame_distances[:2])
    names = [readable(score.action) for score in prediction.ranking[:2]]
    return Picture(
        soft_paths(
            costs,
            [soft_path(cost, align, SMOOTHING) / 2 for cost in costs],
            clip,
            supports,
            [f"{action}: {float(d):.2f}" for action, d in zip(names, matching.distance[:2], strict=True)],
        ),
        f"Why ({method}, distance {name}): frames of the clip down the side, along the top those of a clip of the "
        f"answer ({names[0]}) and of what it nearly was ({names[1]}); matched are the prototypes, means of all clips "
        "of the action. Dark cells: frames that differ. A disc's area: the share of the path. The smaller wins.",
        f"Two grey matrices of frame distances with discs, against {names[0]} and {names[1]}.",
    )


def prototypes_picture(prediction: Prediction, method: str) -> Picture:
    """Where the clip lies among the prototypes, frames averaged, on their main plane.

    Raises:
        ValueError: a method that aligns no frames.
    """
    matchings = prediction.explanation.matchings
    if not matchings:
        raise ValueError(f"{method} compares no frames in time: there are no prototypes of frames to show")
    matching = list(matchings.values())[-1]
    points = torch.cat([matching.prototypes.mean(1), matching.query.mean(0)[None]]).numpy()
    plane = PCA(min(2, len(points) - 1), random_state=0).fit(points)
    places = plane.transform(points)
    share = 100 * float(plane.explained_variance_ratio_.sum())
    names = [readable(action) for action in prediction.explanation.actions]
    return Picture(
        prototype_paths(places[:-1, None], places[-1:], [0], names, None, limits_around(np.array(places))),
        f"Prototypes (large) and the clip (small, joined with the answer, {names[0]}), as {method} compares them, "
        f"frames averaged, on the plane where they differ most ({share:.0f} % of their spread).",
        f"Map of {len(names)} prototypes and the clip, which is joined with {names[0]}.",
    )
