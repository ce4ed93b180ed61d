"""The prompt explorer: the model's own gates, prompts and distances; α never touches the model that was given."""

import gc
import re

import pytest
import torch
from matplotlib.figure import Figure

from clipspm_lite import CLIPSPM
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets import prompt
from clipspm_lite.widgets.gallery import Gallery
from clipspm_lite.widgets.prompt import (
    D_SPM,
    NO_NAMES,
    SCORE,
    WRONG_NAMES,
    prompt_explorer,
    with_prompt_weight,
)


@pytest.fixture
def explorer(gallery):
    return prompt_explorer(gallery, episodes=3)


def test_each_control_changes_its_pictures_only(explorer, changed_by):
    assert explorer.status.value == ""
    assert changed_by(explorer, "alpha", 0.8) == {"fused", "alphas"}
    assert changed_by(explorer, "shown", SCORE) == {"alphas"}
    assert changed_by(explorer, "names", WRONG_NAMES) == {"gates", "fused", "alphas"}
    assert changed_by(explorer, "names", NO_NAMES) == {"gates", "fused", "alphas"}
    assert changed_by(explorer, "query", 3) == {"clips", "gates", "fused", "alphas"}
    assert changed_by(explorer, "episode", 2) == {"clips", "gates", "fused", "alphas"}


def test_captions_say_the_present_values(explorer):
    explorer.controls["alpha"].value = 0.65
    explorer.controls["names"].value = WRONG_NAMES
    assert "α = 0.65" in explorer.pictures["fused"].value and "α = 0.65" in explorer.pictures["alphas"].value
    assert "next class&#x27;s (wrong)" in explorer.pictures["alphas"].value
    explorer.controls["query"].value = 2
    assert "Query 2" in explorer.pictures["gates"].value


def drawn(monkeypatch, name):
    """The arguments that the drawing function was last called with."""
    calls, original = [], getattr(prompt, name)
    monkeypatch.setattr(prompt, name, lambda *things: calls.append(things) or original(*things))
    return calls


@pytest.mark.parametrize("shown", [D_SPM, SCORE])
def test_the_distances_are_the_models_and_are_right_at_every_alpha(gallery, monkeypatch, shown):
    calls = drawn(monkeypatch, "over_prompt_weight")
    explorer = prompt_explorer(gallery)
    explorer.controls["shown"].value = shown
    weights, rows = calls[-1][:2]
    episode = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    batch = gather(gallery.data.features, gallery.data.class_text, [episode])
    for weight, row in zip(weights, rows, strict=True):
        model = CLIPSPM(**vars(gallery.model.config) | {"prompt_weight": weight}).eval()
        model.load_state_dict(gallery.model.state_dict())
        with torch.inference_mode():
            output = model(batch.support, batch.query, batch.class_text)
        expected = output.spm.distance[0, 0] if shown == D_SPM else -output.logits[0, 0]
        torch.testing.assert_close(row, expected)


def test_wrong_names_are_those_of_the_next_class_and_leave_the_generated_prompts(gallery, monkeypatch):
    calls = drawn(monkeypatch, "gate_maps")
    explorer = prompt_explorer(gallery)
    own = calls[-1]
    explorer.controls["names"].value = WRONG_NAMES
    wrong = calls[-1]
    torch.testing.assert_close(own[0], wrong[0])
    torch.testing.assert_close(own[1]["generated"], wrong[1]["generated"])
    assert not torch.allclose(own[1]["real"], wrong[1]["real"])
    episode = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    assert gallery.names[episode.classes[1]] in explorer.pictures["gates"].value

    batch = gather(gallery.data.features, gallery.data.class_text, [episode])
    with torch.inference_mode():
        _, query, text = gallery.model.prepare(batch.support, batch.query, batch.class_text, None)
        fusion = gallery.model.fusion
        torch.testing.assert_close(own[0], fusion.visual_gate(query[0, 0]))
        torch.testing.assert_close(own[1]["real"], fusion.prompt_gate(text[0, 0]))
        made = gallery.model(batch.support, batch.query, batch.class_text).spm.query_prompt[0, 0, 0]
        torch.testing.assert_close(own[1]["generated"], fusion.prompt_gate(made))


def test_fused_frames_with_the_generated_prompt_are_spms(gallery, monkeypatch):
    calls = drawn(monkeypatch, "fused_frames")
    prompt_explorer(gallery)
    episode = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    batch = gather(gallery.data.features, gallery.data.class_text, [episode])
    with torch.inference_mode():
        fused = gallery.model(batch.support, batch.query, batch.class_text).spm.query[0, 0]
    raw = batch.query[0, 0]
    torch.testing.assert_close(
        calls[-1][0]["before, after: generated"],
        torch.cosine_similarity(raw, fused, dim=-1),
        rtol=1e-4,
        atol=1e-5,
    )


def test_another_alpha_shares_the_weights_and_leaves_the_model_alone(gallery):
    before = gallery.model.fusion.prompt_weight
    other = with_prompt_weight(gallery.model, 0.9)
    assert other.fusion.prompt_weight == 0.9 and gallery.model.fusion.prompt_weight == before
    assert all(a is b for a, b in zip(other.parameters(), gallery.model.parameters(), strict=True))
    explorer = prompt_explorer(gallery)
    explorer.controls["alpha"].value = 1.0
    assert gallery.model.fusion.prompt_weight == before


def test_a_model_without_spm_says_so(gallery):
    model = CLIPSPM(16, heads=1, head_dim=4, mlp_dim=4, with_spm=False).eval()
    explorer = prompt_explorer(Gallery(gallery.dataset, gallery.data, model))
    assert "this model has no SPM" in explorer.status.value


def test_generated_support_prompts_are_said(gallery):
    model = CLIPSPM(16, heads=1, head_dim=4, mlp_dim=4, support_text="generated").eval()
    explorer = prompt_explorer(Gallery(gallery.dataset, gallery.data, model))
    assert "supports get generated prompts" in explorer.pictures["alphas"].value


def test_captions_hold_no_empty_number(explorer):
    for picture in explorer.pictures.values():
        assert not re.search(r"\bnan\b", picture.value[-1500:])


def test_nothing_is_kept_of_old_pictures(explorer):
    def alive():
        gc.collect()
        return sum(type(thing) is Figure for thing in gc.get_objects())

    explorer.controls["alpha"].value = 0.1
    before = alive()
    for number in range(30):
        explorer.controls["shown"].value = (SCORE, D_SPM)[number % 2]
    assert alive() <= before
