"""Every method that answers an episode: finite logits however the tensors lie in memory, or an error by name."""

import re

import pytest
import torch
from episode_strategies import (
    WIDTH,
    WRONG_EPISODES,
    WRONG_LABELS,
    WRONG_MASKS,
    episodes,
    laid_out,
)
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite import CLIPSPM
from clipspm_lite.model.baselines import TRAINING_FREE, bi_mhm, otam, otam_centred, prototype, zero_shot
from clipspm_lite.model.checks import check_episode, check_labels
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.heads import HEADS, build_head
from clipspm_lite.model.trx import TRX

SMALL = dict(heads=2, head_dim=4, mlp_dim=8)


def head(kind, **settings):
    torch.manual_seed(0)
    return kind(WIDTH, **settings).eval()


HEADS_HERE = {
    **{
        f"clip-spm {preset}": head(CLIPSPM, preset=preset, **SMALL)
        for preset in ("paper", "released", "lite")
    },
    "inductive": head(CLIPSPM, inductive=True, **SMALL),
    "without SPM": head(CLIPSPM, with_spm=False, **SMALL),
    "without PADM": head(CLIPSPM, with_padm=False, support_text="generated", **SMALL),
    "extended": head(ExtendedCLIPSPM, motion_kept=True, centred_distance=True, anchor="query", **SMALL),
    "clip-fsar": head(CLIPFSAR, **SMALL),
    "trx": head(TRX, width=6),
}
METHODS = TRAINING_FREE | HEADS_HERE


def test_every_method_is_here():
    assert {type(one) for one in HEADS_HERE.values()} == set(HEADS.values())
    assert {zero_shot, prototype, otam, otam_centred, bi_mhm} == set(TRAINING_FREE.values())


def close(actual, expected):
    torch.testing.assert_close(
        actual, expected, rtol=1e-3, atol=1e-3 * max(1.0, float(expected.detach().abs().max()))
    )


@pytest.mark.parametrize("name", METHODS)
@few
@given(data=st.data())
def test_logits_are_finite_and_do_not_depend_on_how_tensors_lie_in_memory(name, data):
    sound = data.draw(episodes())
    logits = METHODS[name](*sound.asked).logits
    *leading, way, _, _, _ = sound.support.shape
    assert logits.shape == (*leading, sound.query.shape[-3], way) and logits.isfinite().all()
    close(METHODS[name](*data.draw(laid_out(sound)).asked).logits, logits)


@pytest.mark.parametrize("name", HEADS_HERE)
@few
@given(data=st.data())
def test_losses_are_finite_and_do_not_depend_on_how_tensors_lie_in_memory(name, data):
    sound = data.draw(episodes())
    model = HEADS_HERE[name]
    losses = model.losses(*sound.learnt)
    again = model.losses(*data.draw(laid_out(sound)).learnt)
    for one, other in zip(losses, again, strict=True):
        assert one.isfinite().all()
        close(other, one)
    assert losses.total.shape == sound.support.shape[:-4]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", METHODS)
def test_other_floating_dtypes_are_taken_where_all_are_of_it(name, dtype):
    method = METHODS[name]
    generator = torch.Generator().manual_seed(0)
    shapes = (2, 2, 4, WIDTH), (3, 4, WIDTH), (2, WIDTH)
    sound = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    if isinstance(method, torch.nn.Module):
        method = build_head(method.config).to(dtype).eval()
    logits = method(*sound).logits
    assert logits.dtype == dtype and logits.isfinite().all()


def refused(call, argument):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    message = str(error.value)
    assert (
        re.search(r"(expected|needs|every class needs)", message)
        and "found" in message
        or "no shot" in message
    )
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("wrong", WRONG_EPISODES | WRONG_MASKS)
@few
@given(data=st.data())
def test_what_is_no_episode_is_refused_by_every_method(wrong, data):
    name = data.draw(st.sampled_from(sorted(METHODS)))
    spoilt = (WRONG_EPISODES | WRONG_MASKS)[wrong](data.draw(episodes()))
    refused(lambda: METHODS[name](*spoilt.asked), wrong)
    if name in HEADS_HERE:
        refused(lambda: METHODS[name].losses(*spoilt.learnt), wrong)
    refused(lambda: check_episode(*spoilt.asked), wrong)


@pytest.mark.parametrize("wrong", WRONG_LABELS)
@few
@given(data=st.data())
def test_labels_that_are_no_classes_of_the_episode_are_refused(wrong, data):
    name = data.draw(st.sampled_from(sorted(HEADS_HERE)))
    spoilt = WRONG_LABELS[wrong](data.draw(episodes()))
    message = refused(lambda: HEADS_HERE[name].losses(*spoilt.learnt), wrong)
    assert message.startswith("query_labels")
    refused(lambda: check_labels(spoilt.query_labels, spoilt.query, spoilt.class_text), wrong)
