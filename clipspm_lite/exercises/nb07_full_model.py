"""Exercises of notebook 07: the score, the loss, one training step, the choice of a checkpoint, freezing."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, numbers_in, random_tensor
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.head import query_cross_entropy


def _score(spm_distance: Tensor, padm_distance: Tensor, anchor_distance: Tensor) -> Tensor:
    return -(spm_distance / 2 + padm_distance + anchor_distance)


def _find_score(answer: Callable[..., Any]) -> str | None:
    for leading in ((), (3,)):
        spm, padm, anchor = (random_tensor(*leading, n, 5, seed=i, gradient=True) for i, n in enumerate((4, 4, 1)))
        expected = _score(spm, padm, anchor)
        mistakes = {
            "The sign: a distance is small for a good match, a logit is large for one.": -expected,
            "D_SPM enters with a factor.": -(spm + padm + anchor),
            "The factor belongs to D_SPM alone.": -(spm + padm + anchor) / 2,
            "Only D_SPM is negated: mind the brackets.": -spm / 2 + padm + anchor,
            "The anchor's row is missing; it is added to every query.": -(spm / 2 + padm),
        }
        inputs = dict(spm_distance=spm, padm_distance=padm, anchor_distance=anchor)
        if hint := known_mistake(answer(spm, padm, anchor), expected, mistakes, **inputs):
            return hint
    return None


def _loss(
    logits: Tensor, labels: Tensor, consistency: Tensor, text: Tensor, hsmr: Tensor, w_reg: float, w_m: float
) -> Tensor:
    per_episode = query_cross_entropy(logits, labels).mean(-1)
    return (per_episode + w_reg * (consistency + text + w_m * hsmr)).mean()


def _find_loss(answer: Callable[..., Any]) -> str | None:
    for episodes, w_reg, w_m in ((4, 2e-3, 0.5), (3, 0.1, 0.25)):
        logits = random_tensor(episodes, 10, 5, seed=0, gradient=True)
        labels = torch.arange(10 * episodes).view(episodes, 10) % 5
        terms = [random_tensor(episodes, seed=n).add(10 * n).requires_grad_() for n in (3, 2, 5)]
        consistency, text, hsmr = (term.mean() for term in terms)
        cross_entropy = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        bracket = consistency + text + w_m * hsmr
        mistakes = {
            "That is the sum of the cross-entropies over queries; it is their mean.": (
                10 * episodes * cross_entropy + w_reg * bracket
            ),
            "The cross-entropies of each episode are added up over its queries; take their mean.": (
                10 * cross_entropy + w_reg * bracket
            ),
            "The terms are added up over the episodes; take their mean.": cross_entropy + episodes * w_reg * bracket,
            "L_HSMR has its own weight, w_m, inside the bracket.": cross_entropy + w_reg * (consistency + text + hsmr),
            "The bracket as a whole is weighted by w_reg.": cross_entropy + bracket,
            "The bracket is missing: that is the cross-entropy alone.": cross_entropy,
            "With other weights, w_reg = 0.1 and w_m = 0.25, it is wrong: use the arguments w_reg and w_m.": (
                cross_entropy + 2e-3 * (consistency + text + 0.5 * hsmr)
            ),
        }
        found = answer(logits, labels, *terms, w_reg, w_m)
        if isinstance(found, Tensor) and found.shape == (episodes,):
            return "One number per episode came out: average them."
        inputs = dict(zip(("logits", "consistency", "text", "hsmr"), (logits, *terms), strict=True))
        if hint := known_mistake(found, cross_entropy + w_reg * bracket, mistakes, **inputs):
            return hint
    return None


def _training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, objective: Callable[..., Any], learning_rate: float
) -> tuple[float, float]:
    """A step as `training.loop.training_step` takes it, of one process."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    model.train()
    loss, right = objective(model, batch)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item(), right.item()


RATES, TARGETS = (0.1, 0.02, 0.05), (3.0, -1.0, 2.0)  # of three steps of the toy below


class _Toy(nn.Module):
    """(weight − target)² is its loss, weight / 10 its share of right answers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.modes: list[bool] = []

    def objective(self, model: nn.Module, target: float) -> tuple[Tensor, Tensor]:
        self.modes.append(self.training)
        return (self.weight - target).square(), self.weight.detach() / 10


def _weight_after(step: str) -> float:
    """Of the toy after the three steps, taken rightly or with a mistake."""
    weight, gradient = 1.0, 0.0
    for rate, target in zip(RATES, TARGETS, strict=True):
        fresh = 2 * (weight - target)
        before, gradient = gradient, fresh + (gradient if step == "added up" else 0)
        taken = {"none": 0.0, "too early": before}.get(step, gradient)
        weight -= (RATES[0] if step == "one rate" else rate) * taken
    return weight


def _find_step(answer: Callable[..., Any]) -> str | None:
    toy = _Toy()
    optimizer, steps = torch.optim.SGD(toy.parameters(), RATES[0]), []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    for rate, target in zip(RATES, TARGETS, strict=True):
        expected = [value.item() for value in toy.objective(toy.eval(), target)]
        toy.modes.clear()
        numbers = numbers_in(answer(toy, optimizer, target, toy.objective, rate), 2)
        if isinstance(numbers, str):
            return f"{numbers} Wanted: the loss, and the share of right answers."
        if toy.modes != [True]:
            return "Call objective once, with the model in training mode: model.train() switches dropout on."
        if not torch.allclose(torch.tensor(numbers), torch.tensor(expected), atol=1e-4):
            return "The numbers that come back are not those that objective gave: the loss, then the share."
    mistakes = {
        "none": "The weights are the same after the step. backward fills the gradients, step uses them, and "
        "zero_grad empties them: not between the other two.",
        "added up": "From the second step on the gradients of the steps before are in it: empty them with zero_grad.",
        "too early": "optimizer.step() comes before the gradients are there: it uses those of the step before.",
        "one rate": "The learning rate stays that of the first step: set group['lr'] in every step.",
    }
    found = toy.weight.item()
    if abs(found - _weight_after("right")) < 1e-5:
        if len(steps) == len(RATES):
            return None
        return "The weights move, but not by one optimizer.step() per step: then the optimizer has no say."
    close = [hint for step, hint in mistakes.items() if abs(found - _weight_after(step)) < 1e-5]
    return (close or ["The weights after three steps are wrong: backward, step and zero_grad, once each."])[0]


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
        second = answer([entry | {"step": entry["step"] + 5} for entry in history[1:]])
        return None if second == 25 else f"Right for one history; for another expected step 25, found {second!r}."
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
    """D_SPM [..., Q, N], D_PADM [..., Q, N], D_anchor [..., 1, N] → logits [..., Q, N]."""
    return ...
''',
        solution='''def score(spm_distance, padm_distance, anchor_distance):
    """D_SPM [..., Q, N], D_PADM [..., Q, N], D_anchor [..., 1, N] → logits [..., Q, N]."""
    return -(spm_distance / 2 + padm_distance + anchor_distance)
''',
        find=_find_score,
        importance=3,
        task="Put the three distances together. The anchor's single row needs no repeating: it broadcasts.",
        idea="Distances are small for a good match, logits large.",
        template="return -(spm_distance / 2 + ...)",
        why="SPM's distance counts half, as in the released code.",
        library=lambda: _score,
    ),
    "07.2": Exercise(
        title="the loss",
        difficulty=2,
        minutes=8,
        stub='''def mean_loss(logits, labels, consistency, text, hsmr, w_reg, w_m):
    """logits [B, Q, N], labels [B, Q], three terms [B] of B episodes → their mean loss, one number."""
    cross_entropy = ...
    bracket = ...
    return ...
''',
        solution='''def mean_loss(logits, labels, consistency, text, hsmr, w_reg, w_m):
    """logits [B, Q, N], labels [B, Q], three terms [B] of B episodes → their mean loss, one number."""
    cross_entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    bracket = consistency + text + w_m * hsmr
    return cross_entropy + w_reg * bracket.mean()
''',
        find=_find_loss,
        importance=3,
        task=r"Write the loss of the presets `paper` and `lite` for a batch of B episodes; $w_\text{reg}$ is `w_reg`.",
        idea="Cross-entropy, plus w_reg times a bracket of three terms, one of which has its own weight.",
        template=(
            "cross_entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ...)\n"
            "bracket = ...\nreturn cross_entropy + w_reg * bracket.mean()"
        ),
        why="All episodes have equally many queries, so the mean over all of them is the mean over episodes.",
        library=lambda: _loss,
    ),
    "07.3": Exercise(
        title="one training step",
        difficulty=1,
        minutes=5,
        stub='''def training_step(model, optimizer, batch, objective, learning_rate):
    """One step. objective(model, batch) → loss and share of right answers → the same two as plain numbers."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    model.train()  # dropout is on
    loss, right = objective(model, batch)
    ...  # three lines: gradients, step, gradients away
    return loss.item(), right.item()
''',
        solution='''def training_step(model, optimizer, batch, objective, learning_rate):
    """One step. objective(model, batch) → loss and share of right answers → the same two as plain numbers."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    model.train()  # dropout is on
    loss, right = objective(model, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), right.item()
''',
        find=_find_step,
        importance=3,
        task="Write the three missing lines. They are the same for every model in PyTorch.",
        idea="Empty the gradients, fill them from the loss, and let the optimizer use them.",
        template="optimizer.zero_grad()\n...\noptimizer.step()",
        why="`backward` adds to the gradients that are there, so they are emptied once per step.",
        library=lambda: _training_step,
    ),
    "07.4": Exercise(
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
        task="A run leaves a history, a list with an entry for each validation. Which step do you keep?",
        idea="Only validation may choose.",
        template=('best = max(history, key=lambda entry: ...)\nreturn best["step"]'),
        why=(
            "`max` gives the first of equals. Looking at the novel column, even once, would make its number optimistic."
        ),
    ),
    "07.5": Exercise(
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
        why="What has no gradient is left as it is by the optimizer, and costs no memory for one.",
    ),
}
