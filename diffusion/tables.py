"""Read a data folder of any form that ``core.real_data.table_forms`` knows, or of class folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from core.classes import MELANOCYTIC
from core.models.conditions import Condition
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import (
    Listing,
    Tables,
    check_readable,
    find_tables,
    image_files,
    is_of_mask,
    lesions_of,
    list_images,
    mask_files,
)
from core.real_data.table_forms import EXPECTED, Row, TableForm, facts_of, form_of
from diffusion.data import DataError, Found, LabelledImage
from diffusion.vocabulary import age_of, sex_of, site_of, truth_of

_UNNAMED: Final = "no folder above it is named after a class"

_T = TypeVar("_T")


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
    chosen = form_of(tables)
    if chosen:
        form, files = chosen
        return _read_listed(form, list_images(folder, tables, files, form.image))
    found = _read_class_folders(folder, tables)
    if found.images:
        return found
    check_readable(tables)
    raise DataError(_nothing_found(folder, tables))


def _read_listed(form: TableForm, listing: Listing) -> Found:
    listing.check_any()
    masks = mask_files(listing.folder)
    found = Found(listing.folder, f"{form.name} ({', '.join(table.name for table in listing.tables)})")
    for name in listing.missing:
        found.skip("listed, but the image is missing", name)
    for name in listing.twice:
        found.skip("listed twice", name)
    for image in listing.images:
        diagnosis = form.diagnosis(image.row)
        class_name = class_of(diagnosis)
        if class_name is None:
            found.skip(f"not used for classes: {diagnosis or 'no diagnosis'!r} is none of the seven", image.name)
        condition = _condition(image.row, class_name)
        lesion = image.lesion_id or image.name
        found.images.append(LabelledImage(image.path, class_name, lesion, condition, masks.get(image.path.stem)))
    return found


def _condition(row: Row, class_name: str | None) -> Condition:
    """The first value of each fact that means anything; a class decides melanocytic only if the row does not."""
    melanocytic = _first(row, "melanocytic", truth_of)
    if melanocytic is None and class_name:
        melanocytic = MELANOCYTIC[class_name]
    return Condition(
        melanocytic=melanocytic,
        sex=_first(row, "sex", sex_of),
        age=_first(row, "age", age_of),
        site=_first(row, "site", site_of),
        class_name=class_name,
    )


def _first(row: Row, fact: str, read: Callable[[str], _T | None]) -> _T | None:
    return next((value for words in facts_of(row, fact) if (value := read(words)) is not None), None)


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
    expected = f"one of: {EXPECTED}; or folders named after the classes, as MEL and NV"
    if not tables:
        return f"{folder} has neither a table of images nor a class folder with images; training needs {expected}."
    file, columns = next(iter(tables.items()))
    return f"{file} has the columns {', '.join(columns[:8]) or '(none)'}; training needs {expected}."
