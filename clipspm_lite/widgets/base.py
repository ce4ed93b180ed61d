"""What all explorers share: controls over pictures, each redrawn when one of its own controls moves.

Stock ipywidgets only, version 7.7 or 8, so that JupyterLab and Colab show the same.
"""

import base64
import gc
import html
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from clipspm_lite.arguments import check_known
from clipspm_lite.plots.base import png, show

LABELLED = {"description_width": "9em"}  # style of every control, so that no label is cut
COMPUTING = "<em>computing …</em>"


@dataclass(frozen=True)
class Picture:
    """A figure with its caption (plain text) and its alternative text.

    Attributes:
        hints: names to read where the pointer rests, only in an explorer: (from the left, from the top, name), as
            shares of the figure's width and height.
    """

    figure: Figure
    caption: str
    alt: str
    hints: tuple[tuple[float, float, str], ...] = ()

    def show(self) -> None:
        """Put the picture into the notebook, where it is seen without a kernel too."""
        show(self.figure, self.caption, self.alt)


class Explorer(widgets.VBox):
    """Controls above pictures.

    Args:
        title: what it is, in a few words; shown where widgets cannot be shown.
        controls: labelled widgets with a ``value``, by name.
        draw: by name, functions of control values. Their parameters are named after the controls they depend on, and
            a picture is redrawn only when one of these changes. One that returns None leaves its place empty.
        derive: by name, functions of control values likewise, whose results may be parameters of those in ``draw``.
        extra: widgets to show among the controls that draw nothing themselves (a `play` button, say).
        slow: names of controls whose change takes long enough to say "computing …".
    """

    def __init__(
        self,
        title: str,
        controls: Mapping[str, Any],
        draw: Mapping[str, Callable[..., Picture | None]],
        *,
        derive: Mapping[str, Callable[..., Any]] | None = None,
        extra: Collection[Any] = (),
        slow: Collection[str] = (),
    ):
        self.title = title
        self.controls = dict(controls)
        self.pictures = {name: widgets.HTML() for name in draw}
        self.status = widgets.HTML(layout={"min_height": "2em"})  # pictures stay in their place
        self._draw = dict(draw)
        self._derive = dict(derive or {})
        self._needs = {name: self._controls_of(function) for name, function in draw.items()}
        self._slow = set(slow)
        row = widgets.Layout(display="flex", flex_flow="row wrap")
        head = widgets.Box([*self.controls.values(), *extra], layout=row)
        super().__init__([head, self.status, *self.pictures.values()])
        self.add_class("clipspm-explorer")
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self.redraw({name}), names="value")
        self.redraw(set(self.controls))

    def redraw(self, changed: Collection[str]) -> None:
        """Draw every picture that depends on one of these controls; an error is shown where the reader looks."""
        if self._slow & set(changed):
            self.status.value = COMPUTING
        message = ""
        with figures_collected_young():
            for name, needs in self._needs.items():
                if needs & set(changed):
                    try:
                        self.pictures[name].value = self._rendered(name)
                    except Exception as error:  # a callback's traceback would be lost
                        message = error_as_html(f"{type(error).__name__}: {error}")
        self.status.value = message

    def _rendered(self, name: str) -> str:
        picture = self._call(self._draw[name])  # forgotten on return, so that `redraw` can collect its figure
        return as_html(picture) if picture else ""

    def static(self, name: str) -> None:
        """Put one of the pictures, as it is now, into the notebook, where it is seen without a kernel too."""
        check_known("name", name, self._draw)
        picture = self._call(self._draw[name])
        if picture:
            picture.show()

    def _call(self, function: Callable[..., Any]) -> Any:
        return function(
            **{
                name: self._call(self._derive[name]) if name in self._derive else self.controls[name].value
                for name in inspect.signature(function).parameters
            }
        )

    def _controls_of(self, function: Callable[..., Any]) -> set[str]:
        """Names of the controls that a function depends on, directly or through derived values."""
        names = set(inspect.signature(function).parameters)
        through = [self._controls_of(self._derive[name]) for name in names & set(self._derive)]
        return (names - set(self._derive)).union(*through)

    def __repr__(self) -> str:
        return f"{self.title} (to be moved where a kernel runs; the picture below shows the same)"


@contextmanager
def figures_collected_young() -> Iterator[None]:
    """Collect the reference cycles of the figures drawn inside as soon as it ends.

    Left to Python, every few dozen pictures a full collection would walk all objects of torch and matplotlib, and a
    slider would stand still for half a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        gc.collect(1)


def as_html(picture: Picture) -> str:
    """The picture as an ``img`` with alternative text, and its caption; all names in them are escaped."""
    data = base64.b64encode(png(picture.figure)).decode()
    alt, caption = html.escape(picture.alt), html.escape(picture.caption)
    image = f'<img alt="{alt}" style="max-width: 100%" src="data:image/png;base64,{data}">'
    if picture.hints:
        hints = "".join(
            f'<span title="{html.escape(name)}" style="position: absolute; width: 12px; height: 12px; '
            f'left: calc({100 * x:.2f}% - 6px); top: calc({100 * y:.2f}% - 6px)"></span>'
            for x, y, name in picture.hints
        )
        image = f'<div style="position: relative; display: inline-block">{image}{hints}</div>'
    return f'{image}<div style="line-height: 1.5"><em>{caption}</em></div>'


def error_as_html(message: str) -> str:
    """An error message for an explorer's status: one line, escaped."""
    return f"<strong>{html.escape(' '.join(message.split()))}</strong>"


def dropdown(label: str, options: Iterable[Any], value: Any = None, width: str = "26em") -> widgets.Dropdown:
    """A labelled list to choose from, at first the first of the options; 26em fit the longest sample class names."""
    control = widgets.Dropdown(description=label, options=list(options), style=LABELLED, layout={"width": width})
    if value is not None:
        control.value = value
    return control


def slider(label: str, least: int, most: int, value: int | None = None, continuous: bool = True) -> Any:
    """A labelled slider over whole numbers, at first at the least."""
    start = least if value is None else value
    return widgets.IntSlider(
        description=label, min=least, max=most, value=start, continuous_update=continuous, style=LABELLED
    )


def stage_slider(stages: Iterable[str]) -> widgets.SelectionSlider:
    """A labelled slider over a model's stages."""
    return widgets.SelectionSlider(description="stage", options=list(stages), style=LABELLED)


def play(moved: Any, label: str) -> Any:
    """A label and a Play control that moves a slider through its range; it does not start by itself."""
    button = widgets.Play(min=moved.min, max=moved.max, value=moved.value, interval=400)
    widgets.link((button, "value"), (moved, "value"))
    return widgets.HBox([widgets.Label(label, layout={"margin": "0 1em"}), button])
