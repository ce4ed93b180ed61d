"""What a clip looks like: the colours of the figure and of the object, and the background with its clutter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.randomness import Stream

Colour = tuple[float, float, float]

CLOTHES: dict[str, Colour] = {
    "red": (205, 45, 45),
    "orange": (235, 130, 30),
    "yellow": (240, 200, 40),
    "green": (50, 150, 70),
    "blue": (45, 90, 200),
    "purple": (125, 65, 170),
    "pink": (235, 110, 160),
    "white": (240, 240, 240),
    "black": (45, 45, 50),
}
WALLS: dict[str, Colour] = {
    "grey": (175, 178, 182),
    "brown": (178, 150, 122),
    "blue": (150, 180, 208),
    "green": (160, 192, 160),
    "pink": (218, 178, 180),
    "yellow": (222, 210, 160),
    "purple": (178, 168, 205),
}
SKIN: tuple[Colour, ...] = ((250, 220, 190), (232, 190, 150), (200, 150, 110), (150, 100, 70), (105, 70, 50))
HAIR: tuple[Colour, ...] = ((40, 30, 25), (95, 60, 35), (190, 140, 70), (120, 120, 125), (150, 60, 30))


# The colours of what is behind and below the figure, by place; of a room any of WALLS.
GROUNDS: dict[str, tuple[Colour, Colour]] = {
    "ice": ((188, 212, 232), (216, 236, 247)),
    "pool": ((206, 226, 222), (72, 152, 208)),
    "beach": ((150, 205, 240), (233, 208, 150)),
    "snow": ((176, 184, 200), (244, 246, 250)),
    "grass": ((168, 212, 242), (92, 166, 72)),
    "road": ((184, 186, 190), (84, 84, 92)),
    "stage": ((112, 26, 42), (152, 102, 62)),
    "kitchen": ((236, 230, 212), (186, 152, 120)),
}


@dataclass(frozen=True)
class Shape:
    """A patch of clutter: a rotated rectangle with round corners. Lengths are shares of the picture."""

    x: float
    y: float
    half_width: float
    half_height: float
    corner: float
    angle: float
    colour: Colour
    opacity: float


@dataclass(frozen=True)
class Outfit:
    """What one figure looks like; the names are what captions say."""

    shirt_name: str
    trousers_name: str
    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    limb: float  # how thick the limbs are, about 1


@dataclass(frozen=True, eq=False)
class Appearance:
    """Colours and background of one clip; the names are what captions say."""

    outfit: Outfit
    thing_name: str
    place: str  # of `taxonomy.PLACES`
    wall_name: str | None  # of a room
    thing: Colour
    wall: Colour
    ground: Colour
    horizon: float  # y of the line between wall and ground
    pattern: str  # "plain", "stripes", "tiles"
    pattern_size: float
    grain: tuple[np.ndarray, ...]  # coarse and fine texture, values between -1 and 1
    clutter: tuple[Shape, ...]
    chances: np.ndarray  # [60] numbers between 0 and 1 that decide the details of a place


def _near(colour: Colour, rng: Stream, spread: float = 12.0) -> Colour:
    red, green, blue = (float(np.clip(c + rng.uniform(-spread, spread), 0, 255)) for c in colour)
    return red, green, blue


def random_outfit(rng: Stream, wall_name: str | None) -> Outfit:
    """Clothes in two colours that are not the wall's."""
    worn = [name for name in CLOTHES if name != wall_name]
    shirt_name = rng.choice(worn)
    trousers_name = rng.choice([name for name in worn if name != shirt_name])
    return Outfit(
        shirt_name=shirt_name,
        trousers_name=trousers_name,
        shirt=_near(CLOTHES[shirt_name], rng),
        trousers=_near(CLOTHES[trousers_name], rng),
        skin=_near(rng.choice(SKIN), rng, 6),
        hair=_near(rng.choice(HAIR), rng, 10),
        limb=rng.uniform(0.9, 1.12),
    )


def random_appearance(rng: Stream, place: str, thing: str | None) -> Appearance:
    """Colours, background and clutter for a clip at a place of `taxonomy.PLACES`."""
    wall_name = rng.choice(tuple(WALLS)) if place == "room" else None
    outfit = random_outfit(rng, wall_name)
    worn = [name for name in CLOTHES if name not in (wall_name, outfit.shirt_name, outfit.trousers_name)]
    thing_name = "brown" if thing in ("box", "board", "guitar") else rng.choice(worn)
    shade = rng.uniform(0.68, 0.88)
    if wall_name:
        wall = _near(WALLS[wall_name], rng)
        ground = _near((wall[0] * shade, wall[1] * shade * 0.98, wall[2] * shade * 0.94), rng)
    else:
        wall, ground = (_near(colour, rng) for colour in GROUNDS[place])
    patterns = {"room": ("plain", "stripes", "tiles"), "kitchen": ("tiles",), "pool": ("tiles",), "stage": ("stripes",)}
    items = 8 + int(rng.uniform(0, 8)) if place == "room" else 1 + int(rng.uniform(0, 3))
    return Appearance(
        outfit=outfit,
        thing_name=thing_name,
        place=place,
        wall_name=wall_name,
        thing=_near((176, 124, 72) if thing_name == "brown" else CLOTHES[thing_name], rng),
        wall=wall,
        ground=ground,
        horizon=rng.uniform(0.62, 0.76),
        pattern=rng.choice(patterns.get(place, ("plain",))),
        pattern_size=rng.uniform(0.08, 0.16),
        grain=(rng.uniforms((7, 7), -1, 1), rng.uniforms((40, 40), -1, 1)),
        clutter=tuple(_clutter(rng) for _ in range(items)),
        chances=rng.uniforms((60,)),
    )


def _clutter(rng: Stream) -> Shape:
    half_width, half_height = rng.uniform(0.02, 0.11), rng.uniform(0.02, 0.11)
    return Shape(
        x=rng.uniform(-0.02, 1.02),
        y=rng.uniform(0.0, 1.0),
        half_width=half_width,
        half_height=half_height,
        corner=rng.choice((0.05, 0.4, 1.0)) * min(half_width, half_height),
        angle=rng.uniform(-0.5, 0.5) * rng.choice((0.0, 1.0)),
        colour=(rng.uniform(50, 235), rng.uniform(50, 235), rng.uniform(50, 235)),
        opacity=rng.uniform(0.2, 0.55),
    )
