"""What a user of `CLIPSPM` relies on: symmetries, batching, masks, no look at labels, clear errors."""

import json

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.hsmr import MotionFeatureExtraction
from clipspm_lite.model.otam import otam
from clipspm_lite.model.presets import PRESETS

DIM, WAY, SHOT, QUERIES, FRAMES = 16, 3, 2, 5, 4
SIZES = dict(heads=2, head_dim=4, mlp_dim=24)


def random_episode(*leading, seed=0, shot=SHOT):
    generator = torch.Generator().manual_seed(seed)
    support = torch.randn(*leading, WAY, shot, FRAMES, DIM, generator=generator)
    query = torch.randn(*leading, QUERIES, FRAMES, DIM, generator=generator)
    class_text = torch.randn(*leading, WAY, DIM, generator=generator)
    labels = torch.randint(WAY, (*leading, QUERIES), generator=generator)
    return support, query, class_text, labels


@pytest.fixture(params=PRESETS)
def model(request):
    torch.manual_seed(0)
    return CLIPSPM(DIM, **SIZES, preset=request.param).eval()


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_logits_are_the_same_whatever_the_query_labels_are(model):
    support, query, class_text, labels = random_episode()
    first = model.losses(support, query, class_text, labels)
    other = model.losses(support, query, class_text, (labels + 1) % WAY)
    assert torch.equal(first.logits, other.logits)
    assert torch.equal(first.logits, model(support, query, class_text).logits)
    assert not torch.equal(first.cross_entropy, other.cross_entropy)


@pytest.mark.parametrize("inductive", [False, True])
def test_permuting_shots_classes_or_queries_permutes_the_answer_and_nothing_else(model, inductive):
    support, query, class_text, _ = random_episode()

    def logits(*episode):
        return model(*episode, inductive=inductive).logits

    expected = logits(support, query, class_text)
    classes, queries = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 4, 0, 2])
    close(logits(support.flip(1), query, class_text), expected)
    close(logits(support[classes], query, class_text[classes]), expected[:, classes])
    close(logits(support, query[queries], class_text), expected[queries])


@pytest.mark.parametrize("inductive", [False, True])
def test_a_batch_of_episodes_equals_episodes_one_by_one(model, inductive):
    support, query, class_text, labels = random_episode(2, 3)
    mask = torch.ones(2, 3, WAY, SHOT, dtype=torch.bool)
    mask[0, 1, 2, 1] = False
    together = model(support, query, class_text, mask, inductive=inductive).logits
    model.inductive = inductive
    losses = model.losses(support, query, class_text, labels, mask)
    assert losses.total.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alone = model.losses(support[i, j], query[i, j], class_text[i, j], labels[i, j], mask[i, j])
            close(together[i, j], alone.logits)
            for term, batched in zip(alone, losses, strict=True):
                close(batched[i, j], term)


def test_inductive_scores_each_query_as_an_episode_of_its_own(model):
    support, query, class_text, _ = random_episode()
    together = model(support, query, class_text, inductive=True).logits
    alone = [model(support, query[q : q + 1], class_text).logits for q in range(QUERIES)]
    close(together, torch.cat(alone))
    assert not torch.allclose(together, model(support, query, class_text).logits, atol=1e-4)


def test_a_masked_shot_enters_nothing(model):
    support, query, class_text, labels = random_episode(shot=1)
    padded = torch.cat([support, torch.full_like(support, float("nan"))], dim=1).requires_grad_()
    mask = torch.tensor([[True, False]] * WAY)
    expected = model.losses(support, query, class_text, labels)
    losses = model.losses(padded, query, class_text, labels, mask)
    for masked, plain in zip(losses, expected, strict=True):
        close(masked, plain)
    losses.total.backward()
    assert padded.grad.isfinite().all() and (padded.grad[:, 1] == 0).all()


def test_uneven_shots_equal_a_mask(model):
    """Classes with 2, 1, 2 shots: a class whose second shot is masked ignores what stands there."""
    support, query, class_text, _ = random_episode()
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    other = support.clone()
    other[1, 1] = 99.0
    assert torch.equal(
        model(support, query, class_text, mask).logits, model(other, query, class_text, mask).logits
    )
    everyone = torch.ones(WAY, SHOT, dtype=torch.bool)
    close(model(support, query, class_text, everyone).logits, model(support, query, class_text).logits)


def test_presets_train_what_spec_says():
    losses = {}
    episode = random_episode()
    for preset in ("paper", "released"):
        torch.manual_seed(0)
        model = CLIPSPM(DIM, **SIZES, preset=preset, motion_loss_weight=0.7).eval()
        losses[preset] = model.losses(*episode)
        assert ("motion_loss_weight" in dict(model.named_parameters())) == (preset == "released")
        assert "motion_loss_weight" in model.state_dict()
    paper, released = losses["paper"], losses["released"]
    close(paper.total, paper.cross_entropy + 8e-4 * (paper.consistency + paper.text + 0.7 * paper.hsmr))
    close(released.total, released.cross_entropy * QUERIES / 16 + 1e-3 * 0.7 * released.hsmr)
    assert released.consistency == 0 and released.text == 0 and paper.consistency > 0 and paper.text > 0


def test_evaluation_runs_no_training_only_branch(model):
    calls = []
    model.mfe.register_forward_hook(lambda *_: calls.append("mfe"))
    model.fusion.register_forward_hook(lambda *_: calls.append("fusion"))
    support, query, class_text, _ = random_episode()
    model(support, query, class_text)
    assert calls == ["fusion", "fusion"]


def test_lite_scores_do_not_depend_on_the_length_of_features():
    torch.manual_seed(0)
    model = CLIPSPM(DIM, **SIZES, preset="lite").eval()
    support, query, class_text, _ = random_episode()
    close(model(7 * support, query, 0.1 * class_text).logits, model(support, query, class_text).logits)


def test_a_model_is_rebuilt_from_its_config(model):
    twin = build_head(json.loads(json.dumps(describe_head(model)))).eval()
    twin.load_state_dict(model.state_dict())
    episode = random_episode()
    assert twin.config == model.config
    for ours, theirs in zip(model.losses(*episode), twin.losses(*episode), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("motion", ["symmetric", "antisymmetric"])
def test_motion_of_a_still_and_a_reversed_video(motion):
    torch.manual_seed(0)
    mfe = MotionFeatureExtraction(DIM, motion=motion)
    still = torch.randn(DIM).expand(8, DIM)
    video = torch.randn(8, DIM)
    if motion == "antisymmetric":
        close(mfe(still), torch.zeros(DIM))
    else:
        assert mfe(still).norm() > 0.5 * still[0].norm()
    total = MotionFeatureExtraction(DIM, motion=motion, reduction="sum")
    total.load_state_dict(mfe.state_dict())
    close(total(video), 2 * 7 * mfe(video))
    assert mfe(video.expand(2, 3, 8, DIM)).shape == (2, 3, DIM)


def test_errors_name_the_argument():
    model = CLIPSPM(DIM, **SIZES)
    support, query, class_text, labels = random_episode()
    wrong = {
        "support": (support[0], query, class_text),
        "class_text": (support, query, class_text[:2]),
        "support_mask": (support, query, class_text, torch.ones(WAY, SHOT + 1, dtype=torch.bool)),
        "support_mask: every class": (support, query, class_text, torch.zeros(WAY, SHOT, dtype=torch.bool)),
        "width 16, found 8": (support[..., :8], query[..., :8], class_text[..., :8]),
        "query": (support, query[:0], class_text),
    }
    for message, episode in wrong.items():
        with pytest.raises(ValueError, match=message):
            model(*episode)
    for bad in (labels[:2], labels.float(), labels + WAY, labels - WAY):
        with pytest.raises(ValueError, match="query_labels"):
            model.losses(support, query, class_text, bad)
    for argument in (
        dict(preset="best"),
        dict(heads=0),
        dict(motion="none"),
        dict(prompt_condition="none"),
        dict(loss_form="none"),
        dict(motion_reduction="none"),
    ):
        (name,) = argument
        with pytest.raises(ValueError, match=name):
            CLIPSPM(DIM, **(SIZES | argument))
    with pytest.raises(TypeError, match="head_width"):
        CLIPSPM(DIM, head_width=3)
    with pytest.raises(TypeError, match="query"):
        model(support, query.numpy(), class_text)


def test_a_part_left_out_leaves_the_rest_as_it_was():
    torch.manual_seed(0)
    model = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=8).eval()
    support, query, text = torch.randn(3, 2, 4, 16), torch.randn(5, 4, 16), torch.randn(3, 16)
    full = model(support, query, text)

    def without(**parts):
        other = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=8, **parts).eval()
        other.load_state_dict(model.state_dict())
        return other(support, query, text)

    close = torch.testing.assert_close
    close(without(with_anchor=False).logits, -(full.spm.distance / 2 + full.padm.distance))
    close(without(with_padm=False).logits, -full.spm.distance / 2)
    assert without(with_padm=False).padm is None and without(with_spm=False).spm is None
    close(without(with_spm=False).padm.distance, model.padm(support, query).distance)
    close(without(with_spm=False, with_padm=False).logits, -otam(query, support.mean(1)) / 2)
    generated = without(support_text="generated")
    alone = model.fusion(support, model.prompt_generator(support, text.mean(0)))[0]
    close(generated.spm.support, alone)
    with pytest.raises(ValueError, match="support_text"):
        CLIPSPM(16, support_text="none")


def test_parts_left_out_train_one_query_at_a_time_and_with_missing_shots_too():
    torch.manual_seed(0)
    support, query, text = torch.randn(3, 2, 4, 16), torch.randn(5, 4, 16), torch.randn(3, 16)
    mask, labels = torch.tensor([[True, True], [True, False], [True, True]]), torch.tensor([0, 1, 2, 2, 1])
    support[1, 1] = torch.nan
    for parts in (dict(with_spm=False), dict(with_padm=False), dict(support_text="generated")):
        model = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=8, inductive=True, **parts).eval()
        losses = model.losses(support, query, text, labels, mask)
        losses.total.backward()
        assert torch.isfinite(losses.logits).all()
        single = torch.cat([model(support, q[None], text, mask).logits for q in query])
        torch.testing.assert_close(losses.logits, single)


@pytest.mark.parametrize("inductive", [False, True])
@pytest.mark.parametrize("without", [None, "with_spm", "with_padm", "with_anchor"])
def test_terms_make_up_the_logits_exactly(without, inductive):
    head = CLIPSPM(DIM, **SIZES, **({} if without is None else {without: False})).eval()
    output = head(*random_episode(2)[:3], inductive=inductive)
    left = {"with_padm": ["½ D_SPM"], "with_anchor": ["½ D_SPM", "D_PADM"]}
    assert list(output.terms) == left.get(without, ["½ D_SPM", "D_PADM", "D_anchor"])
    assert torch.equal(-sum(output.terms.values()), output.logits)
    if "D_anchor" in output.terms:
        assert output.terms["D_anchor"].shape == (2, QUERIES if inductive else 1, WAY)


class EpisodesOwnMean(CLIPSPM):
    """A researcher's change: what a support is depends on the other clips of its episode."""

    def prepare(self, support, query, class_text, support_mask):
        support, query, class_text = super().prepare(support, query, class_text, support_mask)
        return support - support.mean((-4, -3, -2), keepdim=True), query, class_text


def test_supports_fused_beforehand_give_the_same_answer_and_a_subclass_must_say_so_itself(model):
    class OtherName(CLIPSPM):
        fuse_supports = CLIPSPM.fuse_supports

    support, query, class_text, _ = random_episode()
    fused = model.fuse_supports(support, class_text)
    close(model(support, query, class_text, fused=fused).logits, model(support, query, class_text).logits)
    assert EpisodesOwnMean(DIM, **SIZES).fuse_supports is None
    assert OtherName(DIM, **SIZES).fuse_supports(support, class_text) is not None
    for changes in (dict(with_spm=False), dict(support_text="generated")):
        assert CLIPSPM(DIM, **SIZES, **changes).fuse_supports(support, class_text) is None


def test_a_subclass_is_scored_alike_however_many_episodes_are_asked(encoded):
    torch.manual_seed(0)
    head, data = EpisodesOwnMean(DIM, **SIZES, preset="lite").eval(), encoded(dim=DIM)
    few, many = (evaluate(head, data, way=3, shot=2, episodes=episodes) for episodes in (4, 80))
    assert (few.per_episode == many.per_episode[:4]).all()
    alone = evaluate(lambda *episode: head(*episode), data, way=3, shot=2, episodes=80)
    assert (alone.per_episode == many.per_episode).all()
