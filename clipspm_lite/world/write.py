"""Writes the files of `data_samples/`: ``python -m clipspm_lite.world.write [--out data_samples]``.

Needs PyAV (``pip install clipspm_lite[world]``). The pictures are the same on every machine; the bytes of an mp4
depend on the encoder, so the checksums in the manifest describe the files that lie beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from clipspm_lite.storage.files import check_writable, file_sha256, replace_file, replacing
from clipspm_lite.world.randomness import WORLD_VERSION
from clipspm_lite.world.render import render
from clipspm_lite.world.scene import FRAMES_PER_SECOND, make_scene
from clipspm_lite.world.stages import stage_sentences
from clipspm_lite.world.taxonomy import CLASSES, CONTEXT_CLASSES, REVERSED_PAIRS, SIMILAR_PAIRS, SPLITS

MANIFEST_VERSION = 1
CLIPS_PER_CLASS = 20  # seeds 0 to 19; whoever trains an encoder on this world must use other seeds
SIZE = 112
# Chosen so that data_samples is about 18 MB. x264's assembler code (asm) makes another file every few times from the
# same pictures, and its threads would too: without both, one encoder version always writes the same bytes.
X264: dict[str, str] = {"crf": "30", "preset": "medium", "threads": "1", "x264-params": "asm=0"}


def end_with_parent() -> None:
    """Called as a worker process starts: if its parent is killed, it ends too and writes no more files."""
    if parent := multiprocessing.parent_process():
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def folder(class_name: str) -> str:
    """The name of the folder of a class."""
    return class_name.replace(" ", "_")


def clip_path(class_name: str, seed: int) -> str:
    """Path of a clip inside data_samples."""
    return f"clips/{folder(class_name)}/{folder(class_name)}_{seed:02d}.mp4"


def write_mp4(path: Path, pictures: np.ndarray) -> None:
    """Encode uint8 pictures [F, H, W, 3] as H.264, the index in front."""
    import av

    with (
        replacing(path) as temporary,
        av.open(temporary, "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = dict(X264)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _write_class(out: Path, class_name: str) -> list[dict[str, object]]:
    """All clips of one class; returns their entries in the manifest."""
    split = next(name for name, classes in SPLITS["default"].items() if class_name in classes)
    entries: list[dict[str, object]] = []
    for seed in range(CLIPS_PER_CLASS):
        path = clip_path(class_name, seed)
        write_mp4(out / path, render(make_scene(class_name, seed), SIZE))
        checksum = file_sha256(out / path)
        entries.append({"path": path, "class": folder(class_name), "split": split, "seed": seed, "sha256": checksum})
    return entries


def _write_json(path: Path, content: Mapping[str, object], lists: tuple[str, ...]) -> None:
    """JSON with one line for each item of the named lists, so that a difference is easy to read."""
    lines = []
    for key, value in content.items():
        if key in lists:
            items = ",\n".join(f"  {json.dumps(item)}" for item in value)  # type: ignore[attr-defined]
            lines.append(f"{json.dumps(key)}: [\n{items}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    replace_file(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_lists(out: Path) -> None:
    """The splits, the context classes and the pairs."""
    for name, split in SPLITS.items():
        parts = {part: [folder(c) for c in classes] for part, classes in split.items()}
        _write_json(out / "splits" / f"{name}.json", {"format_version": MANIFEST_VERSION, **parts}, tuple(parts))
    pairs = {
        "context": [folder(name) for name in CONTEXT_CLASSES],
        "reversed": [[folder(a), folder(b)] for a, b in REVERSED_PAIRS],
        "similar": [[folder(a), folder(b)] for a, b in SIMILAR_PAIRS],
    }
    _write_json(out / "pairs.json", {"format_version": MANIFEST_VERSION, **pairs}, tuple(pairs))


def write_stages(out: Path, classes: Sequence[str] = CLASSES) -> None:
    """The sentences about the stages of each class, as YAML, of which JSON is a part."""
    lines = [f"{name}: {json.dumps(stage_sentences(name))}\n" for name in classes]
    replace_file(out / "stages.yaml", "".join(lines).encode())


def write_samples(out: Path, processes: int = 2) -> None:
    """Write the clips, the lists and, last, the manifest with the clips' checksums.

    If it is stopped early, every file is whole: the old one or the new one. Run it again to write the rest.

    Raises:
        ValueError: PyAV is not installed.
        OSError: the folder cannot be written; raised before the first clip.
    """
    if find_spec("av") is None:
        raise ValueError("clips are encoded with PyAV, which is not installed: pip install -e '.[world]'")
    check_writable(out / "manifest.json")
    with ProcessPoolExecutor(processes, initializer=end_with_parent) as pool:
        by_class = list(pool.map(_write_class, [out] * len(CLASSES), CLASSES))
    write_lists(out)
    write_stages(out)
    clips = [entry for entries in by_class for entry in entries]
    content = {"format_version": MANIFEST_VERSION, "world_version": WORLD_VERSION, "clips": clips}
    _write_json(out / "manifest.json", content, ("clips",))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Write the sample clips, their splits, pairs and checksums.")
    parser.add_argument("--out", default="data_samples", help="folder [%(default)s]")
    parser.add_argument("--processes", type=int, default=2, help="how many encode at once [%(default)s]")
    options = parser.parse_args()
    out = Path(options.out)
    try:
        write_samples(out, options.processes)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{len(CLASSES) * CLIPS_PER_CLASS} clips of {len(CLASSES)} classes, {size / 1e6:.2f} MB in {out}")


if __name__ == "__main__":
    main()
