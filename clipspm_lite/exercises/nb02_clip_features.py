"""Exercises of notebook 02: the loss with repeated sentences, class text, what moves an answer, name and example."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.clip.prompts import TEMPLATES, fill_templates
from clipspm_lite.exercises.exercise import Exercise, axes_hint, known_mistake, matches, tensor_hint, wrong_verdict


def _find_targets(answer: Callable[[list[str]], Any]) -> str | None:
    for captions in (["a", "b", "a", "c"], ["a", "a", "a", "b", "b"]):
        same = torch.tensor([[float(one == other) for other in captions] for one in captions])
        mistakes = {
            "A frame's sentence stands twice in this batch: its other copy is called wrong here.": torch.eye(len(same)),
            "The right places, but a row must add up to 1: divide by the number of right answers in it.": same,
            "The right places, but divided by all right answers of the batch; a row must add up to 1.": same
            / same.sum(),
        }
        hint = known_mistake(answer(captions), same / same.sum(1, keepdim=True), mistakes)
        if hint is not None:
            return f"For the sentences {captions}: {hint}"
    return None


def _fake_encoder(sentences: Sequence[str]) -> Tensor:
    """A stand-in for a text encoder: any list of sentences to ``[sentences, 4]``."""
    rows = [[len(s), s.count("a") + 1, s.count(" ") + 1, ord(s[0]) % 7] for s in sentences]
    return torch.tensor(rows, dtype=torch.float32)


def class_text(encode: Callable[[list[str]], Tensor], name: str, templates: Sequence[str]) -> Tensor:
    """The class's text ``[C]``, as `encode_class_names` has it: the mean over the name's sentences."""
    return encode(fill_templates(name, templates)).mean(dim=0)


def _find_class_text(answer: Callable[..., Any]) -> str | None:
    asked: list[str] = []

    def encode(sentences: Sequence[str]) -> Tensor:
        if isinstance(sentences, str):
            raise TypeError("encode takes a list of sentences, found one string")
        asked.extend(sentences)
        return _fake_encoder(sentences)

    for name, templates in (("raising a box", TEMPLATES), ("hopping", TEMPLATES[3:7])):
        found = answer(encode, name, templates)
        if any("{}" in sentence for sentence in asked):
            return "The encoder was given sentences that still hold {}: put the name in its place."
        every = _fake_encoder(fill_templates(name, templates))
        unit = F.normalize(every, dim=-1)
        mistakes = {
            "These are all the sentences' features: take their mean over the sentences.": every,
            "This is the sum over the sentences; SPEC takes their mean.": every.sum(0),
            "Each sentence was scaled to length 1 before the mean; SPEC takes the mean of the features as they are.": (
                unit.mean(0)
            ),
            "The mean was scaled to length 1 at the end; class_text keeps its length.": F.normalize(
                every.mean(0), dim=-1
            ),
        }
        hint = known_mistake(found, every.mean(0), mistakes)
        if hint is not None:
            return hint
    return None


# What is done → whether an answer can change, and why.
_CHANGES = {
    "multiply every cosine by 14": (False, "it multiplies all scores alike; the order stays"),
    "add one vector to every unit text, and take dot products": (
        False,
        "every score of a clip moves by the same amount",
    ),
    "leave the texts at their own lengths": (True, "a longer text gets larger products; the toy example shows it"),
    "play the clip backwards": (False, "a mean over frames has no order"),
    "put the names into one other template": (True, "each template gives other text features"),
}


def _find_changes(answer: Mapping[str, bool]) -> str | None:
    return wrong_verdict(answer, _CHANGES)


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
        more = answer(torch.cat([support, support.flip(0)], dim=-3), query, class_text)
        if matches(more, found):
            return "A second shot changes nothing: take the mean over all K."
        return axes_hint(answer, found[0], support[0], query[0], class_text[0])
    score = f"On drawn episodes it reaches {ours:.0f} %; the name alone reaches {name_alone:.0f} %, the example alone "
    score += f"{example_alone:.0f} %. "
    like_name, like_example = ((found.argmax(-1) == part.argmax(-1)).float().mean() for part in alone)
    if like_example > 0.9:
        return score + "The name has no say: is it drowned by longer vectors?"
    if like_name > 0.9:
        return score + "The example has no say: does the support enter, and on the same scale?"
    return score + "It should beat the better of them by 4 points."


def _changes(answers: Iterable[object]) -> str:
    lines = (f'    "{change}": {answer},' for change, answer in zip(_CHANGES, answers, strict=True))
    return "\n".join(["can_change_the_answer = {", *lines, "}"])


CLASS_TEXT = '''
def class_text(encode, name, templates):
    """encode: list of J sentences → [J, C]; templates: J sentences with one {} → the class's text [C]"""
    sentences = SENTENCES
    return RESULT
'''.strip()

EXERCISES = {
    "02.1": Exercise(
        title="Two frames, one sentence",
        difficulty=2,
        minutes=8,
        stub='''
def targets(captions):
    """captions: the sentences of B frames, a list → what cross-entropy should aim at [B, B], a row per frame"""
    return ...
'''.strip(),
        solution='''
def targets(captions):
    """captions: the sentences of B frames, a list → what cross-entropy should aim at [B, B], a row per frame"""
    same = torch.tensor([[float(one == other) for other in captions] for one in captions])
    return same / same.sum(dim=1, keepdim=True)
'''.strip(),
        find=_find_targets,
        importance=2,
        task=(
            "Our batches hold frames with the same sentence. Calling one of the copies wrong would teach noise. "
            "Write targets that share each row's 1 evenly among all columns with the frame's sentence."
        ),
        idea="Compare every caption with every caption, then divide each row by its sum.",
        template=(
            "same = torch.tensor([[float(...) for other in captions] for one in captions])\n"
            "return same / same.sum(..., keepdim=True)"
        ),
        why=(
            "Without repeats this is the identity, which is the loss above. `cross_entropy` takes such shares in place "
            "of labels."
        ),
    ),
    "02.2": Exercise(
        title="A class's text from templates",
        difficulty=1,
        minutes=6,
        stub=CLASS_TEXT.replace("SENTENCES", "...  # the name in every template").replace("RESULT", "..."),
        solution=CLASS_TEXT.replace("SENTENCES", '[template.replace("{}", name) for template in templates]').replace(
            "RESULT", "encode(sentences).mean(dim=0)"
        ),
        find=_find_class_text,
        importance=3,
        task=(
            "Write the class text for any encoder: `encode` takes a list of sentences and returns one row each. "
            "The notebook goes on with yours."
        ),
        idea="Put the name into every template, encode all sentences at once, and take the mean over them.",
        template='sentences = [template.replace("{}", ...) for template in templates]\nreturn encode(sentences)...',
        why=(
            "Features are averaged at their own lengths, as the released code does. The place that compares divides "
            "by the length."
        ),
        library=lambda: class_text,
    ),
    "02.3": Exercise(
        title="What can change the answer?",
        difficulty=1,
        minutes=6,
        stub=_changes(["..."] * len(_CHANGES)),
        solution=_changes(expected for expected, _ in _CHANGES.values()),
        find=_find_changes,
        importance=2,
        task=(
            "Zero-shot answers with the name of the largest cosine. Say for each change whether it can give "
            "some clip another answer: `True` or `False`."
        ),
        idea="Ask of each change whether it does the same to all scores of a clip.",
        template=(
            "can_change_the_answer = {\n"
            '    "multiply every cosine by 14": False,  # all scores of a clip change alike\n'
            '    "add one vector to every unit text, and take dot products": ...,  # and here?\n'
            "}"
        ),
        why=(
            "Only what treats names differently can change the largest. So CLIP's scale and a shift between "
            "words and clips leave zero-shot as it is."
        ),
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
            "Scores(name_and_example(*e)), validation)`. Expect less there than on the checker's made-up vectors."
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
