"""The words that public data sets have for a diagnosis, and the class that each of them means.

A word that is not in this table means none of the seven: it is reported, never guessed.
"""

from __future__ import annotations

from typing import Final

from core.classes import CLASS_NAMES, CLASSES

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


def _plain(words: str) -> str:
    """In lower case, words parted by one blank: "Basal_cell-carcinoma" is "basal cell carcinoma"."""
    return " ".join(words.lower().replace("_", " ").replace("-", " ").split())


_PLAIN_DIAGNOSES: Final = {_plain(words): code for words, code in DIAGNOSES.items()}
_FIRST_WORDS: Final = ("melanoma", "nevus", "basal cell carcinoma", "hemangioma", "dermatofibroma")


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
