"""Asking a recogniser about a clip that is uploaded or named in the notebook, and the pictures of an answer."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.names import readable
from clipspm_lite.model.otam import SMOOTHING, align
from clipspm_lite.plots.alignment import soft_paths
from clipspm_lite.plots.answers import ranking
from clipspm_lite.plots.base import limits_around
from clipspm_lite.plots.paths import soft_path
from clipspm_lite.plots.prototypes import prototype_paths
from clipspm_lite.recognition.recogniser import Matching, Prediction, Recogniser
from clipspm_lite.widgets.base import COMPUTING, LABELLED, NARROW, Explorer, Picture, choose, error_as_html
from clipspm_lite.widgets.gallery import PICTURE_SIZE

THUMBNAIL = 56  # pixels of a frame beside a matrix
LARGEST_UPLOAD = (
    "The button takes clips of up to 10 MB. Jupyter drops a larger one without a word, and the button is dead until "
    "its cell is run again. A path has no such limit: write where the clip is on this machine, and press Enter."
)


def own_clip_explorer(recognisers: Mapping[str, Recogniser], support: VideoDataset, start: str | Path) -> Explorer:
    """Upload a clip, or give its path, and see what each recogniser makes of it, what it nearly was, and why.

    An uploaded clip is read, its file deleted at once, and it is taken out of the upload button again. What stays are
    its frames in the pictures and its features in the store. A clip at a path is only read.

    Args:
        recognisers: by a name to choose them by; all know the actions of ``support``.
        support: the clips they know them from, of which the first of each action is shown.
        start: a clip to show before one is chosen.
    """
    pictures = OwnClipPictures(recognisers, support)
    pictures.ask(Path(start), Path(start).name)
    upload = widgets.FileUpload(accept="video/*", multiple=False, description="choose a clip")
    path = widgets.Text(description="or its path", style=LABELLED, layout=NARROW, continuous_update=False)
    note = widgets.HTML(f'<div style="line-height: 1.4">{LARGEST_UPLOAD}</div>', layout={"width": "100%"})
    explorer = Explorer(
        "own clip",
        {"method": choose("method", recognisers)},
        {"ranking": pictures.ranking, "alignment": pictures.alignment, "prototypes": pictures.prototypes},
        extra=[upload, path, note],
    )

    def ask(question: Callable[..., None], *clip: Any) -> None:
        explorer.status.value = COMPUTING
        try:
            question(*clip)
        except Exception as error:  # a callback's traceback would be lost
            explorer.status.value = error_as_html(str(error))
        else:
            explorer.redraw({"method"})

    def take_upload(change: object) -> None:
        found = uploaded_file(upload.value)
        if found is not None:
            empty_upload(upload)
            ask(pictures.ask_uploaded, *found)

    def take_path(change: object) -> None:
        if written := path.value.strip().strip("\"'"):  # Windows copies a path in quotation marks
            file = Path(written).expanduser().absolute()  # an error says where it was looked for
            ask(pictures.ask, file, file.name)

    upload.observe(take_upload, names="value")
    path.observe(take_path, names="value")
    return explorer


class OwnClipPictures:
    """The pictures of the clip that was last asked about, as functions of the chosen method."""

    name: str
    frames: Tensor  # [T, 3, H, W]
    predictions: dict[str, Prediction]  # of each method

    def __init__(self, recognisers: Mapping[str, Recogniser], support: VideoDataset):
        self.recognisers, self.support = recognisers, support
        self.length = next(iter(recognisers.values())).store.frames

    def ask(self, path: Path, name: str) -> None:
        """Show this clip from now on, under this name."""
        predictions = {method: one.predict([path])[0] for method, one in self.recognisers.items()}
        self.frames = load_video(path, frames=self.length, size=PICTURE_SIZE)
        self.name, self.predictions = name, predictions

    def ask_uploaded(self, name: str, content: bytes) -> None:
        """`ask` about an uploaded clip, in a file that is deleted at once; errors say the clip's own name."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip"  # a stranger's file name never becomes a path
            path.write_bytes(content)
            try:
                self.ask(path, name)
            except Exception as error:
                raise ValueError(str(error).replace(str(path), name)) from error

    def ranking(self, method: str) -> Picture:
        """The answer and the other actions."""
        return ranking_picture(self.predictions[method], self.frames, self.name, method)

    def alignment(self, method: str) -> Picture | None:
        """Why: the alignment with the two likeliest actions, if the method aligns frames."""
        prediction = self.predictions[method]
        if not prediction.explanation.matchings:
            return None
        clips = []
        for score in prediction.ranking[:2]:
            first = self.support.videos[self.support.classes.index(score.action)][0]
            clips.append(load_video(self.support.root / first, frames=self.length, size=THUMBNAIL))
        return alignment_picture(prediction, self.frames[..., ::2, ::2], clips, method)

    def prototypes(self, method: str) -> Picture | None:
        """The clip among the prototypes, if the method has prototypes of frames."""
        prediction = self.predictions[method]
        return prototypes_picture(prediction, method) if prediction.explanation.matchings else None


def uploaded_file(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the first file in a FileUpload's value, of ipywidgets 8 (a tuple) or 7 (a dict)."""
    files = (
        [(name, file["content"]) for name, file in value.items()]
        if isinstance(value, dict)
        else [(file["name"], file["content"]) for file in value]
    )
    return (files[0][0], bytes(files[0][1])) if files else None


def empty_upload(upload: Any) -> None:
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

    The clip and the support of each of the two actions are small frames ``[T, 3, H, W]``.
    """
    name, matching = last_matching(prediction, method)
    costs = list(matching.frame_distances[:2])
    names = [readable(score.action) for score in prediction.ranking[:2]]
    return Picture(
        soft_paths(
            costs,
            [soft_path(cost, align, SMOOTHING) / 2 for cost in costs],
            clip,
            supports,
            [f"{action}: {float(d):.2f}" for action, d in zip(names, matching.distance[:2], strict=True)],
            diagonal=True,
        ),
        f"Why ({method}, distance {name}): frames of the clip down the side, along the top those of a clip of the "
        f"answer ({names[0]}) and of what it nearly was ({names[1]}); matched are the prototypes, means of all clips "
        "of the action. Dark cells: frames that differ. Dotted: the same moments. A disc's area: the share of the "
        "path. The smaller distance wins.",
        f"Two grey matrices of frame distances with discs and a dotted diagonal, against {names[0]} and {names[1]}.",
    )


def prototypes_picture(prediction: Prediction, method: str) -> Picture:
    """Where the clip lies among the prototypes, frames averaged, on their main plane."""
    _, matching = last_matching(prediction, method)
    points = torch.cat([matching.prototypes.mean(1), matching.query.mean(0)[None]]).numpy()
    plane = PCA(min(2, len(points) - 1), random_state=0).fit(points)
    places = plane.transform(points)
    share = 100 * float(plane.explained_variance_ratio_.sum())
    names = [readable(action) for action in prediction.explanation.actions]
    return Picture(
        prototype_paths(places[:-1, None], places[-1:], [0], names, None, limits_around(places)),
        f"Prototypes (large) and the clip (small, joined with the answer, {names[0]}), as {method} compares them, "
        f"frames averaged, on the plane where they differ most ({share:.0f} % of their spread).",
        f"Map of {len(names)} prototypes and the clip, which is joined with {names[0]}.",
    )


def last_matching(prediction: Prediction, method: str) -> tuple[str, Matching]:
    """The last alignment of an answer, and its name; ValueError for a method that aligns no frames."""
    matchings = prediction.explanation.matchings
    if not matchings:
        raise ValueError(f"{method} compares no frames in time: there is nothing to show")
    return list(matchings.items())[-1]
