"""The pictures of training show the data they are given."""

from clipspm_lite.plots.training import architecture, learning_curves


def test_learning_curves_show_every_validation_with_its_interval():
    history = [
        {"step": s, "loss": 1 / s, "accuracy": 60.0, "validation_accuracy": 50.0 + s, "validation_interval": 2.0}
        for s in (10, 20)
    ]
    left, right = learning_curves({"one": history, "other": history[:1]}, chance=20).axes
    assert [list(line.get_xdata()) for line in left.lines] == [[10, 20], [10]]
    assert left.lines[0].get_ydata().tolist() == [0.1, 0.05]
    solid = right.containers[0].lines[0]
    assert solid.get_ydata().tolist() == [60, 70]
    bars = right.containers[0].lines[2][0].get_segments()
    assert [bar[:, 1].tolist() for bar in bars] == [[58, 62], [68, 72]]


def test_the_architecture_names_every_part_and_stays_inside_its_axes():
    (ax,) = architecture().axes
    words = " ".join(text.get_text() for text in ax.texts)
    for part in ("support", "query", "class names", "SF", "prompt", "HSMR", "PADM", "D_SPM", "D_anchor", "logits"):
        assert part in words
    for patch in ax.patches:
        box = patch.get_path().get_extents()
        assert box.x0 >= -1 and box.x1 <= 101 and box.y0 >= -1 and box.y1 <= 56
