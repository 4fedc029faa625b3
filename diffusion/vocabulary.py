"""The words of public data sets, and what they mean here: diagnoses, sites, sex, age, melanocytic or not.

A word that is not in these tables means "unknown": it is reported, never guessed.
"""

from __future__ import annotations

import math
from typing import Final

from core.classes import CLASS_NAMES, CLASSES
from core.conditions import SITES

DIAGNOSES: Final[dict[str, str]] = {
    **{code.lower(): code for code in CLASSES},
    **{name.lower(): code for code, name in CLASS_NAMES.items()},
    "melanoma": "MEL",
    "lentigo maligna": "MEL",
    "nevus": "NV",
    "naevus": "NV",
    "melanocytic nevi": "NV",
    "blue nevus": "NV",
    "spitz nevus": "NV",
    "basal cell carcinoma": "BCC",
    "ak": "AKIEC",
    "actinic keratosis": "AKIEC",
    "solar or actinic keratosis": "AKIEC",
    "bowen": "AKIEC",
    "intraepithelial carcinoma": "AKIEC",
    "squamous cell carcinoma in situ": "AKIEC",
    "bk": "BKL",
    "benign keratosis": "BKL",
    "pigmented benign keratosis": "BKL",
    "seborrheic keratosis": "BKL",
    "solar lentigo": "BKL",
    "lentigo simplex": "BKL",
    "lichenoid keratosis": "BKL",
    "lichen planus like keratosis": "BKL",
    "dermatofibroma": "DF",
    "vascular": "VASC",
    "hemangioma": "VASC",
    "angioma": "VASC",
    "angiokeratoma": "VASC",
    "pyogenic granuloma": "VASC",
}
"""Diagnosis in lower case to class code: HAM10000's dx, the challenges' columns, the ISIC archive's diagnoses.

Benign keratosis gathers what HAM10000 gathers in it: seborrheic keratosis, solar lentigo and lichenoid keratosis.
Invasive squamous cell carcinoma is none of the seven.
"""

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
}
"""Site in lower case to one of the seven sites of a condition.

Left out, and so unknown: acral and palms/soles, which may be of a hand or a foot, genital and oral/genital.
"""

MELANOCYTIC: Final[dict[str, bool]] = {code: code in {"MEL", "NV"} for code in CLASSES}


def _plain(words: str) -> str:
    """In lower case, words parted by one blank: "Basal_cell-carcinoma" is "basal cell carcinoma"."""
    return " ".join(words.lower().replace("_", " ").replace("-", " ").split())


_PLAIN_DIAGNOSES: Final = {_plain(words): code for words, code in DIAGNOSES.items()}
_FIRST_WORDS: Final = ("melanoma", "nevus", "basal cell carcinoma", "hemangioma", "dermatofibroma")
_TRUTHS: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def class_of(words: str) -> str | None:
    """The class code of a diagnosis or of a class folder's name; None where it is none of the seven.

    The ISIC archive qualifies after a comma or a blank ("Nevus, NOS, Compound", "Melanoma Invasive").
    """
    plain = _plain(words)
    if plain in _PLAIN_DIAGNOSES:
        return _PLAIN_DIAGNOSES[plain]
    for first in _FIRST_WORDS:
        if plain.startswith((f"{first},", f"{first} ")):
            return DIAGNOSES[first]
    return None


def site_of(words: str) -> str | None:
    """One of ``core.conditions.SITES``, or None for unknown."""
    return PLACES.get(words.strip().lower())


def sex_of(words: str) -> str | None:
    """``female``, ``male``, or None for unknown."""
    return {"female": "female", "f": "female", "male": "male", "m": "male"}.get(words.strip().lower())


def age_of(words: str) -> float | None:
    """Years, 0 to 120; None for unknown."""
    try:
        age = float(words)
    except ValueError:
        return None
    return age if math.isfinite(age) and 0 <= age <= 120 else None


def truth_of(words: str) -> bool | None:
    """Yes or no; None for unknown."""
    return _TRUTHS.get(words.strip().lower())
