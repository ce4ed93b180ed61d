"""What is scored is in eval mode, however a method wraps its module, and comes back in the mode it was in."""

from functools import partial, wraps

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.model.heads import scored_in_eval_mode

HEAD = CLIPSPM(8, heads=1, head_dim=4, mlp_dim=8)


def named_in_a_function(*episode):
    return HEAD(*episode)


def calls_a_function_of_this_file(*episode):
    return [named_in_a_function(*episode) for _ in range(1)][0]


def named_in_a_loop(*episode):
    return [HEAD(*episode) for _ in range(1)][0]


def decorated(function):
    @wraps(function)
    def wrapped(*episode):
        return function(*episode)

    return wrapped


class Ensemble:
    def __init__(self, head):
        self.head = head

    def __call__(self, *episode):
        return self.head(*episode)

    def answer(self, *episode):
        return self.head(*episode)


def in_a_closure(head):
    return lambda *episode: head(*episode)


METHODS = {
    "module": HEAD,
    "partial": partial(HEAD, inductive=True),
    "partial of a partial": partial(partial(HEAD), inductive=True),
    "partial of a bound method": partial(HEAD.forward, inductive=True),
    "partial that holds it": partial(lambda head, *episode: head(*episode), HEAD),
    "bound method": HEAD.forward,
    "closure": in_a_closure(HEAD),
    "global": named_in_a_function,
    "global in a comprehension": named_in_a_loop,
    "function that calls one": calls_a_function_of_this_file,
    "decorated": decorated(named_in_a_function),
    "inference mode": torch.inference_mode()(named_in_a_function),
    "default value": lambda *episode, head=HEAD: head(*episode),
    "object": Ensemble(HEAD),
    "object's method": Ensemble(HEAD).answer,
    "compiled": torch.compile(HEAD),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_submodule_is_in_eval_mode_inside_and_as_before_outside(name):
    HEAD.train()
    HEAD.fusion.eval()
    HEAD.padm.transformer.dropout.eval()
    before = {part: module.training for part, module in HEAD.named_modules()}
    assert set(before.values()) == {True, False}
    with scored_in_eval_mode("a name", METHODS[name], METHODS[name]):
        assert not any(module.training for module in HEAD.modules())
    assert before == {part: module.training for part, module in HEAD.named_modules()}
    with pytest.raises(KeyError), scored_in_eval_mode(METHODS[name]):
        raise KeyError
    assert before == {part: module.training for part, module in HEAD.named_modules()}


def test_a_module_that_keeps_a_part_frozen_says_itself_what_eval_mode_is():
    class Frozen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(2)

        def train(self, mode=True):
            super().train(mode)
            self.norm.eval()
            return self

    frozen = Frozen().train()
    with scored_in_eval_mode(frozen):
        assert not frozen.training
    assert frozen.training and not frozen.norm.training
