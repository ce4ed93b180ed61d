"""Exercises of notebook 07: the score, the loss, the choice of a checkpoint."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches
from clipspm_lite.model.clipspm import CLIPSPM


def _find_score(answer: Callable[..., Any]) -> str | None:
    spm, padm = torch.tensor([[2.0, 4.0], [6.0, 1.0]]), torch.tensor([[1.0, 3.0], [5.0, 0.5]])
    anchor = torch.tensor([[0.5, 0.25]])
    expected = -(spm / 2 + padm + anchor)
    mistakes = {
        "The sign: a distance is small for a good match, a logit is large for one.": -expected,
        "D_SPM enters with a factor.": -(spm + padm + anchor),
        "The anchor's row is missing; it is added to every query.": -(spm / 2 + padm),
    }
    return known_mistake(answer(spm, padm, anchor), expected, mistakes)


def _find_loss(answer: Callable[..., Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(10, 5, generator=generator), torch.arange(10) % 5
    consistency, text, hsmr = torch.tensor(30.0), torch.tensor(20.0), torch.tensor(50.0)
    mean = F.cross_entropy(logits, labels)
    regularizer = consistency + text + 0.5 * hsmr
    expected = mean + 2e-3 * regularizer
    mistakes = {
        "That is the sum of the cross-entropies over queries; this preset takes their mean.": (
            10 * mean + 2e-3 * regularizer
        ),
        "L_HSMR has its own weight, w_m, inside the bracket.": mean + 2e-3 * (consistency + text + hsmr),
        "The bracket as a whole is weighted by λ.": mean + regularizer,
    }
    hint = known_mistake(answer(logits, labels, consistency, text, hsmr), expected, mistakes)
    other = mean + 0.1 * (consistency + text + 0.25 * hsmr)
    if hint is None and not matches(answer(logits, labels, consistency, text, hsmr, 0.1, 0.25), other):
        return "With other weights, lam = 0.1 and w_m = 0.25, it is wrong: use the arguments lam and w_m."
    return hint


def _find_choice(answer: Callable[..., Any]) -> str | None:
    history = [
        {"step": 10, "validation_accuracy": 60.0, "novel_accuracy": 70.0},
        {"step": 20, "validation_accuracy": 66.0, "novel_accuracy": 64.0},
        {"step": 30, "validation_accuracy": 66.0, "novel_accuracy": 72.0},
        {"step": 40, "validation_accuracy": 64.0, "novel_accuracy": 65.0},
    ]
    found = answer(history)
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return a step."
    if found == 20:
        turned = [entry | {"step": 50 - entry["step"]} for entry in history]
        second = answer(turned)
        return None if second == 30 else f"Right for one history; for another expected step 30, found {second!r}."
    if found == 40:
        return "That is the last step; its validation accuracy is not the highest."
    if found == 30:
        return "Two steps are equally good on validation: take the first. Or did you look at the novel classes?"
    return f"Expected the step whose validation accuracy is highest, 20; found {found!r}."


def _find_frozen(answer: Callable[..., Any]) -> str | None:
    model = CLIPSPM(8, heads=1, head_dim=4, mlp_dim=4, preset="released")
    answer(model)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trained:
        return "Now nothing is trained at all: PADM's parameters must stay trainable."
    outside = sorted(name for name in trained if not name.startswith("padm."))
    if outside and len(trained) == len(dict(model.named_parameters())):
        return "Everything is still trained: set requires_grad on the parameters."
    if outside:
        return f"Still trained, and not PADM's: {', '.join(outside[:3])}."
    if len(trained) < len(dict(model.padm.named_parameters())):
        return "Only some of PADM's parameters are trained."
    return None


EXERCISES = {
    "07.1": Exercise(
        title="the score",
        difficulty=1,
        minutes=3,
        stub='''def score(spm_distance, padm_distance, anchor_distance):
    """D_SPM [Q, N], D_PADM [Q, N], D_anchor [1, N] → logits [Q, N]."""
    return ...
''',
        solution='''def score(spm_distance, padm_distance, anchor_distance):
    """D_SPM [Q, N], D_PADM [Q, N], D_anchor [1, N] → logits [Q, N]."""
    return -(spm_distance / 2 + padm_distance + anchor_distance)
''',
        find=_find_score,
        importance=3,
        task="Write the score of SPEC section 4.",
        idea="Distances are small for a good match, logits large.",
        template="return -(spm_distance / 2 + ...)",
        why="SPM's distance counts half, as in the released code.",
    ),
    "07.2": Exercise(
        title="the loss of the lite preset",
        difficulty=2,
        minutes=8,
        stub='''def episode_loss(logits, labels, consistency, text, hsmr, lam=2e-3, w_m=0.5):
    """logits [Q, N], labels [Q], three numbers → the loss of one episode."""
    cross_entropy = ...
    return ...
''',
        solution='''def episode_loss(logits, labels, consistency, text, hsmr, lam=2e-3, w_m=0.5):
    """logits [Q, N], labels [Q], three numbers → the loss of one episode."""
    cross_entropy = torch.nn.functional.cross_entropy(logits, labels)
    return cross_entropy + lam * (consistency + text + w_m * hsmr)
''',
        find=_find_loss,
        importance=3,
        task="Write the loss of one episode for the presets `paper` and `lite`.",
        idea="Cross-entropy, plus λ times a bracket of three losses, one of which has its own weight.",
        template=(
            "cross_entropy = torch.nn.functional.cross_entropy(logits, labels)\nreturn cross_entropy + lam * (...)"
        ),
        why=(
            "`paper` and `lite` take the mean over queries, so the weight of the bracket does not depend on "
            "their number."
        ),
    ),
    "07.3": Exercise(
        title="which checkpoint?",
        difficulty=2,
        minutes=5,
        stub='''def chosen_step(history):
    """history: a list of dicts with step, validation_accuracy, novel_accuracy → the step to keep."""
    return ...
''',
        solution='''def chosen_step(history):
    """history: a list of dicts with step, validation_accuracy, novel_accuracy → the step to keep."""
    best = max(history, key=lambda entry: entry["validation_accuracy"])
    return best["step"]
''',
        find=_find_choice,
        importance=3,
        task="A run left this history. Which step do you keep?",
        idea="Only validation may choose.",
        template=('best = max(history, key=lambda entry: ...)\nreturn best["step"]'),
        why=(
            "`max` gives the first of equals. Looking at the novel column, even once, would make its number optimistic."
        ),
    ),
    "07.4": Exercise(
        title="train one part only",
        difficulty=3,
        minutes=15,
        stub='''def train_padm_only(model):
    """Freeze every parameter of a CLIPSPM but PADM's, in place."""
    ...
''',
        solution='''def train_padm_only(model):
    """Freeze every parameter of a CLIPSPM but PADM's, in place."""
    model.requires_grad_(False)
    model.padm.requires_grad_(True)
''',
        find=_find_frozen,
        importance=2,
        task="To find out what PADM can learn on its own, freeze everything else.",
        idea="Switch gradients off for all parameters, then on again for one part.",
        template="model.requires_grad_(False)\n...",
        why="What has no gradient is left as it is by the optimiser, and costs no memory for one.",
    ),
}
