"""Methods scored on listed episodes, compared on the same ones."""

from clipspm_lite.evaluation.comparison import compare
from clipspm_lite.evaluation.results import accuracy, bootstrap, comparison_table, half_width, per_seed
from clipspm_lite.evaluation.scoring import Evaluation, evaluate, evaluate_pairs, paired_difference, pooled

__all__ = [
    "Evaluation", "accuracy", "bootstrap", "compare", "comparison_table", "evaluate", "evaluate_pairs", "half_width",
    "paired_difference", "per_seed", "pooled",
]  # fmt: skip
