"""Sample clips under the names of a benchmark's official download, to try every step before a real download.

The clips show what they showed before: drawn figures, whatever the benchmark calls them.
"""

from collections.abc import Sequence
from pathlib import Path

from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.datasets import DatasetError, sample_world

EXAMPLES = {  # how the official downloads name a video
    "hmdb51": "{class_name}/A_film(1)_{class_name}_f_cm_np1_le_med_{number}.avi",
    "ucf101": "{class_name}/v_{class_name}_g{number:02d}_c01.avi",
    "kinetics100": "{spaced}/-id_{number:07d}_{number:06d}_{end:06d}.mp4",
    "ssv2_full": "1{number:03d}.webm",
    "ssv2_small": "1{number:03d}.webm",
}


def official_name(benchmark: str, class_name: str, number: int) -> str:
    """Where the official download has a video, below its folder; `number` is different for every video."""
    spaced, end = class_name.replace("_", " "), number + 10  # seconds
    return EXAMPLES[benchmark].format(class_name=class_name, spaced=spaced, number=number, end=end)


def lay_out_samples(
    benchmark: str, root: str | Path, videos: int = 4, parts: Sequence[str] = ("base", "validation", "novel")
) -> list[Path]:
    """Copies sample clips into `root` in a benchmark's layout, `videos` per class (at most 20), with its lists.

    Base classes are sample base classes. Validation and novel classes share the sample validation classes, from the two
    ends, so the novel sample classes stay unseen.

    Returns:
        The video lists, one for each part, beside `root`; none where the benchmark uses every video of a class.

    Raises:
        DatasetError: `root` exists, or there are no sample clips.
    """
    published, root = BENCHMARKS[benchmark], Path(root)
    if root.exists():
        raise DatasetError(f"exists already; give a folder that is still to be made: {root}")
    lists, number = [], 0
    for part in parts:
        world = sample_world("base" if part == "base" else "validation")
        clips = world.videos[::-1] if part == "validation" else world.videos
        lines = []
        for place, name in enumerate(published.classes[part]):
            for video in clips[place % len(clips)][:videos]:
                path = root / official_name(benchmark, name, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes((world.root / video).read_bytes())
                lines.append(f"{name}/{path.stem}\n")
                number += 1
        if published.video_lists is not None:
            lists.append(root.with_name(f"{root.name}-{part}.txt"))
            lists[-1].write_text("".join(lines), encoding="utf-8")
    return lists
