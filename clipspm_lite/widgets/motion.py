"""The motion explorer: HSMR's motion features of a clip beside those of twins that differ from it in one thing each."""

from functools import lru_cache
from itertools import product

import ipywidgets as widgets
import torch
from torch import Tensor

from clipspm_lite.model.hsmr import HSMROutput, Motion, MotionFeatureExtraction, hsmr
from clipspm_lite.plots.motion import compared_with_first, features_of_twins, steps_of_twins, strips_of_twins
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture
from clipspm_lite.widgets.clips import WIDTH, called, choose_clip, video_of
from clipspm_lite.widgets.gallery import Gallery, check_gallery

TWINS = ("original", "reversed", "still", "shuffled", "other background")
GIVEN, FRESH = "as given", "before training"
SEED = 0  # of the weights before training
MOTIONS: tuple[Motion, ...] = ("symmetric", "antisymmetric")


def motion_explorer(gallery: Gallery) -> Explorer:
    """HSMR's motion features of a clip and of its reversed, still, shuffled and background-exchanged twin.

    The background is exchanged in the features: a clip's mean over time is replaced by another clip's. "Before
    training" are weights of the same configuration, drawn with seed 0.
    """
    check_gallery(gallery)
    model = gallery.model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        heads = {GIVEN: model, FRESH: type(model)(**vars(model.config)).eval()}
        mfes = {
            (weights, motion): with_motion(heads[weights].mfe, motion)
            for weights, motion in product(heads, MOTIONS)
        }
    classes = list(zip(gallery.names, range(len(gallery.names)), strict=True))
    controls = {
        **choose_clip(gallery, ("action", "clip"), ("action", "clip")),
        "donor": widgets.Dropdown(
            description="background from",
            options=classes,
            value=len(classes) - 1,
            style=LABELLED,
            layout={"width": WIDTH},
        ),
        "motion": widgets.Dropdown(
            description="motion",
            options=MOTIONS,
            value=model.mfe.motion,
            style=LABELLED,
            layout={"width": WIDTH},
        ),
        "weights": widgets.Dropdown(
            description="weights", options=list(heads), style=LABELLED, layout={"width": WIDTH}
        ),
        "level": widgets.Dropdown(
            description="steps of",
            options=[("m shallow: frames", "shallow"), ("m deep: fused frames", "deep")],
            style=LABELLED,
            layout={"width": WIDTH},
        ),
    }

    def donor_of(video: int, donor: int) -> int:
        """The first clip of the donor's class, or the second if the first is the clip itself."""
        first = gallery.starts[donor]
        return first + 1 if first == video and gallery.data.videos_per_class[donor] > 1 else first

    @lru_cache(maxsize=16)
    @torch.inference_mode()
    def measure(video: int, donor: int, motion: Motion, weights: str) -> tuple[HSMROutput, dict[str, Tensor]]:
        features = gallery.data.features
        twins = torch.stack(list(changed(features[video], features[donor]).values()))
        frames, _, _ = heads[weights].prepare(twins, twins, gallery.data.class_text, None)
        mfe = mfes[weights, motion]
        output = hsmr(frames, mfe, heads[weights].fusion)
        return output, {"shallow": mfe.steps(frames), "deep": mfe.steps(output.fused)}

    def named(video: int, motion: Motion, weights: str) -> str:
        name = f"{called(gallery, video)}, {motion} motion, weights {weights}"
        name += f" (seed {SEED})" if weights == FRESH else ""
        if motion != model.mfe.motion:
            name += f", which were {'drawn' if weights == FRESH else 'trained'} for {model.mfe.motion} motion"
        return name

    def clips(video: int, donor: int) -> Picture:
        other = donor_of(video, donor)
        name, other_name = called(gallery, video), called(gallery, other)
        caption = (
            f"{name} and its twins. Other background: the clip's mean over time is taken away and that of "
            f"{other_name} put in its place, in the pictures as in the features. This exchanges all that stands "
            "still, clothes too, and keeps what changes; in pictures it leaves a shadow of the clip."
        )
        if other == video:
            caption += " Here both are the same clip: nothing is exchanged."
        return Picture(
            strips_of_twins(changed(gallery.clip(video)[..., ::2, ::2], gallery.clip(other)[..., ::2, ::2])),
            caption,
            f"Film strips of {name}: {', '.join(TWINS[:-1])}, and with the still part of {other_name}.",
        )

    def features(video: int, donor: int, motion: Motion, weights: str) -> Picture:
        output, _ = measure(video, donor_of(video, donor), motion, weights)
        token = output.motion_token.squeeze(-2)
        answers = list(zip(TWINS, compared_with_first(output.shallow), strict=True))
        said = "; ".join(
            f"{name} {length:.2f} × as long"
            + (", no direction" if cosine is None else f", cosine {cosine:.2f}")
            for name, (length, cosine) in answers[1:]
        )
        gaps = [f"{name} {gap:.3g}" for name, gap in zip(TWINS, output.disagreement().tolist(), strict=True)]
        return Picture(
            features_of_twins(
                {
                    "m shallow: motion of the frames": output.shallow,
                    "m̂: the motion token after fusion": token,
                    "m deep: motion of the fused frames": output.deep,
                },
                TWINS,
            ),
            f"{named(video, motion, weights)}; purple above zero, brown below. m shallow beside the original's: "
            f"{said}. A feature of motion should be silent for the still clip, turn round for the reversed one (cosine "
            "−1), and stay the same before another background. ‖m deep − m̂‖², which HSMR's loss makes small: "
            f"{', '.join(gaps)}.",
            "Three colour maps, one below the other: m shallow, the motion token and m deep of "
            f"{called(gallery, video)} and its twins, one row each, with lengths and cosines beside them. {said}.",
        )

    def steps(video: int, donor: int, motion: Motion, weights: str, level: str) -> Picture:
        terms = measure(video, donor_of(video, donor), motion, weights)[1][level]
        sign, what_cancels = {
            "symmetric": ("+", "Steps that say the same add up, and so does what never changes."),
            "antisymmetric": ("−", "Steps there and back cancel, and so does what never changes."),
        }[motion]
        average = "mean" if model.mfe.reduction == "mean" else "sum, doubled,"
        longest = float(terms[0].norm(dim=-1).mean())
        return Picture(
            steps_of_twins(
                dict(zip(TWINS, terms, strict=True)), f"½ (forward {sign} backward) of every step, m {level}"
            ),
            f"{named(video, motion, weights)}: what the {terms.shape[1]} steps add to m {level}, their {average} over "
            f"time; purple above zero, brown below. Of the original one step is {longest:.3g} long on average, and the "
            f"mean of all of them {float(terms[0].mean(0).norm()):.3g}. {what_cancels}",
            f"Five colour maps side by side, {terms.shape[1]} steps by {terms.shape[2]} channels each, for "
            f"{called(gallery, video)} and its twins: {', '.join(TWINS)}.",
        )

    return Explorer(
        "motion",
        controls,
        {"clips": clips, "features": features, "steps": steps},
        derive={"video": lambda action, clip: video_of(gallery, action, clip)},
        slow=["action", "clip", "donor"],
    )


def changed(video: Tensor, donor: Tensor) -> dict[str, Tensor]:
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
