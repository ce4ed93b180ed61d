"""Settings of models, their building blocks, and values that are not finite."""

import pytest
import torch
from episode_strategies import FRAMES, WIDTH, episodes, strided, turned
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st
from test_episode_inputs import METHODS, SMALL, head

from clipspm_lite import CLIPSPM, otam
from clipspm_lite.model.checks import check_config
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.fusion import Gate, SemanticFusion
from clipspm_lite.model.heads import HEADS, build_head
from clipspm_lite.model.hsmr import MotionFeatureExtraction, hsmr
from clipspm_lite.model.otam import align, align_one_way, centred, frame_distances
from clipspm_lite.model.padm import PADM
from clipspm_lite.model.paths import DIRECTIONS, most_probable_path, share_of_path, soft_path
from clipspm_lite.model.presets import PRESETS, Preset
from clipspm_lite.model.spm import PromptGenerator, generate_prompt, spm, support_prompt
from clipspm_lite.model.transformer import TransformerBlock, shot_mean
from clipspm_lite.model.trx import TRX, TupleAttention, of_tuples, positional_encoding, tuple_places

ODD = st.sampled_from(
    [0, -1, 1, 2, 1.5, 0.0, float("nan"), float("inf"), -float("inf"), "x", None, True, [], (1,), 10**6]
)
SIZES = {"trx": dict(dim=WIDTH, width=4)}
WORDS = {
    "preset": "x",
    "motion": "x",
    "support_text": "x",
    "loss_form": "x",
    "prompt_condition": "x",
    "anchor": "x",
}


@pytest.mark.parametrize("name", HEADS)
@few
@given(data=st.data())
def test_a_model_with_odd_settings_is_refused_or_answers(name, data):
    config = {"model": name, **SIZES.get(name, dict(dim=WIDTH, **SMALL))}
    defaults = build_head(config).config
    for setting in data.draw(st.lists(st.sampled_from(sorted(defaults)), min_size=1, max_size=2)):
        config[setting] = data.draw(ODD)
    if any(config.get(size) == 10**6 for size in ("dim", "heads", "head_dim", "mlp_dim", "width")):
        return  # would be built
    if any(config.get(ratio) == 10**6 for ratio in ("visual_gate_ratio", "prompt_gate_ratio")):
        return
    try:
        model = build_head(config)
    except (ValueError, TypeError) as error:
        assert 10 < len(str(error)) < 400
        return
    width = model.config["dim"]
    support, query, text = (
        torch.randn(2, 1, FRAMES, width),
        torch.randn(1, FRAMES, width),
        torch.randn(2, width),
    )
    assert model.eval()(support, query, text).logits.isfinite().all(), config


@pytest.mark.parametrize("kind", [CLIPSPM, ExtendedCLIPSPM, CLIPFSAR, TRX])
@pytest.mark.parametrize("size", [0, -1, 1.5, "8", None, float("nan")])
def test_a_width_that_is_none_is_refused_by_name(kind, size):
    with pytest.raises(ValueError, match="dim: expected a whole number"):
        kind(size)
    with pytest.raises(ValueError, match="dim: expected a whole number"):
        check_config({"dim": size}, ["dim"], [])


@pytest.mark.parametrize("setting", WORDS)
def test_a_word_that_is_none_of_the_settings_is_refused_by_name(setting):
    with pytest.raises(ValueError, match=f"{setting}: expected .*found 'x'"):
        ExtendedCLIPSPM(WIDTH, **SMALL, **{setting: "x"})


def test_a_preset_needs_a_known_form_of_the_loss():
    settings = vars(PRESETS["paper"])
    with pytest.raises(ValueError, match="loss_form"):
        Preset(**settings | {"loss_form": "sum"})


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@few
@given(data=st.data())
def test_a_query_that_is_not_finite_never_gets_a_finite_answer(name, value, data):
    sound = data.draw(episodes(leading=st.just([])))
    query = sound.query.clone()
    query[0, data.draw(st.integers(0, query.shape[1] - 1)), data.draw(st.integers(0, WIDTH - 1))] = value
    logits = METHODS[name](sound.support, query, sound.class_text, sound.support_mask).logits
    assert not logits[0].isfinite().any()


NO_VIDEOS = {
    "one frame's features": lambda t: t[0, 0],
    "no frames": lambda t: t[:, :0],
    "whole numbers": lambda t: t.long(),
    "double": lambda t: t.double(),
    "on another device": lambda t: t.to("meta"),
    "a list": lambda t: t.tolist(),
    "another width": lambda t: t[..., :-1],
    "leading axes that do not fit": lambda t: t.expand(5, *t.shape),
}


@pytest.mark.parametrize("wrong", NO_VIDEOS)
def test_otam_refuses_what_are_no_two_sets_of_videos(wrong):
    sound = torch.randn(3, 2, 4, WIDTH)[0]
    for arguments in (
        (sound.expand(2, *sound.shape), NO_VIDEOS[wrong](sound)),
        (NO_VIDEOS[wrong](sound), sound.expand(2, *sound.shape)),
    ):
        with pytest.raises((ValueError, TypeError), match="query|support"):
            otam(*arguments)


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (2, 0, 0)])
def test_no_matrix_of_frame_distances_is_refused(shape):
    for function in (align_one_way, align):
        with pytest.raises(ValueError, match="distances: expected"):
            function(torch.zeros(shape))


@few
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    scale=st.sampled_from([0.0, 1.0, 1e3]),
    seed=st.integers(0, 99),
)
def test_paths_are_whole_in_any_matrix(rows, columns, scale, seed):
    distances = scale * torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed))
    for direction in DIRECTIONS.values():
        path = most_probable_path(turned(distances), direction)
        assert path == most_probable_path(distances, direction) and path
        assert soft_path(strided(distances), direction, 0.5).isfinite().all()
        assert 0 <= share_of_path(distances, path, direction, 0.5) <= 1 + 1e-6


VIDEO, PROMPT = (2, 4, WIDTH), (2, 1, WIDTH)
BLOCK = dict(heads=2, head_dim=4, mlp_dim=8, dropout=0.0, feedforward_dropout=0.0)
GATES = dict(visual_gate_ratio=0.5, prompt_gate_ratio=1.5, gate_slope=0.0, prompt_weight=0.2)
FUSION = SemanticFusion(WIDTH, **GATES, transformer=TransformerBlock(WIDTH, **BLOCK))
MFE = MotionFeatureExtraction(WIDTH)
GENERATOR = PromptGenerator(WIDTH, 8, condition="pooled", dropout=0.0)
LAYER = torch.nn.Linear(2 * WIDTH, 4)
BLOCKS = {
    "Gate": (Gate(WIDTH, 0.5, 0.1), VIDEO),
    "TransformerBlock": (TransformerBlock(WIDTH, **BLOCK), VIDEO),
    "SemanticFusion": (FUSION, VIDEO, PROMPT),
    "MotionFeatureExtraction": (MFE, VIDEO),
    "hsmr": (lambda video: hsmr(video, MFE, FUSION), VIDEO),
    "PromptGenerator": (GENERATOR, VIDEO, (2, WIDTH)),
    "generate_prompt": (
        lambda videos, text: generate_prompt(videos, text, GENERATOR),
        (5, *VIDEO),
        (3, WIDTH),
    ),
    "spm": (
        lambda s, q, t: spm(s, q, t, None, FUSION, GENERATOR),
        (2, 3, 4, WIDTH),
        (5, 4, WIDTH),
        (2, WIDTH),
    ),
    "PADM": (PADM(TransformerBlock(WIDTH, **BLOCK)), (2, 3, 4, WIDTH), (5, 4, WIDTH)),
    "TupleAttention": (TupleAttention(WIDTH, 2, 4), (2, 3, 4, WIDTH), (5, 4, WIDTH)),
    "of_tuples": (lambda video: of_tuples(LAYER, video), VIDEO),
    "frame_distances": (frame_distances, VIDEO, VIDEO),
    "otam": (otam, VIDEO, VIDEO),
    "centred": (centred, VIDEO),
    "shot_mean": (lambda support: shot_mean(support, None), (2, 3, 4, WIDTH)),
    "support_prompt": (support_prompt, (2, 3, 4, WIDTH), (2, WIDTH)),
}


def tensors(result):
    return [result] if isinstance(result, torch.Tensor) else [t for t in result if t is not None]


@pytest.mark.parametrize("name", BLOCKS)
@few
@given(
    leading=st.lists(st.integers(1, 2), min_size=1, max_size=2),
    layout=st.sampled_from([strided, turned]),
    seed=st.integers(0, 99),
)
def test_blocks_take_any_leading_axes_laid_out_in_any_way(name, leading, layout, seed):
    block, *shapes = BLOCKS[name]
    generator = torch.Generator().manual_seed(seed)
    arguments = [torch.randn(*leading, *shape, generator=generator) for shape in shapes]
    results = tensors(block(*arguments))
    first = tuple(0 for _ in leading)
    alone = tensors(block(*(argument[first] for argument in arguments)))
    for result, again, one in zip(results, tensors(block(*map(layout, arguments))), alone, strict=True):
        torch.testing.assert_close(again, result, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(result[first], one, rtol=1e-4, atol=1e-4)


def test_motion_needs_two_frames_and_says_so():
    with pytest.raises(ValueError, match="motion needs at least 2 frames"):
        MFE.steps(torch.randn(1, WIDTH))
    with pytest.raises(ValueError, match="no hidden unit"):
        Gate(WIDTH, 0.01, 0.1)


def test_positions_are_different_for_every_frame():
    assert tuple_places(3, 2).tolist() == [[0, 1], [0, 2], [1, 2]]
    encoded = positional_encoding(8, WIDTH)
    assert encoded.shape == (8, WIDTH) and len(encoded.unique(dim=0)) == 8
    assert head(CLIPSPM, **SMALL).dim == WIDTH
