"""The prompt explorer: the model's own gates, prompts and distances; α never touches the model that was given."""

import pytest
import torch
from conftest import seen

from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.widgets import prompt
from clipspm_lite.widgets.prompt import D_SPM, SCORE, WRONG_NAMES, prompt_explorer, with_prompt_weight


@pytest.fixture
def batch(gallery):
    episode = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    return gather(gallery.data.features, gallery.data.class_text, [episode])


def test_captions_say_the_present_values(gallery, with_head):
    explorer = prompt_explorer(gallery)
    explorer.controls["alpha"].value = 0.65
    explorer.controls["names"].value = WRONG_NAMES
    assert "α = 0.65" in seen(explorer, "fused") and "α = 0.65" in seen(explorer, "alphas")
    assert "next class&#x27;s name (wrong)" in seen(explorer, "alphas")
    explorer.controls["query"].value = 2
    assert "Query 2" in seen(explorer, "gates")
    explorer = prompt_explorer(with_head(support_text="generated"))
    assert "supports get generated prompts" in seen(explorer, "alphas")


@pytest.mark.parametrize("shown", [D_SPM, SCORE])
def test_the_distances_are_the_models_and_are_right_at_every_alpha(gallery, batch, drawn_with, shown):
    calls = drawn_with(prompt, "over_prompt_weight")
    explorer = prompt_explorer(gallery)
    explorer.controls["shown"].value = shown
    seen(explorer, "alphas")
    weights, rows = calls[-1][:2]
    for weight, row in zip(weights, rows, strict=True):
        model = build_head(describe_head(gallery.model) | {"prompt_weight": weight}).eval()
        model.load_state_dict(gallery.model.state_dict())
        with torch.inference_mode():
            output = model(batch.support, batch.query, batch.class_text)
        expected = output.spm.distance[0, 0] if shown == D_SPM else -output.logits[0, 0]
        torch.testing.assert_close(row, expected)


def test_wrong_names_are_those_of_the_next_class_and_leave_the_generated_prompts(gallery, batch, drawn_with):
    calls = drawn_with(prompt, "gate_maps")
    explorer = prompt_explorer(gallery)
    seen(explorer, "gates")
    explorer.controls["names"].value = WRONG_NAMES
    own, wrong = calls
    torch.testing.assert_close(own[0], wrong[0])
    torch.testing.assert_close(own[1]["generated"], wrong[1]["generated"])
    assert not torch.allclose(own[1]["real"], wrong[1]["real"])
    episode = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    assert gallery.names[episode.classes[1]] in seen(explorer, "gates")
    with torch.inference_mode():
        _, query, text = gallery.model.prepare(batch.support, batch.query, batch.class_text, None)
        fusion = gallery.model.fusion
        torch.testing.assert_close(own[0], fusion.visual_gate(query[0, 0]))
        torch.testing.assert_close(own[1]["real"], fusion.prompt_gate(text[0, 0]))
        made = gallery.model(batch.support, batch.query, batch.class_text).spm.query_prompt[0, 0, 0]
        torch.testing.assert_close(own[1]["generated"], fusion.prompt_gate(made))


def test_fused_frames_with_the_generated_prompt_are_spms(gallery, batch, drawn_with):
    calls = drawn_with(prompt, "fused_frames")
    seen(prompt_explorer(gallery), "fused")
    with torch.inference_mode():
        fused = gallery.model(batch.support, batch.query, batch.class_text).spm.query[0, 0]
    expected = torch.cosine_similarity(batch.query[0, 0], fused, dim=-1)
    torch.testing.assert_close(calls[-1][0]["before, after: generated"], expected, rtol=1e-4, atol=1e-5)


def test_another_alpha_shares_the_weights_and_leaves_the_model_alone(gallery):
    before = gallery.model.fusion.prompt_weight
    other = with_prompt_weight(gallery.model, 0.9)
    assert other.fusion.prompt_weight == 0.9 and gallery.model.fusion.prompt_weight == before
    assert all(a is b for a, b in zip(other.parameters(), gallery.model.parameters(), strict=True))
    explorer = prompt_explorer(gallery)
    explorer.controls["alpha"].value = 1.0
    seen(explorer, "alphas")
    assert gallery.model.fusion.prompt_weight == before
