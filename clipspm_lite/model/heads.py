"""The models that can be trained and kept in a checkpoint: CLIP-SPM, changes to it, trained baselines; one call."""

from collections.abc import Mapping
from typing import Any

from clipspm_lite.arguments import check_known
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.trx import TRX

Head = CLIPSPM | CLIPFSAR | TRX

# By the name under "model" in a configuration. CLIP-SPM's has none, as files had before there was another model.
HEADS: dict[str, type[Head]] = {
    "clip-spm": CLIPSPM,
    "clip-spm-extended": ExtendedCLIPSPM,
    "clip-fsar": CLIPFSAR,
    "trx": TRX,
}


def build_head(config: Mapping[str, Any]) -> Head:
    """A new model with the configuration of another, its ``.config``.

    Raises:
        ValueError: an unknown model, or what its class refuses.
        TypeError: arguments that its class does not have.
    """
    arguments = dict(config)
    name = arguments.pop("model", "clip-spm")
    check_known("model", name, HEADS)
    return HEADS[name](**arguments)
