"""Files that could break reading videos, each with what is expected of it: python tests/nightly/odd_files.py [FOLDER]

Writes them into FOLDER (or a temporary one), reads each file as a user would, and prints the table as Markdown.
Every frame carries its number, so a wrong frame shows. The script ends with 1 where a file is not as expected.
"""

import os
import re
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from marked_video import marked_frame, numbers_in, rotate_mp4, start_mp4_later, write_marked_video

from clipspm_lite.data.decoding.video import VideoError, count_frames, load_video
from clipspm_lite.data.names import printable

SECONDS = 120  # that a file may take, on a busy machine too
VP9 = {"codec": "libvpx-vp9", "b_frames": 0, "options": {"deadline": "realtime", "cpu-used": "8"}}
AV1 = {"codec": "libsvtav1", "b_frames": 0, "options": {"preset": "10", "crf": "20"}}
HEVC = {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}}
MPEG4 = {"codec": "mpeg4"}
MJPEG = {"codec": "mjpeg", "b_frames": 0, "pixel_format": "yuvj420p"}
GIF = {"codec": "gif", "b_frames": 0, "pixel_format": "rgb8"}
FRONT = {"movflags": "faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
LOCKED = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 32, "encryption_kid": "1" * 32}
# What a refusal says, as regular expressions.
BAD, STREAM, NO_LENGTH, ANY = "damaged|not a video", "transport stream", "does not say how long", "."


@dataclass(frozen=True)
class Case:
    """A file: its name, what is special about it, how it is made, and what is expected.

    Attributes:
        make: writes the file to a path.
        numbers: of the frames that the video has, or None where it must be refused.
        error: what the refusal says (a regular expression), or None where it must be read. With `numbers` too, both are
            right: the file is damaged, but not in its pictures.
        size: (width, height), where it matters.
        turn: quarter turns anticlockwise that undo its rotation.
        marked: False where pictures are too small for their number, or hold none.
    """

    name: str
    what: str
    make: Callable[[Path], object]
    numbers: range | None = None
    error: str | None = None
    size: tuple[int, int] | None = None
    turn: int = 0
    marked: bool = True


def video(frames: int = 30, **settings):
    return lambda path: write_marked_video(path, frames, **settings)


def content(data: bytes):
    return lambda path: path.write_bytes(data)


def changed(make, change: Callable[[bytearray], object]):
    """A video whose bytes are changed; `change` alters them in place or returns others."""

    def write(path: Path) -> None:
        make(path)
        data = bytearray(path.read_bytes())
        path.write_bytes(change(data) or data)

    return write


def first(share: float):
    return lambda data: data[: int(len(data) * share)]


def replaced(start: float, length: int, made: Callable[[int], bytes] = bytes):
    """Zeros, or other bytes that are made, in the place of some."""

    def change(data: bytearray) -> None:
        part = slice(int(len(data) * start), int(len(data) * start) + length)
        data[part] = made(len(data[part]))

    return change


def noise(length: int) -> bytes:
    return np.random.default_rng(0).bytes(length)


def muxed(
    frames: int = 30,
    *,
    codec: str = "libx264",
    times: Callable[[int], int] = lambda number: number,
    sound: float = 0,
    second_from: int | None = None,
    container: dict[str, str] | None = None,
    interlaced: bool = False,
    same: bool = False,
):
    """A marked video at 25 a second with what `write_marked_video` doesn't write.

    Args:
        times: of a frame, in 25ths of a second.
        sound: seconds of silence beside it; negative: without the video.
        second_from: number of the first frame of a second video stream.
        container: options of the container.
        interlaced: coded as fields.
        same: every frame is frame 0.
    """

    def write(path: Path) -> None:
        with av.open(str(path), "w", options=container or {}) as file:
            streams = []
            for start in [] if sound < 0 else [0] if second_from is None else [0, second_from]:
                stream = file.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                stream.codec_context.gop_size = 12
                if interlaced:
                    stream.codec_context.flags |= 0x00040000 | 0x20000000  # interlaced DCT and motion estimation
                streams.append((start, stream))
            silence = file.add_stream("aac", rate=16000, layout="mono") if sound else None
            for number in range(frames):
                for start, stream in streams:
                    picture = av.VideoFrame.from_ndarray(marked_frame(0 if same else start + number, 64, 48), "rgb24")
                    picture.pts = times(number)
                    file.mux(stream.encode(picture))
            for _, stream in streams:
                file.mux(stream.encode())
            if silence is not None:
                for number in range(int(abs(sound) * 16000 / 1024)):
                    samples = av.AudioFrame(format="fltp", layout="mono", samples=1024)
                    samples.planes[0].update(bytes(4096))
                    samples.sample_rate, samples.pts = 16000, number * 1024
                    file.mux(silence.encode(samples))
                file.mux(silence.encode())

    return write


def copied_from(frame: int, count: int = 60, **settings):
    """What `ffmpeg -c copy` makes of the packets after one in the middle: they begin without a keyframe."""

    def write(path: Path) -> None:
        source = write_marked_video(path.with_name(f"whole{path.suffix}"), count, **settings)
        with av.open(str(source)) as whole, av.open(str(path), "w") as part:
            stream = part.add_stream_from_template(whole.streams.video[0])
            for number, packet in enumerate(whole.demux(video=0)):
                if packet.dts is not None and number >= frame:
                    packet.stream = stream
                    part.mux(packet)
        source.unlink()

    return write


def two_sizes(path: Path) -> None:
    """Raw H.264 of 64 x 48 and then of 96 x 72."""
    small = write_marked_video(path.with_name("small.h264"), 15).read_bytes()
    path.write_bytes(small + write_marked_video(path.with_name("small.h264"), 15, width=96, height=72).read_bytes())
    path.with_name("small.h264").unlink()


def wide_gif(width: int, height: int):
    return changed(video(10, codec="gif", pixel_format="rgb8"), lambda d: struct.pack_into("<HH", d, 6, width, height))


def wide_jpegs(data: bytearray) -> None:
    """Every picture of an MJPEG file claims to be as large as can be."""
    for marker in re.finditer(rb"\xff\xc0\x00\x11\x08", bytes(data)):
        struct.pack_into(">HH", data, marker.end(), 65500, 65500)


def wide_mp4(data: bytearray) -> None:
    """The track's header and the sample's description claim another size than the H.264 in it."""
    struct.pack_into(">HH", data, data.index(b"avc1", data.index(b"stsd")) + 28, 30000, 30000)
    struct.pack_into(">II", data, data.index(b"tkhd") + 80, 30000 << 16, 30000 << 16)


def many_samples(data: bytearray) -> None:
    """The table of sizes claims four billion frames."""
    struct.pack_into(">I", data, data.index(b"stsz") + 12, 0xFFFFFFFF)


def endless_box(data: bytearray) -> None:
    """A box that holds itself: its size is zero in the middle of the header."""
    struct.pack_into(">I", data, data.index(b"stbl") - 4, 0)


def edited(duration: int, start: int):
    """A video whose edit list plays `duration` milliseconds from `start`, in the track's ticks."""
    return changed(video(b_frames=0), lambda d: struct.pack_into(">Ii", d, d.index(b"elst") + 12, duration, start))


def made_of(name: str, make: Callable[[Path, Path], object], frames: int = 30, **settings):
    """What `make` does with a good video of another name and the path."""

    def write(path: Path) -> None:
        source = write_marked_video(path.with_name(name), frames, **settings)
        make(source, path)
        source.unlink(missing_ok=True)

    return write


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clip.mp4", bytes(5000))


def linked(path: Path) -> None:
    path.symlink_to(write_marked_video(path.with_name("linked.mp4"), 30).name)


def link(target: str):
    return lambda path: path.symlink_to(target)


def unreadable(path: Path) -> None:
    write_marked_video(path, 30).chmod(0)


def damages() -> list[Case]:
    """The same damage to files of several containers."""
    kinds = {"mp4": {}, "mkv": {}, "avi": MPEG4, "webm": VP9, "hevc.mp4": HEVC, "av1.mp4": AV1, "mjpeg.avi": MJPEG}
    kinds |= {"mpg": {"codec": "mpeg1video"}, "flv": {"codec": "flv", "b_frames": 0}, "gif": GIF}
    kinds |= {"wmv": {"codec": "wmv2", "b_frames": 0}}
    cases = []
    for suffix, settings in kinds.items():
        make = video(60, width=96, height=80, **settings)
        for name, what, change in (
            ("half", "cut in the middle", first(0.5)),
            ("begun", "only its first 100 bytes", lambda data: data[:100]),
            ("no_start", "first 64 bytes zeroed", replaced(0, 64)),
            ("noisy_start", "first 200 bytes random", replaced(0, 200, noise)),
            ("zero_middle", "400 bytes in the middle zeroed", replaced(0.5, 400)),
            ("noisy_middle", "400 bytes in the middle random", replaced(0.5, 400, noise)),
        ):
            cases.append(Case(f"{name}.{suffix}", what, changed(make, change), error=BAD))
        no_end = changed(make, lambda data: data[:-20] + bytes(20))
        cases.append(Case(f"no_end.{suffix}", "last 20 bytes zeroed", no_end, range(60), BAD))
    return cases


def corpus() -> list[Case]:
    """All files, in the order of the table."""
    whole = range(30)
    cases = [
        Case("empty.mp4", "no bytes", content(b""), error="empty"),
        Case("text.mp4", "a text", content(b"not a video\n" * 99), error="not a video"),
        Case("one_byte.mp4", "one byte", content(b"\0"), error="not a video"),
        Case("zeros.mp4", "a million zeros", content(bytes(10**6)), error="not a video"),
        Case("random.avi", "random bytes", content(noise(10**5)), error="not a video"),
        Case("page.mp4", "a web page", content(b"\n<!DOCTYPE html><html>"), error="web page"),
        Case("mark_page.mp4", "a web page after a byte order mark", content(b"\xef\xbb\xbf<html>"), error="web page"),
        Case("xml.mp4", "a server's error as XML", content(b"<?xml version='1.0'?><Error/>"), error="text"),
        Case("json.mp4", "a server's error as JSON", content(b'{"error": 404}'), error="not a video"),
        Case("lfs.mp4", "a Git LFS pointer", content(b"version https://git-lfs.github.com/spec/v1\n"), error="git lfs"),
        Case("playlist.mp4", "a playlist", content(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n"), error="playlist"),
        Case("concat.mp4", "a list to join", content(b"ffconcat version 1.0\nfile clip.mp4\n"), error="playlist"),
        Case("zip.mp4", "a ZIP archive", zipped, error="not a video|no video"),
        Case("subtitles.mp4", "subtitles", content(b"WEBVTT\n\n00:00.000 --> 00:09.000\nHello\n"), error="no video"),
        Case("picture.mp4", "a JPEG picture", made_of("one.mjpeg", Path.rename, 1, **MJPEG), range(1), ANY),
        Case("text_after.mp4", "text after its end", changed(video(), lambda d: d + b"more" * 99), whole),
        Case("twice.mp4", "two videos, one after the other", changed(video(), lambda d: d + d), whole, ANY),
        Case("index_at_front.mp4", "index at the front", muxed(container=FRONT), whole),
        Case("half_front.mp4", "the same, cut", changed(muxed(60, container=FRONT), first(0.7)), error="damaged"),
        Case("byte_short.mp4", "its last byte missing", changed(video(), lambda d: d[:-1]), whole, ANY),
        Case("fragments.mp4", "fragmented", muxed(container=FRAGMENTS), whole),
        Case("live.webm", "as a browser records", muxed(codec="libvpx", container={"live": "1"}), error=NO_LENGTH),
        Case("live.mkv", "as a browser records", muxed(container={"live": "1"}), error=NO_LENGTH),
        Case("half_fragments.mp4", "cut", changed(muxed(60, container=FRAGMENTS), first(0.5)), range(12), "damaged"),
        Case("encrypted.mp4", "encrypted", muxed(container=LOCKED), error=ANY),
        *damages(),
        Case("giant.gif", "claims 12,000 x 6,000 pixels", wide_gif(12000, 6000), error="large|memory"),
        Case("impossible.gif", "claims 65,535 x 65,535 pixels", wide_gif(65535, 65535), error="not a video|damaged"),
        Case("giant.avi", "pictures claim 65,500 x 65,500 pixels", changed(video(**MJPEG), wide_jpegs), error=BAD),
        Case("claims.mp4", "its header claims 30,000 x 30,000", changed(video(), wide_mp4), whole, ANY),
        Case("billions.mp4", "claims four billion frames", changed(video(), many_samples), error="not a video|damaged"),
        Case("endless.mp4", "a box without an end", changed(video(), endless_box), whole, ANY),
        Case("sound.mp4", "only sound", muxed(0, sound=-1), error="no video stream"),
        Case("sound.mkv", "only sound", muxed(0, sound=-1), error="no video stream"),
        Case("long_sound.mp4", "sound longer than the video", muxed(sound=4), whole),
        Case("short_sound.mkv", "sound shorter than the video", muxed(sound=0.5), whole),
        Case("two_streams.mp4", "two video streams", muxed(second_from=100), whole, ANY),
        Case("two_streams.mkv", "two video streams", muxed(second_from=100), whole, ANY),
    ]
    for suffix, settings in (("mp4", {}), ("avi", MPEG4), ("webm", VP9), ("mkv", HEVC)):
        for count in (1, 2, 3):
            cases.append(Case(f"{count}.{suffix}", f"frames: {count}", video(count, **settings), range(count)))
    cases += [
        Case("still.mp4", "all frames alike", muxed(same=True), whole, marked=False),
        Case("uneven.mp4", "variable frame rate", muxed(times=lambda n: n * n // 3 + n), whole),
        Case("uneven.mkv", "variable frame rate", muxed(times=lambda n: n + 40 * (n > 15)), whole),
        Case("interlaced.mp4", "H.264, interlaced", muxed(interlaced=True), whole),
        Case("interlaced.mpg", "MPEG-2, interlaced", muxed(codec="mpeg2video", interlaced=True), whole),
        Case(
            "trimmed.mp4", "starts 8 frames later", made_of("a.mp4", partial(start_mp4_later, frames=8)), range(8, 30)
        ),
        Case("short_edit.mp4", "ends after half", edited(600, 0), range(15), "trimmed"),
        Case("empty_edit.mp4", "edit list, a pause first", edited(1200, -1), whole, ANY),
        Case("far_edit.mp4", "edit list after the end", edited(1200, 10**6), whole, ANY),
        Case("no_keyframe.ts", "begins without a keyframe", copied_from(5), error="transport stream|damaged"),
        Case("no_keyframe.mp4", "begins without a keyframe", copied_from(5), range(12, 60), "."),
        Case("no_keyframe.mkv", "begins without a keyframe", copied_from(5), range(12, 60), "."),
        Case("whole.ts", "a transport stream, H.264", video(), whole, STREAM),
        Case("mpeg2.ts", "a transport stream, MPEG-2", video(codec="mpeg2video"), whole, STREAM),
        Case("half.ts", "a transport stream, cut", changed(video(60), first(0.5)), error="transport stream|damaged"),
        Case("raw.h264", "H.264 without a container", video(), whole, NO_LENGTH),
        Case("raw.m1v.mpg", "MPEG-1, too short", video(codec="mpeg1video"), whole, NO_LENGTH),
        Case("mpeg1.mpg", "MPEG-1", video(250, codec="mpeg1video"), range(250)),
        Case("a.apng", "an animated PNG", video(codec="apng", b_frames=0, pixel_format="rgb24"), whole, NO_LENGTH),
        Case("two_sizes.h264", "pictures change their size", two_sizes, error="."),
    ]
    for degrees in (90, 180, 270):
        size = (64, 48) if degrees == 180 else (48, 64)
        made = made_of("upright.mp4", partial(rotate_mp4, degrees=degrees))
        what = f"turned by {degrees} degrees"
        cases.append(Case(f"turned_{degrees}.mp4", what, made, whole, size=size, turn=degrees // 90))
    for sizes, suffix, settings in (
        ([(16, 16), (16, 1024), (4096, 16), (854, 480)], "mp4", {}),
        ([(2, 2), (97, 65)], "mp4", {"pixel_format": "yuv444p"}),
        ([(3840, 2160)], "mp4", {"options": {"preset": "ultrafast"}}),
        ([(1, 1)], "mkv", {"codec": "ffv1", "b_frames": 0}),
        ([(18, 34), (65, 97)], "avi", MPEG4),
        ([(17, 33), (65, 97)], "webm", VP9),
        ([(97, 65), (250, 3)], "avi", MJPEG),
    ):
        for width, height in sizes:
            count, name = 10 if width > 2000 else 30, f"{width}x{height}.{settings.get('codec', 'libx264')}.{suffix}"
            made, marked = video(count, width=width, height=height, **settings), min(width, height) >= 16
            what = f"{width} x {height} pixels"
            cases.append(Case(name, what, made, range(count), size=(width, height), marked=marked))
    for names, settings in {
        "b_frames.avi mpeg4.mp4 mpeg4.mkv": MPEG4,
        "h264.avi h264.mov h264.flv h264.m4v": {},
        "vp8.webm": {"codec": "libvpx", "b_frames": 0},
        "vp9.mp4 vp9.ivf": VP9,
        "av1.mp4 av1.webm av1.mkv": AV1,
        "hevc.mp4 hevc.mkv": HEVC,
        "mjpeg.avi mjpeg.mov": MJPEG,
        "animation.gif": GIF,
        "mpeg2.mpg mpeg2.mkv": {"codec": "mpeg2video"},
        "wmv1.wmv": {"codec": "wmv1", "b_frames": 0},
        "wmv2.wmv": {"codec": "wmv2", "b_frames": 0},
        "msmpeg4.avi": {"codec": "msmpeg4", "b_frames": 0},
        "flv1.flv": {"codec": "flv", "b_frames": 0},
        "h263.3gp": {"codec": "h263", "b_frames": 0, "width": 176, "height": 144},
        "prores.mov": {"codec": "prores", "b_frames": 0, "pixel_format": "yuv422p10le"},
        "ffv1.mkv": {"codec": "ffv1", "b_frames": 0},
        "huffyuv.avi": {"codec": "huffyuv", "b_frames": 0, "pixel_format": "yuv422p"},
        "raw.avi": {"codec": "rawvideo", "b_frames": 0},
        "raw.y4m": {"codec": "wrapped_avframe", "b_frames": 0},
        "qtrle.mov": {"codec": "qtrle", "b_frames": 0, "pixel_format": "argb"},
        "png.mov": {"codec": "png", "b_frames": 0, "pixel_format": "rgba"},
        "10_bit_h264.mp4": {"pixel_format": "yuv420p10le"},
        "10_bit_hevc.mp4": HEVC | {"pixel_format": "yuv420p10le"},
        "12_bit_hevc.mkv": HEVC | {"pixel_format": "yuv444p12le"},
        "10_bit_av1.mp4": AV1 | {"pixel_format": "yuv420p10le"},
        "422.mp4": {"pixel_format": "yuv422p"},
        "444.mp4": {"pixel_format": "yuv444p"},
        "gray.mp4": {"pixel_format": "gray"},
        "rgb.mp4": {"codec": "libx264rgb", "pixel_format": "rgb24"},
        "full_range.mp4": {"pixel_format": "yuvj420p"},
        "transparent.webm": VP9 | {"pixel_format": "yuva420p"},
        "lossless.mp4": {"options": {"qp": "0"}, "pixel_format": "yuv444p"},
        "slow_b.mp4": {"b_frames": 8, "options": {"b-pyramid": "normal", "refs": "8"}},
        "open_gop.mp4": {"options": {"x264-params": "open-gop=1:keyint=10:log-level=none"}},
        "intra_refresh.mp4": {"b_frames": 0, "options": {"x264-params": "intra-refresh=1"}},
        "slices.mp4": {"options": {"x264-params": "slices=3"}},
    }.items():
        cases += [Case(n, settings.get("codec", "libx264"), video(30, **settings), whole) for n in names.split()]
    odd_names = ["with spaces.mp4", "été 動画 🎬.mp4", "quotes'\".mp4", "two\nlines.mp4", "tab\t.mp4", "-dash.mp4"]
    odd_names += ["http:clip.mp4", "file:clip.mp4", "concat:a|b.mp4", "100%d%03d.mp4", "$(rm) `x` ; & *.mp4"]
    odd_names += [
        "dot..mp4",
        "back\\slash.mp4",
        "l" * 240 + ".mp4",
        "no_suffix",
        "mp4_named.avi",
        "named.jpg",
        "UPPER.MP4",
    ]
    cases += [Case(name, "an odd name", made_of("plain.mp4", Path.rename), whole) for name in odd_names]
    cases += [
        Case(os.fsdecode(b"latin\xe9.mp4"), "name: not UTF-8", made_of("plain.mp4", Path.rename), whole, "rename"),
        Case("link.mp4", "a link to a video", linked, whole),
        Case("dangling.mp4", "a link to nothing", link("nowhere.mp4"), error="a link to nothing"),
        Case("loop.mp4", "a link to itself", link("loop.mp4"), error="cannot be opened|link"),
        Case("device.mp4", "a link to an endless device", link("/dev/zero"), error="not a regular file"),
        Case("folder.mp4", "a directory", lambda p: p.mkdir(), error="folder"),
        Case("pipe.mp4", "a named pipe", lambda p: os.mkfifo(p), error="not a regular file"),
        Case("missing.mp4", "does not exist", lambda p: None, error="no such file"),
        Case(
            "in_a_file.mp4/clip.mp4",
            "its folder is a file",
            lambda p: p.parent.write_bytes(b""),
            error="no such|opened",
        ),
        Case("forbidden.mp4", "no permission to read", unreadable, whole, "permission"),
    ]
    return cases


def write(case: Case, folder: Path) -> Path | None:
    """The file of a case; None where this system cannot have it."""
    path = folder / case.name
    try:
        case.make(path)
    except (OSError, UnicodeError) as error:
        if isinstance(error, av.FFmpegError) or sys.platform == "linux":
            raise
        return None
    return path


def read(case: Case, path: Path) -> tuple[str, bool]:
    """What a user gets from a file, and whether it is as expected."""
    start = time.monotonic()
    try:
        frames = load_video(path, 8)
        count = count_frames(path)
    except VideoError as error:
        got, right = _refused(case, path, str(error))
    else:
        got, right = _frames(case, frames, count)
    seconds = time.monotonic() - start
    return (got, right) if seconds <= SECONDS else (f"{got}, after {seconds:.0f} s", False)


def _refused(case: Case, path: Path, message: str) -> tuple[str, bool]:
    named = message.endswith(f": {printable(path)}") and len(message.splitlines()) == 1
    hung = "no new frame" in message  # an error, but no file here should need the watchdog
    reason = message.removesuffix(f": {printable(path)}")
    right = named and not hung and case.error is not None and re.search(case.error, reason) is not None
    return f"error: {reason}", right


def _frames(case: Case, frames: torch.Tensor, count: int) -> tuple[str, bool]:
    height, width = frames.shape[-2:]
    size = case.size or (width, height)
    got = f"{count} frames of {width} x {height}"
    if case.numbers is None or count != len(case.numbers) or (width, height) != size or len(frames) != 8:
        return got, False
    if not case.marked:
        return got, True
    try:
        found = numbers_in(frames.rot90(case.turn, dims=(-2, -1)))
    except AssertionError:
        return f"{got}, garbage", False
    wanted = [case.numbers[(2 * i + 1) * count // 16] for i in range(8)]
    if found != wanted:
        return f"{got}: {found}, not {wanted}", False
    return f"{got}, the right ones", True


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print("| file | what it is | expected | got |\n|---|---|---|---|")
        wrong = 0
        for case in corpus():
            path = write(case, folder)
            if path is None:
                continue
            got, expected = read(case, path)
            wanted = [f"{len(case.numbers)} frames"] if case.numbers is not None else []
            wanted += ["an error"] if case.error is not None else []
            wrong += not expected
            cells = printable(case.name[:60]), case.what, " or ".join(wanted), ("" if expected else "**wrong**: ") + got
            print("|", " | ".join(cell.replace("|", "\\|") for cell in cells), "|")
        print(f"\n{len(corpus())} files, {wrong} not as expected")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
