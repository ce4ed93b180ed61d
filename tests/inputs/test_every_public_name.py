"""No public function or class is forgotten: it is tried in these tests, or stands below with the reason why not."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import clipspm_lite

# Modules, and single names, whose input is tried elsewhere or comes from no user.
MODULES = {
    "clipspm_lite.__main__": "parts of the commands, which are tried as commands",
    "clipspm_lite.options": "how the commands read options, which are tried as options",
    "clipspm_lite.data.world": "draws the committed clips from its own tables; tests/data/test_world.py",
    "clipspm_lite.data.layouts": "lays the sample clips out for trials; tests/data/test_layouts.py",
    "clipspm_lite.data.video": "files of every kind: tests/data/test_video.py",
    "clipspm_lite.data.decoder": "likewise",
    "clipspm_lite.data.processes": "likewise",
    "clipspm_lite.data.segments": "likewise",
    "clipspm_lite.untrusted": "damaged and hostile files: SECURITY.md names the tests",
    "clipspm_lite.tiny_clip": "made the committed CLIP; tests/test_tiny_clip.py",
    "clipspm_lite.exercises.nb": "exercises are reached by `check`, which is tried with any answer",
    "clipspm_lite.plots": "every drawing function is tried in test_plot_inputs.py, which looks for them itself",
    "clipspm_lite.widgets": "controls offer only what is there, and show an error where it is read; tests/widgets",
    "clipspm_lite.notebooks": "runs and writes this repository's notebooks; `start` is tried as a command",
    "clipspm_lite.colab": "sets up a Colab runtime; tests/notebooks/test_colab.py",
    "clipspm_lite.files": "damaged and hostile files: tests/test_checkpoints.py, tests/test_features.py",
    "clipspm_lite.checkpoints": "likewise",
    "clipspm_lite.released": "likewise: tests/test_released.py",
    "clipspm_lite.loading": "likewise: tests/test_recogniser.py, tests/test_released.py",
    "clipspm_lite.comparison": "reads what `compare` measured; tests/test_comparison.py",
}
NAMES = {
    "backbones": {"Backbone": "through `load_backbone`", "VisualOnly": "tests/test_released.py"},
    "baselines": {"Scores": "a result", "prototypes": "inside the baselines"},
    "choosing": {"LeaveOneOut": "a result; tests/test_choosing.py"},
    "data.benchmarks": {
        "Benchmark": "published facts", "Found": "a result", "find_videos": "inside `open_benchmark`",
        "read_annotations": "inside `check_benchmark`; tests/data/test_benchmarks.py",
    },
    "data.check": {"Report": "a result"},
    "data.datasets": {"VideoDataset": "what `open_folder` gives"},
    "data.episodes": {"Episode": "a result", "EpisodeBatch": "a result"},
    "features": {"check_encoded": "inside `evaluate` and `compare`"},
    "evaluation": {
        "Evaluation": "a result; tests/test_evaluation.py", "half_width": "inside it",
        "count_by_class": "reads several of them",
    },
    "exercises.exercise": {"Exercise": "tests/exercises", "value_of": "tests/exercises"},
    "model.checks": {"check_tensors": "inside `check_episode`", "check_same_kind": "inside `check_episode`"},
    "model.clipspm": {
        "Losses": "a result", "mean_over_supports": "inside the model", "prepare_episode": "inside the model",
        "query_cross_entropy": "inside the model",
        "cross_entropy_losses": "inside the model",
    },
    "model.extensions": {"QueryAnchorPADM": "inside the model"},
    "model.otam": {"softmin": "inside `align_one_way`"},
    "model.paths": {"meet_every_query_frame": "one of `DIRECTIONS`", "smoothed": "inside the others"},
    "model.spm": {"FusedSupport": "a result"},
    "model.transformer": {"masked_mean": "inside the model", "squared_distance": "inside the model"},
    "published": {"Published": "a result"},
    "recogniser": {
        "Score": "a result", "Matching": "a result", "Explanation": "a result", "Prediction": "a result",
        "encode_support": "through `predict` as a command",
    },
    "sources": {"FeatureSource": "inside `train`", "VideoSource": "inside `train`; tests/test_finetuning.py"},
    "table": {
        "Entry": "through `table` as a command", "write_results": "likewise",
        "episodes_at_once": "inside `measure`",
        **dict.fromkeys(("read_results", "nothing_to_compare", "architecture", "beside", "markdown", "notes"),
                        "reads what `measure` gave; tests/test_table.py"),
    },
    "training": {
        "train": "through `train` as a command; tests/test_training.py", "plan": "likewise", "Plan": "a result",
        "TrainingResult": "a result",
    },
}  # fmt: skip


def public_names():
    """(module, name) of every public function and class, where it is defined."""
    for info in pkgutil.walk_packages(clipspm_lite.__path__, "clipspm_lite."):
        for name, value in vars(importlib.import_module(info.name)).items():
            own = getattr(value, "__module__", None) == info.name
            exception = inspect.isclass(value) and issubclass(value, BaseException)
            callable_ = inspect.isclass(value) or inspect.isfunction(value)
            if own and callable_ and not exception and not name.startswith("_"):
                yield info.name, name


def tried_names():
    """(module, name) of what the tests in this folder import, the package's own shortcuts resolved."""
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clipspm_lite"):
                for alias in node.names:
                    value = getattr(importlib.import_module(node.module), alias.name)
                    yield getattr(value, "__module__", node.module), alias.name


def has_a_reason(module, name):
    elsewhere = any(module.startswith(place) for place in MODULES)
    return elsewhere or name.endswith("Output") or name in NAMES.get(module.removeprefix("clipspm_lite."), {})


def test_every_public_name_is_tried_here_or_has_a_reason_why_not():
    public = list(public_names())  # first, as it imports every module
    tried = set(tried_names())
    forgotten = [
        f"{module}.{name}"
        for module, name in public
        if (module, name) not in tried and not has_a_reason(module, name)
    ]
    assert not forgotten, "try them in tests/inputs, or say here why not"
    gone = [f"{module}.{name}" for module, names in NAMES.items() for name in names]
    assert set(gone) <= {f"{module.removeprefix('clipspm_lite.')}.{name}" for module, name in public}
