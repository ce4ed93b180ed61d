"""The sentences put around a class name before the text encoder reads it (SPEC section 1)."""

from collections.abc import Sequence

TEMPLATES: tuple[str, ...] = (
    "{}",
    "{}, an action",
    "a photo of action {}",
    "a picture of action {}",
    "a video of {}",
    "a clip of {}",
    "a frame of {}",
    "a person is {}",
    "someone {}",
    "human action of {}",
    "the action of {}",
    "playing action of {}",
    "this is {}, a video of action",
    "Doing a kind of action, {}",
    "Can you recognize the action of {}?",
    "Look, the person is {}",
)
"""Sixteen templates, each with one `{}`. Change them here and nowhere else."""


def fill_templates(name: str, templates: Sequence[str] = TEMPLATES) -> list[str]:
    """Put one readable class name into every template.

    Raises ValueError if there is no template, or one without exactly one `{}`.
    """
    if not templates:
        raise ValueError("templates is empty: give at least one sentence with a {} for the class name.")
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"templates: {template!r} needs exactly one {{}} for the class name.")
    return [template.replace("{}", name) for template in templates]
