"""What all explorers share: controls over pictures, each redrawn when one of its own controls moves.

Stock ipywidgets only, version 7.7 or 8, so that JupyterLab and Colab show the same.
"""

import base64
import gc
import html
import inspect
import io
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from PIL import Image

from clipspm_lite.arguments import check_known
from clipspm_lite.plots.base import png, show

LABELLED = {"description_width": "7em"}  # style of every control, so that no label is cut
# Layout of every control: as wide as the column beside the pictures, or several in a row above them on a narrow page.
NARROW = {"width": "auto", "height": "auto", "flex": "1 1 240px"}
SIDE_BY_SIDE = {"display": "flex", "flex_flow": "row wrap", "align_content": "flex-start", "flex": "1 1 260px"}
SHORT = 10  # letters that fit beside a slider
MOST_PICTURES, MOST_BYTES = 60, 3_000_000  # of an explorer that moves without a kernel
COMPUTING, NO_PICTURE = "<em>computing …</em>", "<em>There is no such picture for this choice.</em>"
NOTE = """<div style="line-height: 1.4"><em>Controls in grey have no effect on the picture shown. If nothing moves, the
kernel has stopped: choose Run → Run All Cells.</em></div>"""


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


class Explorer(widgets.Box):
    """Controls at the left, and beside them one of several pictures; on a narrow page the controls are above it.

    Args:
        title: what it is, in a few words; shown where widgets cannot be shown.
        controls: labelled widgets with a ``value``, by name.
        draw: by name, functions of control values. Their parameters are named after the controls they depend on. A
            picture is drawn when it is looked at and one of these has changed. None: there is no such picture.
        derive: by name, functions of control values likewise, whose results may be parameters of those in ``draw``.
        idle: by name of a control, functions likewise that say when it has no effect on any picture.
        extra: widgets to show below the controls that draw nothing themselves (a `play` button, say).
        slow: names of controls whose change takes long enough to say "computing …".
    """

    def __init__(
        self,
        title: str,
        controls: Mapping[str, Any],
        draw: Mapping[str, Callable[..., Picture | None]],
        *,
        derive: Mapping[str, Callable[..., Any]] | None = None,
        idle: Mapping[str, Callable[..., bool]] | None = None,
        extra: Collection[Any] = (),
        slow: Collection[str] = (),
    ):
        self.title = title
        self.controls = dict(controls)
        self.pictures = {name: widgets.HTML() for name in draw}
        self.shown = widgets.ToggleButtons(options=list(draw), style={"button_width": "auto"})
        self.status = widgets.HTML(layout=NARROW | {"min_height": "2em"})  # what is below it stays in its place
        self._draw, self._derive, self._idle = dict(draw), dict(derive or {}), dict(idle or {})
        self._needs = {name: self._controls_of(function) for name, function in draw.items()}
        self._slow, self._stale = set(slow), set(draw)
        left = [*map(with_value, self.controls.values()), *extra, self.status]
        wide = {"flex": "1000 1 500px", "min_width": "480px"}
        right = widgets.VBox([self.shown, *self.pictures.values()], layout=wide)
        note = widgets.HTML(NOTE, layout={"width": "100%"})
        super().__init__([widgets.Box(left, layout=SIDE_BY_SIDE), right, note], layout=SIDE_BY_SIDE)
        self.add_class("clipspm-explorer")
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self.redraw({name}), names="value")
        self.shown.observe(lambda change: self.redraw(()), names="value")
        self.redraw(())

    def redraw(self, changed: Collection[str]) -> None:
        """Draw the picture that is looked at if these controls, or others since it was drawn, have changed it."""
        name, changed, message = self.shown.value, set(changed), ""
        self._stale |= {picture for picture, needs in self._needs.items() if needs & changed}
        if self._slow & changed:
            self.status.value = COMPUTING
        if name in self._stale:
            try:
                with figures_collected_young():
                    self.pictures[name].value = self._rendered(name)
                self._stale.remove(name)
            except Exception as error:  # a callback's traceback would be lost
                message = error_as_html(f"{type(error).__name__}: {error}")
        for picture, place in self.pictures.items():
            place.layout.display = None if picture == name else "none"
        for control, widget in self.controls.items():
            idle = self._idle.get(control)
            widget.disabled = control not in self._needs[name] or bool(idle and self._call(idle, self._values()))
        self.status.value = message

    def _rendered(self, name: str) -> str:
        picture = self._call(self._draw[name], self._values())  # forgotten on return: `redraw` can collect its figure
        return as_html(picture) if picture else NO_PICTURE

    def static(self, name: str, /, **settings: Any) -> None:
        """Put one of the pictures into the notebook, where it is seen without a kernel too.

        It is the picture as it is now, but for ``settings``, values of controls by name. The explorer stays as it is.
        """
        check_known("name", name, self._draw)
        for control in settings:
            check_known("settings", control, self.controls)
        picture = self._call(self._draw[name], self._values() | settings)
        if picture:
            picture.show()

    def frozen(self, name: str, /, **grid: Iterable[Any]) -> widgets.VBox:
        """One of the pictures, drawn now over a grid of its controls, in widgets that move on a page without a kernel.

        Args:
            name: the picture. Controls that are not in ``grid`` stay as they are now.
            grid: for each control, by name, the values that the page offers. It starts at the control's own if that
                is one of them, else at the first.

        Raises:
            ValueError: another picture, control or option than there is, or more than a page should hold.
        """
        check_known("name", name, self._draw)
        for control in grid:
            check_known("grid", control, sorted(self._needs[name]))
        offered = {control: list(values) for control, values in grid.items()}
        count = math.prod(map(len, offered.values()))
        if not grid or count > MOST_PICTURES:
            raise ValueError(f"grid: expected controls with at most {MOST_PICTURES} pictures in all, found {count}")
        controls = [offer(self.controls[control], values) for control, values in offered.items()]
        drawn = []
        for values in product(*offered.values()):
            with figures_collected_young():
                picture = self._call(self._draw[name], self._values() | dict(zip(offered, values, strict=True)))
                drawn.append(as_html(picture, small=True) if picture else NO_PICTURE)
        if (size := sum(len(one.encode()) for one in drawn)) > MOST_BYTES:
            raise ValueError(f"grid: expected at most {MOST_BYTES:,} bytes of pictures, found {size:,}: offer fewer")
        head = widgets.Box(controls, layout={"display": "flex", "flex_flow": "row wrap"})
        box = widgets.VBox([head, stack_of(controls, list(map(widgets.HTML, drawn)))])
        box.add_class("clipspm-frozen")
        return box

    def _values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def _call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        return function(
            **{
                name: self._call(self._derive[name], values) if name in self._derive else values[name]
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


def as_html(picture: Picture, *, small: bool = False) -> str:
    """The picture as an ``img`` with alternative text, and its caption; all names in them are escaped.

    ``small``: as WebP, in a quarter of the bytes, and with its size, so that what is below it does not move.
    """
    data, kind, size = png(picture.figure), "png", ""
    if small:
        data, (width, height) = as_webp(data)
        kind, size = "webp", f' width="{width}" height="{height}" decoding="sync"'
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    alt, caption = html.escape(picture.alt), html.escape(picture.caption)
    image = f'<img alt="{alt}" style="max-width: 100%; height: auto"{size} src="{source}">'
    if picture.hints:
        hints = "".join(
            f'<span title="{html.escape(name)}" style="position: absolute; width: 12px; height: 12px; '
            f'left: calc({100 * x:.2f}% - 6px); top: calc({100 * y:.2f}% - 6px)"></span>'
            for x, y, name in picture.hints
        )
        image = f'<div style="position: relative; display: inline-block">{image}{hints}</div>'
        caption += " Point at a mark to read its name."
    return f'{image}<div style="line-height: 1.5"><em>{caption}</em></div>'


def as_webp(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """A PNG as WebP, and its width and height."""
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(smaller, "webp", quality=90)
        return smaller.getvalue(), image.size


def error_as_html(message: str) -> str:
    """An error message for an explorer's status: one line, escaped."""
    return f"<strong>{html.escape(' '.join(message.split()))}</strong>"


def choose(label: str, options: Iterable[Any], value: Any = None) -> widgets.SelectionSlider:
    """A labelled slider over options, at first over the first of them.

    A list would leave arrow keys and letters to JupyterLab, which moves to another cell or changes this one.
    """
    control = widgets.SelectionSlider(description=label, options=list(options), style=LABELLED, layout=NARROW)
    if value is not None:
        control.value = value
    control.readout = max(map(len, control._options_labels)) <= SHORT
    return control


def offer(control: Any, values: Sequence[Any]) -> Any:
    """A control over some of another's values, which needs no kernel: a list where a slider could not name them."""
    named = {value: label for label, value in getattr(control, "_options_full", ())}
    for value in values if named else ():
        check_known(control.description, value, named)
    labels = [named.get(value, f"{value:g}" if isinstance(value, float) else str(value)) for value in values]
    offered = choose(control.description, labels)
    if not offered.readout:
        offered = widgets.Dropdown(description=control.description, options=labels, style=LABELLED, layout=NARROW)
    offered.index = values.index(control.value) if control.value in values else 0
    return offered


def stack_of(controls: Sequence[Any], places: Sequence[Any]) -> widgets.Stack:
    """A stack of places of which the controls show one, the last control moving fastest; linked in the page itself."""
    first, *others = controls
    if others:
        each = math.prod(len(control.options) for control in others)
        places = [stack_of(others, places[start : start + each]) for start in range(0, len(places), each)]
    stack = widgets.Stack(places, selected_index=first.index)
    widgets.jslink((first, "index"), (stack, "selected_index"))
    return stack


def with_value(control: Any) -> Any:
    """The control, and below it the option that it stands at if that does not fit beside it."""
    if getattr(control, "readout", True):
        return control
    said, control.layout.flex = widgets.HTML(), "none"

    def say(change: object = None) -> None:
        said.value = f'<div style="line-height: 1.2; text-align: right">{html.escape(control.label)}</div>'

    say()
    control.observe(say, names="label")
    return widgets.VBox([control, said], layout=NARROW | {"padding": "0 8px 0 0"})  # half of the handle


def slider(label: str, least: int, most: int, value: int | None = None, continuous: bool = True) -> Any:
    """A labelled slider over whole numbers, at first at the least."""
    start = least if value is None else value
    return widgets.IntSlider(
        description=label, min=least, max=most, value=start, continuous_update=continuous, style=LABELLED, layout=NARROW
    )


def play(moved: Any, label: str) -> Any:
    """A label and a Play control that moves a slider through its range; it does not start by itself."""
    button = widgets.Play(min=moved.min, max=moved.max, value=moved.value, interval=400)
    for trait in ("value", "disabled"):
        widgets.link((button, trait), (moved, trait))
    said = widgets.HTML(f'<div style="line-height: 1.2; text-align: right">{label}</div>', layout={"width": "7em"})
    return widgets.HBox([said, button], layout=NARROW)
