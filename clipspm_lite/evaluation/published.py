"""What papers report on the benchmarks (SPEC section 7): their authors' numbers, none of them measured here."""

from typing import NamedTuple

SHOTS = (1, 3, 5)
WAY, QUERIES = 5, 1  # of the paper's episodes: classes, and queries a class
PART = "novel"

# open_clip's name → the papers' name.
ARCHITECTURES = {
    "ViT-B-16": "ViT-B/16",
    "ViT-B-16-quickgelu": "ViT-B/16",
    "RN50": "RN50",
    "RN50-quickgelu": "RN50",
}

# Accuracy in per cent, 5-way, by architecture and benchmark, at 1, 3 and 5 shots.
CLIP_SPM: dict[str, dict[str, tuple[float, float, float]]] = {
    "ViT-B/16": {
        "hmdb51": (78.2, 86.3, 88.6),
        "ucf101": (96.2, 98.2, 98.7),
        "kinetics100": (92.8, 94.1, 94.3),
        "ssv2_full": (66.7, 74.8, 77.3),
        "ssv2_small": (57.8, 62.4, 66.2),
    },
    "RN50": {
        "hmdb51": (77.4, 82.6, 84.5),
        "ucf101": (93.8, 97.2, 97.7),
        "kinetics100": (90.9, 92.9, 93.5),
        "ssv2_full": (62.3, 67.0, 69.4),
        "ssv2_small": (50.8, 54.9, 58.5),
    },
}

# ViT-B/16; no support video is looked at, so it is one number for all shots.
ZERO_SHOT = {"hmdb51": 75.9, "ssv2_full": 37.0}

# Other work, ViT-B/16, 1-shot. LGA is behind CLIP-SPM on SSv2-Full; otherwise all of it is ahead.
OTHER_WORK: dict[str, dict[str, float]] = {
    "TS-FSAR, AAAI 2026": {
        "hmdb51": 85.0,
        "ucf101": 98.7,
        "kinetics100": 96.3,
        "ssv2_full": 75.1,
        "ssv2_small": 60.5,
    },
    "LGA, ICCV 2025": {
        "hmdb51": 86.8,
        "ucf101": 98.2,
        "kinetics100": 95.2,
        "ssv2_full": 63.8,
        "ssv2_small": 58.9,
    },
    "CLIP-MEI, the parent of CLIP-SPM": {"ssv2_full": 67.8},
}


class Published(NamedTuple):
    """One number of a paper."""

    paper: str
    architecture: str
    accuracy: float  # per cent
    method: str | None  # the name here of the method that it was reached with; None for other work

    @property
    def source(self) -> str:
        """Whose it is, without which a number is never shown."""
        return f"{self.paper}, {self.architecture}"


def published(benchmark: str | None, architecture: str, shot: int) -> list[Published]:
    """What is reported for 5-way episodes of the novel classes of a benchmark; nothing for anything else.

    Args:
        benchmark: a name of `BENCHMARKS`, or None for other data.
        architecture: "ViT-B/16" or "RN50".
    """
    found = []
    if shot in SHOTS and benchmark in CLIP_SPM.get(architecture, {}):
        number = CLIP_SPM[architecture][benchmark][SHOTS.index(shot)]
        found.append(Published("the CLIP-SPM paper", architecture, number, "clip-spm"))
    if architecture == "ViT-B/16":
        if benchmark in ZERO_SHOT:
            number = ZERO_SHOT[benchmark]
            found.append(Published("CLIP, as quoted by TS-FSAR", architecture, number, "zero-shot"))
        if shot == 1:
            found += [
                Published(paper, architecture, numbers[benchmark], None)
                for paper, numbers in OTHER_WORK.items()
                if benchmark in numbers
            ]
    return found
