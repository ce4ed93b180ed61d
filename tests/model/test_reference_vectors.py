"""Every tensor of the reference vectors (SPEC section 6), which were computed with the released code's arithmetic."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clipspm_lite.model.clipspm import CLIPSPM, mean_over_supports
from clipspm_lite.model.hsmr import hsmr
from clipspm_lite.model.otam import align, align_one_way
from clipspm_lite.model.spm import generate_prompt, support_prompt
from clipspm_lite.model.transformer import squared_distance

FOLDER = Path(__file__).parents[1] / "reference_vectors"
EPISODES = ("5way1shot", "3way2shot3query")
SETTINGS = dict(dim=32, heads=8, head_dim=8, mlp_dim=64, preset="released")


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def build_model(**overrides):
    model = CLIPSPM(**(SETTINGS | overrides)).eval()
    model.load_state_dict(load_file(FOLDER / "weights.safetensors"))
    return model


class Episode:
    """A reference episode in class-major order, and back to the files' order of supports."""

    def __init__(self, name):
        self.expected = load_file(FOLDER / f"{name}.safetensors")
        labels = self.expected["support_labels"]
        self.way = int(labels.max()) + 1
        self.order = labels.argsort(stable=True)
        self.frames = self.expected["support_frames"]
        self.support = self.frames[self.order].unflatten(0, (self.way, -1))
        self.query = self.expected["query_frames"]
        classes = self.expected["support_classes"][self.order].unflatten(0, (self.way, -1))[:, 0]
        self.class_text = self.expected["class_text"][classes]
        self.labels = self.expected["query_labels"]

    def file_order(self, class_major):
        """``[N, K, …]`` → ``[N·K, …]`` as in the file."""
        return class_major.flatten(0, 1)[self.order.argsort()]


@pytest.fixture(params=EPISODES)
def episode(request):
    return Episode(request.param)


def test_otam_one_direction_and_both():
    expected = load_file(FOLDER / "otam.safetensors")
    close(align_one_way(expected["frame_distances"]), expected["query_to_support"])
    close(align(expected["frame_distances"]), expected["both_ways"])
    close(align_one_way(expected["frame_distances_4x7"]), expected["query_to_support_4x7"])
    close(align_one_way(expected["one_by_one"]), expected["query_to_support_1x1"])


def test_state_dict_has_exactly_the_reference_names_and_shapes():
    reference = load_file(FOLDER / "weights.safetensors")
    for preset in ("paper", "released", "lite"):
        ours = CLIPSPM(**(SETTINGS | {"preset": preset})).state_dict()
        assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in reference.items()}


def test_hsmr(episode):
    model, expected = build_model(), episode.expected
    of_support = hsmr(episode.support, model.mfe, model.fusion)
    of_query = hsmr(episode.query, model.mfe, model.fusion)
    for name in ("shallow", "fused", "motion_token", "deep"):
        close(episode.file_order(getattr(of_support, name)), expected[f"hsmr.support_{name}"])
        close(getattr(of_query, name), expected[f"hsmr.query_{name}"])
    loss = mean_over_supports(of_support.disagreement(), None) + of_query.disagreement().mean(-1)
    close(loss, expected["hsmr.loss"])


def test_spm(episode):
    model, expected = build_model(), episode.expected
    out = model(episode.support, episode.query, episode.class_text).spm
    close(episode.file_order(out.support), expected["spm.support_text_fused"])
    close(episode.file_order(out.support_token), expected["spm.support_text_token"])
    close(out.query, expected["spm.query_prompt_fused"])
    close(out.query_token, expected["spm.query_prompt_token"])
    close(out.query_prompt, expected["spm.query_prompt"])
    close(out.prototypes, expected["spm.prototypes"])
    close(out.distance, expected["spm.distance"])


def test_consistency_terms(episode):
    model, expected = build_model(consistency=True), episode.expected
    named = model(episode.support, episode.query, episode.class_text).spm
    generated = generate_prompt(episode.support, episode.class_text, model.prompt_generator)
    support_features, support_token = model.fusion(episode.support, generated)
    query_text = episode.class_text[episode.labels].unsqueeze(-2)
    query_features, query_token = model.fusion(episode.query, query_text)
    close(episode.file_order(generated), expected["spm.support_prompt"])
    close(episode.file_order(support_features), expected["spm.support_prompt_fused"])
    close(episode.file_order(support_token), expected["spm.support_prompt_token"])
    close(query_features, expected["spm.query_text_fused"])
    close(query_token, expected["spm.query_text_token"])

    support_text = support_prompt(episode.support, episode.class_text)
    terms = {
        "prompt_loss_query": squared_distance(query_text, named.query_prompt, 2).mean(),
        "prompt_loss_support": squared_distance(support_text, generated, 2).mean(),
        "token_loss_query": squared_distance(query_token, named.query_token, 2).mean(),
        "token_loss_support": squared_distance(named.support_token, support_token, 2).mean(),
    }
    for name, value in terms.items():
        close(value, expected[f"spm.{name}"])

    # The weights pick the terms one by one out of the sums that the model itself computes.
    term = {name: expected[f"spm.{name}"] for name in (*terms, "consistency_query", "consistency_support")}
    for w_c, w_t in ((1, 0.5), (0, 0), (0.54, 0.07)):
        weights = dict(feature_consistency_weight=w_c, text_consistency_weight=w_t)
        model.config = replace(model.config, **weights)
        losses = model.losses(episode.support, episode.query, episode.class_text, episode.labels)
        of_query = term["prompt_loss_query"] + term["token_loss_query"]
        of_support = term["prompt_loss_support"] + term["token_loss_support"]
        close(losses.text, w_t * of_query + (0.5 - w_t) * of_support)
        close(losses.consistency, w_c * term["consistency_query"] + (1 - w_c) * term["consistency_support"])


def test_padm(episode):
    model, expected = build_model(), episode.expected
    out = model(episode.support, episode.query, episode.class_text).padm
    close(episode.file_order(out.support), expected["padm.support"])
    for name in ("query", "class_tokens", "anchor", "prototypes", "distance", "anchor_distance"):
        close(getattr(out, name), expected[f"padm.{name}"])


def test_logits_and_released_loss(episode):
    model, expected = build_model(), episode.expected
    losses = model.losses(episode.support, episode.query, episode.class_text, episode.labels)
    close(losses.logits, expected["logits"])
    close(model(episode.support, episode.query, episode.class_text).logits, expected["logits"])
    close(losses.cross_entropy * len(episode.labels), expected["cross_entropy_sum"])
    close(model.motion_loss_weight * losses.hsmr, expected["regularizer"])
    close(losses.total, expected["loss"])


def test_gradients(episode):
    model, expected = build_model(), episode.expected
    support, query = episode.support.requires_grad_(), episode.query.requires_grad_()
    model.losses(support, query, episode.class_text, episode.labels).total.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    gradients |= {"support_frames": episode.file_order(support.grad), "query_frames": query.grad}
    names = {name.removeprefix("grad.") for name in expected if name.startswith("grad.")}
    assert names == set(gradients)
    for name, gradient in gradients.items():
        reference = expected[f"grad.{name}"]
        assert (gradient - reference).norm() <= 1e-5 * reference.norm(), name


def test_unbalanced_and_inductive_queries():
    model, episode = build_model(), Episode("3way2shot3query")
    expected = load_file(FOLDER / "3way2shot_other_queries.safetensors")
    few = episode.query[expected["unbalanced.query_index"]]
    close(model(episode.support, few, episode.class_text).logits, expected["unbalanced.logits"])
    close(
        model(episode.support, episode.query, episode.class_text, inductive=True).logits, expected["inductive.logits"]
    )
