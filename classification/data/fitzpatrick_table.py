"""Read and check the table of Fitzpatrick17k, and open every image once."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from classification.data.perceptual_duplicates import perceptual_hash
from classification.events import Counted, Emit
from classification.tasks import BENIGN, MALIGNANT
from core.errors import ArgumentError
from core.io.file_names import is_plain_name
from core.io.image_errors import UNREADABLE
from core.io.plain_text import shortened

UNKNOWN_TYPE: Final = "-1"
TYPES: Final = ("1", "2", "3", "4", "5", "6")
_NEEDED: Final = ("md5hash", "fitzpatrick_scale", "label", "three_partition_label")
_PARTITIONS: Final = ("malignant", "benign", "non-neoplastic")
_MELANOMA: Final = ("melanoma", "lentigo maligna")
_NEVUS: Final = ("nevus", "naevus")
_SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def class_of(row: Mapping[str, str], contrast: str) -> str:
    """The class of a row; empty if the question does not apply to it."""
    if contrast == "malignant":
        return {"malignant": MALIGNANT, "benign": BENIGN}.get(row["three_partition_label"], "")
    label = row["label"].lower()
    if any(word in label for word in _MELANOMA):
        return "MEL"
    return "NV" if any(word in label.split() for word in _NEVUS) else ""


def read_table(table: Path) -> list[dict[str, str]]:
    """Read and check the table.

    Raises:
        ArgumentError: the table is not that of Fitzpatrick17k, or has an unknown value.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError(f"The table {table} cannot be read: {reason}.") from error
    if not rows or not set(_NEEDED) <= set(rows[0]):
        raise ArgumentError(
            f"{table} is not the table of Fitzpatrick17k: it lacks some of the columns {', '.join(_NEEDED)}."
        )
    for number, row in enumerate(rows, 2):
        if any(row[name] is None for name in _NEEDED):
            raise ArgumentError(f"Line {number} of {table} has too few values; restore it.")
        if not is_plain_name(row["md5hash"]):
            raise ArgumentError(
                f"Line {number} of {table} names the image {shortened(row['md5hash'])}, which is not a plain file "
                "name; restore the line."
            )
        row["fitzpatrick_scale"] = row["fitzpatrick_scale"].removesuffix(".0")
        if row["fitzpatrick_scale"] not in (*TYPES, UNKNOWN_TYPE):
            raise ArgumentError(
                f"{table} gives {row['md5hash']} the skin type {row['fitzpatrick_scale']!r}, not 1 to 6."
            )
        if row["three_partition_label"] not in _PARTITIONS:
            label = row["three_partition_label"]
            raise ArgumentError(
                f"{table} gives {row['md5hash']} the partition {label!r}, which is not one of {', '.join(_PARTITIONS)}."
            )
    name, times = Counter(row["md5hash"] for row in rows).most_common(1)[0]
    if times > 1:
        raise ArgumentError(f"{table} lists {name} {times} times; list it once.")
    return rows


@dataclass(frozen=True)
class Seen:
    """Results of opening the files, by md5hash."""

    hashes: dict[str, np.ndarray]
    files: dict[str, str]
    missing: list[str]
    broken: dict[str, str]


def look_at(folder: Path, rows: Sequence[Mapping[str, str]], emit: Emit) -> Seen:
    """Open every image of the rows and compute its hash."""
    seen = Seen({}, {}, [], {})
    for number, row in enumerate(rows, 1):
        name = row["md5hash"]
        file = file_of(folder, name)
        if file is None:
            seen.missing.append(name)
            continue
        try:
            with Image.open(file) as image:
                seen.hashes[name] = perceptual_hash(image)
            seen.files[name] = file.name
        except UNREADABLE as error:
            seen.broken[name] = str(error)
        if number % 500 == 0 or number == len(rows):
            emit(Counted("images checked", number, len(rows)))
    return seen


def file_of(folder: Path, name: str) -> Path | None:
    """The image file of this name; None if it does not exist."""
    return next((folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()), None)
