"""Exercises of notebook 05: MFE and HSMR."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, random_tensor, tensor_hint


def _find_forward(answer: Callable[[Tensor, Tensor], object]) -> str | None:
    filtered, video = random_tensor(2, 5, 3, seed=4)
    mistakes = {
        "That is backward_t: the filtered frame minus the frame after it. forward_t looks the other way.": (
            filtered[:-1] - video[1:]
        ),
        "The sign is turned: the filtered frame comes first, and the raw frame is taken from it.": (
            video[:-1] - filtered[1:]
        ),
        "You subtract each frame from its own filtered self; the filtered one must be a step later.": (
            (filtered - video)[:-1]
        ),
        "You sliced the channels. Time is the first of the two axes.": filtered[:, 1:] - video[:, :-1],
        "The filter is not in it: this is the difference of the raw frames.": video[1:] - video[:-1],
    }
    return known_mistake(answer(filtered, video), filtered[1:] - video[:-1], mistakes)


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
    if hint is not None or not isinstance(loss, Tensor):
        return hint
    if not loss.requires_grad:
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


EXERCISES = {
    "05.1": Exercise(
        title="Forward differences",
        difficulty=1,
        minutes=5,
        stub='''
def forward_differences(filtered, video):
    """filtered = Φ(f) and video = f, both [T, C] → forward_t for every step, [T − 1, C]."""
    return ...
'''.strip(),
        solution='''
def forward_differences(filtered, video):
    """filtered = Φ(f) and video = f, both [T, C] → forward_t for every step, [T − 1, C]."""
    return filtered[1:] - video[:-1]
'''.strip(),
        find=_find_forward,
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
    ),
}
