"""What the command `check` reports: every video is read before any long work starts, and what is wrong is named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from clipspm_lite.arguments import check_known, whole_number
from clipspm_lite.data.benchmarks import BENCHMARKS, FoundVideos, ListedVideos, find_videos, read_video_lists
from clipspm_lite.data.clips import class_folders, find_clip, find_prepared
from clipspm_lite.data.datasets import DatasetError, check_class_names, class_videos, find_classes
from clipspm_lite.data.decoding.video import VideoError, count_frames
from clipspm_lite.data.names import printable, some

FRAMES_WANTED = 8  # T; a shorter video repeats some


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

    def read_videos(self, videos: Mapping[str, Sequence[str]], progress: bool) -> None:
        """Decodes the videos of each class, counts those that can be read, and notes what there is to say."""
        self.readable = dict.fromkeys(videos, 0)
        first_with: dict[str, Path] = {}
        files = [(name, self.root / video) for name, paths in videos.items() for video in paths]
        for class_name, path in tqdm(files, "reading", unit=" videos", disable=None if progress else True):
            try:
                count = count_frames(path)
                same = first_with.setdefault(find_clip(path).sha256(), path)
            except (VideoError, OSError) as error:
                self.problems.append(str(error))
                continue
            self.readable[class_name] += 1
            if count < FRAMES_WANTED:
                self.remarks.append(f"{count} frames, fewer than {FRAMES_WANTED}, so some repeat: {printable(path)}")
            if same != path:
                self.remarks.append(f"the same content as {printable(same)}: {printable(path)}")


def check_folder(root: str | Path, minimum: int = 2, progress: bool = False) -> Report:
    """Decodes every video of a data set, past bad ones; a class needs `minimum`. Raises DatasetError."""
    minimum = whole_number("minimum", minimum, least=0)
    folder, classes = find_classes(Path(root))
    report = Report(folder)
    try:
        check_class_names(classes, folder)
    except DatasetError as error:
        report.problems.append(str(error))
    videos = {name: class_videos(folder, name) for name in classes}
    used = {part for paths in videos.values() for path in paths for part in (folder / path, (folder / path).parent)}
    prepared, _ = find_prepared(folder)
    places = [] if prepared else [folder, *(folder / name for name in videos)]
    for path in sorted(path for place in places for path in place.iterdir()):
        if path not in used and path.name not in videos and not path.name.startswith("."):
            report.remarks.append(f"not a video of a class by its place and name, ignored: {printable(path)}")
    if prepared and prepared.left_out:
        report.remarks += (f"left out when it was prepared: {error}" for error in prepared.left_out.values())
    report.read_videos(videos, progress)
    for name, count in report.readable.items():
        if count < minimum:
            needed = f"a class needs {minimum} (--minimum; one is enough to predict)"
            report.problems.append(f"{count} readable videos, {needed}: {printable(report.root / name)}")
    return report


def check_benchmark(
    name: str, root: str | Path, video_lists: Sequence[str | Path] = (), *, decode: bool = True, progress: bool = False
) -> Report:
    """Compares a benchmark's download with the published numbers and lists, and decodes every video.

    Only parts of which the lists name videos are checked. `decode=False` only counts. The rest: as `open_benchmark`.
    """
    check_known("benchmark", name, BENCHMARKS)
    benchmark, report = BENCHMARKS[name], Report(Path(root), decoded=decode)
    listed = read_video_lists(benchmark, video_lists)
    parts = {p: names for p, names in benchmark.classes.items() if listed is None or any(map(listed.get, names))}
    report.remarks += [f"not checked, the lists name no video of it: {p}" for p in benchmark.classes if p not in parts]
    found = find_videos(benchmark, report.root, [n for classes in parts.values() for n in classes], listed)
    for part, classes in parts.items():
        for class_name, published in classes.items():
            report.problems += _differences(class_name, published, found, listed)
        total = sum(len(found.videos[class_name]) for class_name in classes)
        if total not in (counts := benchmark.counts(part)):
            report.problems.append(f"{part}: {total} videos, published are {' or '.join(map(str, counts))}: {root}")
    if found.unused:
        which = f"{len(found.unused)} videos that no {'class folder holds' if listed is None else 'list names'}"
        report.remarks.append(f"{which}, not used, such as {some(map(printable, found.unused))}")
    if listed is None:
        known = {path.split("/")[0] for paths in found.videos.values() for path in paths}
        others = (report.root / folder for folder in class_folders(report.root) if folder not in known)
        report.remarks += [f"not a class of {benchmark.title}, ignored: {printable(folder)}" for folder in others]
    report.readable = {class_name: len(paths) for class_name, paths in found.videos.items()}
    if decode:
        report.read_videos(found.videos, progress)
    return report


def _differences(name: str, published: int | None, found: FoundVideos, lists: ListedVideos | None) -> Iterable[str]:
    """What a class of a benchmark lacks."""
    count, missing = len(found.videos[name]), found.missing[name]
    if lists is None and count != published:
        yield f"{name}: {count} videos, published are {published}"
    if lists is not None and published not in (None, len(lists[name])):
        yield f"{name}: the lists name {len(lists[name])} videos, published are {published}"
    if len(missing) > 1 and not count:
        yield f"missing: all {len(missing)} listed videos of {name}"
    else:
        yield from (f"missing: {name}/{video}" for video in missing)
