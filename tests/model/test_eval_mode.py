"""What is scored is in eval mode, however a method wraps its module, and comes back in the mode it was in."""

from functools import partial

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.model.heads import scored_in_eval_mode

HEAD = CLIPSPM(8, heads=1, head_dim=4, mlp_dim=8)


def named_in_a_function(*episode):
    return HEAD(*episode)


def in_a_closure(head):
    return lambda *episode: head(*episode)


METHODS = {
    "module": HEAD,
    "partial of a partial": partial(partial(HEAD), inductive=True),
    "partial that holds it": partial(lambda head, *episode: head(*episode), HEAD),
    "bound method": HEAD.forward,
    "closure": in_a_closure(HEAD),
    "global": named_in_a_function,
    "global in a comprehension": lambda *episode: [HEAD(*episode) for _ in range(1)][0],
    "function that calls one": lambda *episode: named_in_a_function(*episode),
    "decorated": torch.inference_mode()(named_in_a_function),
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
    class Frozen(torch.nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[0].eval()
            return self

    frozen = Frozen(torch.nn.BatchNorm1d(2)).train()
    with scored_in_eval_mode(frozen):
        assert not frozen.training
    assert frozen.training and not frozen[0].training
