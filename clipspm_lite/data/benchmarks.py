"""HMDB51, UCF101, Kinetics-100, SSv2-Full and SSv2-Small from their official downloads (SPEC section 7).

`benchmarks.json` has what is published about each. Nothing is downloaded. HMDB51 and UCF101 use every video of a class,
the others published lists, which the user brings. A list's text is only looked up among the files: never made a path.
"""

import csv
import json
import re
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from clipspm_lite.arguments import check_known
from clipspm_lite.data.datasets import DatasetError, VideoDataset, class_folders, class_videos, read_text, video_names
from clipspm_lite.data.names import composed, some

ListedVideos = dict[str, dict[str, str]]  # for each class its videos, and where they are listed
_PART_OF_PREFIX = {"test": "novel", "train": "base", "val": "validation"}
_DEEPEST = 4  # class folders lie in the given folder or at most three below it
_SUFFIX = re.compile(r"\.\w{2,4}$")
_TIMES = re.compile(r"(?<=.)_\d{6}_\d{6}$")  # start and end in seconds, which Kinetics adds to a YouTube id


@dataclass(frozen=True)
class Benchmark:
    """What the benchmark's pages said when this was written."""

    title: str
    page: str  # the official page, by name
    files: str  # what to get there
    layout: str  # how the files lie in the folder
    flat: bool  # all videos lie in one folder, so only a list knows their class
    video_lists: str | None  # whose lists say which videos belong to it; None where every video of a class does
    terms: str  # of use
    videos: dict[str, int]  # how many each part (base, validation, novel) has
    classes: dict[str, dict[str, int | None]]  # of each part, in the published order, and how many videos each has
    videos_also: dict[str, int] = field(default_factory=dict)  # as another published list has it
    one_row: bool = False  # some lists number the classes of all parts in one row: novel, base, validation

    def counts(self, part: str) -> tuple[int, ...]:
        """The published numbers of videos of a part, most often one."""
        return tuple(videos[part] for videos in (self.videos, self.videos_also) if part in videos)

    def how_to_get(self, root: Path) -> str:
        """What is expected in `root` and where it comes from."""
        return f"expected {self.layout}: get {self.files} from the page {self.page}, and unpack it here: {root}"


@dataclass(frozen=True)
class FoundVideos:
    """What a folder has of some classes."""

    videos: dict[str, tuple[str, ...]]  # of each class, as paths below the folder
    missing: dict[str, list[str]]  # of each class the videos of which there is not exactly one file, and why
    unused: list[str]  # videos of no class or list


_FACTS = json.loads(Path(__file__).with_name("benchmarks.json").read_text(encoding="utf-8"))
BENCHMARKS = {name: Benchmark(**fact) for name, fact in _FACTS.items() if name != "format_version"}


def open_benchmark(
    name: str, root: str | Path, part: str = "novel", video_lists: Sequence[str | Path] = ()
) -> VideoDataset:
    """One part of a benchmark. `check_benchmark` also compares it with the published numbers and reads the videos.

    `name` is hmdb51, ucf101, kinetics100, ssv2_full or ssv2_small, `root` the folder of the official download, `part`
    base, validation or novel. `video_lists` are the published lists, which the last three need; lists of other
    parts may be among them. Raises ValueError for an unknown name, DatasetError for missing videos or lists.
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
    problem = f"no videos of {len(empty)} of the {len(classes)} {part} classes ({some(empty)})"
    if missing:
        total = sum(map(len, found.videos.values())) + len(missing)
        all_of_them = f"for all of them: {check_command(name, root, video_lists)}"
        problem = f"{len(missing)} of {total} videos are missing or there twice ({some(missing)}); {all_of_them}"
    elif listed is not None and not any(map(listed.get, empty)):
        problem += f", as the lists name none; give the list for {part} of {benchmark.video_lists}"
    if len(empty) == len(classes) and found.unused:
        problem += f"; other videos are there: {some(found.unused)}"
    raise DatasetError(f"{problem}; {benchmark.how_to_get(root)}")


def check_command(name: str, root: str | Path, lists: Sequence[str | Path]) -> str:
    """What to type to compare a benchmark's download with what is published, for messages."""
    given = ["--video-list", *map(str, [lists] if isinstance(lists, str | Path) else lists)] if lists else []
    return shlex.join(["python", "-m", "clipspm_lite", "check", str(root), "--benchmark", name, "--no-decode", *given])


def find_videos(benchmark: Benchmark, root: Path, classes: Iterable[str], listed: ListedVideos | None) -> FoundVideos:
    """The videos of `classes`, all or those listed, in `root`, no deeper than it must. Raises DatasetError."""
    if not root.is_dir():
        raise DatasetError(f"no such folder; {benchmark.how_to_get(root)}")
    files: dict[str, list[str]] = {name: [] for name in classes}
    loose: list[str] = []
    class_of = {} if benchmark.flat else _classes_by_key(benchmark)
    places = [""]
    for _ in range(_DEEPEST):
        deeper = []
        for place in places:
            clips = {*video_names(root / place)}
            loose += (f"{place}{video}" for video in clips)
            for folder in class_folders(root / place):
                name = class_of.get(class_key(folder))
                if name is None and folder not in clips:
                    deeper.append(f"{place}{folder}/")
                elif name in files:
                    files[name] += class_videos(root, f"{place}{folder}")
        found = _choose(files, loose, listed)
        if all(found.videos.values()) and not any(found.missing.values()):
            break
        places = deeper
    return found


def _choose(files: dict[str, list[str]], loose: list[str], listed: ListedVideos | None) -> FoundVideos:
    """Of the files in each class's folders and the loose ones those that are listed; without lists each class's own."""
    # Which class may have a file; None: any, as only lists know it.
    home: dict[str, str | None] = {path: name for name, paths in files.items() for path in paths}
    home |= dict.fromkeys(loose, None if listed else "")
    listed = listed or {name: {_video_name(path): "in two places" for path in paths} for name, paths in files.items()}
    by_name, by_id = defaultdict(list), defaultdict(list)  # a YouTube id is the name without times
    for path in home:
        by_name[_video_name(path)].append(path)
        by_id[_TIMES.sub("", _video_name(path))].append(path)
    videos: dict[str, dict[str, None]] = {name: {} for name in files}  # two spellings of one video are one video
    missing: dict[str, list[str]] = {name: [] for name in files}
    for name in files:
        for video, place in listed[name].items():
            # Times count where both sides have them.
            there = by_name.get(video) or by_name.get(_TIMES.sub("", video)) or by_id.get(video, [])
            clips = [path for path in there if home[path] in (name, None)]
            if len(clips) == 1:
                videos[name][clips[0]] = None
                home[clips[0]] = name
            elif place or clips:
                why = (place, f"found {', '.join(there)}" if there else "")
                missing[name].append(f"{video} ({'; '.join(filter(None, why))})")
    unused = home.keys() - (path for paths in videos.values() for path in paths)
    return FoundVideos({name: tuple(paths) for name, paths in videos.items()}, missing, sorted(unused))


def read_video_lists(benchmark: Benchmark, paths: Sequence[str | Path]) -> ListedVideos | None:
    """For each class of the benchmark its listed videos, by name without suffix, and where they are listed.

    A line is `class/video` or `video class`. Spaces, underscores and brackets in a class make no difference. Folders
    before it, the video's suffix and a number behind the video are passed over. Or a line is `train8/video` (or val,
    test): numbers count the classes of a part from 0, or of all parts in one row, as CLIP-SPM's authors do for
    SSv2-Small (test 0–23, train 24–87, val 88–99). All lists together decide which it is. Kinetics' own CSV files serve
    too. Returns None for a benchmark that uses every video. Raises DatasetError, also if numbers fit both numberings.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    shown = some(map(str, paths))
    if benchmark.video_lists is None:
        if not paths:
            return None
        raise DatasetError(f"{benchmark.title} uses every video of a class; leave out {shown}")
    if not paths:
        needed = f"the video lists of {benchmark.video_lists}, text files with `class/video` on each line"
        raise DatasetError(f"{benchmark.title} needs {needed}; give them with --video-list")
    classes = _classes_by_key(benchmark)
    lines: list[tuple[str, str]] = []
    annotated: list[str] = []
    for path in paths:
        text = read_text(Path(path))
        annotated += (entries := _annotations(text))
        plain = [] if entries else text.expandtabs(1).splitlines()
        lines += ((f"{path}, line {n}", line.strip()) for n, line in enumerate(plain, 1) if line.strip())
    lines = lines or [("", line) for line in annotated if class_key(line.split("/")[0]) in classes]
    numbered = _numbered_classes(benchmark, {line.split("/")[0] for _, line in lines}, shown)
    listed: ListedVideos = {name: {} for name in classes.values()}
    class_of: dict[str, str] = {}
    for place, line in lines:
        name, video = _listed_video(line, classes, numbered)
        if not name:
            expected = f"`class/video` or `video class` with a class of {benchmark.title} (a number does not name one)"
            found = f"as in a list of {benchmark.video_lists}, found {line[:100]!r}"
            raise DatasetError(f"expected {expected}, {found}: {place or shown}")
        # Kinetics' own videos lie in a folder of their class, so there a list cannot mistake it.
        if benchmark.flat and (other := class_of.setdefault(video, name)) != name:
            first = f"{other!r} ({listed[other][video]})"
            raise DatasetError(f"video {video} is listed under {first} and under {name!r}: {place}")
        listed[name].setdefault(video, place)
    return listed


def _annotations(text: str) -> list[str]:
    """The entries of Kinetics' CSV as lines `class/video`; none of another text."""
    with suppress(TypeError, csv.Error):  # its first line will be refused as that of a list
        if text.startswith(("label,youtube_id,time_start,time_end", '"label","youtube_id","time_start","time_end"')):
            line = "{label}/{youtube_id}_{time_start:0>6}_{time_end:0>6}"
            return [line.format_map(row) for row in csv.DictReader(text.splitlines())]
    return []


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
    """Class and video of a line; no class where it names none or two, or leads out of the folder."""
    parts = [part for part in line.split("/") if part]
    leads_out = line.startswith("/") or line[1:2] == ":" or "\\" in line or {".", ".."} & {*parts}
    folder, last = ["", "", *parts][-2:]
    last, label = (*re.split(r"[\s,;]+", last, maxsplit=1), "")[:2]
    video = _video_name(last)
    named = {numbered.get(line.split("/")[0]), classes.get(class_key(folder))}
    if re.search(r"[^\d\s,;]", label):
        named.add(classes.get(class_key(label), label))
    names = [name for name in named if name]
    fits = len(names) == 1 and names[0] in classes.values() and video and line.isprintable() and not leads_out
    return names[0] if fits else None, video


def _video_name(path: str) -> str:
    """What a list calls a file."""
    return composed(_SUFFIX.sub("", path.rpartition("/")[2]))


def _classes_by_key(benchmark: Benchmark) -> dict[str, str]:
    return {class_key(name): name for names in benchmark.classes.values() for name in names}


@lru_cache(10_000)  # a list repeats few names a hundred thousand times
def class_key(name: str) -> str:
    """What spellings of a class name have in common: its letters, their marks, and its digits."""
    return "".join(c for c in composed(name).lower() if unicodedata.category(c)[0] in "LMN")
