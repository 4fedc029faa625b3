"""Read a data folder: one function a form, told apart by the columns of its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from core.classes import CLASSES, MELANOCYTIC
from core.models.conditions import Condition
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import (
    COLUMNS,
    IMAGE_ID,
    Listing,
    Tables,
    check_readable,
    find_tables,
    image_files,
    is_of_mask,
    lesions_of,
    list_images,
    mask_files,
    tables_with,
)
from diffusion.data import DataError, Found, LabelledImage
from diffusion.vocabulary import age_of, sex_of, site_of, truth_of

_UNNAMED: Final = "no folder above it is named after a class"

Row = Mapping[str, str]
Described = tuple[str, Condition]
"""Diagnosis and condition, as one row of a table tells them."""


def read_images(folder: Path) -> Found:
    """Find the images of a data folder, whatever form it has.

    Raises:
        DataError: no such folder, an output folder of this program, or no table with known columns and no class folder.
        ArgumentError: a table cannot be read, or none of the images that it lists is there.
    """
    if not folder.is_dir():
        raise DataError(f"There is no data folder {folder}.")
    if (folder / "synthetic_dataset.csv").is_file():
        raise DataError(f"{folder} holds synthetic images of this program; train on real ones.")
    tables = find_tables(folder)
    for form, wanted, column, read in _FORMS:
        files = tables_with(tables, *wanted)
        if files:
            return _read_listed(form, list_images(folder, tables, files, column), read)
    found = _read_class_folders(folder, tables)
    if found.images:
        return found
    check_readable(tables)
    raise DataError(_nothing_found(folder, tables))


def _read_listed(form: str, listing: Listing, read: Callable[[Row], Described]) -> Found:
    listing.check_any()
    masks = mask_files(listing.folder)
    found = Found(listing.folder, f"{form} ({', '.join(table.name for table in listing.tables)})")
    for name in listing.missing:
        found.skip("listed, but the image is missing", name)
    for name in listing.twice:
        found.skip("listed twice", name)
    for image in listing.images:
        diagnosis, condition = read(image.row)
        class_name = class_of(diagnosis)
        if class_name is None:
            found.skip(f"not used for classes: {diagnosis or 'no diagnosis'!r} is none of the seven", image.name)
        condition = replace(condition, class_name=class_name)
        lesion = image.lesion_id or image.name
        found.images.append(LabelledImage(image.path, class_name, lesion, condition, masks.get(image.path.stem)))
    return found


def _ham10000(row: Row) -> Described:
    class_name = class_of(row["dx"])
    condition = Condition(
        melanocytic=MELANOCYTIC[class_name] if class_name else None,
        sex=sex_of(row.get("sex", "")),
        age=age_of(row.get("age", "")),
        site=site_of(row.get("localization", "")),
    )
    return row["dx"], condition


def _isic_2018(row: Row) -> Described:
    marked = [name for name, value in row.items() if name != "image" and (age_of(value) or 0) > 0.5]
    diagnosis = marked[0] if len(marked) == 1 else ""
    class_name = class_of(diagnosis)
    return diagnosis, Condition(melanocytic=MELANOCYTIC[class_name] if class_name else None)


def _isic_archive(row: Row) -> Described:
    columns = ("diagnosis", "diagnosis_5", "diagnosis_4", "diagnosis_3", "diagnosis_2", "diagnosis_1")
    named = [row[column] for column in columns if row.get(column)]
    diagnosis = next((words for words in named if class_of(words)), named[0] if named else "")
    class_name = class_of(diagnosis)
    melanocytic = truth_of(row.get("melanocytic", ""))
    if melanocytic is None and class_name:
        melanocytic = MELANOCYTIC[class_name]
    condition = Condition(
        melanocytic=melanocytic,
        sex=sex_of(row.get("sex", "")),
        age=age_of(row.get("age_approx", "")),
        site=site_of(row.get("anatom_site_general", "")) or site_of(row.get("anatom_site_1", "")),
    )
    return diagnosis, condition


_FORMS: Final = (
    ("HAM10000", (COLUMNS,), IMAGE_ID, _ham10000),
    ("ISIC 2018 task 3", ({"image", *CLASSES}, {"image", "MEL", "NV", "BCC", "AK"}), "image", _isic_2018),
    ("ISIC archive", ({"isic_id", "diagnosis"}, {"isic_id", "diagnosis_1"}), "isic_id", _isic_archive),
)


def _read_class_folders(folder: Path, tables: Tables) -> Found:
    found, lesions, masks = Found(folder, "class folders"), lesions_of(tables), mask_files(folder)
    for file in image_files(folder):
        if is_of_mask(file.name):
            continue
        above = file.relative_to(folder).parent.parts
        class_name = next((code for part in reversed(above) if (code := class_of(part))), None)
        if class_name:
            condition = Condition(melanocytic=MELANOCYTIC[class_name], class_name=class_name)
            lesion = lesions.get(file.stem, file.stem)
            found.images.append(LabelledImage(file, class_name, lesion, condition, masks.get(file.stem)))
        else:
            found.skip(_UNNAMED, str(file.relative_to(folder)))
    return found


def _nothing_found(folder: Path, tables: Tables) -> str:
    expected = (
        "one of: lesion_id, image_id, dx (HAM10000); image and one column a class (ISIC 2018 task 3); "
        "isic_id and diagnosis (ISIC archive); or folders named after the classes, as MEL and NV"
    )
    if not tables:
        return f"{folder} has neither a table of images nor a class folder with images; training needs {expected}."
    file, columns = next(iter(tables.items()))
    return f"{file} has the columns {', '.join(columns[:8]) or '(none)'}; training needs {expected}."
