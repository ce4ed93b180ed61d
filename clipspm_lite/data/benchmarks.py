"""HMDB51, UCF101, Kinetics-100, SSv2-Full and SSv2-Small from their official downloads (SPEC section 7).

`benchmarks.json` beside this file has what is published about each. Nothing is downloaded. HMDB51 and UCF101 use every
video of a class. The others use published video lists, one `class/video` per line, which the user brings. A list's text
is only looked up among the files that are in the folder: it never becomes a path.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipspm_lite.arguments import check_known
from clipspm_lite.data.datasets import VIDEO_SUFFIXES, DatasetError, VideoDataset, class_folders, read_text, video_names

ListedVideos = dict[str, dict[str, str]]  # for each class its videos, and where they are listed
_PART_OF_PREFIX = {"test": "novel", "train": "base", "val": "validation"}
_TIMES = re.compile(r"(?<=.)_\d{6}_\d{6}$")  # start and end in seconds, which Kinetics adds to a YouTube id


@dataclass(frozen=True)
class Benchmark:
    """What the benchmark's pages said when this was written."""

    title: str
    page: str  # the official page, by name
    files: str  # what to get there
    layout: str  # how the files lie in the folder
    example: str  # the same for str.format, to lay out sample clips
    folders: list[str]  # of the download, which may hold the files too
    flat: bool  # all videos lie in one folder, so only a list knows their class
    video_lists: str | None  # whose lists say which videos belong to it; None where every video of a class does
    terms: str  # of use
    videos: dict[str, int]  # how many each part (base, validation, novel) has
    classes: dict[str, dict[str, int | None]]  # of each part, in the published order, and how many videos each has
    one_row: bool = False  # some lists number the classes of all parts in one row: novel, base, validation

    def how_to_get(self, root: Path) -> str:
        """What is expected in `root` and where it comes from."""
        return f"expected {self.layout}: get {self.files} from the page {self.page}, and unpack it here: {root}"


@dataclass(frozen=True)
class FoundVideos:
    """What a folder has of some classes."""

    videos: dict[str, tuple[str, ...]]  # of each class, as paths below the folder
    missing: dict[str, tuple[str, ...]]  # of each class the listed videos that are not there, and where they are listed
    unlisted: tuple[str, ...] = ()  # videos that no list names


_FACTS = json.loads(Path(__file__).with_name("benchmarks.json").read_text(encoding="utf-8"))
BENCHMARKS = {name: Benchmark(**fact) for name, fact in _FACTS.items() if name != "format_version"}


def open_benchmark(
    name: str, root: str | Path, part: str = "novel", video_lists: Sequence[str | Path] = ()
) -> VideoDataset:
    """One part of a benchmark. `check_benchmark` also compares it with the published numbers and reads the videos.

    Args:
        name: hmdb51, ucf101, kinetics100, ssv2_full or ssv2_small.
        root: the folder of the official download; links in it are followed.
        part: base, validation or novel.
        video_lists: the published lists, needed for the last three; lists of other parts may be among them.

    Raises:
        ValueError: an unknown benchmark or part.
        DatasetError: videos are missing (which, from which page), or a list is needed or cannot be read.
    """
    check_known("benchmark", name, BENCHMARKS)
    benchmark, root = BENCHMARKS[name], Path(root)
    check_known("part", part, benchmark.classes)
    classes = tuple(benchmark.classes[part])
    listed = read_video_lists(benchmark, video_lists)
    found = find_videos(benchmark, root, classes, listed)
    missing = [f"{name}/{video}" for name in classes for video in found.missing[name]]
    empty = [name for name in classes if not found.videos[name]]
    if not missing and not empty:
        return VideoDataset(root, classes, tuple(found.videos.values()))
    problem = f"no videos of {len(empty)} of the {len(classes)} {part} classes ({_some(empty)})"
    if missing:
        total = sum(map(len, found.videos.values())) + len(missing)
        problem = f"{len(missing)} of {total} listed videos are missing ({_some(missing)}); `check` names them all"
    elif listed is not None:
        problem += f", as the lists name none; give the list for {part} of {benchmark.video_lists}"
    raise DatasetError(f"{problem}; {benchmark.how_to_get(root)}")


def find_videos(benchmark: Benchmark, root: Path, classes: Iterable[str], listed: ListedVideos | None) -> FoundVideos:
    """The videos of `classes`: all of them, or those that are listed; raises DatasetError without a folder `root`."""
    if not root.is_dir():
        raise DatasetError(f"no such folder; {benchmark.how_to_get(root)}")
    key_of = {name: "" if benchmark.flat else class_key(name) for name in classes}
    files: dict[str, list[str]] = {key: [] for key in key_of.values()}
    for place in [root, *(root / name for name in benchmark.folders if (root / name).is_dir())]:
        for name in ("",) if benchmark.flat else class_folders(place):
            if (key := class_key(name)) in files:
                folder = place / name
                files[key] += ((folder / video).relative_to(root).as_posix() for video in video_names(folder))
    if listed is None:
        return FoundVideos({name: tuple(files[key]) for name, key in key_of.items()}, dict.fromkeys(key_of, ()))
    indices = {key: _FileIndex(paths) for key, paths in files.items()}
    pairs = {name: indices[key].find(listed[name]) for name, key in key_of.items()}
    used = {path for paths, _ in pairs.values() for path in paths}
    unlisted = tuple(path for paths in files.values() for path in paths if path not in used)
    videos, missing = ({name: pair[i] for name, pair in pairs.items()} for i in (0, 1))
    return FoundVideos(videos, missing, unlisted)


class _FileIndex:
    """Files by name without suffix, and by YouTube id, which is the name without times."""

    def __init__(self, files: Sequence[str]) -> None:
        self.by_name: dict[str, str] = {}
        self.by_id: dict[str, list[str]] = defaultdict(list)
        for path in files:
            name = Path(path).stem
            if self.by_name.setdefault(name, path) == path:
                self.by_id[_TIMES.sub("", name)].append(path)

    def find(self, listed: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The files of a class's listed videos, and what is missing; times count where both sides have them."""
        found: dict[str, None] = {}  # two spellings of one video are one video
        missing = []
        for video, place in listed.items():
            youtube_id = _TIMES.sub("", video)
            path = self.by_name.get(video) or self.by_name.get(youtube_id)
            clips = [path] if path else self.by_id.get(video, []) if youtube_id == video else []
            if len(clips) == 1:
                found[clips[0]] = None
            else:
                which = f"; with which times? there are {', '.join(clips)}" if clips else ""
                missing.append(f"{video} ({place}{which})")
        return tuple(found), tuple(missing)


def read_video_lists(benchmark: Benchmark, paths: Sequence[str | Path]) -> ListedVideos | None:
    """For each class of the benchmark its listed videos, by name without suffix, and where they are listed.

    A line is `class/video`. The class may be spelled with spaces or underscores, with or without brackets; folders may
    stand before it; the video may have a suffix. Or a line is `train8/video`: class 8 of the base classes (val:
    validation, test: novel), counted from 0 in each part. CLIP-SPM's authors number SSv2-Small's 100 classes in one row
    instead (test 0–23, train 24–87, val 88–99). The numbers of all lists together decide which it is.

    Returns:
        None for a benchmark that uses every video of a class.

    Raises:
        DatasetError: a list is missing, not needed or cannot be understood, or its numbers fit both numberings.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    shown = _some(map(str, paths))
    if benchmark.video_lists is None:
        if not paths:
            return None
        raise DatasetError(f"{benchmark.title} uses every video of a class; leave out {shown}")
    if not paths:
        needed = f"the video lists of {benchmark.video_lists}, text files with `class/video` on each line"
        raise DatasetError(f"{benchmark.title} needs {needed}; give them with --video-list")
    lines = {
        f"{path}, line {number}": line.strip()
        for path in paths
        for number, line in enumerate(read_text(Path(path)).splitlines(), 1)
        if line.strip()
    }
    classes = {class_key(name): name for names in benchmark.classes.values() for name in names}
    numbered = _numbered_classes(benchmark, {line.split("/")[0] for line in lines.values()}, shown)
    listed: ListedVideos = {name: {} for name in classes.values()}
    class_of: dict[str, str] = {}
    for place, line in lines.items():
        name, video = _listed_video(line, classes, numbered)
        if not name:
            expected = f"`class/video` with a class of {benchmark.title}, as in a list of {benchmark.video_lists}"
            raise DatasetError(f"expected {expected}, found {line[:100]!r}: {place}")
        # Kinetics' own videos lie in a folder of their class, so there a list cannot mistake it.
        if benchmark.flat and (other := class_of.setdefault(video, name)) != name:
            first = f"{other!r} ({listed[other][video]})"
            raise DatasetError(f"video {video} is listed under {first} and under {name!r}: {place}")
        listed[name].setdefault(video, place)
    return listed


def _numbered_classes(benchmark: Benchmark, used: set[str], source: str) -> dict[str, str]:
    """What `train8` and the like stand for, where these are `used`."""
    prefixes = {prefix: list(benchmark.classes[part]) for prefix, part in _PART_OF_PREFIX.items()}
    by_part = {f"{prefix}{i}": name for prefix, names in prefixes.items() for i, name in enumerate(names)}
    if not benchmark.one_row:
        return by_part
    row = [(prefix, name) for prefix, names in prefixes.items() for name in names]
    by_row = {f"{prefix}{i}": name for i, (prefix, name) in enumerate(row)}
    used = {first for first in used if re.fullmatch(r"(train|val|test)\d{1,3}", first)}
    possible = [numbering for numbering in (by_part, by_row) if used <= numbering.keys()]
    if len(possible) == 2 and any(by_part[number] != by_row[number] for number in used):
        both = "each part from 0, or all classes in one row (test, train, val)"
        raise DatasetError(f"the numbers could count {both}; give all lists of {benchmark.title}: {source}")
    return possible[0] if possible else by_part


def _listed_video(line: str, classes: dict[str, str], numbered: dict[str, str]) -> tuple[str | None, str]:
    """Class and video of a line; no class where it is not `class/video`, leads out of the folder, or names two."""
    parts = [part for part in line.split("/") if part]
    leads_out = line.startswith("/") or line[1:2] == ":" or "\\" in line or {".", ".."} & {*parts}
    folder, video = ["", "", *parts][-2:]
    if video.lower().endswith(VIDEO_SUFFIXES):
        video = video[: video.rindex(".")]
    by_name, by_number = classes.get(class_key(folder)), numbered.get(line.split("/")[0])
    if leads_out or not line.isprintable() or not folder or not video or (by_name and by_number not in (by_name, None)):
        return None, video
    return by_name or by_number, video


def class_key(name: str) -> str:
    """What spellings of a class name have in common: its letters and digits, in words."""
    return " ".join(re.findall("[a-z0-9]+", name.lower()))


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
