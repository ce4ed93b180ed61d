"""What the command `check` reports: every video is read before any long work starts, and what is wrong is named."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.benchmarks import (
    Benchmark,
    FoundVideos,
    class_key,
    find_benchmark,
    find_videos,
    read_video_lists,
)
from clipspm_lite.data.datasets import class_folders, find_classes, video_names
from clipspm_lite.data.decoding.video import VideoError, count_frames
from clipspm_lite.data.names import printable
from clipspm_lite.storage.files import file_sha256


@dataclass
class Report:
    """What was found; printing it lists everything, one problem or remark on each line."""

    root: Path
    readable: dict[str, int] = field(default_factory=dict)  # videos by class; not decoded: how many are there
    problems: list[str] = field(default_factory=list)  # what makes the data set unusable as it stands
    remarks: list[str] = field(default_factory=list)  # what is worth knowing: equal files, very short videos, …
    decoded: bool = True  # the videos were read

    @property
    def ok(self) -> bool:
        """The data set is usable."""
        return not self.problems

    def __str__(self) -> str:
        counts = self.readable.values()
        state = "that can be read" if self.decoded else "that are there, none of them read"
        lines = [f"{printable(self.root)}: {len(self.readable)} classes, {sum(counts)} videos {state}"]
        if counts:
            lines[0] += f" ({min(counts)} to {max(counts)} per class)"
        lines += [f"problem: {line}" for line in self.problems]
        lines += [f"remark: {line}" for line in self.remarks]
        lines.append("usable" if self.ok else f"not usable as it is: {len(self.problems)} problems")
        return "\n".join(lines)

    def read_videos(
        self, videos: Iterable[tuple[str, Path]], frames: int, progress: Callable[[Path], object] | None
    ) -> None:
        """Decodes videos, given with their classes, counts those that can be read, and notes what there is to say."""
        first_with: dict[str, Path] = {}
        for class_name, path in videos:
            if progress is not None:
                progress(path)
            try:
                count = count_frames(path)
                same = first_with.setdefault(file_sha256(path), path)
            except (VideoError, OSError) as error:
                self.problems.append(str(error))
                continue
            self.readable[class_name] += 1
            if count < frames:
                self.remarks.append(f"{count} frames, fewer than {frames}, so some repeat: {printable(path)}")
            if same != path:
                self.remarks.append(f"the same content as {printable(same)}: {printable(path)}")


def check_folder(
    root: str | Path, minimum: int = 2, frames: int = 8, progress: Callable[[Path], object] | None = None
) -> Report:
    """Decodes every video of a data set folder and goes on past bad ones.

    Args:
        root: the folder with one folder per class.
        minimum: readable videos that a class needs, shot + queries.
        frames: T; videos with fewer frames are remarked on, because they repeat them.
        progress: called with each video before it is read.

    Raises:
        DatasetError: `root` is not a folder, or has no class folders.
    """
    minimum = whole_number("minimum", minimum, least=0)
    report = Report(Path(root))
    classes = find_classes(report.root)
    report.readable = dict.fromkeys(classes, 0)
    videos = {name: video_names(report.root / name) for name in classes}
    report.remarks += [f"not in a class folder, ignored: {path}" for path in _others(report.root, classes)]
    for name in classes:
        strangers = _others(report.root / name, videos[name])
        report.remarks += [f"not a video by its name, ignored: {path}" for path in strangers]
    in_order = [(name, report.root / name / video) for name in classes for video in videos[name]]
    report.read_videos(in_order, frames, progress)
    report.problems += [
        f"{count} readable videos, a class needs {minimum} (--minimum; one is enough to predict): "
        f"{printable(report.root / name)}"
        for name, count in report.readable.items()
        if count < minimum
    ]
    return report


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

    With video lists, only those parts are checked that the lists name videos of.

    Args:
        name, root, video_lists: as in `open_benchmark`.
        decode: False only counts, which takes seconds; decoding every video can take hours.
        frames, progress: as in `check_folder`.

    Raises:
        ValueError: there is no such benchmark.
        DatasetError: `root` is not a folder, or a list is needed or cannot be read.
    """
    benchmark = find_benchmark(name)
    report = Report(Path(root), decoded=decode)
    listed = read_video_lists(benchmark, video_lists)
    parts = dict(benchmark.classes)
    for part, names in benchmark.classes.items():
        if listed is not None and not any(listed[class_name] for class_name in names):
            report.remarks.append(f"not checked, the lists name no video of it: {part}")
            del parts[part]
    found = find_videos(benchmark, report.root, [n for names in parts.values() for n in names], listed)
    for part, names in parts.items():
        for class_name, published in names.items():
            listed_here = None if listed is None else listed[class_name]
            report.problems += _differences(class_name, published, found, listed_here)
        total = sum(len(found.videos[class_name]) for class_name in names)
        if total != benchmark.videos[part]:
            report.problems.append(f"{part}: {total} videos, published are {benchmark.videos[part]}: {root}")
    report.remarks += _not_used(benchmark, report.root, found, listed is not None)
    report.readable = {class_name: 0 if decode else len(paths) for class_name, paths in found.videos.items()}
    if decode:
        in_order = [(n, report.root / path) for n, paths in found.videos.items() for path in paths]
        report.read_videos(in_order, frames, progress)
    return report


def _differences(
    class_name: str, published: int | None, found: FoundVideos, listed: dict[str, str] | None
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


def _not_used(benchmark: Benchmark, root: Path, found: FoundVideos, with_lists: bool) -> list[str]:
    """Remarks on classes and videos that do not belong to the benchmark."""
    if with_lists:
        examples = ", ".join(printable(path) for path in found.unlisted[:3])
        count = len(found.unlisted)
        return [f"{count} videos that no list names, not used, such as {examples}"] if count else []
    known = {class_key(name) for names in benchmark.classes.values() for name in names}
    others = [n for n in class_folders(root) if class_key(n) not in known and n not in benchmark.folders]
    return [f"not a class of {benchmark.title}, ignored: {printable(root / name)}" for name in others]


def _others(folder: Path, expected: tuple[str, ...]) -> list[str]:
    """What lies in a folder beside what is expected there; hidden files don't count."""
    others = sorted(p for p in folder.iterdir() if p.name not in expected and not p.name.startswith("."))
    return [printable(path) for path in others]
