"""Pictures of what cannot be drawn: one line that names the function and the argument, never matplotlib's own."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
import torch
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import clipspm_lite.plots
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.plots import (
    ablations,
    alignment,
    answers,
    base,
    embeddings,
    episodes,
    motion,
    prompts,
    prototypes,
    results,
    training,
)
from clipspm_lite.plots.ablations import Estimate
from clipspm_lite.plots.embeddings import StageMap

t = torch.rand
clip, names, est = t(8, 3, 16, 16), ["a", "b"], Estimate(1.0, 0.5, 0.0, 2.0, [1.0, 1.2])
m = StageMap(np.eye(2), (-1, 2, -1, 2), -np.eye(2))
sampler = EpisodeSampler([3, 3, 3], 2)
SOUND = {
    ablations.estimates: dict(panels={"p": {"r": est}}, line=0.0, xlabel="x"),
    ablations.draws: dict(values=[1.0, 2.0], intervals={"a": (0.0, 1.0)}, xlabel="x"),
    ablations.by_class: dict(differences=np.ones((2, 2)), classes=names, xlabel="x"),
    alignment.predecessors: dict(rows=3, columns=4, before=lambda r, c: [(r - 1, c - 1)] if r and c else []),
    alignment.soft_paths: dict(
        costs=[t(8, 8)],
        paths=[t(8, 8)],
        x_frames=clip,
        y_frames=[clip],
        titles=["t"],
        lines=[{"a": [(0, 0), (1, 1)]}],
    ),
    alignment.walk: dict(x_frames=clip, y_frames=clip, links={"a": [(0, 0), (1, 1)]}, step=0),
    alignment.accuracy_dots: dict(results={"m": {"r": (50.0, 1.0)}}, chance=20.0, title="t"),
    answers.ranking: dict(clip=clip, probabilities={"a": 0.7, "b": 0.3}),
    base.film_strips: dict(clips={"a": clip}),
    embeddings.clips_and_names: dict(clips=[clip], cosines=t(1, 2), names=names, labels=[0]),
    embeddings.template_accuracies: dict(single={"a {}": (50.0, 1.0)}, together=(60.0, 1.0), chance=20.0),
    embeddings.cosine_histograms: dict(panels={"p": {"g": t(9)}}),
    embeddings.maps: dict(
        panels={"p": (np.ones((3, 2)), np.ones((3, 2)))},
        highlight=(np.array([True, False, True]), np.array([True, False, True])),
        name="n",
    ),
    embeddings.frame_scores: dict(clips={"a": clip}, cosines={"a": t(8, 2)}, names=names),
    embeddings.accuracy_by_shot: dict(
        shots=[1, 5], results={"m": [(50.0, 1.0), (60.0, 1.0)]}, chance=20.0, published={"s": {1: 50.0}}
    ),
    embeddings.stage_maps: dict(
        maps={"PCA": m},
        kinds=["c", "c"],
        classes=[0, 1],
        names=names,
        colour="class",
        parts=["x", "y"],
        chosen=0,
    ),
    episodes.frame_timeline: dict(clip=clip, centres=[1, 5], drawn=[[0, 6]]),
    episodes.episode_draws: dict(episodes=[sampler[0]], videos_per_class=[3, 3, 3], names=["a", "b", "c"]),
    episodes.interval_pieces: dict(pieces={"p": ([50.0, 60.0], [1.0, 2.0])}, reference=55.0),
    episodes.class_spread: dict(same_classes=[50.0, 51.0], other_classes=[40.0, 60.0], interval=1.0),
    episodes.picked_checkpoints: dict(counts=[1, 2], curves={"c": [0.0, 1.0]}, title="t"),
    episodes.mean_texts: dict(texts=t(2, 2), means={"m": t(2)}, names=names),
    motion.frame_shares: dict(shares={"a": t(8)}),
    motion.answers_to_changes: dict(cosines={"f": {"c": t(4)}}, lengths={"f": {"c": t(4)}}),
    motion.lengths_by_class: dict(lengths={"a": t(3), "b": t(3)}, marked=["a"], mark="m", rest="r"),
    motion.motion_of_heads: dict(heads={"h": {"q": 1.0}}, title="t"),
    motion.strips_of_twins: dict(clips={"a": clip, "b": clip}),
    motion.features_of_twins: dict(features={"f": t(2, 8)}, twins=names),
    motion.steps_of_twins: dict(steps={"a": t(7, 8)}, title="t"),
    prompts.two_prompts: dict(support=clip, query=clip, name="n"),
    prompts.gate_values: dict(gates={"g": t(8)}),
    prompts.cosine_matrices: dict(matrices={"m": t(3, 3)}),
    prompts.loss_bars: dict(losses={"m": {"t": 1.0}}),
    prompts.gate_maps: dict(visual=t(8, 4), prompts={"p": t(4)}),
    prompts.fused_frames: dict(cosines={"a": t(8)}, weight=0.2),
    prompts.over_prompt_weight: dict(
        weights=[0.0, 1.0], distances=t(2, 2), names=names, label=0, now=0.2, what="w"
    ),
    prototypes.who_sees_whom: dict(way=2, shot=1, queries=2),
    prototypes.distance_matrices: dict(before=t(2, 2), after=t(2, 2), names=names),
    prototypes.prototype_maps: dict(
        prototypes=[t(2, 8, 4)] * 2, queries=[t(2, 8, 4)] * 2, labels=[0, 1], names=names
    ),
    prototypes.prototype_paths: dict(
        prototypes=np.ones((2, 1, 2)),
        queries=np.ones((2, 2)),
        labels=[0, 1],
        names=names,
        anchor=np.ones((1, 2)),
        limits=(0.0, 2.0, 0.0, 2.0),
    ),
    prototypes.prototype_distances: dict(distances=t(2, 2), names=names, limits=(0.0, 1.0), label="d"),
    prototypes.distances_by_frame: dict(distances={"a": t(8), "b": t(8)}, chosen="a", label="d"),
    prototypes.stacked_distances: dict(parts={"p": t(2)}, names=names, label=0),
    prototypes.logit_changes: dict(changes=t(2, 2), exchanged=0, names=names),
    prototypes.class_bias: dict(biases={"b": t(2)}, names=names),
    prototypes.accuracy_by_company: dict(accuracies={"c": {"s": (50.0, 1.0)}}, chance=20.0),
    results.episode: dict(
        support=[clip, clip], query=[clip, clip], names=names, labels=[0, 1], answers=[0, 1]
    ),
    results.episode_board: dict(
        support=[[clip], [clip]], query=[clip, clip], names=names, labels=[0, 1], answers=[0, 1], frame=0
    ),
    results.accuracy_bars: dict(accuracies={"a": (50.0, 1.0)}, chance=20.0, title="t"),
    results.confusions: dict(most_confused=[("a", "b", 5.0)], reversed_pairs=[("a", "b")]),
    training.learning_curves: dict(
        histories={
            "r": [dict(step=1, loss=1.0, accuracy=50.0, validation_accuracy=50.0, validation_interval=1.0)]
        },
        chance=20.0,
    ),
}

WITHOUT_DATA = {"architecture"}
READ_RESULTS = {"comparison", "beside_published"}  # of `compare` and `table`, dictionaries that those made


def wrong(value):
    """What somebody may give in a value's place."""
    if isinstance(value, torch.Tensor):
        return [value[0], value[None], value[..., :-1], value[:0], value.tolist(), value.to("meta"), None]
    if isinstance(value, np.ndarray):
        return [value[0], value[..., :-1], value[:0], None]
    if isinstance(value, dict):
        some = next(iter(value.values()))
        return [
            {},
            {key: None for key in value},
            {"other": some},
            [value],
            *({"a": other} for other in wrong(some)),
        ]
    if isinstance(value, (list, tuple)):
        return [
            [],
            value[:-1],
            [*value, *value],
            [None],
            [9],
            "x",
            None,
            *([other] for other in wrong(value[0])),
        ]
    return [None, "x", -1, 99, 1.5, float("nan")]


def refused(draw, name, value):
    """Nothing where it was drawn all the same, or else the one line that says why not."""
    try:
        assert isinstance(draw(**SOUND[draw] | {name: value}), Figure)
    except ValueError as error:
        message = str(error)
        assert message.startswith(f"{draw.__name__}: ") and f"{name}" in message, message
        assert len(message.splitlines()) == 1 and len(message) < 500, message
        return message


def test_every_drawing_function_is_tried():
    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.iter_modules(clipspm_lite.plots.__path__, "clipspm_lite.plots.")
    ]
    drawing = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isfunction(value)
        and hasattr(value, "__wrapped__")
        and inspect.signature(value).return_annotation is Figure
    }
    tried = {draw.__name__ for draw in SOUND} | WITHOUT_DATA | READ_RESULTS
    assert {draw.__name__ for draw in drawing} == tried


@pytest.mark.parametrize("draw", SOUND, ids=lambda draw: draw.__name__)
def test_nothing_in_place_of_data_is_refused_by_name(draw):
    assert isinstance(draw(**SOUND[draw]), Figure)
    for name, value in SOUND[draw].items():
        parameter = inspect.signature(draw).parameters[name]
        data = isinstance(value, (torch.Tensor, np.ndarray, dict, list)) and "None" not in str(
            parameter.annotation
        )
        if data and parameter.default is parameter.empty:
            message = refused(draw, name, None)
            assert message and re.search(rf": {name}: expected .*, found None$", message), message


@few
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_what_is_drawn_from_wrong_data_is_a_figure_or_one_line(data):
    draw = data.draw(st.sampled_from(list(SOUND)))
    name = data.draw(st.sampled_from(list(SOUND[draw])))
    refused(draw, name, data.draw(st.sampled_from(wrong(SOUND[draw][name]))))


def test_shapes_that_do_not_fit_together_are_all_shown():
    message = refused(embeddings.frame_scores, "cosines", {"a": torch.rand(3, 2)})
    assert "clips 1 × (Tensor [8, 3, 16, 16]), cosines 1 × (Tensor [3, 2]), names 2 × ('a')" in message
    assert "help(frame_scores)" in message


@pytest.mark.parametrize(
    "frames", [None, [], torch.rand(3, 8, 8), torch.rand(8, 1, 8, 8), torch.rand(0, 3, 8, 8)]
)
def test_no_film_strip_is_made_of_what_are_no_frames(frames):
    with pytest.raises(
        ValueError, match=r"frames: expected a Tensor \[T, 3, H, W\] of at least one frame, found"
    ):
        base.film_strip(Figure().subplots(), frames)


def test_what_is_no_figure_is_not_shown():
    for put in (base.png, lambda figure: base.show(figure, "a caption", "a text")):
        with pytest.raises(TypeError, match="figure: expected a matplotlib Figure, found list"):
            put([])


@pytest.mark.parametrize("wrong_results", [{}, {"rows": {}}, None, []])
def test_what_are_no_results_is_refused(wrong_results):
    for draw in (ablations.comparison, results.beside_published):
        with pytest.raises(ValueError, match=f"^{draw.__name__}: .*results"):
            draw(wrong_results)
