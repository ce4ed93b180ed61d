"""From a scene to pixels: anti-aliased shapes from distance fields, painted back to front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipspm_lite.world.appearance import Appearance, Colour
from clipspm_lite.world.figure import JOINTS
from clipspm_lite.world.scene import Scene

MARGIN = 0.1  # how far the background goes on beyond the picture, for the camera
INK = np.array([38.0, 34.0, 40.0])  # the outline
INDEX = {name: i for i, name in enumerate(JOINTS)}


class Canvas:
    """A picture of float pixels [H, W, 3] and the shapes that can be painted on it. All lengths are in pixels."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def _window(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The pixels between two corners, and the x [1, w] and y [h, 1] of their centres; None if there are none."""
        height, width = self.pixels.shape[:2]
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
        if right <= left or bottom <= top:
            return None
        x = np.arange(left, right)[None, :] + 0.5
        y = np.arange(top, bottom)[:, None] + 0.5
        return self.pixels[top:bottom, left:right], x, y

    def line(
        self, points: np.ndarray, radius: float, colour: Colour, outline: float = 0.0, opacity: float = 1.0
    ) -> None:
        """A thick line with round ends and joints through points [n, 2]; one point makes a disc."""
        reach = radius + outline + 1
        window = self._window(points.min(axis=0) - reach, points.max(axis=0) + reach)
        if window is None:
            return
        pixels, x, y = window
        nearest = np.full((y.shape[0], x.shape[1]), np.inf)
        for i in range(max(len(points) - 1, 1)):
            start = points[i]
            along = points[min(i + 1, len(points) - 1)] - start
            dx, dy = x - start[0], y - start[1]
            length = along @ along
            if length > 0:
                share = _bound((dx * along[0] + dy * along[1]) / length)
                dx, dy = dx - share * along[0], dy - share * along[1]
            np.minimum(nearest, dx * dx + dy * dy, out=nearest)
        _blend(pixels, np.sqrt(nearest) - radius, colour, outline, opacity)

    def block(
        self, centre: np.ndarray, half: tuple[float, float], corner: float, angle: float, colour: Colour,
        outline: float = 0.0, opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """A rectangle with round corners, turned clockwise by an angle."""
        reach = np.hypot(*half) + outline + 1
        window = self._window(centre - reach, centre + reach)
        if window is None:
            return
        pixels, x, y = window
        dx, dy, cos, sin = x - centre[0], y - centre[1], np.cos(angle), np.sin(angle)
        across = np.abs(cos * dx + sin * dy) - (half[0] - corner)
        down = np.abs(cos * dy - sin * dx) - (half[1] - corner)
        outside = np.sqrt(np.maximum(across, 0.0) ** 2 + np.maximum(down, 0.0) ** 2)
        _blend(pixels, outside + np.minimum(np.maximum(across, down), 0.0) - corner, colour, outline, opacity)


def _bound(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """np.clip, which takes several times as long for small arrays."""
    return np.minimum(np.maximum(values, low), high)


def _blend(pixels: np.ndarray, distance: np.ndarray, colour: Colour, outline: float, opacity: float) -> None:
    """Paint where the distance to the shape is negative, with a soft edge one pixel wide and an inked outline."""
    inside = _bound(0.5 - distance)[..., None]
    paint = np.array(colour)
    if outline > 0:
        covered = _bound(0.5 + outline - distance)[..., None]
        pixels += covered * (INK + inside * (paint - INK) - pixels)
    else:
        pixels += (opacity * inside) * (paint - pixels)


def _shade(colour: Colour, grey: float, share: float) -> Colour:
    """A colour mixed with a share of grey (255: lighter, 0: darker)."""
    red, green, blue = ((1 - share) * c + share * grey for c in colour)
    return red, green, blue


def _resample(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The picture [H, W, ...] at fractional row and column positions, linearly between pixels."""
    for axis, places in ((0, rows), (1, columns)):
        places = _bound(places, 0.0, picture.shape[axis] - 1.000001)
        first = places.astype(int)
        share = (places - first).reshape([-1 if i == axis else 1 for i in range(picture.ndim)])
        near = np.take(picture, first, axis=axis)
        change = np.take(picture, first + 1, axis=axis)
        change -= near
        change *= share
        near += change
        picture = near
    return picture


def background(look: Appearance, size: int) -> np.ndarray:
    """Wall, ground, texture and clutter, [S, S, 3], with a margin around the picture."""
    full = round(size * (1 + 2 * MARGIN))
    place = (np.arange(full) + 0.5) / size - MARGIN  # shares of the picture
    grid = np.arange(full) / (full - 1)
    coarse, fine = (_resample(grain, grid * (len(grain) - 1), grid * (len(grain) - 1)) for grain in look.grain)
    ground = _bound((place - look.horizon) * size + 0.5)[:, None, None]
    wave = _bound(3 * np.sin(2 * np.pi * place / look.pattern_size), -1.0, 1.0)
    if look.pattern == "stripes":
        pattern = np.broadcast_to(wave[None, :], (full, full))
    elif look.pattern == "tiles":
        pattern = wave[None, :] * wave[:, None]
    else:
        pattern = np.zeros((full, full))
    colour = np.array(look.wall) + ground * (np.array(look.ground) - np.array(look.wall))
    texture = 12 * coarse + 6 * fine + 5 * pattern * (1 - ground[..., 0])
    canvas = Canvas(colour + texture[..., None])
    for shape in look.clutter:
        centre = (np.array([shape.x, shape.y]) + MARGIN) * size
        half = (shape.half_width * size, shape.half_height * size)
        canvas.block(centre, half, shape.corner * size, shape.angle, shape.colour, opacity=shape.opacity)
    return canvas.pixels


def render(scene: Scene, size: int = 112, frames: Sequence[int] | None = None) -> np.ndarray:
    """The pictures of a scene, uint8 [F, size, size, 3]; all frames, or those with the given indices."""
    wall = background(scene.appearance, size)
    chosen = range(len(scene.joints)) if frames is None else frames
    pictures = np.empty((len(chosen), size, size, 3), dtype=np.uint8)
    for picture, frame in zip(pictures, chosen, strict=True):
        picture[:] = np.rint(_bound(_frame(scene, frame, size, wall), 0.0, 255.0))
    return pictures


def _frame(scene: Scene, frame: int, size: int, wall: np.ndarray) -> np.ndarray:
    """One picture, float [size, size, 3]."""
    x, y, zoom = scene.camera[frame]
    centre = np.array([x, y])
    pixel = (np.arange(size) + 0.5) / size - 0.5
    rows, columns = (((pixel / zoom + c + MARGIN) * size - 0.5) for c in (y, x))
    canvas = Canvas(_resample(wall, rows, columns))
    scale = zoom * size

    def to_pixels(places: np.ndarray) -> np.ndarray:
        return (places - centre) * scale + 0.5 * size

    _draw_bird(canvas, to_pixels(scene.distractor[frame, :2]), scene.distractor[frame, 2], 0.028 * scale)
    figure = to_pixels(scene.joints[frame])
    unit = scene.height * scale  # one figure height
    floor = to_pixels(np.array([0.0, scene.floor]))[1] + 0.02 * unit
    _draw_shadow(canvas, figure[INDEX["pelvis"], 0], floor, 0.15 * unit)
    if scene.thing is not None:
        place = to_pixels(scene.thing_path[frame, :2])
        _draw_shadow(canvas, place[0], floor, 0.9 * scene.thing_radius * scale)
    outline = max(0.45, 0.017 * unit)
    _draw_body(canvas, figure, scene, unit, outline)
    _draw_head(canvas, figure[INDEX["head"]], scene.look[frame], scene, unit, outline)
    if scene.thing is not None:
        radius, turn = scene.thing_radius * scale, scene.thing_path[frame, 2]
        _draw_thing(canvas, scene.thing, place, radius, turn, scene.appearance.thing, outline)
    _draw_arms(canvas, figure, scene, unit, outline)
    return canvas.pixels


def _draw_bird(canvas: Canvas, place: np.ndarray, wing: float, span: float) -> None:
    tips = np.array([[-np.cos(wing), np.sin(wing)], [0.0, 0.0], [np.cos(wing), np.sin(wing)]]) * span
    canvas.line(place + tips, 0.22 * span, (70, 70, 85))


def _draw_shadow(canvas: Canvas, x: float, y: float, half: float) -> None:
    canvas.block(np.array([x, y]), (half, 0.2 * half), 0.2 * half, 0.0, (30, 30, 40), opacity=0.3)


def _draw_body(canvas: Canvas, figure: np.ndarray, scene: Scene, unit: float, outline: float) -> None:
    """Legs, shoes and torso."""
    look, thick = scene.appearance, scene.appearance.limb * unit
    for side in ("left", "right"):
        leg = figure[[INDEX[f"{side}_hip"], INDEX[f"{side}_knee"], INDEX[f"{side}_foot"]]]
        toe = 0.035 * unit * (-1 if side == "left" else 1)
        canvas.line(np.stack([leg[2], leg[2] + [toe, 0.0]]), 0.036 * thick, (60, 45, 40), outline)
        canvas.line(leg - [[0, 0], [0, 0], [0, 0.01 * unit]], 0.04 * thick, look.trousers, outline)
    neck, pelvis = figure[INDEX["neck"]], figure[INDEX["pelvis"]]
    spine = neck - pelvis
    half = (0.95 * scene.body.shoulder * unit, 0.5 * np.hypot(*spine) + 0.005 * unit)
    angle = np.arctan2(spine[0], -spine[1])
    canvas.block(0.5 * (neck + pelvis), half, 0.055 * unit, angle, look.shirt, outline)


def _draw_head(canvas: Canvas, head: np.ndarray, look: np.ndarray, scene: Scene, unit: float, outline: float) -> None:
    """Hair, and a face that shifts to where the figure looks."""
    radius = scene.body.head * unit
    canvas.line(head[None], radius, scene.appearance.hair, outline)
    face = head + np.array([0.4 * look[0], 0.2 - 0.45 * look[1]]) * radius
    canvas.line(face[None], 0.78 * radius, scene.appearance.skin)
    gaze = head + np.array([0.6 * look[0], 0.15 - 0.6 * look[1]]) * radius
    for side in (-1, 1):
        canvas.line((gaze + [side * 0.32 * radius, 0.0])[None], 0.11 * radius, (30, 25, 30))
    mouth = np.array([[-0.22, 0.42], [0.0, 0.5], [0.22, 0.42]]) * radius
    canvas.line(gaze + mouth, 0.06 * radius, (140, 50, 50))


def _draw_arms(canvas: Canvas, figure: np.ndarray, scene: Scene, unit: float, outline: float) -> None:
    look, thick = scene.appearance, scene.appearance.limb * unit
    # The sleeves are a little lighter than the torso behind them.
    sleeve_colour = _shade(look.shirt, 255.0, 0.16)
    for side in ("left", "right"):
        arm = figure[[INDEX[f"{side}_shoulder"], INDEX[f"{side}_elbow"], INDEX[f"{side}_hand"]]]
        canvas.line(arm[2:], 0.042 * thick, look.skin, outline)
        sleeve = np.stack([arm[0], arm[1], arm[1] + 0.85 * (arm[2] - arm[1])])
        canvas.line(sleeve, 0.033 * thick, sleeve_colour, outline)


def _draw_thing(
    canvas: Canvas, thing: str, place: np.ndarray, radius: float, turn: float, colour: Colour, outline: float
) -> None:
    """The object, with a mark that shows its kind and how it turns."""
    light, dark = _shade(colour, 255.0, 0.55), _shade(colour, 0.0, 0.4)
    along = np.array([np.cos(turn), np.sin(turn)])
    if thing == "box":
        canvas.block(place, (radius, radius), 0.1 * radius, turn, colour, outline)
        canvas.block(place, (0.16 * radius, radius), 0.0, turn, light)
        canvas.block(place, (radius, 0.06 * radius), 0.0, turn, dark)
    elif thing == "ball":
        canvas.line(place[None], radius, colour, outline)
        canvas.line(np.stack([place - 0.75 * radius * along, place + 0.75 * radius * along]), 0.2 * radius, light)
    else:
        down = np.array([-along[1], along[0]])
        string = np.array([[1.0, 0.0], [1.6, 0.12], [2.1, -0.1]]) * radius
        canvas.line(place + string[:, :1] * down + string[:, 1:] * along, 0.6, (90, 90, 90))
        canvas.line((place + 1.08 * radius * down)[None], 0.18 * radius, dark, outline)
        oval = np.array([[-0.08], [0.08]]) * radius * down
        canvas.line(place + oval, 0.94 * radius, colour, outline)
        canvas.line((place - 0.4 * radius * down - 0.35 * radius * along)[None], 0.2 * radius, light)
