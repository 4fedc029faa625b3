"""The tables of public data sets: which columns identify each form, and which column holds which fact.

Training of either kind and the evaluation read real images through this one list of forms, so that a folder that one
of them accepts is accepted by all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import COLUMNS, IMAGE_ID, Tables, tables_with
from core.real_data.numbers import number_of

Row = Mapping[str, str]

_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "sex": ("sex", "gender"),
    "age": ("age", "age_approx"),
    "site": ("localization", "anatom_site_general", "anatom_site_general_challenge", "anatom_site_1", "region"),
    "melanocytic": ("melanocytic",),
    "skin_type": ("skin_type", "fitzpatrick_scale", "fitzpatrick_skin_type", "fitspatrick"),
    "split": ("split",),
}
"""Fact to the columns that hold it, the most specific first; "fitspatrick" is PAD-UFES-20's own spelling."""

_ARCHIVE_DIAGNOSES: Final = ("diagnosis", "diagnosis_5", "diagnosis_4", "diagnosis_3", "diagnosis_2", "diagnosis_1")
_PAD_UFES_20: Final[Mapping[str, str]] = {"ack": "actinic keratosis", "nev": "nevus", "sek": "seborrheic keratosis"}


@dataclass(frozen=True)
class TableForm:
    """One form of a table.

    Attributes:
        name: as reports name it.
        columns: sets of column names; a table with every column of one set has this form.
        image: the column with the name of the image.
        diagnosis: the words for the diagnosis in a row; empty if the row has none.
    """

    name: str
    columns: tuple[frozenset[str], ...]
    image: str
    diagnosis: Callable[[Row], str]


def form_of(tables: Tables) -> tuple[TableForm, list[Path]] | None:
    """The first form that any of the tables has, and the tables that have it; None if no table has a known form."""
    for form in FORMS:
        files = tables_with(tables, *form.columns)
        if files:
            return form, files
    return None


def facts_of(row: Row, fact: str) -> list[str]:
    """Every value of a row for ``sex``, ``age``, ``site``, ``melanocytic``, ``skin_type`` or ``split``.

    Empty values are left out; the most specific value comes first.
    """
    return [row[column] for column in _FACTS[fact] if row.get(column)]


def _column(name: str) -> Callable[[Row], str]:
    return lambda row: row[name]


def _marked_column(row: Row) -> str:
    """Of a table with one column a class, the column that holds a 1."""
    marked = [name for name, value in row.items() if name != "image" and 0.5 < (number_of(value) or 0) <= 1]
    return marked[0] if len(marked) == 1 else ""


def _isic_archive(row: Row) -> str:
    """The most specific diagnosis that means one of the seven classes, else the most specific one."""
    named = [row[column] for column in _ARCHIVE_DIAGNOSES if row.get(column)]
    return next((words for words in named if class_of(words)), named[0] if named else "")


def _isic_2020(row: Row) -> str:
    """The diagnosis. Its "unknown" means a lesion that was called benign without a biopsy."""
    return row.get("diagnosis", "") or row.get("benign_malignant", "")


def _pad_ufes_20(row: Row) -> str:
    """The diagnosis in words. SCC stays as it is: it gathers invasive carcinoma and Bowen's disease."""
    code = row["diagnostic"]
    return _PAD_UFES_20.get(code.lower(), code)


def _melanoma_or_nevus(row: Row) -> str:
    """Melanoma for 1 and nevus for 0, as melanoma-fair-xai writes them; other words are returned as they are."""
    number = number_of(row["benign_malignant"])
    return "melanoma" if number == 1 else "nevus" if number == 0 else row["benign_malignant"]


def _nothing(_row: Row) -> str:
    return ""


def _sets(*columns: set[str]) -> tuple[frozenset[str], ...]:
    return tuple(map(frozenset, columns))


MELANOMA_OR_NEVUS: Final = TableForm(
    "melanoma or nevus", _sets({IMAGE_ID, "benign_malignant"}), IMAGE_ID, _melanoma_or_nevus
)
FORMS: Final = (
    TableForm("HAM10000", (COLUMNS,), IMAGE_ID, _column("dx")),
    TableForm(
        "ISIC 2018 task 3", _sets({"image", *CLASSES}, {"image", "MEL", "NV", "BCC", "AK"}), "image", _marked_column
    ),
    TableForm("ISIC archive", _sets({"isic_id", "diagnosis"}, {"isic_id", "diagnosis_1"}), "isic_id", _isic_archive),
    TableForm(
        "ISIC 2020", _sets({"image_name", "diagnosis"}, {"image_name", "benign_malignant"}), "image_name", _isic_2020
    ),
    TableForm("PAD-UFES-20", _sets({"img_id", "diagnostic"}), "img_id", _pad_ufes_20),
    MELANOMA_OR_NEVUS,
    TableForm(
        "metadata without a diagnosis",
        _sets(*({"isic_id", fact} for fact in ("melanocytic", "sex", "age_approx", "anatom_site_general"))),
        "isic_id",
        _nothing,
    ),
    TableForm(
        "metadata without a diagnosis",
        _sets(*({IMAGE_ID, fact} for fact in ("melanocytic", "anatom_site_general", "localization"))),
        IMAGE_ID,
        _nothing,
    ),
)
"""Every known form. A folder with tables of several forms is read by the first of them in this order."""

EXPECTED: Final = (
    "lesion_id, image_id, dx (HAM10000); image and one column a class (ISIC 2018 task 3, ISIC 2019); isic_id and "
    "diagnosis (ISIC archive); image_name and diagnosis (ISIC 2020); img_id and diagnostic (PAD-UFES-20); image_id and "
    "benign_malignant (melanoma-fair-xai)"
)
"""The columns of the forms, for messages."""
