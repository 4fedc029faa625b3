"""The words of public data sets, and what they mean here: sites, sex, age, melanocytic or not.

A word that is not in these tables means "unknown": it is reported, never guessed.
"""

from __future__ import annotations

from typing import Final

from core.models.conditions import SITES
from core.real_data.numbers import number_of

PLACES: Final[dict[str, str]] = {
    **{site: site for site in SITES},
    # HAM10000's localization
    "trunk": "torso",
    "ear": "head/neck",
    "face": "head/neck",
    "neck": "head/neck",
    "scalp": "head/neck",
    "foot": "lower extremity",
    "hand": "upper extremity",
    # the ISIC archive's anatom_site_general
    "anterior torso": "torso",
    "lateral torso": "torso",
    "posterior torso": "back",
    # PAD-UFES-20's region
    "nose": "head/neck",
    "lip": "head/neck",
    "lips": "head/neck",
    "arm": "upper extremity",
    "forearm": "upper extremity",
    "thigh": "lower extremity",
}
"""Site in lower case to one of the seven sites of a condition.

Left out, and so unknown: acral and palms/soles, which may be of a hand or a foot, genital and oral/genital.
"""

_TRUTHS: Final = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "1": True,
    "0": False,
    "1.0": True,
    "0.0": False,
}


def site_of(words: str) -> str | None:
    """One of ``core.models.conditions.SITES``, or None for unknown."""
    return PLACES.get(words.strip().lower())


def sex_of(words: str) -> str | None:
    """``female``, ``male``, or None for unknown."""
    return {"female": "female", "f": "female", "male": "male", "m": "male"}.get(words.strip().lower())


def age_of(words: str) -> float | None:
    """Years, 0 to 120; None for unknown."""
    age = number_of(words)
    return age if age is not None and 0 <= age <= 120 else None


def truth_of(words: str) -> bool | None:
    """Yes or no; None for unknown."""
    return _TRUTHS.get(words.strip().lower())
