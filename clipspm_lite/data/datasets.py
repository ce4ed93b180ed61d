"""Data sets: a folder of classes is a data set, and a split is a list of class names."""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import islice, zip_longest
from pathlib import Path
from reprlib import repr as short
from typing import Any

import yaml

from clipspm_lite.arguments import check_known
from clipspm_lite.data.clips import VIDEO_SUFFIXES, class_folders, video_names
from clipspm_lite.data.names import composed, is_file_name, printable, readable, some
from clipspm_lite.places import ROOT
from clipspm_lite.storage.files import one_line

SPLIT_FORMAT = 1
SAMPLES = ROOT / "data_samples"


class DatasetError(ValueError):
    """A data folder or split file is not what it should be; says what was found, what to do, and its name."""


@dataclass(frozen=True)
class VideoDataset:
    """Clips by class: what `load_video` takes."""

    root: Path  # the folder that holds all of them
    classes: tuple[str, ...]
    videos: tuple[tuple[str, ...], ...]  # for each class its files, as paths below `root`
    stages: tuple[tuple[str, ...], ...] | None = None  # for each class its sentences, as `read_stages` gives them

    @cached_property
    def videos_per_class(self) -> tuple[int, ...]:
        """How many videos each class has."""
        return tuple(len(names) for names in self.videos)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """All videos, class after class: an episode's video number is a place in this list."""
        return tuple(self.root / name for names in self.videos for name in names)

    def without(self, paths: Collection[Path]) -> "VideoDataset":
        """All but these of its `paths`; raises DatasetError where a class has no other."""
        videos = tuple(tuple(name for name in names if self.root / name not in paths) for names in self.videos)
        if not all(videos):
            raise DatasetError(f"no video of {self.classes[videos.index(())]!r} can be read: {self.root}")
        return replace(self, videos=videos)


def open_folder(root: str | Path, classes: Sequence[str] | None = None) -> VideoDataset:
    """The data set in `root/<class>/<video>`; hidden files and files that are not videos are passed over.

    A clip may also be a folder with its frames as images, and `root` a prepared folder. Archives unpack into folders of
    their own, so `root` may hold one folder with all classes, and a class folder one of the same name with its videos.
    Links are followed. `classes` are the class folders to take, in this order, by default all. Raises DatasetError.
    """
    root, there = find_classes(Path(root))
    wanted = there if classes is None else tuple(classes)
    check_class_names(wanted, root)
    videos = []
    for name in map(composed, wanted):
        folders = [folder for folder in there if composed(folder) == name]
        check_class_names(folders, root)  # the name in two forms, side by side
        videos.append(tuple(video for folder in folders for video in class_videos(root, folder)))
        if not videos[-1]:
            found = "no videos" if folders else "no folder here"
            expected = f"expected a folder with {' '.join(VIDEO_SUFFIXES)}, or with a folder of images for each clip"
            expected += videos_below(root / name)
            raise DatasetError(f"the class {name!r} has {found}; {expected}: {root / name}")
    return VideoDataset(root, tuple(map(composed, wanted)), tuple(videos))


def find_classes(root: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder of the classes, `root` or the only one in it, and their names, sorted. Raises DatasetError."""
    if os.path.isdir(root) and (classes := class_folders(root)):
        inner, inside = root, classes
        while len(inside) == 1 and not class_videos(inner, inside[0]):
            inner, inside = inner / inside[0], class_folders(inner / inside[0])
        return (inner, inside) if any(class_videos(inner, name) for name in inside) else (root, classes)
    found = "no class folders" if root.is_dir() else "this is a file" if root.is_file() else "no such folder"
    if not root.is_absolute():  # a notebook runs in its own folder, which its reader may not think of
        found += f" in {Path.cwd()}{'; ~ is not read as your home' if root.parts[:1] == ('~',) else ''}"
    expected = f"expected a folder with one for each class, its videos in it{videos_below(root)}"
    raise DatasetError(f"{found}; {expected}: {root}")


def class_videos(root: Path, folder: str) -> tuple[str, ...]:
    """The videos in a class folder, as paths below `root`; where it has none, those in one of its name inside it."""
    places, name = [folder], readable(folder.rpartition("/")[2])
    if not video_names(root / folder):
        places = [f"{folder}/{inner}" for inner in class_folders(root / folder) if readable(inner) == name]
    return tuple(f"{place}/{video}" for place in places for video in video_names(root / place))


def videos_below(folder: Path) -> str:
    """The end of a message that no videos were found in `folder`: where else in it there are some."""
    places = [place for place, *_ in islice(os.walk(folder), 1000) if video_names(Path(place))]
    return f"; there are videos in {some(map(printable, places))}" if places else ""


def read_split(path: str | Path, part: str) -> tuple[str, ...]:
    """The class names of one part of a split file, `{"format_version": 1, "base": […], …}`; raises DatasetError."""
    split = _parsed(path, lambda text: json.loads(text, object_pairs_hook=_once))
    known = isinstance(split, dict) and split.get("format_version") == SPLIT_FORMAT
    parts = {name: names for name, names in split.items() if isinstance(names, list) and names} if known else {}
    if part in parts:
        check_class_names(parts[part], path)
        return tuple(map(composed, parts[part]))
    expected = f'a split file, {{"format_version": {SPLIT_FORMAT}, "{part}": ["a class", …], …}}'
    found = f"parts {', '.join([*parts][:10])}" if parts else f"{short(split):.60}"
    raise DatasetError(f"expected {expected}, found {found}: {path}")


def read_stages(path: str | Path, classes: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Sentences for start, middle and end of each class, from a YAML file that gives a list of three to each name.

    The file may hold more classes; names are compared as `readable` words. Raises DatasetError where a class has none.
    """
    content, wanted = _parsed(path, lambda text: yaml.load(text, _ReadableKeys)), [*map(readable, classes)]
    for name in wanted:
        given, found = (content, content.get(name)) if isinstance(content, dict) else ({}, content)
        if not isinstance(found, list) or [isinstance(s, str) and readable(s) != "" for s in found] != [True] * 3:
            expected = f"a list of three sentences, of its start, middle and end, found {short(found):.60}"
            others = some(sorted(given.keys() - wanted)) or "none"
            raise DatasetError(f"{name!r}: expected {expected}; other names in the file: {others}: {path}")
    return tuple(tuple(content[name]) for name in wanted)


class _ReadableKeys(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        return _once([(readable(str(key.value)), self.construct_object(found, True)) for key, found in node.value])


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of these; raises ValueError for a key that is there twice."""
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"{twice[0]!r} is there twice")
    return dict(pairs)


def _parsed(path: str | Path, parse: Callable[[str], Any]) -> Any:
    """What a text file holds; raises DatasetError, which says where and why, for what cannot be parsed."""
    text = read_text(Path(path))
    try:
        return parse(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError(f"cannot be read ({one_line(error)}): {path}") from None


def read_text(path: Path) -> str:
    """A text file in UTF-8; raises DatasetError where it is not one."""
    found = "not a regular file"
    try:
        if path.is_file() or not path.exists():  # a pipe would be waited for
            return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "not text in UTF-8"
    raise DatasetError(f"{found}; expected a text file: {path}")


def sample_world(part: str = "novel", split: str = "default") -> VideoDataset:
    """A part (base, validation or novel) of the sample clips, with their `stages`; ValueError for an unknown name."""
    splits = {file.stem: file for file in sorted((SAMPLES / "splits").glob("*.json"))}
    check_known("split", split, splits)
    dataset, stages = open_folder(SAMPLES / "clips", read_split(splits[split], part)), SAMPLES / "stages.yaml"
    return replace(dataset, stages=read_stages(stages, dataset.classes)) if stages.exists() else dataset


def reversed_pairs(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of sample classes that are the same frames in opposite order, where both are among ``classes``."""
    pairs = json.loads((SAMPLES / "pairs.json").read_text(encoding="utf-8"))["reversed"]
    return [(one, other) for one, other in pairs if one in classes and other in classes]


def classes_by_kind(classes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of these sample ``classes`` that a place or a thing tells ("context"), and the others."""
    context = json.loads((SAMPLES / "pairs.json").read_text(encoding="utf-8")).get("context", [])
    return [name for name in classes if name in context], [name for name in classes if name not in context]


def nested_classes(classes: Sequence[str], seed: int) -> list[str]:
    """``classes`` in an order chosen by the seed, in turn of either kind, so that the first few hold both."""
    place = {name: sha256(f"{seed},{name}".encode()).digest() for name in classes}
    shuffled = [sorted(kind, key=place.__getitem__) for kind in classes_by_kind(classes)]
    return [name for turn in zip_longest(*shuffled) for name in turn if name is not None]


def check_class_names(classes: Sequence[str], source: str | Path) -> None:
    """Raise DatasetError for a name that is not one folder's, or two that read alike, as Jump_rope and jump rope."""
    first: dict[str, str] = {}
    for name in classes:
        words = readable(name) if is_file_name(name) else ""
        if not words or words in first:
            found = "is not a class name; expected the name of a folder, with words in it"
            if words:  # ASCII, because two forms of one name look the same
                found = f"and {first[words]!a} read alike; rename one of the classes or join them"
            raise DatasetError(f"{ascii(name)[:100]} {found}: {source}")
        first[words] = name
