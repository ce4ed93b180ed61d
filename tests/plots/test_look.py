"""Every drawing function of the course: labelled axes, one size of type, a white card on any theme."""

import importlib
import inspect
import io
import pkgutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from made_up_table import made_up_table
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from clipspm_lite import CLIPSPM, plots
from clipspm_lite.plots import (
    ablations,
    alignment,
    answers,
    base,
    diagrams,
    embeddings,
    episodes,
    methods,
    motion,
    prompts,
    prototypes,
    results,
    timeline,
    training,
)
from clipspm_lite.plots.base import film_strips
from clipspm_lite.recognition.over_time import Moment

NAMES = ["sit", "stand", "wave"]
CLIP = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
NUMBERS = torch.linspace(-0.9, 0.9, 12).reshape(3, 4)
SCORES = {"sit": (40.0, 2.0), "stand": (60.0, 1.0)}
HISTORY = [
    dict(step=step, loss=1 / step, accuracy=60.0, validation_accuracy=50.0, validation_interval=2.0)
    for step in (10, 20)
]
WALK = {"there": [(0, 0), (1, 1)], "back": [(0, 1), (2, 3)]}
ROWS = {"otam": {"right": {"5-way": [[6, 8]]}, "interval": 1.0, "difference": {}}}
FEWER = {name: ROWS["otam"] for name in ("otam", "trx", "trx, 4 base classes")}
SHAPES = dict.fromkeys(("class text", "support", "query", "modulated", "related", "prototypes", "logits"), (2, 128))
EPISODE = torch.rand(2, 1, 4, 8), torch.rand(3, 4, 8), torch.rand(2, 8)
HEAD = CLIPSPM(8, heads=1, head_dim=4, mlp_dim=4).eval()
STAGE = embeddings.StageMap(np.eye(2), (-1, 2, -1, 2), -np.eye(2))
ESTIMATES = {
    "without this": ablations.Estimate(-2.0, 0.5, -4.0, 1.0, [-3.0, -1.0]),
    "without that": ablations.Estimate(0.0, None, -1.0, 2.0, [0.0]),
}

# A new drawing function without a call here fails `test_every_drawing_function_is_called_here`.
CALLS = {
    ablations.by_class: (NUMBERS[:, :3].numpy(), NAMES, "points"),
    ablations.draws: ([-1.0, 0.0, 1.0], {"over episodes": (-1.0, 1.0), "over seeds": (-2.0, 2.0)}, "points"),
    ablations.base_class_curves: ({"shot": 1, "base_classes": [4, 8], "asked": {"5-way": [10, 10]}, "rows": FEWER},),
    ablations.comparison_panels: ({"shot": 1, "asked": {"5-way": [10, 10]}, "rows": ROWS},),
    ablations.estimates: ({title: ESTIMATES for title in NAMES}, 0, "points"),
    alignment.accuracy_dots: ({"one": SCORES, "two": SCORES}, 50, "a title"),
    alignment.predecessors: (2, 3, lambda row, column: [(row, column - 1)] if column else []),
    alignment.soft_paths: ([NUMBERS.abs()], [NUMBERS.abs()], CLIP[:3], [CLIP], ["a title"], [WALK]),
    alignment.aligned_frames: (CLIP[:3], CLIP, WALK, 1),
    answers.ranking: (CLIP, {"sit": 0.7, "stand": 0.3}),
    diagrams.data_flow: ({"f": ((0, 0), [8, 2]), "m": ((2, 0), [2])}, {"MFE": (1, 0)}, [("f", "MFE"), ("MFE", "m")]),
    diagrams.hsmr: (CLIP[0, 0],),
    diagrams.mfe: (CLIP[0, 0],),
    diagrams.semantic_fusion: (CLIP[0, 0], CLIP[0, 0, :1]),
    diagrams.spm: (CLIP[None], CLIP[:, 0], CLIP[0, 0]),
    embeddings.accuracy_by_shot: ([1, 5], {"one": [(50, 2), (51, 1)]}, 20, {"a paper": {1: 60.0}}),
    embeddings.both_directions: (CLIP[:3], NAMES, NUMBERS[:, :3]),
    embeddings.clips_and_names: ([CLIP] * 2, NUMBERS[:2, :3], NAMES, [0, 1]),
    embeddings.cosine_histograms: ({"above": {"one": NUMBERS, "two": NUMBERS / 2}, "below": {"one": NUMBERS}},),
    embeddings.frame_scores: ({"up": CLIP, "down": CLIP}, {"up": NUMBERS.T, "down": NUMBERS.T}, NAMES),
    embeddings.maps: ({"here": (np.eye(2), -np.eye(2)), "there": (np.eye(2), -np.eye(2))},),
    embeddings.stage_maps: (dict.fromkeys(("t-SNE", "PCA"), STAGE), ["clip", "anchor"], [0, None], NAMES),
    embeddings.template_accuracies: (SCORES, (55.0, 1.0), 20),
    episodes.class_spread: ([60.0, 62.0], [50.0, 55.0, 70.0], 2.0),
    episodes.episode_draws: ([([0, 2], [[0, 1], [9, 12]], [3, 14])], [4, 5, 6], NAMES),
    episodes.frame_timeline: (CLIP, [0, 2], [[1, 3]]),
    episodes.interval_pieces: ({"one": ([50.0, 60.0], [3.0, 3.0]), "two": ([55.0], [1.0])}, 59.0),
    episodes.mean_texts: (torch.eye(2), {"balanced": torch.tensor([0.5, 0.5])}, NAMES[:2]),
    episodes.picked_checkpoints: ([1, 10], {"on test": [0, 2], "on validation": [0, 0]}, "a title"),
    film_strips: ({"up": CLIP, "down": CLIP},),
    methods.clip_fsar: ("raising a box", CLIP, CLIP, SHAPES),
    methods.nearest_frames: (CLIP[:3], {"forwards": CLIP, "backwards": CLIP.flip(0)}, [NUMBERS, NUMBERS.flip(1)]),
    methods.tuple_weights: (CLIP, (0, 3), {"up": CLIP, "down": CLIP}, torch.ones(2, 4, 4).triu(1) / 6),
    motion.answers_to_changes: [{name: {"reversed": NUMBERS[0].abs()} for name in ("one", "two")}] * 2,
    motion.features_of_twins: ({"one": NUMBERS, "two": NUMBERS / 2}, NAMES),
    motion.frame_shares: ({"one": NUMBERS[0], "two": NUMBERS[1]},),
    motion.lengths_by_class: ({name: NUMBERS[0].abs() for name in NAMES}, ["wave"], "there and back", "one way"),
    motion.motion_of_heads: ({"start": {"length": 2.0, "loss": 86.4}, "end": {"length": 1.0, "loss": 3.0}}, "t"),
    motion.steps_of_twins: ({name: NUMBERS for name in NAMES}, "a title"),
    motion.strips_of_twins: ({"up": CLIP, "down": CLIP},),
    prompts.fused_frames: ({"real": NUMBERS[0], "generated": NUMBERS[1]}, 0.3),
    prompts.gate_maps: (NUMBERS.abs(), {"real": NUMBERS[0].abs(), "generated": NUMBERS[1].abs()}),
    prompts.gate_values: ({"video": NUMBERS.abs(), "prompt": NUMBERS.abs()},),
    prompts.over_prompt_weight: ([0.0, 0.3, 0.6, 1.0], NUMBERS.T, NAMES, 1, 0.3, "D_SPM"),
    prompts.prompt_maps: ({"one": NUMBERS, "two": NUMBERS + 1},),
    prompts.two_prompts: (CLIP, CLIP, "raising a box"),
    prototypes.accuracy_by_company: ({"alone": {"full": (60.0, 1.5), "part": (70.0, 1.0)}}, 20),
    prototypes.class_bias: ({"all": torch.tensor([1.0, 2.0, 3.0])}, NAMES),
    prototypes.distances_by_frame: ({"up": NUMBERS[0], "anchor": NUMBERS[1], "down": NUMBERS[1]}, "up", "1 − cosine"),
    prototypes.logit_changes: (NUMBERS[:, :3], 1, NAMES),
    prototypes.prototype_distances: (NUMBERS[:3, :2], NAMES[:2], (-1, 1), "OTAM distance"),
    prototypes.prototype_paths: (np.ones((3, 4, 2)), np.ones((2, 2)), [0, 2], NAMES, np.ones((4, 2)), (0, 2, 0, 2)),
    prototypes.stacked_distances: ({"one": NUMBERS[0, :3], "two": NUMBERS[1, :3]}, NAMES, 0),
    prototypes.who_sees_whom: (torch.zeros(2, 2, 4, 3), torch.zeros(3, 4, 3)),
    results.accuracy_bars: (SCORES, 20, "a title"),
    results.beside_published: (made_up_table(),),
    results.confusions: ([("sit", "wave", 50.0), ("wave", "stand", 30.0)], [("sit", "wave")]),
    results.episode: ([CLIP] * 3, [CLIP] * 2, NAMES, [0, 1], [0, 2]),
    results.episode_board: ([[CLIP]] * 3, [CLIP] * 3, NAMES, [0, 1, 2], [0, 2, 2], 1),
    timeline.timelines: ({"a clip": [Moment(0, 2, "sit", {"sit": 0.7, "stand": 0.3})]}, {"a clip": CLIP}),
    training.architecture: (*EPISODE, HEAD(*EPISODE)),
    training.contrastive_losses: ({"action": [4.0, 3.0, 2.0], "pose": [3.0, 2.0, 1.0]}, 4.8, 2),
    training.learning_curves: ({"one": HISTORY, "other": HISTORY}, 20),
}
every_drawing = pytest.mark.parametrize("draw", CALLS, ids=lambda draw: draw.__name__)


def drawing_functions():
    for found in pkgutil.iter_modules(plots.__path__, "clipspm_lite.plots."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            returned = inspect.signature(function).return_annotation
            if function.__module__ == module.__name__ and not name.startswith("_") and returned is Figure:
                yield function


def test_every_drawing_function_is_called_here():
    assert set(drawing_functions()) == set(CALLS)


# Three read results, whose keys are not names, one shapes; one numbers the names that no clip has; one leaves names to
# captions.
NOT_ALL_WRITTEN = {
    ablations.base_class_curves, ablations.comparison_panels, results.beside_published, training.learning_curves,
    embeddings.clips_and_names, alignment.aligned_frames, methods.clip_fsar,
}  # fmt: skip


def names_in(value):
    """The names among a function's arguments: keys of mappings, and what lists hold."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return set().union(*(names_in(part) for part in (*value, *value.values())))
    return set().union(*(names_in(part) for part in value)) if isinstance(value, (list, tuple)) else set()


def says_what_it_shows(ax, which):
    """A label of its own, of an axis that shares its ticks, or of the figure; or ticks that are words (class names)."""
    if getattr(ax.figure, f"get_sup{which}label")():
        return True
    shared = ax.get_shared_x_axes() if which == "x" else ax.get_shared_y_axes()
    for sibling in shared.get_siblings(ax):
        axis = getattr(sibling, f"{which}axis")
        words = [tick.get_text() for tick in axis.get_ticklabels()]
        if axis.get_label_text().strip() or any(word[:1].isalpha() for word in words):
            return True
    return False


@every_drawing
def test_names_and_axes_are_written_in_few_sizes_of_type(draw):
    """Every given name, a label for every visible axis of every panel, and for a colour bar; all can be read."""
    figure = draw(*CALLS[draw])
    figure.draw_without_rendering()
    texts = figure.findobj(lambda artist: hasattr(artist, "get_fontsize") and artist.get_text().strip())
    for text in texts:
        assert 7 <= text.get_fontsize() <= 10, f"{text.get_text()!r} has {text.get_fontsize()} pt"
    written = " ".join(" ".join(text.get_text() for text in texts if text.get_visible()).split())
    assert draw in NOT_ALL_WRITTEN or not {name for name in names_in(CALLS[draw]) if name not in written}
    for place, ax in enumerate(ax for ax in figure.axes if ax.axison):  # film strips and drawings have no axes
        if ax.get_label() == "<colorbar>":
            assert ax.get_ylabel() or ax.get_xlabel(), "the colour bar has no label"
        else:
            assert all(says_what_it_shows(ax, which) for which in "xy"), f"panel {place} has no label"


def shown_png(draw, monkeypatch):
    shown = []
    monkeypatch.setattr("clipspm_lite.plots.base.display", lambda *things: shown.extend(things))
    plots.show(draw(*CALLS[draw]), "A caption of [a_b](x).", "An alternative text.")
    image, caption = shown
    assert image.alt == "An alternative text." and caption.data == "*A caption of \\[a_b\\](x).*"
    return image.data


@every_drawing
def test_a_shown_figure_is_an_opaque_white_card_whatever_the_reader_has_set(draw, monkeypatch):
    """On JupyterLab's dark theme black type on nothing could not be read, nor could a dark style's white on white."""
    png = shown_png(draw, monkeypatch)
    card = Image.open(io.BytesIO(png)).convert("RGBA")
    corners = [card.getpixel((x, y)) for x in (0, card.width - 1) for y in (0, card.height - 1)]
    assert corners == [(255, 255, 255, 255)] * 4
    assert card.getextrema()[3] == (255, 255)
    with plt.style.context(["dark_background", {"font.size": 20, "axes.spines.left": False}]):
        assert shown_png(draw, monkeypatch) == png


CHINESE = ["挥手", "跳绳"]


@pytest.fixture
def fonts(monkeypatch):
    """matplotlib's own fonts alone, and nothing remembered."""
    own = [font for font in font_manager.fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    for remembered in (base.fonts_with, base.warn_of_boxes):
        remembered.cache_clear()
    yield
    base.fonts_with.cache_clear()


def pictures():
    """Of names as texts and as the labels of ticks."""
    return [
        base.png(figure)
        for figure in (
            answers.ranking(CLIP, dict(zip(CHINESE, (0.7, 0.3), strict=True))),
            prototypes.prototype_distances(torch.eye(2), CHINESE, (0, 1), "distance"),
        )
    ]


def test_names_that_no_font_has_are_one_warning_that_says_what_to_install(fonts):
    with pytest.warns(UserWarning) as warned:
        pictures()
    assert [str(warning.message).split()[-1] for warning in warned] == ["CJK"]


def test_names_are_drawn_in_an_installed_font_that_has_them(fonts, tmp_path, monkeypatch, recwarn):
    boxes = pictures()
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0)), pen.lineTo((0, 900)), pen.lineTo((900, 0)), pen.closePath()
    font = FontBuilder(1000)
    glyphs = [".notdef", *(f"u{ord(c)}" for c in "".join(CHINESE))]
    font.setupGlyphOrder(glyphs)
    font.setupCharacterMap({ord(c): f"u{ord(c)}" for c in "".join(CHINESE)})
    font.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": "Triangles", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "triangles.ttf")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "triangles.ttf")])
    base.fonts_with.cache_clear()
    recwarn.clear()
    assert all(drawn != box for drawn, box in zip(pictures(), boxes, strict=True))
    assert not recwarn
