"""What CLIP-SPM alone has: presets, parts that can be left out, terms of the score."""

import pytest
import torch
from made_up_episode import DIM, QUERIES, SIZES, WAY, close, random_episode

from clipspm_lite import CLIPSPM
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.hsmr import MotionFeatureExtraction
from clipspm_lite.model.otam import otam
from clipspm_lite.model.presets import PRESETS


@pytest.fixture(params=PRESETS)
def model(request):
    torch.manual_seed(0)
    return CLIPSPM(DIM, **SIZES, preset=request.param).eval()


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


def test_a_part_left_out_leaves_the_rest_as_it_was():
    torch.manual_seed(0)
    model = CLIPSPM(DIM, **SIZES).eval()
    support, query, text, _ = random_episode()
    full = model(support, query, text)

    def without(**parts):
        other = CLIPSPM(DIM, **SIZES, **parts).eval()
        other.load_state_dict(model.state_dict())
        return other(support, query, text)

    close(without(with_anchor=False).logits, -(full.spm.distance / 2 + full.padm.distance))
    close(without(with_padm=False).logits, -full.spm.distance / 2)
    assert without(with_padm=False).padm is None and without(with_spm=False).spm is None
    close(without(with_spm=False).padm.distance, model.padm(support, query).distance)
    close(without(with_spm=False, with_padm=False).logits, -otam(query, support.mean(1)) / 2)
    generated = without(support_text="generated")
    alone = model.fusion(support, model.prompt_generator(support, text.mean(0)))[0]
    close(generated.spm.support, alone)


@pytest.mark.parametrize("setting", ["preset", "motion", "support_text", "loss_form", "frames", "anchor"])
def test_a_word_that_a_setting_does_not_know_is_refused_by_the_settings_name(setting):
    with pytest.raises(ValueError, match=f"^{setting}: expected"):
        ExtendedCLIPSPM(DIM, **{setting: "best"})


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
