"""From a scene to pixels, painted back to front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.appearance import Colour, Outfit
from clipspm_lite.world.canvas import Canvas, bound, shade
from clipspm_lite.world.figure import JOINTS, Body
from clipspm_lite.world.places import MARGIN, background, resample
from clipspm_lite.world.scene import Scene
from clipspm_lite.world.things import DRAWINGS, Object

INDEX = {name: i for i, name in enumerate(JOINTS)}


def render(scene: Scene, size: int = 112, frames: Sequence[int] | None = None) -> np.ndarray:
    """The pictures of a scene, uint8 [F, size, size, 3]; all frames, or those with the given indices."""
    wall = background(scene.appearance, size)
    chosen = range(len(scene.joints)) if frames is None else frames
    pictures = np.empty((len(chosen), size, size, 3), dtype=np.uint8)
    for picture, frame in zip(pictures, chosen, strict=True):
        picture[:] = np.rint(bound(_frame(scene, frame, size, wall), 0.0, 255.0))
    return pictures


def _frame(scene: Scene, frame: int, size: int, wall: np.ndarray) -> np.ndarray:
    """One picture, float [size, size, 3]."""
    x, y, zoom = scene.camera[frame]
    centre = np.array([x, y])
    pixel = (np.arange(size) + 0.5) / size - 0.5
    rows, columns = (((pixel / zoom + c + MARGIN) * size - 0.5) for c in (y, x))
    canvas = Canvas(resample(wall, rows, columns))
    scale = zoom * size

    def to_pixels(places: np.ndarray) -> np.ndarray:
        return (places - centre) * scale + 0.5 * size

    _draw_bird(canvas, to_pixels(scene.distractor[frame, :2]), scene.distractor[frame, 2], 0.028 * scale)
    unit = scene.height * scale  # one figure height
    floor = to_pixels(np.array([0.0, scene.floor]))[1] + 0.02 * unit
    outline = max(0.45, 0.017 * unit)
    first = Drawn(to_pixels(scene.joints[frame]), scene.look[frame], scene.body, scene.appearance.outfit, unit, outline)
    figures = [first]
    if other := scene.partner:
        own_unit = other.height * scale
        second = Drawn(to_pixels(other.joints[frame]), other.look[frame], other.body, other.outfit, own_unit, outline)
        figures = [first, second] if own_unit < unit else [second, first]  # the smaller one in front
    for figure in figures:
        _draw_shadow(canvas, figure.places[INDEX["pelvis"], 0], floor, 0.15 * figure.unit)
    if scene.thing is not None:
        place = to_pixels(scene.thing_path[frame, :2])
        _draw_shadow(canvas, place[0], floor, 0.9 * scene.thing_radius * scale)
    for figure in figures:
        _draw_body(canvas, figure)
        _draw_head(canvas, figure)
        if scene.thing is not None and figure is first:
            radius, turn = scene.thing_radius * scale, scene.thing_path[frame, 2]
            DRAWINGS[scene.thing](Object(canvas, place, radius, turn, scene.appearance.thing, outline))
        _draw_arms(canvas, figure)
    if scene.appearance.place == "pool":
        _draw_water(canvas, floor - 0.3 * unit, scene.appearance.ground)
    return canvas.pixels


def _draw_water(canvas: Canvas, top: float, colour: Colour) -> None:
    """Water in front of the legs, with a line of foam."""
    height, width = canvas.pixels.shape[:2]
    below = 0.5 * max(height - top, 0.0)
    canvas.block(np.array([0.5 * width, top + below]), (width, below), 0.0, 0.0, colour, opacity=0.62)
    canvas.block(np.array([0.5 * width, top]), (width, 0.008 * height), 0.0, 0.0, (240, 248, 252), opacity=0.8)


@dataclass
class Drawn:
    """A figure to draw, in pixels."""

    places: np.ndarray  # [15, 2] of its joints
    look: np.ndarray  # [2] where its face turns
    body: Body
    outfit: Outfit
    unit: float  # its height
    outline: float


def _draw_bird(canvas: Canvas, place: np.ndarray, wing: float, span: float) -> None:
    tips = np.array([[-np.cos(wing), np.sin(wing)], [0.0, 0.0], [np.cos(wing), np.sin(wing)]]) * span
    canvas.line(place + tips, 0.22 * span, (70, 70, 85))


def _draw_shadow(canvas: Canvas, x: float, y: float, half: float) -> None:
    canvas.block(np.array([x, y]), (half, 0.2 * half), 0.2 * half, 0.0, (30, 30, 40), opacity=0.3)


def _draw_body(canvas: Canvas, drawn: Drawn) -> None:
    """Legs, shoes and torso."""
    figure, unit, outline, thick = drawn.places, drawn.unit, drawn.outline, drawn.outfit.limb * drawn.unit
    for side in ("left", "right"):
        leg = figure[[INDEX[f"{side}_hip"], INDEX[f"{side}_knee"], INDEX[f"{side}_foot"]]]
        toe = 0.035 * unit * (-1 if side == "left" else 1)
        canvas.line(np.stack([leg[2], leg[2] + [toe, 0.0]]), 0.036 * thick, (60, 45, 40), outline)
        canvas.line(leg - [[0, 0], [0, 0], [0, 0.01 * unit]], 0.04 * thick, drawn.outfit.trousers, outline)
    neck, pelvis = figure[INDEX["neck"]], figure[INDEX["pelvis"]]
    spine = neck - pelvis
    half = (0.95 * drawn.body.shoulder * unit, 0.5 * np.hypot(*spine) + 0.005 * unit)
    angle = np.arctan2(spine[0], -spine[1])
    canvas.block(0.5 * (neck + pelvis), half, 0.055 * unit, angle, drawn.outfit.shirt, outline)


def _draw_head(canvas: Canvas, drawn: Drawn) -> None:
    """Hair, and a face that shifts to where the figure looks."""
    head, look, radius = drawn.places[INDEX["head"]], drawn.look, drawn.body.head * drawn.unit
    canvas.line(head[None], radius, drawn.outfit.hair, drawn.outline)
    face = head + np.array([0.4 * look[0], 0.2 - 0.45 * look[1]]) * radius
    canvas.line(face[None], 0.78 * radius, drawn.outfit.skin)
    gaze = head + np.array([0.6 * look[0], 0.15 - 0.6 * look[1]]) * radius
    for side in (-1, 1):
        canvas.line((gaze + [side * 0.32 * radius, 0.0])[None], 0.11 * radius, (30, 25, 30))
    mouth = np.array([[-0.22, 0.42], [0.0, 0.5], [0.22, 0.42]]) * radius
    canvas.line(gaze + mouth, 0.06 * radius, (140, 50, 50))


def _draw_arms(canvas: Canvas, drawn: Drawn) -> None:
    thick = drawn.outfit.limb * drawn.unit
    # The sleeves are a little lighter than the torso behind them.
    sleeve_colour = shade(drawn.outfit.shirt, 255.0, 0.16)
    for side in ("left", "right"):
        arm = drawn.places[[INDEX[f"{side}_shoulder"], INDEX[f"{side}_elbow"], INDEX[f"{side}_hand"]]]
        canvas.line(arm[2:], 0.042 * thick, drawn.outfit.skin, drawn.outline)
        sleeve = np.stack([arm[0], arm[1], arm[1] + 0.85 * (arm[2] - arm[1])])
        canvas.line(sleeve, 0.033 * thick, sleeve_colour, drawn.outline)
