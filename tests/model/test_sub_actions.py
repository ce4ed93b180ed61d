"""Sub-action text: five terms, each what its equation says, and what the order of sentences changes."""

import re

import pytest
import torch
from made_up_episode import DIM, FRAMES, WAY, close, random_episode

from clipspm_lite.model.baselines import otam, otam_centred, zero_shot
from clipspm_lite.model.sub_actions import STAGE_METHODS, SubActions, stretches


def staged_episode(*leading, frames=FRAMES):
    support, query, names, _ = random_episode(*leading)
    sentences = torch.randn(*leading, WAY, 3, DIM, generator=torch.Generator().manual_seed(1))
    return support[..., :frames, :], query[..., :frames, :], torch.cat([names.unsqueeze(-2), sentences], dim=-2)


def cosine(x, y):
    return float(x @ y / (x.norm() * y.norm()))


def test_the_terms_equal_a_plain_loop_over_queries_classes_and_stages():
    support, query, text = staged_episode()
    terms, frames = SubActions().terms(support, query, text), range(FRAMES)
    inside = [[t for t in frames if s * FRAMES / 3 - 1 < t < (s + 1) * FRAMES / 3] for s in range(3)]
    for q, video in enumerate(query):
        parts = [sum(video[t] / video[t].norm() for t in stretch) / len(stretch) for stretch in inside]
        parts = [part / part.norm() for part in parts]
        for n, (_, *sentences) in enumerate(text):
            sentences = [sentence / sentence.norm() for sentence in sentences]
            mean_part, mean_sentence = sum(parts) / 3, sum(sentences) / 3
            pairs = list(zip(parts, sentences, strict=True))
            shown = sum(cosine(g, b) for g, b in pairs) / 3
            changed = sum(cosine(g - mean_part, b - mean_sentence) for g, b in pairs) / 3
            assert terms[q, n, 3:].tolist() == pytest.approx([shown, changed], abs=1e-5)
    for place, (method, scale) in enumerate([(otam, 2 * FRAMES), (otam_centred, 2 * FRAMES), (zero_shot, 1)]):
        close(terms[..., place], method(support, query, text[:, 0]).logits / scale)


def test_leading_axes_and_a_mask_are_those_of_every_method():
    support, query, text = staged_episode(2, 3)
    mask = torch.tensor([True, False]).expand(support.shape[:-2])
    method = SubActions((0.5, 1, 2, 4, 3))
    together = method(support, query, text, mask).logits
    assert together.shape == query.shape[:-2] + (WAY,)
    close(together[1, 2], method(support[1, 2, :, :1], query[1, 2], text[1, 2]).logits)
    with pytest.raises(ValueError, match="class_text"):
        method(support, query, text[..., :2, :, :])


@pytest.mark.parametrize("wrong", [dict(order="backwards"), dict(weights=(1.0, 2.0))])
def test_another_order_or_number_of_weights_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SubActions(**wrong)


def test_texts_of_other_than_a_name_and_three_sentences_are_refused_as_they_were_given():
    support, query, text = staged_episode()
    for wrong in (text[:, :3], torch.cat([text, text[:, :1]], dim=1), text[:, 0], text[:4, 0]):
        with pytest.raises(ValueError, match=f"class_text.*{re.escape(str(tuple(wrong.shape)))}"):
            SubActions()(support, query, wrong)


@pytest.mark.parametrize("frames", range(1, FRAMES + 1))
def test_clips_and_sentences_that_are_both_reversed_match_as_before(frames):
    support, query, text = staged_episode(frames=frames)
    close(stretches(query.flip(-2)), stretches(query).flip(-2))
    backwards = query.flip(-2)
    expected = SubActions().terms(support, query, text)[..., 3:]
    close(SubActions(order="reversed").terms(support, backwards, text)[..., 3:], expected)
    without = [SubActions(order="none").terms(support, clip, text)[..., 3:] for clip in (query, backwards)]
    close(*without)
    assert expected.isfinite().all()


def test_what_does_not_change_is_not_matched_as_a_change():
    support, query, text = staged_episode()
    still = query[:, :1].expand_as(query)
    same = torch.cat([text[:, :1], text[:, 1:2].expand(-1, 3, -1)], dim=1)
    for clips, texts in ((still, text), (query, same)):
        close(SubActions().terms(support, clips, texts)[..., 4], torch.zeros(len(query), WAY), 1e-3)


def test_the_rows_differ_in_what_they_read():
    support, query, text = staged_episode()
    other = text.clone()
    other[:, 1:] += 1
    reads = {}
    for name, row in STAGE_METHODS.items():
        before = row(support, query, text).logits
        after = (row(support, query, other), row(support + query[:3, None], query, text))
        reads[name] = [not torch.equal(before, scores.logits) for scores in after]
    assert reads == {name: ["without" not in name, "text" not in name] for name in STAGE_METHODS}
