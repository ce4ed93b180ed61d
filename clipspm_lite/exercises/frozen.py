"""The notebooks' explorers on pages without a kernel: pictures drawn beforehand, and the script that shows them.

`frozen_html` says what belongs in the place of a notebook's explorers, and `put_into` puts it there, for nbconvert too.
Nothing of it is loaded from elsewhere.
"""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import widgetsnbextension
from ipywidgets import Widget
from ipywidgets.embed import dependency_state, embed_data, escape_script
from nbformat import NotebookNode, v4

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import SAMPLES, open_folder, sample_world
from clipspm_lite.home import REPOSITORY
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.places import INSTALLED, PACKAGE, ROOT
from clipspm_lite.threads import use_one_thread
from clipspm_lite.widgets.alignment import FEATURES, SMOOTHINGS, alignment_explorer
from clipspm_lite.widgets.base import Explorer
from clipspm_lite.widgets.embeddings import RAW_CLIP, embeddings_explorer
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.gallery import AFTER_PADM, AFTER_SPM, Gallery
from clipspm_lite.widgets.motion import FRESH, GIVEN, MOTION_SIGNS, motion_explorer
from clipspm_lite.widgets.prompt import NO_NAMES, PROMPT_WEIGHTS, RIGHT_NAMES, WRONG_NAMES, prompt_explorer
from clipspm_lite.widgets.prototypes import AVERAGED, BEFORE_TEXT, BY_FRAME, prototypes_explorer

HERE = Path(__file__).parent
CACHE = ROOT / "out" / "frozen"  # in a clone; an installed package keeps nothing
SIGNS = tuple(MOTION_SIGNS)
STAGES = (AFTER_SPM, AFTER_PADM)  # after the first, which has two names


def colab(notebook: str) -> str:
    """The address at which Colab opens a notebook."""
    owner_and_name = REPOSITORY.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{owner_and_name}/blob/main/notebooks/{notebook}.ipynb"


@lru_cache
def gallery(*parts: str) -> Gallery:
    """The sample clips of these parts, with the committed head, as in the notebooks."""
    part_of = {name: part for part in parts for name in sample_world(part).classes}
    use_one_thread()  # models this small gain nothing from more
    clips = open_folder(sample_world(parts[0]).root, list(part_of))
    data = FeatureStore(load_backbone("tiny")).encode_dataset(clips)
    head, _ = load_model(LITE_MODEL)
    assert isinstance(head, CLIPSPM)
    return Gallery(clips, data, head, parts=tuple(part_of.values()) if len(parts) > 1 else ())


def over(make: Callable[[Gallery], Explorer], name: str, grid: dict, parts: tuple = ("validation",), **now: Any) -> Any:
    """An explorer's picture over a grid, with other controls where they are now: option labels, or numbers."""
    explorer = make(gallery(*parts))
    for control, value in now.items():
        setattr(explorer.controls[control], "label" if isinstance(value, str) else "value", value)
    return explorer.frozen(name, **grid)


PAIR: dict[str, Any] = {"first": "raising a box", "second": "lowering a box"}
REVERSED: dict[str, Any] = {"query_class": "raising a box", "support_class": "lowering a box"}
NAMES = (RIGHT_NAMES, WRONG_NAMES, NO_NAMES)
WIDE = ("base", "validation")
frozen_episode = partial(over, episode_explorer)
frozen_map = partial(over, embeddings_explorer, "map", parts=WIDE)
# For each notebook its explorers by their cell: the picture and the one or two controls that teach most.
EXPLORERS: dict[str, dict[str, Callable[[], Widget]]] = {
    "01_episodes_and_video": {
        "explorer-01-39": partial(frozen_episode, "board", {"way": range(2, 9), "shot": range(1, 6)})
    },
    "02_clip_features": {
        "explorer-02-69": partial(frozen_map, {"colour": ("class", "role", "split"), "stage": (RAW_CLIP, *STAGES)})
    },
    "03_matching_in_time": {
        "explorer-03-70": partial(
            over, alignment_explorer, "matrix", {"features": FEATURES.values(), "smoothing": SMOOTHINGS}, **REVERSED
        )
    },
    "04_spm": {"explorer-05-117": partial(over, prompt_explorer, "alphas", {"names": NAMES, "alpha": PROMPT_WEIGHTS})},
    "05_hsmr": {
        "explorer-04-60": partial(
            over, motion_explorer, "features", {"motion": SIGNS, "weights": (GIVEN, FRESH), "clip": range(1, 7)}
        )
    },
    "06_padm": {
        "explorer-06-50": partial(
            over, prototypes_explorer, "map", {"number": range(10), "stage": (BEFORE_TEXT, *STAGES)}, stage=STAGES[-1]
        )
    },
    "07_full_model": {
        "explorer-07-38": partial(
            frozen_episode, "distances", {"number": range(6, 14), "query": range(1, 6)}, number=9, query=5
        )
    },
    "10_explore": {
        "cell-08": partial(frozen_episode, "board", {"number": range(5), "frame": range(1, 9)}, **PAIR),
        "cell-26": partial(
            over, alignment_explorer, "pairs", {"features": FEATURES.values(), "step": range(1, 9)}, **REVERSED
        ),
        "cell-22": partial(
            over, motion_explorer, "steps", {"motion": SIGNS, "action": range(0, 26, 3)}, action="raising a box"
        ),
        "cell-30": partial(over, prompt_explorer, "gates", {"names": NAMES, "query": range(1, 6)}),
        "cell-12": partial(
            over,
            prototypes_explorer,
            "distances",
            {"view": (AVERAGED, BY_FRAME), "stage": (BEFORE_TEXT, *STAGES)},
            view=BY_FRAME,
            **PAIR,
        ),
        "cell-18": partial(frozen_map, {"episode": range(3), "stage": (RAW_CLIP, *STAGES)}),
    },
}


def frozen_html(notebook: str, script: str | None = None) -> dict[str, str]:
    """HTML of each of a notebook's explorers, by the ids of their cells; nothing for a notebook that has none.

    Args:
        script: the address of a file with `widgets_script`, from the page. Without one, the script is in the HTML.
    """
    shown = drawn(notebook)
    load = f'<script src="{script}" defer></script>' if script else f"<script>{widgets_script()}</script>"
    link = f'<a href="{colab(notebook)}">run it yourself in Colab</a>'
    text = f"Drawn beforehand for these choices. For all controls {link}."
    first = next(iter(shown), None)
    return {cell: f"{load if cell == first else ''}{states}<p><em>{text}</em></p>" for cell, states in shown.items()}


def put_into(notebook: NotebookNode, name: str, script: str | None = None) -> None:
    """Show a notebook's explorers in the outputs of their cells, as `frozen_html` does."""
    pages = frozen_html(name, script)
    for cell in notebook.cells:
        if cell.get("id") in pages:
            cell.outputs = [v4.new_output("display_data", {"text/html": pages[cell.id]})]


def widgets_script() -> str:
    """The script that shows the widgets of a page, whole: ipywidgets' own, of the version installed, and ours."""
    own = Path(widgetsnbextension.__file__).parent / "static" / "extension.js"
    code = own.read_text(encoding="utf-8").partition("\n//# sourceMappingURL")[0]
    whole = (HERE / "frozen.js").read_text(encoding="utf-8").replace("/* EXTENSION */", code)
    return whole.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def drawn(notebook: str) -> dict[str, str]:
    """The states of a notebook's explorers by cell, from out/ if it was drawn there from the same files."""
    if notebook not in EXPLORERS:
        return {}
    path = CACHE / f"{notebook}_{files_hash()}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    pages = {cell: states(make()) for cell, make in EXPLORERS[notebook].items()}
    if ROOT == INSTALLED:
        return pages
    for old in CACHE.glob(f"{notebook}_*.json"):
        old.unlink()
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(pages), encoding="utf-8")
    return pages


@lru_cache
def files_hash() -> str:
    """A hash of all that pictures are drawn from."""
    files = [HERE / "frozen.py", *PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.safetensors"), *SAMPLES.rglob("*.mp4")]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))).hexdigest()[
        :16
    ]


def states(shown: Widget) -> str:
    """The states of a widget and of all in it, and where it is shown, as scripts for `widgets_script` to read."""
    data = embed_data([shown], state=dependency_state([shown]))
    parts = {"state": data["manager_state"], "view": data["view_specs"][0]}
    kind = "application/vnd.jupyter.widget-{}+json"
    return "".join(
        f'<script type="{kind.format(what)}">{escape_script(json.dumps(part))}</script>' for what, part in parts.items()
    )
