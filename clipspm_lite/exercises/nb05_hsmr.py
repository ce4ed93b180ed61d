"""Exercises of notebook 05: MFE and HSMR."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipspm_lite.exercises.exercise import Exercise, known_mistake, random_tensor, real, tensor_hint, with_weights_of
from clipspm_lite.model.hsmr import MotionFeatureExtraction
from clipspm_lite.model.presets import Motion


def _motion_mistakes(mfe: MotionFeatureExtraction, video: Tensor) -> dict[str, Tensor]:
    filtered = mfe.conv2(mfe.conv1(video.transpose(1, 2))).transpose(1, 2)
    sign = 1 if mfe.motion == "symmetric" else -1

    def of(forward: Tensor, backward: Tensor) -> Tensor:
        return (forward + sign * backward).mean(1) / 2

    forward, backward = filtered[:, 1:] - video[:, :-1], filtered[:, :-1] - video[:, 1:]
    own = filtered - video
    return {
        "forward and backward are exchanged: forward is the later filtered frame minus the earlier raw one.": of(
            backward, forward
        ),
        "The sign is turned: the filtered frame comes first, and the raw frame is taken from it.": -of(
            forward, backward
        ),
        "You subtract each frame from its own filtered self; the filtered one must be a step away.": of(
            own[:, :-1], own[:, 1:]
        ),
        "The filter is not in it: these are differences of raw frames.": of(
            video[:, 1:] - video[:, :-1], video[:, :-1] - video[:, 1:]
        ),
        "Only forward is in it.": forward.mean(1) / 2,
        "Twice too large: the ½ is missing.": 2 * of(forward, backward),
        "You have all steps; the mean over time is missing.": (forward + sign * backward) / 2,
        "You summed over time; the released code takes the mean.": (forward + sign * backward).sum(1) / 2,
        "The mean is over T frames here; there are T − 1 steps.": of(forward, backward) * (1 - 1 / video.shape[1]),
    }


def _find_mfe(answer: Callable[..., Any]) -> str | None:
    versions: tuple[Motion, ...] = ("symmetric", "antisymmetric")
    for motion, frames in itertools.product(versions, (8, 5)):
        video = random_tensor(3, frames, 6, seed=4, gradient=True)
        library, mine = MotionFeatureExtraction(6, motion=motion), answer(6, motion=motion)
        hint = with_weights_of(library, mine)
        if hint is not None:
            return hint
        hint = known_mistake(mine(video), library(video), _motion_mistakes(library, video), video=video)
        if hint is not None:
            return f'motion="{motion}", T = {frames}: {hint}'
    return None


def _find_taps(answer: Any) -> str | None:
    values = [real(value) for value in answer] if isinstance(answer, list | tuple | Tensor | np.ndarray) else []
    if len(values) != 3 or None in values:
        return "Expected three numbers: the taps for the frame before, the frame itself and the frame after."
    taps = torch.tensor(values)
    mfe = MotionFeatureExtraction(4)
    with torch.no_grad():
        for convolution, kernel in ((mfe.conv1, taps), (mfe.conv2, torch.tensor([0.0, 1.0, 0.0]))):
            convolution.weight.zero_()
            convolution.weight[range(4), range(4)] = kernel
            convolution.bias.zero_()  # type: ignore[union-attr]
        video = random_tensor(8, 4, seed=4)
        m, reverse, still = mfe(video), mfe(video.flip(0)), mfe(video[:1].expand(8, 4))
    if m.norm() < 1e-4:
        return "m is zero for every clip: with these taps Φ(f) and f are the same where it counts."
    if still.norm() > 1e-4:
        return f"A still clip gets a motion {float(still.norm()):.2f} long. Which of your taps does a still frame pass?"
    if (m + reverse).norm() > 1e-4:
        return "A still clip is silent, but the reversed clip does not get −m."
    return None


def _find_stopped(answer: Callable[[Tensor, Tensor], object]) -> str | None:
    deep, token = (random_tensor(4, 3, seed=seed, gradient=True) for seed in (4, 5))
    difference = (deep - token).detach()
    squares = difference.square()
    mistakes = {
        "You averaged over the channels too: ‖·‖² is their sum, the mean is over videos.": squares.mean(),
        "You summed over the videos too: the loss is a mean over videos.": squares.sum(),
        "The norm is not squared.": squares.sum(-1).sqrt().mean(),
        "One number per video: the mean over videos is missing.": squares.sum(-1),
    }
    loss = answer(deep, token)
    found = loss.detach() if isinstance(loss, Tensor) else loss
    hint = known_mistake(found, squares.sum(-1).mean(), mistakes)
    if hint is not None:
        return hint
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return "The value is right, but no gradient is left at all: stop m_deep only."
    of_deep, of_token = torch.autograd.grad(loss, (deep, token), allow_unused=True)
    if of_token is None:
        return "The value is right, but you stopped the other side: now m′ gets no gradient."
    if of_deep is not None:
        return "The value is right, but a gradient still reaches m_deep: detach it."
    return None


def _find_signed(answer: Callable[[Tensor], object]) -> str | None:
    video = random_tensor(8, 6, seed=4)
    features = {}
    changed = video.clone()
    changed[3:5] += video[:2]  # not the same change in both: an odd weighting could cancel that
    for name, clip in (
        ("still", video[:1].expand(8, 6)),
        ("moving", video),
        ("reversed", video.flip(0)),
        ("changed", changed),
        ("shorter", video[:5]),
        ("shorter reversed", video[:5].flip(0)),
    ):
        found = answer(clip)
        if found is None or found is ...:
            return tensor_hint(found, video)
        found = torch.as_tensor(found)  # a number or an array will do
        if not found.is_floating_point():
            return f"Expected a feature of floating-point numbers, found {found.dtype}."
        if not torch.isfinite(found).all():
            return f"The {name} clip gets values that are not finite: look for a division by 0."
        features[name] = found
    if features["moving"].shape != features["reversed"].shape or not features["moving"].numel():
        return "The feature must have the same shape, with at least one number, for every clip."
    if float(features["still"].abs().max()) > 1e-4:
        return f"A still clip gets a motion of length {float(features['still'].norm()):.2f}; it must be zero."
    if float(features["moving"].norm()) < 1e-3:
        return "Zero for a still clip, but for a moving one too: it measures nothing."
    for name, turned in (("moving", "reversed"), ("shorter", "shorter reversed")):
        if float((features[name] + features[turned]).abs().max()) > 1e-4:
            return f"Zero for a still clip, but the {name} clip backwards does not get the opposite sign."
    if float((features["moving"] - features["changed"]).abs().max()) < 1e-4:
        return (
            "Zero for a still clip, and the sign flips. But changing the two middle frames changes nothing: "
            "let every frame count."
        )
    return None


MFE = '''
class MFE(nn.Module):
    """Motion of videos [V, T, C] → [V, C]; motion is "symmetric" (the method's) or "antisymmetric"."""

    def __init__(self, dim, *, motion="symmetric"):
        super().__init__()
        self.motion = motion
        padding = "zeros" if motion == "symmetric" else "replicate"  # what Φ sees beyond the ends
        self.conv1 = nn.Conv1d(dim, dim, kernel_size=3, padding=1, padding_mode=padding)
        self.conv2 = nn.Conv1d(dim, dim, kernel_size=3, padding=1, padding_mode=padding)

    def forward(self, video):
        filtered = self.conv2(self.conv1(video.transpose(1, 2))).transpose(1, 2)  # Φ(f), [V, T, C]
        forward = {forward}
        backward = {backward}
        both = forward + backward if self.motion == "symmetric" else forward - backward
        return {result}
'''.strip()

EXERCISES = {
    "05.1": Exercise(
        title="MFE, the motion feature",
        difficulty=2,
        minutes=10,
        stub=MFE.format(forward="...  # [V, T − 1, C]", backward="...  # [V, T − 1, C]", result="..."),
        solution=MFE.format(
            forward="filtered[:, 1:] - video[:, :-1]",
            backward="filtered[:, :-1] - video[:, 1:]",
            result="both.mean(1) / 2",
        ),
        find=_find_mfe,
        importance=3,
        task="Fill the three gaps: both differences for all steps at once, and the motion feature. "
        "Then the notebook goes on with yours.",
        idea="A step compares a filtered frame with the raw frame beside it: cut one frame off at one end of each.",
        template="forward = filtered[:, 1:] - video[...]\n"
        "backward = filtered[...] - video[:, 1:]\nreturn both.mean(...) / 2",
        why="A slice without the last frame beside one without the first lines up neighbours. "
        "The mean over axis 1 is over steps.",
        library=lambda: MotionFeatureExtraction,
    ),
    "05.2": Exercise(
        title="A filter that makes it see direction",
        difficulty=3,
        minutes=15,
        stub="taps = ..., ..., ...  # for the frame before, the frame itself, the frame after",
        solution="taps = -0.5, 1.0, 0.5",
        find=_find_taps,
        importance=2,
        task=(
            "Φ need not be simple. Let the second convolution pass everything on, and the first one compute "
            "Φ(f)[i] = taps[0] · f[i − 1] + taps[1] · f[i] + taps[2] · f[i + 1], channel by channel, with zeros "
            "beyond the ends. Choose three numbers with which the *symmetric* feature is zero for every still "
            "clip and −m for the reversed one, and not always zero."
        ),
        idea="The sum weighs Φ(f) − f, so let Φ return the frame itself plus a difference of its neighbours.",
        template="taps = -0.5, ..., 0.5",
        why=(
            "Φ(f) − f is then half the difference of the neighbours, which turns with the clip. Any [−a, 1, a] "
            "will do. So the equation does not forbid a sense of direction; random filters do not have it, and "
            "nothing in the training asks for it."
        ),
    ),
    "05.3": Exercise(
        title="Stop a gradient",
        difficulty=2,
        minutes=10,
        stub='''
def stopped_loss(deep, token):
    """m_deep and m′ of V videos, both [V, C] → the mean of ‖m_deep − m′‖², where m_deep is a fixed target."""
    return ...
'''.strip(),
        solution='''
def stopped_loss(deep, token):
    """m_deep and m′ of V videos, both [V, C] → the mean of ‖m_deep − m′‖², where m_deep is a fixed target."""
    return (deep.detach() - token).square().sum(-1).mean()
'''.strip(),
        find=_find_stopped,
        importance=2,
        task=(
            "In L_HSMR both sides move towards each other. Write the loss with m_deep as a fixed target: the "
            "same number, but no gradient through m_deep. Before you run it, predict: does Φ still learn?"
        ),
        idea="`detach` gives the same numbers without their history.",
        template="return (... - token).square().sum(-1).mean()",
        why="Φ still learns: m_shallow goes into SF as the prompt and comes out as m′, so m′ depends on Φ too.",
    ),
    "05.4": Exercise(
        title="A motion feature of your own",
        difficulty=3,
        minutes=20,
        stub='''
def signed_motion(video):
    """video [T, C] → a motion feature of any size: zero if nothing moves, −itself for the reversed clip."""
    return ...
'''.strip(),
        solution='''
def signed_motion(video):
    """video [T, C] → a motion feature of any size: zero if nothing moves, −itself for the reversed clip."""
    time = torch.linspace(-1, 1, len(video))  # odd: reversing the clip turns its sign; its sum is 0
    return (time[:, None] * video).mean(0)  # up to a factor the slope of each channel over time
'''.strip(),
        find=_find_signed,
        importance=1,
        task=(
            "Open: design a motion feature of a clip that is **zero if nothing moves** and turns its **sign "
            "when the clip runs backwards**. Last frame minus first frame does that, but sees nothing of what "
            "lies between, so let the middle frames count too. There are many right answers."
        ),
        idea="Weigh the frames by a function of time that is odd about the middle of the clip.",
        template="time = torch.linspace(-1, 1, len(video))\nreturn ...",
        why=(
            "Any weights over time that are *odd* about the middle of the clip will do. What does yours say "
            "about waving, which goes there and back?"
        ),
    ),
}
