"""The motion explorer: HSMR's motion features of a clip beside those of twins that differ from it in one thing each."""

from functools import lru_cache
from itertools import product
from typing import Any, get_args

import torch
from torch import Tensor

from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.hsmr import HSMROutput, Motion, MotionFeatureExtraction, hsmr
from clipspm_lite.plots.motion import compared_with_first, features_of_twins, steps_of_twins, strips_of_twins
from clipspm_lite.widgets.base import Explorer, Picture, choose
from clipspm_lite.widgets.choices import choose_clip
from clipspm_lite.widgets.gallery import Gallery

TWINS = ("original", "reversed", "still", "shuffled", "other background")
GIVEN, FRESH = "as given", "before training"
FRESH_SEED = 0  # of the weights before training
# For each kind of motion its sign in ½ (forward ± backward), and what follows from it.
MOTION_SIGNS: dict[Motion, tuple[str, str]] = {
    "symmetric": ("+", "Steps that say the same add up, and so does what never changes."),
    "antisymmetric": ("−", "Steps there and back cancel, and so does what never changes."),
}


def motion_explorer(gallery: Gallery) -> Explorer:
    """HSMR's motion features of a clip and of its reversed, still, shuffled and background-exchanged twin.

    The background is exchanged in the features: a clip's mean over time is replaced by another clip's. "Before
    training" are weights of the same configuration, drawn with seed 0.
    """
    levels = [("m shallow: frames", "shallow"), ("m deep: fused frames", "deep")]
    controls = {
        **choose_clip(gallery, ("action", "clip"), ("action", "clip")),
        "donor": choose("background", gallery.numbered_names, len(gallery.names) - 1),
        "motion": choose("motion", get_args(Motion), gallery.model.mfe.motion),
        "weights": choose("weights", (GIVEN, FRESH)),
        "level": choose("steps of", levels),
    }
    pictures = MotionPictures(gallery)
    return Explorer(
        "motion",
        controls,
        {"clips": pictures.clips, "features": pictures.features, "steps": pictures.steps},
        derive={"video": lambda action, clip: gallery.video(action, clip)},
        slow=["action", "clip", "donor"],
    )


class MotionPictures:
    """The pictures of the motion explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery):
        self.gallery = gallery
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(FRESH_SEED)
            fresh = build_head(describe_head(gallery.model), type(gallery.model)).eval()
            self.heads: dict[str, Any] = {GIVEN: gallery.model, FRESH: fresh}
            self.mfes = {
                (weights, motion): with_motion(self.heads[weights].mfe, motion)
                for weights, motion in product(self.heads, MOTION_SIGNS)
            }
        self._measured = lru_cache(maxsize=16)(self._measure)

    def clips(self, video: int, donor: int) -> Picture:
        """The clip and its twins as film strips."""
        other = self._donor_clip(video, donor)
        name, other_name = self.gallery.clip_name(video), self.gallery.clip_name(other)
        same = " Here both are the same clip: nothing is exchanged." if other == video else ""
        return Picture(
            strips_of_twins(twins_of(self.gallery.thumbnails(video), self.gallery.thumbnails(other))),
            f"{name} and its twins. Other background: the clip's mean over time is taken away and that of "
            f"{other_name} put in its place, in the pictures as in the features. This exchanges all that stands "
            f"still, clothes too, and keeps what changes; in pictures it leaves a shadow of the clip.{same}",
            f"Film strips of {name}: {', '.join(TWINS[:-1])}, and with the still part of {other_name}.",
        )

    def features(self, video: int, donor: int, motion: Motion, weights: str) -> Picture:
        """The twins' motion features, shallow, fused and deep."""
        output, _ = self._measured(video, self._donor_clip(video, donor), motion, weights)
        blocks = {
            "m shallow": output.shallow,
            "m′: the motion token": output.motion_token.squeeze(-2),
            "m deep": output.deep,
        }
        compared = list(zip(TWINS, compared_with_first(output.shallow), strict=True))
        said = "; ".join(
            f"{name} {length:.2f} × as long" + (", no direction" if cosine is None else f", cosine {cosine:.2f}")
            for name, (length, cosine) in compared[1:]
        )
        gaps = zip(TWINS, output.disagreement().tolist(), strict=True)
        return Picture(
            features_of_twins(blocks, TWINS),
            f"{self._described(video, motion, weights)}; a dot per channel. m shallow is of the frames, m′ the token "
            f"after fusion, m deep of the fused frames. m shallow beside the original's: {said}. A feature of motion "
            "should lie on the level line for the still clip, on the falling one for the reversed, and on the rising "
            "one before another background. ‖m deep − m′‖², which HSMR's loss makes "
            f"small: {', '.join(f'{name} {gap:.3g}' for name, gap in gaps)}.",
            "Three rows of dot plots: m shallow, the motion token and m deep of the twins of "
            f"{self.gallery.clip_name(video)} against its own, with lengths and cosines below them. "
            f"{said}.",
        )

    def steps(self, video: int, donor: int, motion: Motion, weights: str, level: str) -> Picture:
        """What each step from a frame to the next adds to the twins' motion features."""
        terms = self._measured(video, self._donor_clip(video, donor), motion, weights)[1][level]
        sign, what_cancels = MOTION_SIGNS[motion]
        average = "mean" if self.gallery.model.mfe.reduction == "mean" else "sum, doubled,"
        longest = float(terms[0].norm(dim=-1).mean())
        title = f"½ (forward {sign} backward) of every step, m {level}"
        return Picture(
            steps_of_twins(dict(zip(TWINS, terms, strict=True)), title),
            f"{self._described(video, motion, weights)}: what the {terms.shape[1]} steps add to m {level}, their "
            f"{average} over time; purple above zero, brown below. Of the original one step is {longest:.3g} long on "
            f"average, and the mean of all of them {float(terms[0].mean(0).norm()):.3g}. {what_cancels}",
            f"Five colour maps side by side, {terms.shape[1]} steps by {terms.shape[2]} channels each, for "
            f"{self.gallery.clip_name(video)} and its twins: {', '.join(TWINS)}.",
        )

    def _donor_clip(self, video: int, donor: int) -> int:
        """The first clip of the donor's class, or the second if the first is the clip itself."""
        first = self.gallery.starts[donor]
        return first + 1 if first == video and self.gallery.data.videos_per_class[donor] > 1 else first

    def _measure(self, video: int, donor: int, motion: Motion, weights: str) -> tuple[HSMROutput, dict[str, Tensor]]:
        """HSMR of the clip and its twins, and the steps that its shallow and its deep motion add up from."""
        features, head, mfe = self.gallery.data.features, self.heads[weights], self.mfes[weights, motion]
        twins = torch.stack(list(twins_of(features[video], features[donor]).values()))
        with self.gallery.scoring():
            frames, _, _ = head.prepare(twins, twins, self.gallery.data.text, None)
            output = hsmr(frames, mfe, head.fusion)
            return output, {"shallow": mfe.steps(frames), "deep": mfe.steps(output.fused)}

    def _described(self, video: int, motion: Motion, weights: str) -> str:
        name = f"{self.gallery.clip_name(video)}, {motion} motion, weights {weights}"
        name += f" (seed {FRESH_SEED})" if weights == FRESH else ""
        own = self.gallery.model.mfe.motion
        if motion != own:
            name += f", which were {'drawn' if weights == FRESH else 'trained'} for {own} motion"
        return name


def twins_of(video: Tensor, donor: Tensor) -> dict[str, Tensor]:
    """The clip and its twins, of frame features or pictures ``[T, …]``; the donor gives the background."""
    inner = sorted(range(1, len(video) - 1), key=lambda frame: f"{frame:032b}"[::-1])  # the two ends stay
    shuffled = [0, *inner, len(video) - 1]
    still = video[:1].expand_as(video)
    exchanged = video - video.mean(0) + donor.mean(0)
    return dict(zip(TWINS, (video, video.flip(0), still, video[shuffled], exchanged), strict=True))


def with_motion(mfe: MotionFeatureExtraction, motion: Motion) -> MotionFeatureExtraction:
    """The same convolutions, used for symmetric or for antisymmetric motion."""
    other = MotionFeatureExtraction(mfe.conv1.in_channels, motion=motion, reduction=mfe.reduction)
    other.load_state_dict(mfe.state_dict())
    return other.eval()
