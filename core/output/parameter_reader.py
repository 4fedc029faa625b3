"""The text chunk of an image as data from strangers: which fields it has, and what each of them may be.

A new field of ``core.output.image_file.ImageParameters`` needs one line in ``FIELDS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.file_names import is_plain_name
from core.io.plain_text import shortened
from core.models.conditions import LABELS, Condition
from core.output.color_adjustment import ColorStatistics
from core.presets import AUTO, MAX_GUIDANCE, MAX_REUSE, MAX_SEED, MAX_STEPS, NO_REUSE, PRECISIONS, SAMPLERS

LARGEST_NUMBER: Final = 10**12 - 1
"""Of an image in its class folder; larger numbers are no numbers of this program."""

_LARGEST_SIDE: Final = 1 << 14
_REQUIRED: Final = object()
_LONGEST_REASON: Final = 200


@dataclass(frozen=True)
class Field:
    """One field: ``take`` returns its value, or raises ValueError; ``default`` is for images without the field."""

    take: Callable[[Any], Any]
    default: Any = _REQUIRED


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Takes a whole number within a range, which ``true`` and ``1.0`` are not."""

    def take(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"not a whole number from {low} to {high}")
        return value

    return take


def number(low: float, high: float) -> Callable[[Any], float]:
    """Takes a number within a range."""

    def take(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"not a number from {low} to {high}")
        return value

    return take


def one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    """Takes one of some words."""

    def take(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return value

    return take


def matching(pattern: str, meaning: str) -> Callable[[Any], str]:
    """Takes a string that is a full match of a regular expression."""
    compiled = re.compile(pattern, re.ASCII)

    def take(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"not {meaning}")
        return value

    return take


def optional(take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Takes null as well."""
    return lambda value: None if value is None else take(value)


def truth(value: Any) -> bool:
    """Takes true or false."""
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def file_name(value: Any) -> str:
    """Takes the name of a file without a folder."""
    if not is_plain_name(value):
        raise ValueError("not a plain file name")
    return value


def moment(value: Any) -> str:
    """Takes a date and time as ISO 8601 writes it."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9T:.+-]{10,40}", value):
        raise ValueError("not a date and time of ISO 8601")
    datetime.fromisoformat(value)
    return value


def condition(value: Any) -> Condition:
    """Takes what ``Condition.to_json`` gives."""
    try:
        return Condition.from_json(value)
    except ArgumentError as error:
        raise ValueError(str(error)) from error


FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "class_name": Field(one_of((*CLASSES, *LABELS))),
        "isic_number": Field(whole(1, LARGEST_NUMBER)),
        "generated_at": Field(moment),
        "seed": Field(whole(0, MAX_SEED)),
        "base_seed": Field(whole(0, MAX_SEED)),
        "sampler": Field(one_of(SAMPLERS)),
        "steps": Field(whole(1, MAX_STEPS)),
        "reuse": Field(whole(1, MAX_REUSE), NO_REUSE),
        "precision": Field(one_of(tuple(name for name in PRECISIONS if name != AUTO))),
        "device": Field(matching(r"cpu|cuda(:\d{1,3})?", "cpu or cuda:N")),
        "checkpoint": Field(file_name),
        "checkpoint_sha256": Field(matching(r"[0-9a-f]{64}", "64 hexadecimal digits")),
        "demonstration": Field(truth),
        "image_size": Field(whole(1, _LARGEST_SIDE)),
        "color_adjustment": Field(optional(ColorStatistics.from_json)),
        "isicgui_version": Field(matching(r"[\w.+-]{1,64}", "a version")),
        "torch_version": Field(matching(r"[\w.+-]{1,64}", "a version")),
        "diffusers_version": Field(matching(r"[\w.+-]{1,64}", "a version")),
        "condition": Field(optional(condition), None),
        "guidance": Field(optional(number(0, MAX_GUIDANCE)), None),
        "lesion_mask": Field(truth, False),
    }
)
"""Name of a field of ``ImageParameters`` to what it may be. In the text chunk ``class_name`` is called ``class``."""


def checked_parameters(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of an image, each of its type and within its range; fields of later versions are ignored.

    Args:
        values: what the text chunk contains, parsed.

    Raises:
        ValueError: a field is missing or is not what it may be; names the field and its value.
    """
    return {name: _checked(name, field, values) for name, field in FIELDS.items()}


def _checked(name: str, field: Field, values: Mapping[Any, Any]) -> Any:
    key = "class" if name == "class_name" else name
    if key not in values:
        if field.default is _REQUIRED:
            raise ValueError(f"the field {key!r} is missing")
        return field.default
    try:
        return field.take(values[key])
    except ValueError as error:
        reason = str(error)[:_LONGEST_REASON]
        raise ValueError(f"the field {key!r} is {shortened(values[key])}: {reason}") from error
