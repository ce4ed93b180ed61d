"""All methods on the same listed episodes; the trained one with several training seeds (`compare`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clipspm_lite.evaluation import Method, evaluate, evaluate_pairs, half_width
from clipspm_lite.features import EncodedDataset


def compare(
    methods: Mapping[str, Sequence[Method]],
    data: EncodedDataset,
    pairs: Sequence[tuple[str, str]] = (),
    *,
    reference: str,
    way: int = 5,
    episodes: int = 2000,
    pair_episodes: int = 200,
    **settings: Any,
) -> dict[str, dict[str, Any]]:
    """One row a method: accuracy, its difference to ``reference``, accuracy on ``pairs``, with 95 % half-widths.

    Args:
        methods: for each name its trained versions, one a training seed (a training-free method has one). A row is
            the mean over them, taken episode by episode, so its interval is the paper's, over episodes; how much
            the training seeds differ is in ``per_seed``.
        pairs: of class names, scored two-way with ``pair_episodes`` each; pairs outside the data are left out.
        settings: of `evaluate`, the same for every method.
    """
    per_episode, per_seed, on_pairs = {}, {}, {}
    for name, versions in methods.items():
        scores = [evaluate(m, data, way=way, episodes=episodes, **settings).per_episode for m in versions]
        per_episode[name] = np.mean(scores, axis=0)
        per_seed[name] = [100 * float(score.mean()) for score in scores]
        if pairs:
            results = [evaluate_pairs(m, data, pairs, episodes=pair_episodes, **settings) for m in versions]
            on_pairs[name] = np.mean(
                [[pair.per_episode for pair in r.values()] for r in results], axis=0
            ).ravel()
    rows = {}
    for name in methods:
        difference = per_episode[name] - per_episode[reference]
        rows[name] = {
            "accuracy": 100 * float(per_episode[name].mean()),
            "interval": half_width(per_episode[name]),
            "per_seed": per_seed[name],
            "difference": 100 * float(difference.mean()),
            "difference_interval": half_width(difference),
        }
        if pairs:
            rows[name] |= {
                "pairs_accuracy": 100 * float(on_pairs[name].mean()),
                "pairs_interval": half_width(on_pairs[name]),
            }
    return rows


def table(rows: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    """The rows of `compare` as a Markdown table."""
    lines = [
        f"| method | 5-way accuracy, % | minus {reference}, points | order-reversed pairs, 2-way, % |",
        "|---|---|---|---|",
    ]
    for name, row in rows.items():
        pairs = (
            f"{row['pairs_accuracy']:.1f} ± {row['pairs_interval']:.1f}" if "pairs_accuracy" in row else ""
        )
        difference = (
            "" if name == reference else f"{row['difference']:+.1f} ± {row['difference_interval']:.1f}"
        )
        lines.append(f"| {name} | {row['accuracy']:.1f} ± {row['interval']:.1f} | {difference} | {pairs} |")
    return "\n".join(lines)
