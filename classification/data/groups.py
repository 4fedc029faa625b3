"""Groups of images: skin type, skin tone measured on the image, sex, age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from classification.data.collection import LabelledImage
from classification.data.skin_tone import tone_of
from core.errors import ArgumentError
from core.models.conditions import TONES
from core.real_data.numbers import number_of

UNKNOWN: Final = "unknown"
SKIN_TYPES: Final = ("I", "II", "III", "IV", "V", "VI")
AGES: Final = ("under 30", "30 to 44", "45 to 59", "60 to 74", "75 and over")
_AGE_LIMITS: Final = (30, 45, 60, 75)

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "skin_type": SKIN_TYPES,
    "skin_tone": TONES,
    "sex": ("female", "male"),
    "age": AGES,
}
"""The groups of each grouping, in order. All of them are reported, even without an image."""


def check_grouping(name: str) -> None:
    """Refuse an unknown grouping.

    Raises:
        ArgumentError: the name is not one of ``GROUPS``.
    """
    if name not in GROUPS:
        raise ArgumentError(f"The grouping {name!r} does not exist; choose from {', '.join(GROUPS)}.")


def groups_of(images: Sequence[LabelledImage], grouping: str) -> list[str]:
    """The group of each image; ``unknown`` if the data do not contain it.

    Raises:
        ArgumentError: the grouping is unknown, or the group of every image is unknown.
    """
    check_grouping(grouping)
    found = [_FINDERS[grouping](image) for image in images]
    if set(found) <= {UNKNOWN}:
        raise ArgumentError(
            f"The {grouping.replace('_', ' ')} of all {len(images)} images is unknown; "
            f"choose another grouping from {', '.join(name for name in GROUPS if name != grouping)}."
        )
    return found


def _skin_type(image: LabelledImage) -> str:
    """Fitzpatrick type from the table, 1 to 6; -1 and any other value is unknown."""
    number = number_of(image.facts.get("skin_type", ""))
    return SKIN_TYPES[int(number) - 1] if number in {1, 2, 3, 4, 5, 6} else UNKNOWN


def _sex(image: LabelledImage) -> str:
    text = image.facts.get("sex", "").lower()
    return text if text in GROUPS["sex"] else UNKNOWN


def _age(image: LabelledImage) -> str:
    years = number_of(image.facts.get("age", ""))
    return AGES[sum(years >= limit for limit in _AGE_LIMITS)] if years is not None and years >= 0 else UNKNOWN


_FINDERS: Final[Mapping[str, Callable[[LabelledImage], str]]] = {
    "skin_type": _skin_type,
    "skin_tone": tone_of,
    "sex": _sex,
    "age": _age,
}
