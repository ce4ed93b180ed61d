"""The exercises of notebook 04: gates, the tokens of semantic fusion, the prompt generator, consistency."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches, random_tensor, tensor_hint


def _find_gate(answer: Any) -> str | None:
    x, slope = random_tensor(3, 4, seed=0), 0.1
    w1, b1, w2, b2 = (random_tensor(*s, seed=i) for i, s in enumerate([(6, 4), (6,), (4, 6), (4,)], start=1))
    found = answer(x, w1, b1, w2, b2, slope)
    before = x @ w1.T + b1
    inner = F.leaky_relu(before, slope) @ w2.T + b2
    expected = torch.sigmoid(inner)
    mistakes = {
        "The last step is missing: without the sigmoid the values do not stay between 0 and 1.": inner,
        "Negative hidden values became 0: LeakyReLU multiplies them by the slope.": torch.sigmoid(
            F.relu(before) @ w2.T + b2
        ),
        "There is nothing between the two linear layers: LeakyReLU is missing.": torch.sigmoid(before @ w2.T + b2),
        "That is the gated x. Return the gate alone; the caller multiplies.": expected * x,
        "The biases are missing.": torch.sigmoid(F.leaky_relu(x @ w1.T, slope) @ w2.T),
    }
    return known_mistake(found, expected, mistakes)


def _find_tokens(answer: Any) -> str | None:
    video, prompt, alpha = random_tensor(2, 3, 4, seed=0), random_tensor(2, 1, 4, seed=1), 0.3

    def visual_gate(x: Tensor) -> Tensor:
        return torch.sigmoid(x + 1)

    def prompt_gate(x: Tensor) -> Tensor:
        return torch.sigmoid(2 * x)

    found = answer(video, prompt, visual_gate, prompt_gate, alpha)
    gated_video, gated_prompt = visual_gate(video) * video, prompt_gate(prompt) * prompt
    mixed = gated_video + alpha * gated_prompt
    expected = torch.cat([prompt, mixed], dim=-2)
    mistakes = {
        "The prompt stands last: it is the first token, and the frames follow.": torch.cat([mixed, prompt], -2),
        "The first token is the gated prompt: it must be the raw one. Only what is added to frames is gated.": (
            torch.cat([gated_prompt, mixed], -2)
        ),
        "α is forgotten: the gated prompt is added to the frames α times.": torch.cat(
            [prompt, gated_video + gated_prompt], -2
        ),
        "The frames came in ungated: multiply them by the visual gate.": torch.cat(
            [prompt, video + alpha * gated_prompt], -2
        ),
        "The prompt was added to the frames ungated.": torch.cat([prompt, gated_video + alpha * prompt], -2),
        "Those are the frames alone: the prompt token is missing.": mixed,
    }
    return known_mistake(found, expected, mistakes)


def _find_generator_input(answer: Any) -> str | None:
    video, class_text = random_tensor(4, 3, 6, seed=0) + 0.5, random_tensor(5, 6, seed=1)
    found = answer(video, class_text)
    mean_text, one_number = class_text.mean(0), video.mean((-2, -1))[:, None]
    mistakes = {
        "That is the pooled condition: s(f) is a mean over frames and channels, one number a video.": (
            mean_text * video.mean(-2)
        ),
        "All videos got the same number: s(f) is a mean within each video, not over the whole batch.": (
            mean_text * video.mean() * torch.ones(4, 1)
        ),
        "The names were added up: t̄ is their mean, divided by the number of classes.": class_text.sum(0) * one_number,
        "s(f) is a mean and not a sum over frames and channels.": mean_text * video.sum((-2, -1))[:, None],
        "s(f) multiplies t̄, it is not added to it.": mean_text + one_number,
    }
    expected = mean_text * one_number
    if isinstance(found, Tensor) and found.shape == (4, 5):
        return "One value a class came out: average class_text over its classes (axis −2), and keep its channels."
    return known_mistake(found, expected, mistakes)


def _find_consistency(answer: Any) -> str | None:
    named, generated = random_tensor(5, 3, 4, seed=0), random_tensor(5, 3, 4, seed=1)
    found = answer(named, generated)
    squares = (named - generated).square()
    expected = squares.sum((-2, -1)).mean()
    mistakes = {
        "That is the mean over all entries (an ordinary mean squared error): sum over a sample's entries.": (
            squares.mean()
        ),
        "That is the sum over everything: average over the samples, the first axis.": squares.sum(),
        "The sum runs over channels only: a sample's entries are its tokens and its channels.": squares.sum(-1).mean(),
        "That is ‖·‖ and not ‖·‖²: there is no square root.": squares.sum((-2, -1)).sqrt().mean(),
        "Those are absolute differences: square them.": (named - generated).abs().sum((-2, -1)).mean(),
        "One number a sample: average them.": squares.sum((-2, -1)),
    }
    return known_mistake(found, expected, mistakes)


def _find_summary(answer: Any) -> str | None:
    video = random_tensor(4, 8, 6, seed=0)
    found = answer(video)
    if not isinstance(found, Tensor) or found.shape != (4, 6):
        return tensor_hint(found, torch.zeros(4, 6))
    if not torch.isfinite(found).all():
        return "Some values are not finite: look for a division by 0 or a logarithm of 0."
    if (found.std(-1) < 1e-5).all():
        return "All channels of a video hold the same number: this is the scalar condition again."
    if matches(answer(video.flip(-2)), found):
        return "A clip and its reverse get the same summary: let it depend on the order of the frames."
    one_by_one = torch.cat([answer(clip[None]) for clip in video])
    if not matches(one_by_one, found):
        return "A video's summary changes with the videos beside it: use its own frames only."
    if not matches(answer(video[None]), found[None]):
        return "More leading axes change the result: count the axes from the end, −2 for frames, −1 for channels."
    return None


EXERCISES = {
    "04.1": Exercise(
        title="A gate",
        difficulty=1,
        minutes=5,
        stub='''
def gate(x, w1, b1, w2, b2, slope):
    """x [..., C], w1 [H, C], b1 [H], w2 [C, H], b2 [C] -> values between 0 and 1 [..., C]."""
    hidden = ...
    return ...
'''.strip(),
        solution='''
def gate(x, w1, b1, w2, b2, slope):
    """x [..., C], w1 [H, C], b1 [H], w2 [C, H], b2 [C] -> values between 0 and 1 [..., C]."""
    hidden = torch.nn.functional.leaky_relu(x @ w1.T + b1, slope)
    return torch.sigmoid(hidden @ w2.T + b2)
'''.strip(),
        find=_find_gate,
        importance=3,
        task="A gate as in the hand-sized example, for any leading axes and with biases.",
        idea="Two linear layers with LeakyReLU between them; the sigmoid makes a share of it.",
        template="hidden = torch.nn.functional.leaky_relu(x @ w1.T + b1, slope)\nreturn ...",
        why="A gate has one value per channel, so it can let single channels through.",
    ),
    "04.2": Exercise(
        title="The tokens of semantic fusion, the prompt first",
        difficulty=1,
        minutes=8,
        stub='''
def fusion_tokens(video, prompt, visual_gate, prompt_gate, alpha):
    """video [..., T, C], prompt [..., 1, C], two functions, a number -> tokens [..., 1 + T, C]."""
    mixed = ...
    return ...
'''.strip(),
        solution='''
def fusion_tokens(video, prompt, visual_gate, prompt_gate, alpha):
    """video [..., T, C], prompt [..., 1, C], two functions, a number -> tokens [..., 1 + T, C]."""
    mixed = visual_gate(video) * video + alpha * prompt_gate(prompt) * prompt
    return torch.cat([prompt, mixed], dim=-2)
'''.strip(),
        find=_find_tokens,
        importance=3,
        task=(
            "Write the tokens that enter SF's transformer block. `visual_gate` and `prompt_gate` are functions here."
        ),
        idea="Gate both, add the gated prompt α times to every frame, and put the raw prompt in front.",
        template="mixed = ... + alpha * ...\nreturn torch.cat([prompt, mixed], dim=-2)",
        why="The frames take what the gates let through; the prompt token itself stays as it was.",
    ),
    "04.3": Exercise(
        title="What enters the prompt generator",
        difficulty=2,
        minutes=10,
        stub='''
def generator_input(video, class_text):
    """video [Q, T, C], class_text [N, C] -> mean text times one number a video [Q, C]."""
    return ...
'''.strip(),
        solution='''
def generator_input(video, class_text):
    """video [Q, T, C], class_text [N, C] -> mean text times one number a video [Q, C]."""
    one_number = video.mean(dim=(-2, -1))
    return class_text.mean(-2) * one_number[:, None]
'''.strip(),
        find=_find_generator_input,
        importance=3,
        task="The argument of FF_g with the released scalar condition, for Q videos at once.",
        idea="A mean text that all queries share, times one number of each query's own.",
        template="one_number = video.mean(dim=...)\nreturn class_text.mean(-2) * one_number[:, None]",
        why="With one number per video all prompts of an episode lie on one line before FF_g.",
    ),
    "04.4": Exercise(
        title="A consistency term: which sum, which mean",
        difficulty=2,
        minutes=8,
        stub='''
def consistency_term(named, generated):
    """Two fusions of the same B samples [B, tokens, C] -> one number: the mean over samples of ‖·‖²."""
    return ...
'''.strip(),
        solution='''
def consistency_term(named, generated):
    """Two fusions of the same B samples [B, tokens, C] -> one number: the mean over samples of ‖·‖²."""
    return (named - generated).square().sum(dim=(-2, -1)).mean()
'''.strip(),
        find=_find_consistency,
        importance=2,
        task="Sum over what, average over what?",
        idea="Sum over what belongs to one sample, average over samples.",
        template="return (named - generated).square().sum(dim=...).mean()",
        why=(
            "A sum over tokens and channels grows with their number; its weight in the loss is chosen with that"
            " in mind."
        ),
    ),
    "04.5": Exercise(
        title="A prompt condition that knows the order of the frames",
        difficulty=3,
        minutes=30,
        stub='''
def ordered(video):
    """video [..., T, C] -> a summary [..., C] that differs for a clip and its reverse."""
    return ...
'''.strip(),
        solution='''
def ordered(video):
    """video [..., T, C] -> a summary [..., C] that differs for a clip and its reverse."""
    half = video.shape[-2] // 2
    first, last = video[..., :half, :].mean(-2), video[..., -half:, :].mean(-2)
    return video.mean(-2) + (last - first)
'''.strip(),
        find=_find_summary,
        importance=1,
        task=(
            "Invent a condition that sees the direction of time. The checker looks at properties (shape, own "
            "frames only, a reversed clip differs), not at one right formula. Then try it: `head = new_model();"
            " head.prompt_generator = Generator(128, 256, ordered)`, train it as above, and ask whether "
            "reversed pairs of validation classes gain (`evaluate_pairs`). Say what one seed shows."
        ),
        idea="Compare the second half of the clip with the first.",
        template="first, last = video[..., :half, :].mean(-2), video[..., -half:, :].mean(-2)\nreturn ...",
        why="Anything that weighs early and late frames differently will do.",
    ),
}
