"""The trained baselines: each is its equation, and a user can rely on what he relies on with `CLIPSPM`."""

import json
import math
from itertools import combinations

import pytest
import torch
from torch.nn import functional as F

from clipspm_lite import CLIPSPM
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model import baselines
from clipspm_lite.model.heads import HEADS, build_head, describe_head
from clipspm_lite.model.otam import otam
from clipspm_lite.model.trx import TRX, of_tuples, tuple_places

DIM, WAY, SHOT, QUERIES, FRAMES = 8, 3, 2, 4, 4


def build(name, **changes):
    torch.manual_seed(0)
    return build_head({"model": name, "dim": DIM, **SIZES[name], **changes})


SIZES = {"clip-fsar": dict(heads=2, head_dim=4, mlp_dim=12), "trx": dict(width=6)}


def random_episode(*leading):
    generator = torch.Generator().manual_seed(1)
    support = torch.randn(*leading, WAY, SHOT, FRAMES, DIM, generator=generator)
    query = torch.randn(*leading, QUERIES, FRAMES, DIM, generator=generator)
    class_text = torch.randn(*leading, WAY, DIM, generator=generator)
    labels = torch.randint(WAY, (*leading, QUERIES), generator=generator)
    return support, query, class_text, labels


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(params=SIZES)
def model(request):
    return build(request.param).eval()


def test_every_trained_baseline_is_tried_here():
    assert {"clip-spm", "clip-spm-extended", *SIZES} == set(
        HEADS
    )  # the first two: test_clipspm, test_extensions


def test_a_configuration_builds_the_model_again_and_an_unknown_one_is_refused(model):
    again = build_head(json.loads(json.dumps(describe_head(model))))
    assert type(again) is type(model) and again.config == model.config
    again.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="model: expected one of clip-spm.*found 'other'"):
        build_head(describe_head(model) | {"model": "other"})
    old = CLIPSPM(DIM, heads=1, head_dim=2, mlp_dim=2)
    assert "model" not in describe_head(old) and type(build_head(describe_head(old))) is CLIPSPM


def test_a_batch_of_episodes_equals_episodes_one_by_one(model):
    support, query, class_text, labels = random_episode(2, 3)
    mask = torch.ones(2, 3, WAY, SHOT, dtype=torch.bool)
    mask[1, 0, 2, 1] = False
    logits = model(support, query, class_text, mask).logits
    losses = model.losses(support, query, class_text, labels, mask)
    assert logits.shape == (2, 3, QUERIES, WAY) and losses.total.shape == (2, 3)
    for i, j in [(0, 0), (1, 0), (1, 2)]:
        episode = support[i, j], query[i, j], class_text[i, j]
        close(model(*episode, mask[i, j]).logits, logits[i, j])
        alone = model.losses(*episode, labels[i, j], mask[i, j])
        for field, one in alone._asdict().items():
            close(getattr(losses, field)[i, j], one)


def test_permuting_shots_classes_or_queries_permutes_the_answer_and_nothing_else(model):
    support, query, class_text, _ = random_episode()
    expected = model(support, query, class_text).logits
    classes, queries = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 0, 2])
    close(model(support.flip(1), query, class_text).logits, expected)
    close(model(support[classes], query, class_text[classes]).logits, expected[:, classes])
    close(model(support, query[queries], class_text).logits, expected[queries])
    close(model(support, query[:1], class_text, inductive=True).logits, expected[:1])


def test_a_masked_shot_enters_neither_answer_nor_loss_nor_gradient(model):
    support, query, class_text, labels = random_episode()
    mask = torch.ones(WAY, SHOT, dtype=torch.bool)
    mask[:, 1] = False
    spoiled = support.clone()
    spoiled[:, 1] = float("nan")
    close(model(spoiled, query, class_text, mask).logits, model(support[:, :1], query, class_text).logits)
    gradients = []
    for episode in ((spoiled, query, class_text, labels, mask), (support[:, :1], query, class_text, labels)):
        losses = model.losses(*episode)
        model.zero_grad()
        losses.total.backward()
        gradients.append([losses.total.detach(), *(p.grad.clone() for p in model.parameters())])
    for with_mask, without in zip(*gradients, strict=True):
        close(with_mask, without)


def test_logits_are_the_same_whatever_the_query_labels_are(model):
    support, query, class_text, labels = random_episode()
    first = model.losses(support, query, class_text, labels)
    other = model.losses(support, query, class_text, (labels + 1) % WAY)
    assert torch.equal(first.logits, other.logits) and not torch.equal(first.total, other.total)
    assert torch.equal(first.logits, model(support, query, class_text).logits)


@pytest.mark.parametrize("name", SIZES)
def test_lengths_of_features_count_only_where_they_are_not_scaled(name):
    support, query, class_text, labels = random_episode()
    for scaled in (True, False):
        model = build(name, normalize_features=scaled).eval()
        one = model.losses(support, query, class_text, labels)
        other = model.losses(3 * support, 2 * query, 5 * class_text, labels)
        assert torch.allclose(one.total, other.total, rtol=1e-5) == scaled
        length = DIM**0.5
        by_hand = build(name).eval()(*(length * F.normalize(x, dim=-1) for x in (support, query, class_text)))
        assert torch.allclose(one.logits, by_hand.logits, rtol=1e-5, atol=1e-5) == scaled


def test_wrong_shapes_labels_and_sizes_are_refused_by_name(model):
    support, query, class_text, labels = random_episode()
    with pytest.raises(ValueError, match="class_text"):
        model(support, query, class_text[:2])
    with pytest.raises(ValueError, match="width 8, found 6"):
        model(support[..., :6], query[..., :6], class_text[..., :6])
    with pytest.raises(ValueError, match="query_labels"):
        model.losses(support, query, class_text, labels + WAY)
    with pytest.raises(ValueError, match="dim: expected a whole number of at least 1"):
        build_head(describe_head(model) | {"dim": 0})


def test_evaluation_takes_it_as_it_takes_a_clip_spm_head(model, encoded):
    result = evaluate(model, encoded(dim=DIM, frames=FRAMES), way=3, shot=2, episodes=30)
    assert result.per_episode.shape == (30,) and 0 < result.accuracy <= 100


def attend(block, tokens):
    """SPEC section 2's transformer block for one video ``[M, C]``, head by head and token by token."""
    normed = F.layer_norm(tokens, (DIM,), block.norm.weight, block.norm.bias)
    q, k, v = (normed @ layer.weight.T for layer in (block.to_q, block.to_k, block.to_v))
    rows = []
    for token in range(len(tokens)):
        heads = []
        for part in range(block.heads):
            width = q.shape[-1] // block.heads
            own = slice(part * width, (part + 1) * width)
            weights = torch.softmax(k[:, own] @ q[token, own] / math.sqrt(width), dim=0)
            heads.append(sum(w * value for w, value in zip(weights, v[:, own], strict=True)))
        attended = block.to_out(torch.cat(heads)) + tokens[token]
        rows.append(block.ff2(F.gelu(block.ff1(attended))) + attended)
    return torch.stack(rows)


def test_clip_fsar_is_its_equation():
    support, query, class_text, labels = random_episode()
    model = build("clip-fsar", text_loss_weight=0.5, temperature=0.2).eval()
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
    model = build("clip-fsar").eval()
    support.requires_grad_()
    losses = model.losses(support, query, class_text, labels)
    gradients = torch.autograd.grad(losses.text, [support, *model.parameters()], allow_unused=True)
    assert gradients[0].abs().sum() > 0 and all(gradient is None for gradient in gradients[1:])


def test_clip_fsar_looks_at_the_class_text_of_supports():
    support, query, class_text, _ = random_episode()
    model = build("clip-fsar").eval()
    other = class_text.clone()
    other[1] = -other[1]
    moved = model(support, query, other).logits != model(support, query, class_text).logits
    assert moved[:, 1].all() and not moved[:, [0, 2]].any()


def test_trx_is_its_equation():
    support, query, class_text, labels = random_episode()
    model = build("trx", tuple_sizes=(2, 3)).eval()

    def positioned(video):
        encoded = video.clone()
        for t in range(FRAMES):
            for c in range(0, DIM, 2):
                angle = t / 10000 ** (c / DIM)
                encoded[t, c] += math.sin(angle)
                encoded[t, c + 1] += math.cos(angle)
        return encoded

    def keys_and_values(video, attention):
        frames = positioned(video)
        size = attention.to_key.in_features // DIM
        tuples = [torch.cat([frames[t] for t in places]) for places in combinations(range(FRAMES), size)]
        normed = [attention.norm(attention.to_key(one)) for one in tuples]
        return list(zip(normed, (attention.to_value(one) for one in tuples), strict=True))

    expected = torch.zeros(QUERIES, WAY)
    for attention, (q, n) in (
        (a, (q, n)) for a in model.attentions for q in range(QUERIES) for n in range(WAY)
    ):
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


def test_trx_tells_a_video_from_its_reverse_and_bi_mhm_does_not():
    support, _, class_text, _ = random_episode()
    video = support[0, :1]
    pair = torch.stack([video, video.flip(-2)])  # two classes, one the other backwards
    logits = build("trx").eval()(pair, video, class_text[:2]).logits[0]
    assert logits[0] > logits[1] + 1e-2
    close(*baselines.bi_mhm(pair, video, class_text[:2]).logits[0])


def test_trx_has_28_pairs_and_56_triples_of_8_frames_all_in_order():
    for size, count in ((2, 28), (3, 56)):
        places = tuple_places(8, size)
        assert places.shape == (count, size) and len({tuple(one) for one in places.tolist()}) == count
        assert (places.diff(dim=-1) > 0).all()


def test_trx_layer_of_tuples_is_the_layer_of_their_joined_frames():
    torch.manual_seed(0)
    video, layer = torch.randn(2, 6, DIM), torch.nn.Linear(3 * DIM, 5)
    joined = video[:, tuple_places(6, 3)].flatten(-2)
    close(of_tuples(layer, video), layer(joined))


def test_trx_looks_at_no_text_and_refuses_videos_that_hold_no_tuple():
    support, query, class_text, _ = random_episode()
    model = build("trx").eval()
    assert torch.equal(model(support, query, -class_text).logits, model(support, query, class_text).logits)
    with pytest.raises(ValueError, match="tuples of 3 frames.*found videos of 2"):
        model(support[..., :2, :], query[..., :2, :], class_text)
    for sizes in ((), (2, 2), (0,)):
        with pytest.raises(ValueError, match="tuple_sizes"):
            TRX(DIM, tuple_sizes=sizes)
