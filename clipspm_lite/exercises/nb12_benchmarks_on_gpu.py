"""Exercises of notebook 12: lines of a video list, and the memory of an episode."""

from collections.abc import Callable, Mapping

from clipspm_lite.exercises.exercise import Exercise, numbers_hint, wrong_verdict

# Letter → (the line, whether it can be used, why the other answer is wrong).
LINES: dict[str, tuple[str, bool, str]] = {
    "A": (
        "air_drumming/-id_0000000",
        True,
        "spaces and underscores are one spelling, and Kinetics' times may be missing: the YouTube id finds the file.",
    ),
    "B": ("-id_0000000_000000_000010.mp4 air drumming", True, "some lists put the video first and then its class."),
    "C": ("air guitar/-id_0000000_000000_000010", False, "air guitar is not a class of Kinetics-100."),
    "D": (
        "arm wrestling/-id_0000000_000000_000010",
        False,
        "the video lies in another class's folder; the list and the download contradict each other.",
    ),
    "E": ("air drumming/-id_9999999_000000_000010", False, "there is no such file."),
    "F": (
        "../air drumming/-id_0000000_000000_000010",
        False,
        "a line may not lead out of the folder, whoever wrote it.",
    ),
    "G": ("0/-id_0000000", False, "a number alone names no class: it could be one of base, validation or novel."),
}


def _find_lines(answer: Mapping[str, bool]) -> str | None:
    return wrong_verdict(answer, {letter: line[1:] for letter, line in LINES.items()})


def _find_memory(answer: Callable[..., object]) -> str | None:
    cases = [(5, 1, 4, 0.17, None), (5, 5, 1, 0.1, None), (5, 1, 4, 0.17, 16), (2, 1, 1, 0.1, 64)]
    for way, shot, queries, each, chunk in cases:
        frames = way * (shot + queries) * 8
        right = each * (frames if chunk is None else min(chunk, frames))
        mistakes = {
            "Only the supports are counted: queries pass the encoder, too, and their gradients flow back.": (
                each * way * shot * 8
            ),
            "`queries` is per class: there are way · queries of them.": each * (way * shot + queries) * 8,
            "Each video is T frames, 8 here.": each * way * (shot + queries),
            "An episode of fewer frames than a chunk has only its own frames.": each * (chunk or 0),
            "With checkpointing the chunks are computed again one after the other: only one of them waits.": (
                each * frames
            ),
            "Chunks are counted here; what waits is the frames of one of them.": each * frames / (chunk or 1),
        }
        where = f"{way}-way {shot}-shot, {queries} queries, chunk {chunk}: "
        if hint := numbers_hint(answer(way, shot, queries, each, chunk), right, mistakes, where):
            return hint
    return None


MEMORY = '''
def waiting(way, shot, queries, each, chunk=None):
    """GiB that wait for the backward pass: `each` per frame, 8 frames per video, `queries` per class.

    chunk: None, or with gradient checkpointing the frames that pass the encoder at once.
    """
    frames = ...
    return ...
'''
USABLE = "usable = {" + ", ".join(f'"{letter}": ...' for letter in LINES) + "}\n"

EXERCISES = {
    "12.1": Exercise(
        title="which lines of a list can be used?",
        difficulty=1,
        minutes=6,
        stub=USABLE,
        solution="usable = {" + ", ".join(f'"{letter}": {line[1]}' for letter, line in LINES.items()) + "}\n",
        find=_find_lines,
        task=(
            "Lists spell a video with or without its times and its ending, with the class before or after it, and with "
            "underscores for spaces; a class always stands by its name. Somebody sends you one for Kinetics-100; your "
            "folder holds `air drumming/-id_0000000_000000_000010.mp4` and other clips. Each line alone, in a "
            "list of its own: does it name one video that is there (`True`), or is it missing or refused (`False`)?\n\n"
            + "\n".join(f"- **{letter}** `{line}`" for letter, (line, _, _) in LINES.items())
        ),
        idea="A line must name a class of this benchmark, and a file that lies in that class's folder.",
        template='usable = {"A": True, "B": ..., "C": False, "D": ..., "E": False, "F": ..., "G": ...}',
        why=(
            "Spellings are forgiven, contradictions are not. The text of a line is only looked up among the files that "
            "are there and never becomes a path, so F cannot reach a file elsewhere."
        ),
    ),
    "12.2": Exercise(
        title="does an episode fit the card?",
        difficulty=1,
        minutes=6,
        stub=MEMORY,
        solution=MEMORY.replace("frames = ...", "frames = 8 * way * (shot + queries)").replace(
            "return ...", "return each * (frames if chunk is None else min(chunk, frames))"
        ),
        find=_find_memory,
        task=(
            "How many GiB of activations wait for the backward pass of one episode, without gradient checkpointing and "
            "with it? Leave out the inputs, which are small. For ViT-B/16 in full precision `each` was measured as "
            "0.17 GiB. What does that say of 5-way 1-shot with 4 queries per class on a card of 16 GB?"
        ),
        idea="Count the frames of all videos; with checkpointing only the frames of one chunk wait at a time.",
        template=(
            "frames = 8 * way * (shot + queries)\nif chunk is None:\n    return each * frames\nreturn each * ..."
        ),
        why=(
            "*Expected:* `waiting(5, 1, 4, 0.17)` gives 34.0, and a chunk of 16 frames waits in 2.72 GiB. Weights, "
            "gradients and Adam's moments come on top, and they do not depend on the episode."
        ),
    ),
}
