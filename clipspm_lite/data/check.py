"""`check`: reads every video of a data set before any long work starts, and says what is wrong with which."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipspm_lite.data.datasets import DatasetError, class_folders, video_names
from clipspm_lite.data.names import printable
from clipspm_lite.data.video import VideoError, count_frames
from clipspm_lite.files import file_sha256


@dataclass(frozen=True)
class Report:
    """What `check` found; printing it lists everything.

    Attributes:
        root: the folder that was checked.
        readable: videos that can be read, by class.
        problems: what makes the data set unusable as it stands, one line each: unreadable videos, classes with too few.
        remarks: what to know, one line each: equal files, very short videos, files that are no videos.
    """

    root: Path
    readable: dict[str, int]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is unusable."""
        return not self.problems

    def __str__(self) -> str:
        counts = self.readable.values()
        lines = [f"{self.root}: {len(self.readable)} classes, {sum(counts)} videos that can be read"]
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
            try:
                count = count_frames(path)
                same = first_with.setdefault(file_sha256(path), path)
            except (VideoError, OSError) as error:
                problems.append(str(error))
                continue
            readable[name] += 1
            if count < frames:
                remarks.append(f"{count} frames, fewer than {frames}, so some repeat: {printable(path)}")
            if same != path:
                remarks.append(f"the same content as {printable(same)}: {printable(path)}")
        if readable[name] < minimum:
            problems.append(f"{readable[name]} readable videos, a class needs {minimum}: {printable(folder)}")
    return Report(root, readable, tuple(problems), tuple(remarks))


def _others(folder: Path, expected: tuple[str, ...]) -> list[Path]:
    """What lies in a folder beside what is expected there; hidden files don't count."""
    return sorted(p for p in folder.iterdir() if p.name not in expected and not p.name.startswith("."))
