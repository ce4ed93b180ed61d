"""Exercises of notebook 02: cosines, class texts from templates, the modality gap, name and example together."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.clip.prompts import TEMPLATES
from clipspm_lite.exercises.exercise import Exercise, tensor_hint


def _close(found: object, value: Tensor) -> bool:
    return tensor_hint(found, value) is None


def _find_cosines(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    frames = 30 * torch.randn(3, 5, generator=generator)
    texts = 10 * torch.randn(2, 5, generator=generator)
    expected = F.normalize(frames, dim=-1) @ F.normalize(texts, dim=-1).T
    found = answer(frames, texts)
    hint = tensor_hint(found, expected)
    if hint is None:
        return None
    if _close(found, frames @ texts.T):
        return "These are dot products: divide by the length of the frame and by the length of the text."
    if _close(found, F.normalize(frames, dim=-1) @ texts.T):
        return "The frames have length 1, the texts don't: the longer text wins for its length alone."
    if _close(found, F.normalize(frames, dim=0) @ F.normalize(texts, dim=0).T):
        return "The lengths are taken over the wrong axis: a vector lies along the last one."
    return hint


def _fake_encoder(sentences: Sequence[str]) -> Tensor:
    """A stand-in for a text encoder: any list of sentences to ``[sentences, 4]``."""
    rows = [[len(s), s.count("a") + 1, s.count(" ") + 1, ord(s[0]) % 7] for s in sentences]
    return torch.tensor(rows, dtype=torch.float32)


def _find_class_text(answer: Callable[..., Any]) -> str | None:
    name = "raising a box"
    asked: list[str] = []

    def encode(sentences: Sequence[str]) -> Tensor:
        if isinstance(sentences, str):
            raise TypeError("encode takes a list of sentences, found one string")
        asked.extend(sentences)
        return _fake_encoder(sentences)

    found = answer(encode, name, TEMPLATES)
    every = _fake_encoder([template.replace("{}", name) for template in TEMPLATES])
    hint = tensor_hint(found, every.mean(0))
    if any("{}" in sentence for sentence in asked):
        return "The encoder was given sentences that still hold {}: put the name in its place."
    if hint is None:
        return None
    if _close(found, every):
        return "These are all the sentences' features: take their mean over the sentences."
    if _close(found, every.sum(0)):
        return "This is the sum over the sentences; SPEC takes their mean."
    if _close(found, F.normalize(every, dim=-1).mean(0)):
        return "Each sentence was normalised before the mean; SPEC takes the mean of the un-normalised features."
    if _close(found, F.normalize(every.mean(0), dim=-1)):
        return "The mean was normalised at the end; class_text keeps its length."
    return hint


def _find_gap(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(1)
    video = 30 * (torch.randn(40, 6, generator=generator) + torch.tensor([1.0, 0, 0, 0, 0, 0]))
    text = 10 * (torch.randn(25, 6, generator=generator) - torch.tensor([0, 1.0, 0, 0, 0, 0]))
    on_sphere = F.normalize(video, dim=-1), F.normalize(text, dim=-1)
    expected = (on_sphere[0].mean(0) - on_sphere[1].mean(0)).norm()
    found = answer(video, text)
    hint = tensor_hint(found, expected)
    if hint is None:
        return None
    if _close(found, (video.mean(0) - text.mean(0)).norm()):
        return "The vectors were not normalised: this measures that frames are longer than texts."
    if _close(found, torch.cdist(*on_sphere).mean()):
        return "This is the mean distance between a video and a text; wanted is the distance between the two means."
    centres = [F.normalize(part.mean(0), dim=-1) for part in on_sphere]
    if _close(found, (centres[0] - centres[1]).norm()):
        return "The means were normalised as well: normalise the vectors, then leave their means as they are."
    if _close(found, on_sphere[0].mean(0) - on_sphere[1].mean(0)):
        return "This is the vector between the two means; wanted is its length."
    return hint


def _drawn_episodes() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """400 episodes, 5-way 1-shot, with the features' habits: long frames, short texts, and a gap between them."""
    generator = torch.Generator().manual_seed(2)

    def noise(*shape: int) -> Tensor:
        return torch.randn(400, *shape, 32, generator=generator) / 32**0.5

    classes, away = noise(5), F.normalize(torch.ones(32), dim=-1)
    support = 40 * (classes[:, :, None, None] + 1.8 * noise(5, 1, 1) + 0.2 * noise(5, 1, 4) + 0.3 * away)
    labels = torch.rand(400, 10, generator=generator).argsort(1) // 2  # another order of queries in each episode
    shown = classes.gather(1, labels[..., None].expand(400, 10, 32))
    query = 40 * (shown[:, :, None] + 1.8 * noise(10, 1) + 0.2 * noise(10, 4) + 0.3 * away)
    class_text = 2 * (classes + 1.8 * noise(5) - 0.3 * away)
    return support, query, class_text, labels


def _find_name_and_example(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    support, query, class_text, labels = _drawn_episodes()
    found = answer(support, query, class_text)
    hint = tensor_hint(found, torch.zeros(400, 10, 5), tolerance=float("inf"))
    if hint is not None:
        return hint
    text, example = F.normalize(class_text, dim=-1), F.normalize(support.mean((-3, -2)), dim=-1)
    video = F.normalize(query.mean(-2), dim=-1)

    alone = [video @ part.transpose(-1, -2) for part in (text, example)]

    def accuracy(logits: Tensor) -> float:
        return 100 * float((logits.argmax(-1) == labels).float().mean())

    ours, name_alone, example_alone = map(accuracy, (found, *alone))
    if ours >= max(name_alone, example_alone) + 4:
        return None
    score = f"On drawn episodes it reaches {ours:.0f} %; the name alone reaches {name_alone:.0f} %, the example alone "
    score += f"{example_alone:.0f} %. "
    like_name, like_example = ((found.argmax(-1) == part.argmax(-1)).float().mean() for part in alone)
    if like_example > 0.9:
        return score + "The name has no say: is it drowned by longer vectors?"
    if like_name > 0.9:
        return score + "The example has no say: does the support enter, and on the same scale?"
    return score + "It should beat the better of them by 4 points."


EXERCISES = {
    "02.1": Exercise(
        title="Cosines of frames and texts",
        difficulty=1,
        minutes=5,
        stub='''
def cosines(frames, texts):
    """frames [T, C], texts [N, C] → cosine of every frame with every text [T, N]"""
    frames = ...
    texts = ...
    return ...
''',
        solution='''
def cosines(frames, texts):
    """frames [T, C], texts [N, C] → cosine of every frame with every text [T, N]"""
    frames = frames / frames.norm(dim=-1, keepdim=True)
    texts = texts / texts.norm(dim=-1, keepdim=True)
    return frames @ texts.T
''',
        find=_find_cosines,
        importance=3,
        task="Fill in the three gaps. The test uses frames and texts of very different lengths.",
        idea="A cosine is a dot product of two vectors of length 1.",
        template="frames = frames / ...\ntexts = texts / ...\nreturn frames @ texts.T",
        why=(
            "Without the division a longer vector would win for its length alone. `keepdim` keeps the axis for "
            "the division."
        ),
    ),
    "02.2": Exercise(
        title="A class's text from templates",
        difficulty=2,
        minutes=10,
        stub='''
def class_text(encode, name, templates):
    """encode: list of M sentences → [M, C]; templates: sentences with one {} → the class's text [C]"""
    ...
''',
        solution='''
def class_text(encode, name, templates):
    """encode: list of M sentences → [M, C]; templates: sentences with one {} → the class's text [C]"""
    sentences = [template.replace("{}", name) for template in templates]
    return encode(sentences).mean(dim=0)
''',
        find=_find_class_text,
        importance=3,
        task="Write SPEC's class text for any encoder. `encode` takes a list of sentences and returns one row each.",
        idea="Put the name into every template, encode all sentences, and take the mean over them.",
        template=('sentences = [template.replace("{}", name) for template in templates]\nreturn ...'),
        why=(
            "The mean is taken of un-normalised features, as the released code does; so a longer sentence "
            "vector counts more."
        ),
    ),
    "02.3": Exercise(
        title="How wide is the gap?",
        difficulty=2,
        minutes=10,
        stub='''
def modality_gap(video, text):
    """video [V, C], text [M, C], not normalised → length of the step between their centres on the sphere"""
    ...
''',
        solution='''
def modality_gap(video, text):
    """video [V, C], text [M, C], not normalised → length of the step between their centres on the sphere"""
    video = video / video.norm(dim=-1, keepdim=True)
    text = text / text.norm(dim=-1, keepdim=True)
    return (video.mean(dim=0) - text.mean(dim=0)).norm()
''',
        find=_find_gap,
        importance=2,
        task=(
            "Write the number that was called the gap above, for un-normalised vectors: centre to centre on the"
            " sphere of unit vectors."
        ),
        idea="Normalise every vector, take the mean of each group, and measure the step between the means.",
        template="video = video / video.norm(dim=-1, keepdim=True)\ntext = ...\nreturn (... - ...).norm()",
        why="The means lie inside the sphere and are not normalised again: a wide group has a short mean.",
    ),
    "02.4": Exercise(
        title="Use the name and the example",
        difficulty=3,
        minutes=25,
        stub='''
def name_and_example(support, query, class_text):
    """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → logits [..., Q, N]"""
    ...
''',
        solution='''
def name_and_example(support, query, class_text):
    """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → logits [..., Q, N]"""
    normalize = torch.nn.functional.normalize
    video = normalize(query.mean(dim=-2), dim=-1)
    example = normalize(support.mean(dim=(-3, -2)), dim=-1)
    name = normalize(class_text, dim=-1)
    return video @ (example + name).transpose(-1, -2)
''',
        find=_find_name_and_example,
        importance=2,
        task=(
            "Open: combine the name and the examples, training nothing, so that it beats each alone. The "
            "checker draws 400 episodes with long frames, short texts and a gap, and wants 4 points more than "
            "the better of the two. When it passes, score it on validation: `evaluate(lambda *e: "
            "Scores(name_and_example(*e)), validation)`."
        ),
        idea="Bring both to the same scale before you add them: unit vectors.",
        template=(
            "normalize = torch.nn.functional.normalize\n"
            "video, example, name = ...\n"
            "return video @ (example + name).transpose(-1, -2)"
        ),
        why=(
            "Name and example make different mistakes, so their sum is right more often. The gap adds the same "
            "to all classes of an episode."
        ),
    ),
}
