"""The sixteen sentences put around a class name before the text encoder reads it (SPEC section 1)."""

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


def fill_templates(name: str, templates: Sequence[str] = TEMPLATES) -> list[str]:
    """One readable class name in every template; raises ValueError for none, or one without exactly one `{}`."""
    if not templates or any(template.count("{}") != 1 for template in templates):
        raise ValueError(f"templates: expected sentences with exactly one {{}} each, found {list(templates)}")
    return [template.replace("{}", name) for template in templates]
