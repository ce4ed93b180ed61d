"""Exercises of notebook 05: MFE and HSMR."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, random_tensor, tensor_hint, with_weights_of
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
    video = random_tensor(3, 8, 6, seed=4)
    versions: tuple[Motion, ...] = ("symmetric", "antisymmetric")
    for motion in versions:
        library = MotionFeatureExtraction(6, motion=motion)
        mine = answer(6, motion=motion)
        hint = with_weights_of(library, mine)
        if hint is not None:
            return hint
        found, expected = mine(video), library(video)
        hint = known_mistake(found, expected, _motion_mistakes(library, video))
        if hint is not None:
            return f'motion="{motion}": {hint}'
        if not found.requires_grad:
            return "The values are right, but no gradient is left: keep to torch's operations, without no_grad."
    return None


def _weights(frames: int) -> Tensor:
    weights = torch.full((frames,), 1 / (frames - 1))
    weights[0] = weights[-1] = 0.5 / (frames - 1)
    return weights


def _find_weights(answer: Callable[[int], object]) -> str | None:
    for frames in (8, 3, 2):
        expected = _weights(frames)
        ends = torch.zeros(frames)
        ends[0], ends[-1] = 0.5, 0.5
        mistakes = {
            "All frames weigh the same here. In how many of the T − 1 steps does frame 1 stand, and frame 2?": (
                torch.full((frames,), 1 / frames)
            ),
            "The proportions are right, but the weights must add up to 1: divide by 2 (T − 1).": (
                expected * 2 * (frames - 1)
            ),
            "Twice too large: the ½ before forward + backward is missing.": 2 * expected,
            "Only the ends are left: that is what a difference would keep, but both directions are added.": ends,
        }
        hint = known_mistake(answer(frames), expected, mistakes)
        if hint is not None:
            return f"For T = {frames}: {hint}"
    return None


def _antisymmetric(video: Tensor, convolutions: tuple[nn.Conv1d, nn.Conv1d], padding: str) -> Tensor:
    """forward − backward, ``[T − 1, C]``."""
    x = video.T[None]
    for convolution in convolutions:
        x = convolution(F.pad(x, (1, 1), mode=padding))
    filtered = x[0].T
    return (filtered[1:] - video[:-1]) - (filtered[:-1] - video[1:])


def _find_antisymmetric(answer: Callable[[Tensor, nn.Conv1d, nn.Conv1d], object]) -> str | None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        convolutions = (nn.Conv1d(6, 6, 3), nn.Conv1d(6, 6, 3))
    video = random_tensor(8, 6, seed=4)
    with torch.no_grad():
        found = answer(video, *convolutions)
        steps = _antisymmetric(video, convolutions, "replicate")
        zeros = _antisymmetric(video, convolutions, "constant").mean(0) / 2
        x = video.T[None]
        for convolution in convolutions:
            x = convolution(F.pad(x, (1, 1), mode="replicate"))
        symmetric = (x[0].T[1:] - video[:-1] + x[0].T[:-1] - video[1:]).mean(0) / 2
        mistakes = {
            "You padded with zeros: a still clip would get a motion. Repeat the first and the last frame.": zeros,
            "That is the symmetric feature: the two directions are added, not subtracted.": symmetric,
            "Twice too large: the ½ is missing.": steps.mean(0),
            "The sign is turned: it is forward − backward.": -steps.mean(0) / 2,
            "You have all steps; the mean over time is missing.": steps / 2,
            "You summed over time; the released code takes the mean.": steps.sum(0) / 2,
        }
        return known_mistake(found, steps.mean(0) / 2, mistakes)


def _find_stopped(answer: Callable[[Tensor, Tensor], object]) -> str | None:
    deep, token = random_tensor(2, 4, 3, seed=4)
    deep.requires_grad_()
    token.requires_grad_()
    difference = (deep - token).detach()
    squares = difference.square()
    mistakes = {
        "You averaged over the channels too: ‖·‖² is their sum, the mean is over videos.": squares.mean(),
        "You summed over the videos too: the loss is a mean over videos.": squares.sum(),
        "The norm is not squared.": squares.sum(-1).sqrt().mean(),
        "One number a video: the mean over videos is missing.": squares.sum(-1),
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
        return "The value is right, but you stopped the other side: now m̂ gets no gradient."
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
    ):
        found = answer(clip)
        if not isinstance(found, Tensor):
            return tensor_hint(found, video)
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
    if float((features["moving"] + features["reversed"]).abs().max()) > 1e-4:
        return "Zero for a still clip, but the reversed clip does not get the opposite sign."
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
        title="The weights of the regrouped mean",
        difficulty=2,
        minutes=10,
        stub='''
def frame_weights(frames):
    """The weights w_1 … w_T with m = Σ w_i (Φ(f)[i] − f[i]), as a tensor [T]; frames = T ≥ 2."""
    return ...
'''.strip(),
        solution='''
def frame_weights(frames):
    """The weights w_1 … w_T with m = Σ w_i (Φ(f)[i] − f[i]), as a tensor [T]; frames = T ≥ 2."""
    steps = torch.full((frames,), 2.0)  # an inner frame stands in two steps,
    steps[0] = steps[-1] = 1  # the first and the last in one
    return steps / (2 * (frames - 1))
'''.strip(),
        find=_find_weights,
        importance=2,
        task=(
            "Write the weights w_i of the regrouped sum for any T ≥ 2. Check yourself first on T = 2: there is "
            "one step, and both frames belong to it."
        ),
        idea="Count in how many of the T − 1 steps a frame stands: the ends in one, the others in two.",
        template="steps = torch.full((frames,), 2.0)\nsteps[0] = steps[-1] = 1\nreturn ...",
        why=(
            "For T = 2 both weights are ½: m is then the plain mean of Φ(f) − f. With many frames the two ends "
            "hardly matter."
        ),
    ),
    "05.3": Exercise(
        title="From symmetric to antisymmetric",
        difficulty=2,
        minutes=15,
        stub='''
def antisymmetric(video, conv1, conv2):
    """video [T, C]; conv1, conv2: Conv1d with kernel 3 that pad nothing themselves → motion [C]."""
    channels_first = video.T[None]  # [1, C, T], as Conv1d wants it
    return ...
'''.strip(),
        solution='''
def antisymmetric(video, conv1, conv2):
    """video [T, C]; conv1, conv2: Conv1d with kernel 3 that pad nothing themselves → motion [C]."""
    channels_first = video.T[None]  # [1, C, T], as Conv1d wants it
    for convolution in (conv1, conv2):
        repeated = torch.nn.functional.pad(channels_first, (1, 1), mode="replicate")
        channels_first = convolution(repeated)
    filtered = channels_first[0].T
    forward = filtered[1:] - video[:-1]
    backward = filtered[:-1] - video[1:]
    return (forward - backward).mean(0) / 2
'''.strip(),
        find=_find_antisymmetric,
        importance=2,
        task=(
            "Write the antisymmetric motion feature of one video. The two convolutions are given without "
            "padding, so you decide what lies beyond the ends."
        ),
        idea="Repeat the end frames before each convolution, then subtract the two directions.",
        template=(
            "for convolution in (conv1, conv2):\n"
            "    channels_first = convolution(torch.nn.functional.pad(channels_first, (1, 1), mode=...))\n"
            "filtered = channels_first[0].T\n"
            "forward, backward = ...\n"
            "return (forward - backward).mean(0) / 2"
        ),
        why=(
            "Both convolutions must be padded: padding the first by two frames on each side would give Φ "
            "another value at the ends, because a repeated *input* frame is not a repeated *filtered* frame."
        ),
    ),
    "05.4": Exercise(
        title="Stop a gradient",
        difficulty=2,
        minutes=10,
        stub='''
def stopped_loss(deep, token):
    """m_deep and m̂ of V videos, both [V, C] → the mean of ‖m_deep − m̂‖², where m_deep is a fixed target."""
    return ...
'''.strip(),
        solution='''
def stopped_loss(deep, token):
    """m_deep and m̂ of V videos, both [V, C] → the mean of ‖m_deep − m̂‖², where m_deep is a fixed target."""
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
        why="`detach` gives the same numbers without their history. Whether Φ still learns, the next cell says.",
    ),
    "05.5": Exercise(
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
