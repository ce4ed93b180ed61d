"""What a prepared folder saves, and what it costs: python tests/benchmarks/prepared.py

The repository has no filmed video, so eight sample clips after each other, enlarged to 320 x 240 and with a camera's
noise over them, make a clip of 6 seconds in H.264. The cosine is that of the sample clips themselves.
"""

import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch
from timing import seconds
from torch.nn import functional as F

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.prepared import prepare

CLIPS, FRAMES, EPISODE, TIMES = 6, 180, 25, 5


def write_clip(path: Path, samples: tuple[Path, ...]) -> None:
    pictures = torch.cat([load_video(sample, 24) for sample in samples])
    pictures = 255 * F.interpolate(pictures, (240, 320), mode="bilinear").movedim(1, -1).numpy()
    noise = np.random.default_rng(0).normal(0, 6, (16, 240, 320, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(FRAMES):
            picture = (pictures[number] + noise[number % len(noise)]).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def feed(path: Path) -> torch.Tensor:
    """What training asks for: random frames, a random square of them, mirrored or not."""
    return load_video(path, 8, 224, resize=256, random_segments=True, random_crop=True, random_flip=True)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder, samples = Path(name), sample_world("base").paths
        (folder / "videos").mkdir()
        videos = [folder / "videos" / f"{number}.mp4" for number in range(CLIPS)]
        for number, path in enumerate(videos):
            write_clip(path, samples[number * 8 : number * 8 + 8])
        once = seconds(lambda: prepare(folder / "videos", folder / "prepared")) / CLIPS / FRAMES
        records = [folder / "prepared" / path.name for path in videos]
        size, before = ((sum(f.stat().st_size for f in p.parent.iterdir())) / 1000 for p in (records[0], videos[0]))
        print(
            f"prepared in {1000 * once:.1f} ms and {size / CLIPS / FRAMES:.0f} kB a frame, {size / before:.0f} times",
            end="",
        )
        print(" the size of the videos")

        pairs = [*zip(videos, records, strict=True)]
        taken = [[seconds(lambda path=path: feed(path)) for path in pair] for pair in TIMES * pairs]
        slow, fast = (min(times[1:]) for times in zip(*taken, strict=True))  # the first loads what is needed once
        print(f"8 random frames: {1000 * slow:.0f} ms from the mp4, {1000 * fast:.1f} ms prepared, ", end="")
        print(f"{slow / fast:.1f} times as fast")
        episode = []
        for _ in range(2 * TIMES):  # other processes only make it slower
            started = time.process_time()
            torch.stack([feed(records[number % CLIPS]) for number in range(EPISODE)])
            episode.append(time.process_time() - started)
        print(f"an episode of {EPISODE} prepared clips: {min(episode):.2f} s of one core")

        novel = sample_world("novel")
        few = [path for path in novel.paths if path.stem.endswith("_00")]
        (folder / "few").mkdir()
        for path in few:
            (folder / "few" / path.name).write_bytes(path.read_bytes())
        prepare(folder / "few", folder / "few_prepared")
        store = FeatureStore(load_backbone("tiny", device="cpu"), folder / "store")
        one, other = store.encode_anew(few), store.encode_anew([folder / "few_prepared" / path.name for path in few])
        cosine = F.cosine_similarity(one, other, dim=-1)
        print(f"cosine of tiny-CLIP features with the original's: mean {cosine.mean():.4f}, least {cosine.min():.4f}")


if __name__ == "__main__":
    main()
