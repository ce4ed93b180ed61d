"""HMDB51, UCF101, Kinetics-100, SSv2-Full and SSv2-Small from their official downloads (SPEC section 7).

`benchmarks.json` beside this file has what is published about each: the classes of each part, numbers of videos, where
the videos come from and on what terms. Nothing is downloaded. HMDB51 and UCF101 use every video of a class. The other
three use published video lists, which say `class/video` a line and which the user brings. A list's text is only ever
looked up among the files that are in the folder: no path is made of it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipspm_lite.data.datasets import VIDEO_SUFFIXES, DatasetError, VideoDataset, class_folders, video_names

ANNOTATIONS = (
    "something-something-v2-train.json",
    "something-something-v2-validation.json",
    "labels/train.json",
    "labels/validation.json",
)
_PART_OF_PREFIX = {"train": "base", "val": "validation", "test": "novel"}
_NUMBERED = re.compile(r"(train|val|test)(\d{1,3})")
_TIMES = re.compile(r"(?<=.)_\d{6}_\d{6}$")  # start and end in seconds, which Kinetics adds to a YouTube id


@dataclass(frozen=True)
class Benchmark:
    """What is published about a benchmark, as its pages say when this was written.

    Attributes:
        title: its name.
        page: the official page, by name.
        files: what to get there.
        layout: how the files lie in the folder.
        folders: folders of the download in which they may lie too.
        flat: all videos lie in one folder, so only a list knows their class.
        video_lists: whose lists say which videos belong to it; None where every video of a class does.
        terms: of use.
        videos: how many a part (base, validation, novel) has.
        classes: for each part its classes, in the published order, with the number of videos where it is published.
    """

    title: str
    page: str
    files: str
    layout: str
    folders: tuple[str, ...]
    flat: bool
    video_lists: str | None
    terms: str
    videos: dict[str, int]
    classes: dict[str, dict[str, int | None]]

    def how_to_get(self, root: Path) -> str:
        """What is expected in `root` and where it comes from."""
        return (
            f"expected {self.layout}: get {self.files} from the page {self.page}, and unpack it here: {root}"
        )


@dataclass(frozen=True)
class Found:
    """What a folder has of some classes.

    Attributes:
        videos: for each class its videos, as paths below the folder.
        missing: for each class the listed videos that are not there, with the place in the list.
        unlisted: videos that no list names.
    """

    videos: dict[str, tuple[str, ...]]
    missing: dict[str, tuple[str, ...]]
    unlisted: tuple[str, ...]


def _load() -> dict[str, Benchmark]:
    facts = json.loads(Path(__file__).with_name("benchmarks.json").read_text(encoding="utf-8"))
    del facts["format_version"]
    return {name: Benchmark(**{**fact, "folders": tuple(fact["folders"])}) for name, fact in facts.items()}


BENCHMARKS = _load()


def open_benchmark(
    name: str, root: str | Path, part: str = "novel", video_lists: Sequence[str | Path] = ()
) -> VideoDataset:
    """One part of a benchmark. `check_benchmark` also compares it with the published numbers and reads the videos.

    Args:
        name: hmdb51, ucf101, kinetics100, ssv2_full or ssv2_small.
        root: the folder of the official download; links in it are followed.
        part: base, validation or novel.
        video_lists: the published lists, needed for the last three; those of other parts may be among them.

    Raises:
        DatasetError: videos are missing (which, from which page), a list is needed or cannot be read, or there is no
            such benchmark or part.
    """
    benchmark = find_benchmark(name)
    root = Path(root)
    if part not in benchmark.classes:
        raise DatasetError(f"no part {part!r} of {name}; the parts are {', '.join(benchmark.classes)}")
    classes = tuple(benchmark.classes[part])
    listed = read_video_lists(benchmark, video_lists)
    if listed is not None and (without := [name for name in classes if not listed[name]]):
        raise DatasetError(
            f"the lists name no video of {len(without)} of the {len(classes)} {part} classes ({_some(without)}); "
            f"give the list for {part} of {benchmark.video_lists}: {_some(map(str, video_lists))}"
        )
    found = find_videos(benchmark, root, classes, listed)
    missing = [f"{name}/{video}" for name in classes for video in found.missing[name]]
    if listed is not None and missing:
        raise DatasetError(
            f"{len(missing)} of {sum(len(listed[name]) for name in classes)} listed videos are missing "
            f"({_some(missing)}); `check` names them all; those that are gone for good can be left out of the list; "
            + benchmark.how_to_get(root)
        )
    if without := [name for name in classes if not found.videos[name]]:
        raise DatasetError(
            f"no videos of {len(without)} of the {len(classes)} {part} classes ({_some(without)}); "
            + benchmark.how_to_get(root)
        )
    return VideoDataset(root, classes, tuple(found.videos[name] for name in classes))


def find_benchmark(name: str) -> Benchmark:
    """The published facts; raises DatasetError where there is no such benchmark."""
    if name not in BENCHMARKS:
        raise DatasetError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def find_videos(
    benchmark: Benchmark,
    root: Path,
    classes: Sequence[str],
    listed: dict[str, dict[str, str]] | None,
) -> Found:
    """Looks for the videos of `classes`: all of them, or those that `listed` (`read_video_lists`) names.

    Raises:
        DatasetError: `root` is no folder.
    """
    if not root.is_dir():
        raise DatasetError(f"no such folder; {benchmark.how_to_get(root)}")
    places = [root, *(root / name for name in benchmark.folders if (root / name).is_dir())]
    folders: dict[str, list[Path]] = {}
    if not benchmark.flat:
        for folder in (place / name for place in places for name in class_folders(place)):
            folders.setdefault(class_key(folder.name), []).append(folder)
    videos: dict[str, tuple[str, ...]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    if benchmark.flat:
        files = _videos_in(places, root)
        index_of = dict.fromkeys(classes, _index(files))
    else:
        videos = {name: _videos_in(folders.get(class_key(name), ()), root) for name in classes}
        files = tuple(path for paths in videos.values() for path in paths)
        index_of = {name: _index(paths) for name, paths in videos.items()}
    for name in classes:
        missing[name] = ()
        if listed is not None:
            videos[name], missing[name] = _listed_videos(index_of[name], listed[name])
    used = {path for paths in videos.values() for path in paths}
    return Found(videos, missing, tuple(path for path in files if path not in used))


def _videos_in(folders: Iterable[Path], root: Path) -> tuple[str, ...]:
    return tuple(
        (folder / name).relative_to(root).as_posix() for folder in folders for name in video_names(folder)
    )


@dataclass(frozen=True)
class _Index:
    """Files by name without suffix, and by YouTube id, which is the name without times."""

    by_name: dict[str, str]
    by_id: dict[str, list[str]]


def _index(files: Sequence[str]) -> _Index:
    index = _Index({}, {})
    for path in files:
        name = Path(path).stem
        if index.by_name.setdefault(name, path) == path:
            index.by_id.setdefault(_TIMES.sub("", name), []).append(path)
    return index


def _listed_videos(files: _Index, listed: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files that a class's listed videos are, and what is missing; times count where both sides have them."""
    found: dict[str, None] = {}  # two spellings of one video are one video
    missing = []
    for video, place in listed.items():
        youtube_id = _TIMES.sub("", video)
        if (path := files.by_name.get(video) or files.by_name.get(youtube_id)) is None:
            clips = files.by_id.get(youtube_id, []) if youtube_id == video else []
            if len(clips) != 1:
                which = f"; with which times? there are {', '.join(clips)}" if clips else ""
                missing.append(f"{video} ({place}{which})")
                continue
            (path,) = clips
        found[path] = None
    return tuple(found), tuple(missing)


def read_video_lists(benchmark: Benchmark, paths: Sequence[str | Path]) -> dict[str, dict[str, str]] | None:
    """For each class of the benchmark its listed videos, by name without suffix, and where they are listed.

    A line is `class/video`. The class may be spelled with spaces or underscores, with or without brackets; folders may
    stand before it; the video may have a suffix. `train8/video`, as the OTAM lists have it, is class 8 of the base
    classes, counted from 0 (val: validation, test: novel).

    Returns:
        None for a benchmark that uses every video of a class.

    Raises:
        DatasetError: a list is missing, not needed or too large, or a line of it is no such line.
    """
    if isinstance(paths, str | Path):
        raise TypeError(f"video_lists: expected a list of files, found one: use [{str(paths)!r}]")
    if benchmark.video_lists is None:
        if paths:
            raise DatasetError(
                f"{benchmark.title} uses every video of a class; leave out {_some(map(str, paths))}"
            )
        return None
    if not paths:
        raise DatasetError(
            f"{benchmark.title} needs the published video lists that say which videos belong to it, those of "
            f"{benchmark.video_lists}: text files with `class/video` a line; give them with --video-list"
        )
    classes = {class_key(name): name for names in benchmark.classes.values() for name in names}
    listed: dict[str, dict[str, str]] = {name: {} for name in classes.values()}
    class_of: dict[str, str] = {}
    for path in map(Path, paths):
        for number, line in enumerate(_text(path).splitlines(), 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            name, video = _listed_video(line.strip(), benchmark, classes, place)
            # Kinetics' own videos lie in a folder of their class, so there a list cannot mistake it.
            if benchmark.flat and class_of.setdefault(video, name) != name:
                raise DatasetError(
                    f"video {video} is listed under {class_of[video]!r} ({listed[class_of[video]][video]}) and under "
                    f"{name!r}: {place}"
                )
            listed[name].setdefault(video, place)
    return listed


def _listed_video(line: str, benchmark: Benchmark, classes: dict[str, str], place: str) -> tuple[str, str]:
    """Class and video of a line."""
    shown = repr(line if len(line) <= 100 else line[:100] + "…")
    parts = [part for part in line.split("/") if part]
    if (
        line.startswith("/")
        or re.match("[A-Za-z]:", line)
        or not line.isprintable()
        or "\\" in line
        or any(part in (".", "..") for part in parts)
    ):
        raise DatasetError(
            f"{shown} is refused: absolute paths, `..`, backslashes and control characters could lead out of the "
            f"folder; expected `class/video`: {place}"
        )
    if len(parts) < 2:
        raise DatasetError(f"{shown} is no video of a class; expected `class/video`: {place}")
    video = parts[-1]
    if video.lower().endswith(VIDEO_SUFFIXES):
        video = video[: video.rindex(".")]
    by_name = classes.get(class_key(parts[-2]))
    by_number = None
    if numbered := _NUMBERED.fullmatch(parts[0]):
        names = list(benchmark.classes[_PART_OF_PREFIX[numbered[1]]])
        by_number = names[int(numbered[2])] if int(numbered[2]) < len(names) else None
    if by_name and by_number and by_name != by_number:
        raise DatasetError(
            f"{shown}: {parts[0]} is the class {by_number!r} of {benchmark.title}, counted from 0, but the folder is "
            f"{by_name!r}; is this a list of another split?: {place}"
        )
    if (name := by_name or by_number) is None or not video:
        raise DatasetError(
            f"{shown} names no class of {benchmark.title}; expected a list of {benchmark.video_lists}: {place}"
        )
    return name, video


def read_annotations(root: Path) -> dict[str, str]:
    """Something-Something's own classes, `class_key` by video number, from the annotation files that are in `root`.

    Raises:
        DatasetError: a file is not what it should be.
    """
    templates: dict[str, str] = {}
    for path in (root / name for name in ANNOTATIONS):
        if not path.exists():
            continue
        try:
            for entry in json.loads(_text(path)):
                templates[str(entry["id"])] = class_key(entry["template"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(
                f'no annotations of Something-Something; expected [{{"id": "1", "template": "…"}}, …]: {path}'
            ) from None
    return templates


def class_key(name: str) -> str:
    """What spellings of a class name have in common: its letters and digits, in words."""
    return " ".join(re.findall("[a-z0-9]+", name.lower()))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"cannot be read ({error.strerror}); expected a text file: {path}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"not a text file in UTF-8: {path}") from None


def _some(names: Iterable[str]) -> str:
    """The first few of many names."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
