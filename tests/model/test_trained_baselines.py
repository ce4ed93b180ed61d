"""The trained baselines: each is its equation, and its authors' settings are options."""

import math
from itertools import combinations

import pytest
import torch
from made_up_episode import DIM, FRAMES, QUERIES, SHOT, WAY, build, close, random_episode
from torch.nn import functional as F

from clipspm_lite.model.otam import otam


def attend(block, tokens):
    """SPEC section 2's transformer block for one video ``[M, C]``, head by head."""
    normed = F.layer_norm(tokens, (DIM,), block.norm.weight, block.norm.bias)
    q, k, v = (normed @ layer.weight.T for layer in (block.to_q, block.to_k, block.to_v))
    heads = []
    for query, key, value in zip(*(x.chunk(block.heads, dim=-1) for x in (q, k, v)), strict=True):
        heads.append(torch.softmax(query @ key.T / math.sqrt(key.shape[-1]), dim=-1) @ value)
    attended = block.to_out(torch.cat(heads, dim=-1)) + tokens
    return block.ff2(F.gelu(block.ff1(attended))) + attended


def test_clip_fsar_is_its_equation():
    support, query, class_text, labels = random_episode()
    model = build("clip-fsar", text_loss_weight=0.5, temperature=0.2)
    prototypes = []
    for n in range(WAY):
        shots = [attend(model.transformer, torch.cat([class_text[n, None], shot]))[1:] for shot in support[n]]
        prototypes.append(sum(shots) / SHOT)
    queries = torch.stack([attend(model.transformer, video) for video in query])
    logits = -otam(queries, torch.stack(prototypes))
    close(model(support, query, class_text).logits, logits)

    videos = [(support[n, k], n) for n in range(WAY) for k in range(SHOT)]
    videos += list(zip(query, labels.tolist(), strict=True))
    text = 0
    for video, label in videos:
        cosines = torch.stack([F.cosine_similarity(video.mean(0), words, dim=0) for words in class_text])
        text = text - torch.log_softmax(cosines / 0.2, dim=0)[label] / len(videos)
    cross_entropy = -sum(torch.log_softmax(row, 0)[label] for row, label in zip(logits, labels, strict=True))
    losses = model.losses(support, query, class_text, labels)
    close(losses.text, text)
    close(losses.cross_entropy, cross_entropy / QUERIES)
    close(losses.total, cross_entropy / QUERIES + 0.5 * text)
    assert losses.hsmr == losses.consistency == 0


def test_clip_fsar_text_loss_teaches_the_encoder_and_no_weight_of_the_head():
    support, query, class_text, labels = random_episode()
    model = build("clip-fsar")
    support.requires_grad_()
    losses = model.losses(support, query, class_text, labels)
    gradients = torch.autograd.grad(losses.text, [support, *model.parameters()], allow_unused=True)
    assert gradients[0].abs().sum() > 0 and all(gradient is None for gradient in gradients[1:])


def test_clip_fsar_of_the_authors_averages_shots_before_the_transformer_and_trains_its_scale():
    support, query, class_text, labels = random_episode()
    ours, theirs = build("clip-fsar"), build("clip-fsar of the authors")
    theirs.load_state_dict(ours.state_dict(), strict=False)
    mean = support.mean(1, keepdim=True)
    close(theirs(support, query, class_text).logits, ours(mean, query, class_text).logits)
    assert not torch.allclose(
        theirs(support, query, class_text).logits, ours(support, query, class_text).logits, atol=1e-3
    )
    losses = theirs.losses(support, query, class_text, labels)
    close(losses.text, build("clip-fsar", temperature=1.0).losses(support, query, class_text, labels).text)
    losses.total.backward()
    assert theirs.scale == 1 and theirs.scale.grad != 0


@pytest.mark.parametrize("weight", [1.0, 0.1])  # ours, the authors'
def test_trx_is_its_equation(weight):
    support, query, class_text, labels = random_episode()
    model = build("trx", position_weight=weight)

    def positioned(video):
        encoded = video.clone()
        for t in range(FRAMES):
            for c in range(0, DIM, 2):
                angle = t / 10000 ** (c / DIM)
                encoded[t, c] += weight * math.sin(angle)
                encoded[t, c + 1] += weight * math.cos(angle)
        return encoded

    def keys_and_values(video, attention):
        frames = positioned(video)
        size = attention.to_key.in_features // DIM
        tuples = [torch.cat([frames[t] for t in places]) for places in combinations(range(FRAMES), size)]
        normed = [attention.norm(attention.to_key(one)) for one in tuples]
        return list(zip(normed, (attention.to_value(one) for one in tuples), strict=True))

    expected = torch.zeros(QUERIES, WAY)
    for attention, (q, n) in ((a, (q, n)) for a in model.attentions for q in range(QUERIES) for n in range(WAY)):
        known = [pair for shot in support[n] for pair in keys_and_values(shot, attention)]
        asked = keys_and_values(query[q], attention)
        for key, value in asked:
            weights = torch.softmax(torch.stack([key @ k for k, _ in known]) / math.sqrt(6), dim=0)
            prototype = sum(w * v for w, (_, v) in zip(weights, known, strict=True))
            expected[q, n] -= ((value - prototype) ** 2).sum() / len(asked) / 2
    close(model(support, query, class_text).logits, expected)
    losses = model.losses(support, query, class_text, labels)
    close(losses.total, F.cross_entropy(expected, labels))
    assert losses.hsmr == losses.consistency == losses.text == 0


def test_trx_looks_at_no_text_and_refuses_videos_that_hold_no_tuple():
    support, query, class_text, _ = random_episode()
    model = build("trx")
    assert torch.equal(model(support, query, -class_text).logits, model(support, query, class_text).logits)
    with pytest.raises(ValueError, match="tuples of 3 frames.*found videos of 2"):
        model(support[..., :2, :], query[..., :2, :], class_text)
