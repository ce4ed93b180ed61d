"""How long a change of each control takes: python tests/benchmarks/explorers.py

Every change of the picture that is looked at is timed with the validation clips already encoded and, for its second
row of numbers, with everything that it shows seen before. "× bare" is against saving a figure of one empty axis in the
same run. Takes less than a minute.
"""

import importlib
from functools import partial
from itertools import product
from statistics import median

from matplotlib.figure import Figure
from timing import seconds

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.plots.base import png
from clipspm_lite.widgets.gallery import Gallery

EXPLORERS = ("episode", "prototypes", "embeddings", "motion", "alignment", "prompt")
VALUES = 2  # that each control is set to


def other_values(control):
    """Up to `VALUES` values that the control can take and has not."""
    if hasattr(control, "_options_full"):
        values = [value for _, value in control._options_full]
    else:
        steps = [control.min + (control.max - control.min) * k / VALUES for k in range(VALUES + 1)]
        values = [type(control.value)(step) for step in steps]
    return [value for value in dict.fromkeys(values) if value != control.value][:VALUES]


def main():
    dataset = sample_world("validation")
    data = FeatureStore(load_backbone("tiny")).encode_dataset(dataset)
    gallery = Gallery(dataset, data, load_model(LITE_MODEL)[0])
    bare = Figure(figsize=(9, 4))
    bare.subplots()
    unit = seconds(lambda: png(bare), 20)
    print(f"a bare figure: {1000 * unit:.0f} ms\n")
    print(
        f"{'explorer':12s}{'picture':12s}{'control':12s}{'first time, ms':>16s}{'seen before, ms':>17s}{'× bare':>8s}"
    )
    for name in EXPLORERS:
        explorer = getattr(importlib.import_module(f"clipspm_lite.widgets.{name}"), f"{name}_explorer")(gallery)
        for (label, control), picture in product(explorer.controls.items(), explorer.pictures):
            explorer.shown.value = picture
            if control.disabled:
                continue
            start, values = control.value, other_values(control)
            first, again = (
                median(seconds(partial(setattr, control, "value", value)) for value in shown)
                for shown in (values, [start, values[0], start])
            )
            assert explorer.status.value == "", explorer.status.value
            times = f"{1000 * first:16.0f}{1000 * again:17.0f}{again / unit:8.1f}"
            print(f"{name:12s}{picture:12s}{label:12s}{times}")


if __name__ == "__main__":
    main()
