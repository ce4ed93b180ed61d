"""Small made-up downloads of the five benchmarks, in their official layouts, with real videos."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from marked_video import write_marked_video

from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.exercises.sample_downloads import official_name

SSV2 = {
    "base": ("Bending something until it breaks", "Twisting (wringing) something wet until water comes out"),
    "validation": ("Holding something over something", "Lifting up one end of something, then letting it drop down"),
    "novel": ("Digging something out of something", "Removing something, revealing something behind"),
}
SSV2_SMALL = {
    "base": ("Pouring something into something", "Touching (without moving) part of something"),
    "validation": ("Moving something away from the camera", "Putting something, something and something on the table"),
    "novel": ("Twisting something", "Poking a hole into some substance"),
}
HMDB = ("flic_flac", "ride_bike"), ("golf", "swing_baseball"), ("pushup", "kick_ball")
UCF = ("YoYo", "TaiChi"), ("HandstandPushups", "PlayingDaf"), ("JumpRope", "Punch")
KINETICS = ("air_drumming", "arm_wrestling"), ("high_kick", "ski_jumping"), ("hurling_(sport)", "tap_dancing")
CLASSES = {
    name: dict(zip(("base", "validation", "novel"), classes, strict=True))
    for name, classes in (("hmdb51", HMDB), ("ucf101", UCF), ("kinetics100", KINETICS))
} | {"ssv2_full": SSV2, "ssv2_small": SSV2_SMALL}
VIDEOS = 2  # a class
CODECS = {
    ".mp4": {},
    ".avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    ".webm": {"codec": "libvpx-vp9", "b_frames": 0, "options": {"cpu-used": "8", "deadline": "realtime"}},
}


def make_published_numbers_small(monkeypatch) -> None:
    """Each benchmark keeps two real classes a part, with two videos each; SSv2-Full's are unpublished, as they are."""
    for name, parts in CLASSES.items():
        benchmark = BENCHMARKS[name]
        classes = {
            part: {c: VIDEOS if benchmark.classes[part][c] is not None else None for c in names}
            for part, names in parts.items()
        }
        videos = {part: VIDEOS * len(names) for part, names in parts.items()}
        monkeypatch.setitem(BENCHMARKS, name, replace(benchmark, classes=classes, videos=videos))


@cache
def content(suffix: str, frames: int) -> bytes:
    """A real video; another number of frames is another video."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"video{suffix}"
        return write_marked_video(path, frames, **CODECS[suffix]).read_bytes()


def make_download(root: Path, name: str) -> dict[str, Path]:
    """Writes the videos of all parts under `root`, and for each part its list beside it, `class/video` a line."""
    lists, number = {}, 0
    for part, classes in CLASSES[name].items():
        lines = []
        for class_name in classes:
            for _ in range(VIDEOS):
                path = root / official_name(name, class_name, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content(path.suffix, 9 + number))
                lines.append(f"{class_name}/{path.stem}\n")
                number += 1
        lists[part] = root.with_name(f"{part}.txt")
        lists[part].write_text("".join(lines), encoding="utf-8")
    return lists
