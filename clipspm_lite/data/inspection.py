"""`check`: reads every video of a data set before any long work starts, and says what is wrong with which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.benchmarks import (
    Found,
    class_key,
    find_benchmark,
    find_videos,
    read_annotations,
    read_video_lists,
)
from clipspm_lite.data.datasets import DatasetError, class_folders, video_names
from clipspm_lite.data.decoding.video import VideoError, count_frames
from clipspm_lite.data.names import printable
from clipspm_lite.storage.files import file_sha256


@dataclass(frozen=True)
class Report:
    """What `check` found; printing it lists everything.

    Attributes:
        root: the folder that was checked.
        readable: videos that can be read, by class; where `decoded` is False, videos that are there.
        problems: what makes the data set unusable as it stands, one line each: unreadable videos, classes with too few;
            of a benchmark also what is missing and what differs from what is published.
        remarks: what to know, one line each: equal files, very short videos, files that are no videos.
        decoded: the videos were read.
    """

    root: Path
    readable: dict[str, int]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    decoded: bool = True

    @property
    def ok(self) -> bool:
        """Nothing is unusable."""
        return not self.problems

    def __str__(self) -> str:
        counts = self.readable.values()
        state = "that can be read" if self.decoded else "that are there, none of them read"
        lines = [f"{printable(self.root)}: {len(self.readable)} classes, {sum(counts)} videos {state}"]
        if counts:
            lines[0] += f" ({min(counts)} to {max(counts)} a class)"
        lines += [f"problem: {line}" for line in self.problems]
        lines += [f"remark: {line}" for line in self.remarks]
        lines.append("usable" if self.ok else f"not usable as it is: {len(self.problems)} problems")
        return "\n".join(lines)


def check(
    root: str | Path,
    minimum: int = 2,
    frames: int = 8,
    progress: Callable[[Path], object] | None = None,
) -> Report:
    """Decodes every video of a data set folder and goes on past bad ones.

    Args:
        root: the folder with one folder a class.
        minimum: readable videos that a class needs, shot + queries.
        frames: T; videos with fewer frames are remarked on, because they repeat them.
        progress: called with each video before it is read.

    Raises:
        DatasetError: `root` is no folder, or has no class folders.
    """
    minimum, frames = whole_number("minimum", minimum, least=0), whole_number("frames", frames)
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"no such folder; expected one with a folder for each class: {root}")
    classes = class_folders(root)
    if not classes:
        raise DatasetError(f"no class folders; expected one for each class, with its videos in it: {root}")
    problems: list[str] = []
    remarks = [f"not in a class folder, ignored: {printable(path)}" for path in _others(root, classes)]
    readable = dict.fromkeys(classes, 0)
    first_with: dict[str, Path] = {}
    for name in classes:
        folder = root / name
        videos = video_names(folder)
        remarks += [f"no video by its name, ignored: {printable(path)}" for path in _others(folder, videos)]
        for path in (folder / video for video in videos):
            if progress is not None:
                progress(path)
            readable[name] += _read(path, frames, first_with, problems, remarks)
        if readable[name] < minimum:
            problems.append(
                f"{readable[name]} readable videos, a class needs {minimum} (--minimum; one is enough to predict): "
                f"{printable(folder)}"
            )
    return Report(root, readable, tuple(problems), tuple(remarks))


def check_benchmark(
    name: str,
    root: str | Path,
    video_lists: Sequence[str | Path] = (),
    *,
    decode: bool = True,
    frames: int = 8,
    progress: Callable[[Path], object] | None = None,
) -> Report:
    """Compares a benchmark's download with the published numbers and lists, and decodes every video.

    With video lists, only the parts are checked of which they name a video.

    Args:
        name: hmdb51, ucf101, kinetics100, ssv2_full or ssv2_small.
        root: the folder of the official download.
        video_lists: the published lists, needed for the last three.
        decode: False only counts, which takes seconds; decoding takes as long as the videos are many.
        frames: T; videos with fewer frames are remarked on, because they repeat them.
        progress: called with each video before it is read.

    Raises:
        DatasetError: `root` is no folder, a list is needed or cannot be read, or there is no such benchmark.
    """
    benchmark = find_benchmark(name)
    root = Path(root)
    listed = read_video_lists(benchmark, video_lists)
    problems: list[str] = []
    remarks: list[str] = []
    parts = [
        part for part, names in benchmark.classes.items() if listed is None or any(listed[n] for n in names)
    ]
    if left_out := [part for part in benchmark.classes if part not in parts]:
        remarks.append(f"not checked, the lists name no video of it: {', '.join(left_out)}")
    found = find_videos(benchmark, root, [n for part in parts for n in benchmark.classes[part]], listed)
    for part in parts:
        for class_name, published in benchmark.classes[part].items():
            problems += _differences(
                class_name, published, found, None if listed is None else listed[class_name]
            )
        total = sum(len(found.videos[class_name]) for class_name in benchmark.classes[part])
        if total != benchmark.videos[part]:
            problems.append(f"{part}: {total} videos, published are {benchmark.videos[part]}: {root}")
    if listed is None:
        wanted = {class_key(n) for names in benchmark.classes.values() for n in names}
        others = [n for n in class_folders(root) if class_key(n) not in wanted and n not in benchmark.folders]
        remarks += [f"no class of {benchmark.title}, ignored: {printable(root / n)}" for n in others]
    elif found.unlisted:
        examples = ", ".join(printable(path) for path in found.unlisted[:3])
        remarks.append(f"{len(found.unlisted)} videos that no list names, not used, such as {examples}")
    if benchmark.flat:
        problems_of_class, remark = _against_annotations(root, found)
        problems += problems_of_class
        remarks += remark
    readable = {class_name: len(paths) for class_name, paths in found.videos.items()}
    if decode:
        first_with: dict[str, Path] = {}
        for class_name, paths in found.videos.items():
            for path in paths:
                if progress is not None:
                    progress(root / path)
                if not _read(root / path, frames, first_with, problems, remarks):
                    readable[class_name] -= 1
    return Report(root, readable, tuple(problems), tuple(remarks), decoded=decode)


def _differences(
    class_name: str, published: int | None, found: Found, listed: dict[str, str] | None
) -> list[str]:
    """What a class of a benchmark lacks."""
    count, missing = len(found.videos[class_name]), found.missing[class_name]
    if listed is None:
        return [] if count == published else [f"{class_name}: {count} videos, published are {published}"]
    problems = []
    if published is not None and len(listed) != published:
        problems.append(f"{class_name}: the lists name {len(listed)} videos, published are {published}")
    if len(missing) > 1 and not count:
        return [*problems, f"missing: all {len(missing)} listed videos of {class_name}"]
    return [*problems, *(f"missing: {class_name}/{video}" for video in missing)]


def _against_annotations(root: Path, found: Found) -> tuple[list[str], list[str]]:
    """Problems and remarks: are Something-Something's own classes those of the lists?"""
    annotated = read_annotations(root)
    if not annotated:
        return [], [f"no annotations of Something-Something to compare the lists with: {root}"]
    problems, unknown = [], 0
    for class_name, paths in found.videos.items():
        for path in paths:
            own = annotated.get(Path(path).stem)
            unknown += own is None
            if own not in (None, class_key(class_name)):
                problems.append(
                    f"listed as {class_name!r}, but annotated as {own!r}: {printable(root / path)}"
                )
    return problems, [f"{unknown} listed videos are not in the annotations"] if unknown else []


def _read(
    path: Path, frames: int, first_with: dict[str, Path], problems: list[str], remarks: list[str]
) -> bool:
    """Decodes a video, adds what there is to say about it, and returns whether it can be read."""
    try:
        count = count_frames(path)
        same = first_with.setdefault(file_sha256(path), path)
    except (VideoError, OSError) as error:
        problems.append(str(error))
        return False
    if count < frames:
        remarks.append(f"{count} frames, fewer than {frames}, so some repeat: {printable(path)}")
    if same != path:
        remarks.append(f"the same content as {printable(same)}: {printable(path)}")
    return True


def _others(folder: Path, expected: tuple[str, ...]) -> list[Path]:
    """What lies in a folder beside what is expected there; hidden files don't count."""
    return sorted(p for p in folder.iterdir() if p.name not in expected and not p.name.startswith("."))
