"""The exercises of notebook 04: gates, semantic fusion, the prompt generator, consistency."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import (
    Exercise,
    axes_hint,
    known_mistake,
    matches,
    random_tensor,
    tensor_hint,
    with_weights_of,
)
from clipspm_lite.model.fusion import Gate, SemanticFusion
from clipspm_lite.model.spm import PromptGenerator
from clipspm_lite.model.transformer import TransformerBlock


class Fusion(SemanticFusion):
    """The library's semantic fusion, made of parts instead of a configuration."""

    def __init__(self, visual_gate: nn.Module, prompt_gate: nn.Module, transformer: nn.Module, prompt_weight: float):
        nn.Module.__init__(self)
        self.visual_gate, self.prompt_gate = visual_gate, prompt_gate  # type: ignore[assignment]
        self.transformer, self.prompt_weight = transformer, prompt_weight  # type: ignore[assignment]


class Generator(PromptGenerator):
    """The library's prompt generator without dropout."""

    def __init__(self, dim: int, hidden: int, condition: str):
        super().__init__(dim, hidden, condition=condition, dropout=0.0)


def _find_gate(answer: Callable[..., Any]) -> str | None:
    for ratio, slope in ((1.5, 0.1), (0.5, 0.3)):
        library = Gate(4, ratio, slope)
        mine = answer(4, ratio, slope)
        hint = with_weights_of(library, mine)
        if hint is not None:
            return hint
        x = random_tensor(2, 3, 4, seed=0, gradient=True)
        before = library.fc1(x)
        found, expected, inner = mine(x), library(x), library.fc2(F.leaky_relu(before, slope))
        mistakes = {
            "The last step is missing: without the sigmoid the values do not stay between 0 and 1.": inner,
            "Negative hidden values became 0: LeakyReLU multiplies them by the slope.": torch.sigmoid(
                library.fc2(F.relu(before))
            ),
            "LeakyReLU used its own slope, 0.01: hand it self.slope.": torch.sigmoid(library.fc2(F.leaky_relu(before))),
            "There is nothing between the two linear layers: LeakyReLU is missing.": torch.sigmoid(library.fc2(before)),
            "That is the gated x. Return the gate alone; the caller multiplies.": expected * x,
        }
        hint = known_mistake(found, expected, mistakes, x=x)
        if hint is not None:
            return hint
    return None


def _find_fusion(answer: Callable[..., Any]) -> str | None:
    sizes = SimpleNamespace(dim=4, heads=2, head_dim=3, mlp_dim=5, dropout=0.0, feedforward_dropout=0.0)
    gates, block, alpha = (Gate(4, 0.5, 0.1), Gate(4, 1.5, 0.1)), TransformerBlock(sizes), 0.3
    library, mine = Fusion(*gates, block, alpha), answer(*gates, block, alpha)
    hint = with_weights_of(library, mine)
    if hint is not None:
        return hint
    assert isinstance(mine, nn.Module)
    video, prompt = (random_tensor(2, tokens, 4, seed=tokens, gradient=True) for tokens in (3, 1))
    hint = _fusion_hint(mine(video, prompt), library, video, prompt)
    if hint is not None:
        return hint
    more = random_tensor(2, 3, 3, 4, seed=2), random_tensor(2, 3, 1, 4, seed=3)
    return axes_hint(lambda *tokens: torch.cat([*mine(*tokens)], -2), torch.cat([*library(*more)], -2), *more)


def _fusion_hint(found: Any, library: Fusion, video: Tensor, prompt: Tensor) -> str | None:
    if not isinstance(found, tuple | list) or len(found) != 2 or not all(isinstance(part, Tensor) for part in found):
        return "Return two tensors: the fused frames [..., T, C], then the fused prompt [..., 1, C]."
    frames, token = found
    if frames.shape == prompt.shape and token.shape == video.shape:
        return "The two results are exchanged: the frames come first, the prompt second."
    for part, like in ((frames, video), (token, prompt)):
        if part.shape != like.shape:
            return tensor_hint(part, like)
    block, alpha = library.transformer, library.prompt_weight
    sent, kept = library.prompt_gate(prompt) * prompt, library.visual_gate(video) * video
    mixed = kept + alpha * sent

    def fused(first: Tensor, then: Tensor) -> Tensor:
        tokens: Tensor = block(torch.cat([first, then], -2))
        return tokens

    mistakes = {
        "The first token is the gated prompt: it must be the raw one. Only what is added to frames is gated.": (
            fused(sent, mixed)
        ),
        "α is forgotten: the gated prompt is added to the frames α times.": fused(prompt, kept + sent),
        "The frames came in ungated: multiply them by the visual gate.": fused(prompt, video + alpha * sent),
        "The prompt was added to the frames ungated.": fused(prompt, kept + alpha * prompt),
        "Nothing of the prompt was added to the frames.": fused(prompt, kept),
        "The prompt went in as the last token, and the first came out as the prompt.": fused(mixed, prompt),
        "The transformer block is missing.": torch.cat([prompt, mixed], -2),
    }
    found = torch.cat([token, frames], -2)
    return known_mistake(found, fused(prompt, mixed), mistakes, video=video, prompt=prompt)


def _find_generator(answer: Callable[..., Any]) -> str | None:
    for condition in ("scalar", "pooled"):
        for axes in ((4,), (2, 4)):
            library, mine = Generator(6, 5, condition), answer(6, 5, condition)
            hint = with_weights_of(library, mine)
            if hint is None:
                video, mean_text = (random_tensor(*a, 6, seed=3, gradient=True) for a in ((*axes, 3), ()))
                hint = _generator_hint(mine(video, mean_text), library, video, mean_text, condition)
            if hint is not None:
                return f'condition="{condition}": {hint}'
    return None


def _generator_hint(found: Any, library: Generator, video: Tensor, mean_text: Tensor, condition: str) -> str | None:
    def generated(condition_: Tensor) -> Tensor:
        prompt: Tensor = library.fc2(F.gelu(library.fc1(condition_))).unsqueeze(-2)
        return prompt

    scalar, pooled = video.mean((-2, -1)).unsqueeze(-1), video.mean(-2)
    right, other = (scalar, pooled) if condition == "scalar" else (pooled, scalar)
    expected = library(video, mean_text)
    if isinstance(found, Tensor) and found.shape == expected.squeeze(-2).shape:
        return "A prompt is one token: its shape is [..., 1, C], so an axis of length 1 is missing before the last."
    mistakes = {
        "That is the other condition: scalar is a mean over frames and channels, pooled over frames.": (
            generated(mean_text * other)
        ),
        "All videos got the same summary: s(f) is a mean within each video, not over the whole batch.": (
            generated(mean_text * (video.mean() if condition == "scalar" else right.mean(0)) * torch.ones_like(pooled))
        ),
        "s(f) is a mean and not a sum.": (
            generated(mean_text * (video.sum((-2, -1)).unsqueeze(-1) if condition == "scalar" else video.sum(-2)))
        ),
        "s(f) multiplies t̄, it is not added to it.": generated(mean_text + right),
        "GELU between the two layers is missing.": library.fc2(library.fc1(mean_text * right)).unsqueeze(-2),
        "That is t̄ · s(f) itself: the two layers FF_g are missing.": (mean_text * right).unsqueeze(-2),
    }
    return known_mistake(found, expected, mistakes, video=video, mean_text=mean_text)


def _find_consistency(answer: Any) -> str | None:
    for shape in ((5, 3, 4), (2, 1, 6)):
        named, generated = random_tensor(*shape, seed=0), random_tensor(*shape, seed=1)
        squares = (named - generated).square()
        mistakes = {
            "That is the mean over all entries (an ordinary mean squared error): sum over a sample's entries.": (
                squares.mean()
            ),
            "That is the sum over everything: average over the samples, the first axis.": squares.sum(),
            "The sum runs over channels only: a sample's entries are its tokens and its channels.": (
                squares.sum(-1).mean()
            ),
            "That is ‖·‖ and not ‖·‖²: there is no square root.": squares.sum((-2, -1)).sqrt().mean(),
            "Those are absolute differences: square them.": (named - generated).abs().sum((-2, -1)).mean(),
            "One number per sample: average them.": squares.sum((-2, -1)),
        }
        hint = known_mistake(answer(named, generated), squares.sum((-2, -1)).mean(), mistakes)
        if hint is not None:
            return hint
    return None


def _find_summary(answer: Any) -> str | None:
    for frames in (8, 5):
        video = random_tensor(4, frames, 6, seed=0)
        found = answer(video)
        hint = tensor_hint(found, torch.zeros(4, 6), tolerance=float("inf"))
        if hint is not None:
            return hint
        if (found.std(-1) < 1e-5).all():
            return "All channels of a video hold the same number: this is the scalar condition again."
        if matches(answer(video.flip(-2)), found):
            return "A clip and its reverse get the same summary: let it depend on the order of the frames."
        one_by_one = torch.cat([answer(clip[None]) for clip in video])
        if not matches(one_by_one, found):
            return "A video's summary changes with the videos beside it: use its own frames only."
        if hint := axes_hint(answer, found[None], video[None]):
            return hint
    return None


GATE = '''
class Gate(nn.Module):
    """How much of each channel passes: [..., C] → values between 0 and 1 [..., C]."""

    def __init__(self, dim, ratio, slope):
        super().__init__()
        hidden = int(ratio * dim)
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.slope = slope  # of LeakyReLU

    def forward(self, x):
        hidden = {hidden}
        return {result}
'''.strip()

FUSION = '''
class Fusion(nn.Module):
    """Semantic fusion, SF: two gates, the transformer block TB and the number α."""

    def __init__(self, visual_gate, prompt_gate, transformer, prompt_weight):
        super().__init__()
        self.visual_gate, self.prompt_gate = visual_gate, prompt_gate
        self.transformer, self.prompt_weight = transformer, prompt_weight

    def forward(self, video, prompt):
        """f [..., T, C], p [..., 1, C] → f′ [..., T, C], p′ [..., 1, C]."""
        gated = {gated}
        tokens = {tokens}
        return {result}
'''.strip()

GENERATOR = '''
class Generator(nn.Module):
    """The prompt generator; condition is "scalar" (the released code's) or "pooled"."""

    def __init__(self, dim, hidden, condition):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)  # FF_g
        self.condition = condition

    def forward(self, video, mean_text):
        """f [..., T, C], t̄ [C] → p̂ [..., 1, C]."""
        summary = {scalar} if self.condition == "scalar" else {pooled}
        return {result}
'''.strip()

EXERCISES = {
    "04.1": Exercise(
        title="A gate",
        difficulty=1,
        minutes=6,
        stub=GATE.format(hidden="...  # the first layer, then LeakyReLU", result="..."),
        solution=GATE.format(hidden="F.leaky_relu(self.fc1(x), self.slope)", result="torch.sigmoid(self.fc2(hidden))"),
        find=_find_gate,
        importance=3,
        task="Fill the two gaps. The hidden layer has ratio · C units.",
        idea="Two linear layers with LeakyReLU between them; the sigmoid makes a share of it.",
        template="hidden = F.leaky_relu(self.fc1(x), self.slope)\nreturn ...",
        why="A gate has one value per channel, so it can let single channels through. A linear layer works on the "
        "last axis, so any leading axes will do.",
        library=lambda: Gate,
    ),
    "04.2": Exercise(
        title="Semantic fusion",
        difficulty=2,
        minutes=12,
        stub=FUSION.format(
            gated="...  # f̃ [..., T, C]", tokens="...  # what TB makes of p and f̃, [..., 1 + T, C]", result="..., ..."
        ),
        solution=FUSION.format(
            gated="self.visual_gate(video) * video + self.prompt_weight * self.prompt_gate(prompt) * prompt",
            tokens="self.transformer(torch.cat([prompt, gated], dim=-2))",
            result="tokens[..., 1:, :], tokens[..., :1, :]",
        ),
        find=_find_fusion,
        importance=3,
        task="Write the two lines of the equation. `self.visual_gate`, `self.prompt_gate` and `self.transformer` are "
        "called like functions, and `self.prompt_weight` is α. From here on the notebook fuses with yours.",
        idea="Gate both, add the gated prompt α times to every frame, and put the raw prompt in front.",
        template="gated = ... + self.prompt_weight * ...\n"
        "tokens = self.transformer(torch.cat([prompt, gated], dim=-2))\n"
        "return tokens[..., 1:, :], tokens[..., :1, :]",
        why="The frames take what the gates let through; the prompt token itself goes in as it was. [..., 1, C] is "
        "added to [..., T, C] by broadcasting: every frame gets the same.",
        library=lambda: Fusion,
    ),
    "04.3": Exercise(
        title="The prompt generator",
        difficulty=2,
        minutes=12,
        stub=GENERATOR.format(
            scalar="...", pooled="...  # s(f), [..., 1] or [..., C]", result="...  # FF_g of t̄ · s(f), [..., 1, C]"
        ),
        solution=GENERATOR.format(
            scalar="video.mean((-2, -1)).unsqueeze(-1)",
            pooled="video.mean(-2)",
            result="self.fc2(F.gelu(self.fc1(mean_text * summary))).unsqueeze(-2)",
        ),
        find=_find_generator,
        importance=3,
        task="Fill the three gaps. The notebook goes on with yours.",
        idea="A mean text that all videos share, times what a video says of itself, through two layers.",
        template='summary = video.mean((-2, -1)).unsqueeze(-1) if self.condition == "scalar" else ...\n'
        "return self.fc2(F.gelu(self.fc1(...))).unsqueeze(-2)",
        why="With one number per video, all prompts of an episode lie on one line before FF_g. The last unsqueeze "
        "makes the prompt one token.",
        library=lambda: Generator,
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
        task="The numbers above are of this term. Sum over what, and average over what?",
        idea="Sum over what belongs to one sample, average over samples.",
        template="return (named - generated).square().sum(dim=...).mean()",
        why=(
            "A sum over tokens and channels grows with their number; its weight in the loss is chosen with that"
            " in mind. *Expected:* `consistency_term(torch.zeros(2, 3, 4), torch.ones(2, 3, 4))` gives 12."
        ),
    ),
    "04.5": Exercise(
        title="A summary that knows the order of the frames",
        difficulty=3,
        minutes=15,
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
            "Invent a summary that sees the direction of time. The checker looks at properties (shape, own "
            "frames only, a reversed clip differs), not at one right formula. Then think: which comparison, with "
            "how many training seeds, would show that it helps?"
        ),
        idea="Compare the second half of the clip with the first.",
        template="first, last = video[..., :half, :].mean(-2), video[..., -half:, :].mean(-2)\nreturn ...",
        why=(
            "Anything that weighs early and late frames differently will do. To show that it helps: the same "
            "trainings with and without, several seeds, the same validation episodes, reversed pairs apart."
        ),
    ),
}
