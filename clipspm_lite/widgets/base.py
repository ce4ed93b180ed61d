"""What all explorers share: controls over pictures, each redrawn when one of its own controls moves.

Stock ipywidgets only, version 7.7 or 8, so that JupyterLab and Colab show the same.
"""

import base64
import gc
import html
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from clipspm_lite.arguments import check_known
from clipspm_lite.plots.base import png, show

LABELLED = {"description_width": "9em"}  # style of every control, so that no label is cut


@dataclass(frozen=True)
class Picture:
    """A figure with its caption (plain text) and its alternative text: what an explorer draws, and a page shows.

    ``hints`` are names to read where the pointer rests, in an explorer only: from the left and from the top, as shares
    of the figure's width and height, and the name.
    """

    figure: Figure
    caption: str
    alt: str
    hints: tuple[tuple[float, float, str], ...] = ()

    def show(self) -> None:
        """Put it into the notebook as a static picture."""
        show(self.figure, self.caption, self.alt)


class Explorer(widgets.VBox):
    """Controls above pictures.

    Args:
        title: what it is, in a few words; it stands where no widget can be shown.
        controls: widgets with a ``value``, by name. Every one needs a label (``description``).
        draw: by name, functions of control values, whose parameter names are the names of the controls they depend
            on; only those pictures are redrawn whose controls changed. None is no picture.
        derive: by name, functions of control values likewise, whose results `draw` may ask for as for a control's.
        extra: widgets to show among the controls which draw nothing by themselves (a `play` button, say).
        slow: names of controls whose change takes long enough to say so.
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
        unlabelled = [name for name, control in controls.items() if not control.description]
        if unlabelled:
            raise ValueError(f"controls without a description: {', '.join(unlabelled)}")
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
            self.status.value = "<em>computing …</em>"
        message = ""
        with figures_collected_young():
            for name, needs in self._needs.items():
                if needs & set(changed):
                    try:
                        self.pictures[name].value = self._rendered(name)
                    except Exception as error:  # a callback's traceback would be lost
                        text = " ".join(str(error).split())
                        message = f"<strong>{html.escape(f'{type(error).__name__}: {text}')}</strong>"
        self.status.value = message

    def _rendered(self, name: str) -> str:
        picture = self._drawn(name)  # no longer referred to when `redraw` collects what is left of it
        return as_html(picture) if picture else ""

    def static(self, name: str) -> None:
        """Put one of the pictures, as it is now, into the notebook, where it is seen without a kernel too.

        Raises:
            ValueError: no picture of that name, or what keeps it from being drawn.
        """
        check_known("name", name, self._draw)
        picture = self._drawn(name)
        if picture:
            picture.show()

    def _drawn(self, name: str) -> Picture | None:
        return self._call(self._draw[name])

    def _call(self, function: Callable[..., Any]) -> Any:
        return function(
            **{
                name: self._call(self._derive[name]) if name in self._derive else self.controls[name].value
                for name in inspect.signature(function).parameters
            }
        )

    def _controls_of(self, function: Callable[..., Any]) -> set[str]:
        """Names of the controls that a function depends on, by itself or through what is derived."""
        names = set(inspect.signature(function).parameters)
        through = [self._controls_of(self._derive[name]) for name in names & set(self._derive)]
        return (names - set(self._derive)).union(*through)

    def __repr__(self) -> str:
        return f"{self.title} (to be moved where a kernel runs; the picture below shows the same)"


@contextmanager
def figures_collected_young() -> Iterator[None]:
    """Collect the reference cycles of the figures drawn inside at its end, while they are young.

    Otherwise they grow old, and every few dozen pictures a full collection walks all objects of torch and matplotlib:
    half a second in which a slider stands still.
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
    """The picture as an ``img`` with its alternative text, and its caption; names in them cannot break out of it."""
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


def play(slider: Any, label: str, interval: int = 400) -> Any:
    """A label and a Play control that moves ``slider`` through its range; it does not start by itself."""
    button = widgets.Play(min=slider.min, max=slider.max, value=slider.value, interval=interval)
    widgets.link((button, "value"), (slider, "value"))
    return widgets.HBox([widgets.Label(label, layout={"margin": "0 1em"}), button])
