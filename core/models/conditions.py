"""Conditions of a metadata-conditioned model: what is known of a lesion and its patient, as twelve numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from core.errors import ArgumentError

SITES: Final = ("back", "chest", "lower extremity", "upper extremity", "torso", "head/neck", "abdomen")
SEXES: Final = ("female", "male")
NUMBERS: Final = ("melanocytic", "female", "age <40", "age 40-65", "age >65", *SITES)
"""What each of the twelve numbers stands for, in their order."""

FIELDS: Final[dict[str, slice]] = {
    "melanocytic": slice(0, 1),
    "sex": slice(1, 2),
    "age": slice(2, 5),
    "site": slice(5, 12),
}
"""Which numbers belong together: they are known, or unknown, as one."""

UNKNOWN: Final = "unknown"
LABELS: Final = ("MELANOCYTIC", "NON_MELANOCYTIC", "UNSPECIFIED")
"""Folders of conditioned images, as the class codes are for the images of the seven classes."""

_YOUNG, _OLD, _OLDEST = 40, 65, 120


@dataclass(frozen=True)
class Condition:
    """What is known; None is "unknown", never "no".

    Attributes:
        melanocytic: whether the lesion is made of melanocytes.
        sex: one of ``SEXES``.
        age: in years, 0 to 120; only its group (below 40, 40 to 65, above 65) is told to the model.
        site: one of ``SITES``.

    Raises:
        ArgumentError: a value out of its range; the message names it.
    """

    melanocytic: bool | None = None
    sex: str | None = None
    age: float | None = None
    site: str | None = None

    def __post_init__(self) -> None:
        if self.melanocytic is not None and not isinstance(self.melanocytic, bool):
            raise ArgumentError(f"Melanocytic {self.melanocytic!r} is not yes, no or {UNKNOWN}.")
        if self.sex is not None and self.sex not in SEXES:
            raise ArgumentError(f"There is no sex {self.sex!r}; choose from {', '.join(SEXES)} or {UNKNOWN}.")
        if self.site is not None and self.site not in SITES:
            raise ArgumentError(f"There is no site {self.site!r}; choose from {', '.join(SITES)} or {UNKNOWN}.")
        if self.age is not None and not _is_age(self.age):
            raise ArgumentError(f"The age {self.age!r} is not a number of years from 0 to {_OLDEST}, nor {UNKNOWN}.")

    @property
    def label(self) -> str:
        """One of ``LABELS``: the folder of images made under this condition."""
        return LABELS[2] if self.melanocytic is None else LABELS[0] if self.melanocytic else LABELS[1]

    @property
    def age_group(self) -> str | None:
        """``<40``, ``40-65`` or ``>65``."""
        if self.age is None:
            return None
        return "<40" if self.age < _YOUNG else "40-65" if self.age <= _OLD else ">65"

    def vector(self) -> tuple[float, ...]:
        """The twelve numbers of ``NUMBERS``, each 0 or 1; all numbers of a field that is unknown are NaN."""
        return (
            _truth(self.melanocytic),
            _truth(None if self.sex is None else self.sex == "female"),
            *_one_of(self.age_group, ("<40", "40-65", ">65")),
            *_one_of(self.site, SITES),
        )

    def to_json(self) -> dict[str, Any]:
        """As PNG and job file hold it; null is unknown."""
        return asdict(self)

    def to_row(self) -> dict[str, str]:
        """As the CSV holds it, in words."""
        melanocytic = None if self.melanocytic is None else "yes" if self.melanocytic else "no"
        age = None if self.age is None else f"{self.age:g}"
        values = {
            "melanocytic": melanocytic,
            "sex": self.sex,
            "age": age,
            "age_group": self.age_group,
            "site": self.site,
        }
        return {name: UNKNOWN if value is None else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: object) -> Condition:
        """Check and take over what ``to_json`` gave.

        Raises:
            ArgumentError: not such an object, or a value out of range.
        """
        if not isinstance(values, Mapping) or set(values) - set(FIELDS):
            raise ArgumentError(f"{values!r} is not a condition; its fields are {', '.join(FIELDS)}.")
        return cls(**values)


def parse_condition(melanocytic: str, sex: str, age: str, site: str) -> Condition:
    """Read the words of the command line: ``yes``, ``female``, ``55``, ``head/neck``, and ``unknown`` for each.

    Raises:
        ArgumentError: a word that says nothing; the message names it.
    """
    truths = {"yes": True, "no": False, UNKNOWN: None}
    if melanocytic not in truths:
        raise ArgumentError(f"Melanocytic {melanocytic!r} is not yes, no or {UNKNOWN}.")
    try:
        years = None if age == UNKNOWN else float(age)
    except ValueError as error:
        raise ArgumentError(f"The age {age!r} is neither a number of years nor {UNKNOWN}.") from error
    return Condition(truths[melanocytic], _known(sex), years, _known(site))


def _known(word: str) -> str | None:
    return None if word == UNKNOWN else word


def _is_age(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _OLDEST


def _truth(value: bool | None) -> float:
    return math.nan if value is None else float(value)


def _one_of(value: str | None, choices: tuple[str, ...]) -> list[float]:
    return [math.nan if value is None else float(value == choice) for choice in choices]
