"""Conditions of a metadata-conditioned model: facts about a lesion and its patient, as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from core.classes import CLASSES
from core.errors import ArgumentError

SITES: Final = ("back", "chest", "lower extremity", "upper extremity", "torso", "head/neck", "abdomen")
SEXES: Final = ("female", "male")
TONES: Final = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""Skin tone groups by individual typology angle, from above 55 degrees to below -30 (S. Del Bino, F. Bernerd, Br. J.
Dermatol. 169, 2013)."""
AGE_GROUPS: Final = ("<40", "40-65", ">65")

Vocabulary: TypeAlias = Mapping[str, tuple[str, ...]]
"""The fields that a network knows, in order, with the values that each can take. A field with one value is one number,
1 for that value and 0 for its opposite; any other field has a number for each value."""

METADATA: Final[Vocabulary] = MappingProxyType(
    {"melanocytic": ("yes",), "sex": ("female",), "age": AGE_GROUPS, "site": SITES}
)
"""What a network of the format isicgui.conditioned-unet/1 knows: twelve numbers."""

ALL_FIELDS: Final[Vocabulary] = MappingProxyType({**METADATA, "class_name": CLASSES, "tone": TONES})
"""What a latent network knows: 25 numbers."""


def columns_of(vocabulary: Vocabulary) -> dict[str, slice]:
    """Which numbers of a condition's vector belong to each field; all of them are known, or unknown, together."""
    columns, start = {}, 0
    for name, values in vocabulary.items():
        columns[name] = slice(start, start + len(values))
        start += len(values)
    return columns


def width_of(vocabulary: Vocabulary) -> int:
    """How many numbers the vector of a condition has."""
    return sum(map(len, vocabulary.values()))


UNKNOWN: Final = "unknown"
LABELS: Final = ("MELANOCYTIC", "NON_MELANOCYTIC", "UNSPECIFIED")
"""Folders of conditioned images without a class, as the class codes are for the images of the seven classes."""

_YOUNG, _OLD, _OLDEST = 40, 65, 120
_FIELD_NAMES: Final = {**{name: name for name in ALL_FIELDS}, "class_name": "class", "tone": "skin tone"}


@dataclass(frozen=True)
class Condition:
    """Facts about a lesion and its patient; None means "unknown", never "no".

    Attributes:
        melanocytic: whether the lesion is made of melanocytes.
        sex: one of ``SEXES``.
        age: in years, 0 to 120; the network gets only its group (below 40, 40 to 65, above 65).
        site: one of ``SITES``.
        class_name: a class code; a network of the format isicgui.conditioned-unet/1 does not know it.
        tone: one of ``TONES``; not known to such a network either.

    Raises:
        ArgumentError: a value out of its range; the message names it.
    """

    melanocytic: bool | None = None
    sex: str | None = None
    age: float | None = None
    site: str | None = None
    class_name: str | None = None
    tone: str | None = None

    def __post_init__(self) -> None:
        if self.melanocytic is not None and not isinstance(self.melanocytic, bool):
            raise ArgumentError(f"Melanocytic {self.melanocytic!r} is not yes, no or {UNKNOWN}.")
        if self.sex is not None and self.sex not in SEXES:
            raise ArgumentError(f"There is no sex {self.sex!r}; choose from {', '.join(SEXES)} or {UNKNOWN}.")
        if self.site is not None and self.site not in SITES:
            raise ArgumentError(f"There is no site {self.site!r}; choose from {', '.join(SITES)} or {UNKNOWN}.")
        if self.class_name is not None and self.class_name not in CLASSES:
            raise ArgumentError(
                f"There is no class {self.class_name!r}; choose from {', '.join(CLASSES)} or {UNKNOWN}."
            )
        if self.tone is not None and self.tone not in TONES:
            raise ArgumentError(f"There is no skin tone {self.tone!r}; choose from {', '.join(TONES)} or {UNKNOWN}.")
        if self.age is not None and not _is_age(self.age):
            raise ArgumentError(f"The age {self.age!r} is not a number of years from 0 to {_OLDEST}, nor {UNKNOWN}.")

    @property
    def label(self) -> str:
        """The folder of images made under this condition: the class if it is known, else one of ``LABELS``."""
        if self.class_name is not None:
            return self.class_name
        return LABELS[2] if self.melanocytic is None else LABELS[0] if self.melanocytic else LABELS[1]

    @property
    def age_group(self) -> str | None:
        """``<40``, ``40-65`` or ``>65``."""
        if self.age is None:
            return None
        return AGE_GROUPS[0] if self.age < _YOUNG else AGE_GROUPS[1] if self.age <= _OLD else AGE_GROUPS[2]

    def vector(self, vocabulary: Vocabulary = METADATA) -> tuple[float, ...]:
        """One number for each value of the vocabulary, 0 or 1; all numbers of an unknown field are NaN.

        Raises:
            ArgumentError: a field is known here that the vocabulary does not have.
        """
        values = self._values()
        foreign = [name for name, value in values.items() if value is not None and name not in vocabulary]
        if foreign:
            raise ArgumentError(
                f"This model does not know the field {_FIELD_NAMES[foreign[0]]}; leave it {UNKNOWN}, or use a model "
                f"that knows it. The fields of this model: {', '.join(_FIELD_NAMES[name] for name in vocabulary)}."
            )
        return tuple(number for name, words in vocabulary.items() for number in _one_of(values[name], words))

    def _values(self) -> dict[str, str | None]:
        melanocytic = None if self.melanocytic is None else "yes" if self.melanocytic else "no"
        values = {"melanocytic": melanocytic, "sex": self.sex, "age": self.age_group, "site": self.site}
        return {**values, "class_name": self.class_name, "tone": self.tone}

    def to_json(self) -> dict[str, Any]:
        """As PNG and job file hold it; null is unknown. The newer fields are left out while they are unknown."""
        return {name: value for name, value in asdict(self).items() if value is not None or name in METADATA}

    def to_row(self) -> dict[str, str]:
        """As the CSV holds it, in words; the class has a column of its own."""
        values = {**self._values(), "age": None if self.age is None else f"{self.age:g}", "age_group": self.age_group}
        del values["class_name"]
        return {name: UNKNOWN if value is None else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: object) -> Condition:
        """Check and take over what ``to_json`` gave.

        Raises:
            ArgumentError: not such an object, or a value out of range.
        """
        if not isinstance(values, Mapping) or set(values) - set(ALL_FIELDS):
            raise ArgumentError(f"{values!r} is not a condition; its fields are {', '.join(ALL_FIELDS)}.")
        return cls(**values)


def known_in(condition: Condition, vocabulary: Vocabulary) -> Condition:
    """The condition without the fields that a vocabulary does not have."""
    return replace(condition, **{name: None for name in ALL_FIELDS if name not in vocabulary})


def parse_condition(
    melanocytic: str = UNKNOWN, sex: str = UNKNOWN, age: str = UNKNOWN, site: str = UNKNOWN, tone: str = UNKNOWN
) -> Condition:
    """Read the words of the command line: ``yes``, ``female``, ``55``, ``head/neck``, ``dark``, or ``unknown``.

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
    return Condition(truths[melanocytic], _known(sex), years, _known(site), tone=_known(tone))


def _known(word: str) -> str | None:
    return None if word == UNKNOWN else word


def _is_age(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _OLDEST


def _one_of(value: str | None, choices: tuple[str, ...]) -> list[float]:
    return [math.nan if value is None else float(value == choice) for choice in choices]
