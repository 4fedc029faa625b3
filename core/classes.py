"""The seven diagnostic classes of HAM10000, in the one order used wherever an index stands for a class."""

from __future__ import annotations

from typing import Final

CLASS_NAMES: Final[dict[str, str]] = {
    "MEL": "Melanoma",
    "NV": "Melanocytic nevus",
    "BCC": "Basal cell carcinoma",
    "AKIEC": "Actinic keratosis / intraepithelial carcinoma",
    "BKL": "Benign keratosis-like lesion",
    "DF": "Dermatofibroma",
    "VASC": "Vascular lesion",
}
"""Class code (HAM10000's ``dx`` in upper case) to the full name of the diagnosis."""

CLASSES: Final[tuple[str, ...]] = tuple(CLASS_NAMES)

MELANOCYTIC: Final[dict[str, bool]] = {code: code in {"MEL", "NV"} for code in CLASSES}
"""Whether the lesions of a class are made of melanocytes."""
