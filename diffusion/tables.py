"""Read a data folder: one function a form, told apart by the columns of its tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.conditions import Condition
from diffusion.data import DataError, Found, LabelledImage
from diffusion.vocabulary import MELANOCYTIC, age_of, class_of, sex_of, site_of, truth_of

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_NOT_PHOTOGRAPHS: Final = ("mask", "segmentation", "superpixel")
_UNNAMED: Final = "no folder above it is named after a class"

Row = Mapping[str, str]
Described = tuple[str, str, str, Condition]
"""Image name, diagnosis, lesion (empty where nobody says) and condition, as one row of a table tells them."""


def read_images(folder: Path) -> Found:
    """Find the images of a data folder, whatever form it has.

    Raises:
        DataError: no such folder, an output folder of this program, no table and no class folder, a table without
            the column of images, or none of the images is there.
    """
    if not folder.is_dir():
        raise DataError(f"There is no data folder {folder}.")
    if (folder / "synthetic_dataset.csv").is_file():
        raise DataError(f"{folder} holds synthetic images of this program; train on real ones.")
    tables = {file: _columns(file) for file in _tables(folder)}
    for form, wanted, read in _FORMS:
        files = [file for file, columns in tables.items() if any(names <= set(columns) for names in wanted)]
        if files:
            return _read_tables(folder, form, files, read)
    found = _read_class_folders(folder)
    if found.images:
        return found
    raise DataError(_nothing_found(folder, tables))


def _read_tables(folder: Path, form: str, files: list[Path], read: Callable[[Row], Described]) -> Found:
    found = Found(folder, f"{form} ({', '.join(file.name for file in files)})")
    there, lesions, seen = index_images(folder), _lesion_groupings(folder), set()
    for row in (row for file in files for row in _rows(file)):
        name, diagnosis, lesion, condition = read(row)
        class_name = class_of(diagnosis)
        if name in seen:
            found.skip("listed twice", name)
        elif name not in there:
            found.skip("listed, but the image is missing", name or "a row without a name")
        else:
            if class_name is None:
                found.skip(f"not used for classes: {diagnosis or 'no diagnosis'!r} is none of the seven", name)
            found.images.append(LabelledImage(there[name], class_name, lesion or lesions.get(name, name), condition))
        seen.add(name)
    if not found.images:
        raise DataError(f"{files[0]} lists {len(seen)} images, and none of them is in {folder} or a folder within it.")
    return found


def _ham10000(row: Row) -> Described:
    class_name = class_of(row["dx"])
    condition = Condition(
        melanocytic=MELANOCYTIC[class_name] if class_name else None,
        sex=sex_of(row.get("sex", "")),
        age=age_of(row.get("age", "")),
        site=site_of(row.get("localization", "")),
    )
    return _stem(row["image_id"]), row["dx"], row["lesion_id"], condition


def _isic_2018(row: Row) -> Described:
    marked = [name for name, value in row.items() if name != "image" and (age_of(value) or 0) > 0.5]
    diagnosis = marked[0] if len(marked) == 1 else ""
    class_name = class_of(diagnosis)
    condition = Condition(melanocytic=MELANOCYTIC[class_name] if class_name else None)
    return _stem(row["image"]), diagnosis, row.get("lesion_id", ""), condition


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
    return _stem(row["isic_id"]), diagnosis, row.get("lesion_id", ""), condition


_FORMS: Final = (
    ("HAM10000", ({"lesion_id", "image_id", "dx"},), _ham10000),
    ("ISIC 2018 task 3", ({"image", *CLASSES}, {"image", "MEL", "NV", "BCC", "AK"}), _isic_2018),
    ("ISIC archive", ({"isic_id", "diagnosis"}, {"isic_id", "diagnosis_1"}), _isic_archive),
)


def _read_class_folders(folder: Path) -> Found:
    found = Found(folder, "class folders")
    for file in _image_files(folder):
        above = file.relative_to(folder).parent.parts
        class_name = next((code for part in reversed(above) if (code := class_of(part))), None)
        if class_name:
            condition = Condition(melanocytic=MELANOCYTIC[class_name])
            found.images.append(LabelledImage(file, class_name, file.stem, condition))
        else:
            found.skip(_UNNAMED, str(file.relative_to(folder)))
    return found


def index_images(folder: Path) -> dict[str, Path]:
    """Image files by name without suffix: those in ``images/`` where there is such a folder, else those anywhere."""
    root = folder / "images" if (folder / "images").is_dir() else folder
    return {file.stem: file for file in reversed(_image_files(root))}  # of two with one name, the first counts


def _image_files(root: Path) -> list[Path]:
    files = (file for file in root.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    return sorted(file for file in files if not _is_mask(file.relative_to(root)))


def _is_mask(file: Path) -> bool:
    return any(word in part.lower() for part in file.parts for word in _NOT_PHOTOGRAPHS)


def _tables(folder: Path) -> list[Path]:
    """Tables in the folder or one below it; the Dataverse serves HAM10000's without a suffix."""
    return sorted([*folder.glob("*.csv"), *folder.glob("HAM10000_metadata"), *folder.glob("*/*.csv")])


def _lesion_groupings(folder: Path) -> dict[str, str]:
    """Lesion by image where a table of its own says so, as ISIC2018_Task3_Training_LesionGroupings.csv does."""
    files = [file for file in _tables(folder) if {"image", "lesion_id"} <= set(_columns(file))]
    return {row["image"]: row["lesion_id"] for file in files for row in _rows(file) if row["lesion_id"]}


def _columns(file: Path) -> list[str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return [name.strip() for name in next(csv.reader(stream), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a table ({error}); mend it or move it away.") from error


def _rows(file: Path) -> Iterator[dict[str, str]]:
    columns = _columns(file)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            next(reader, None)
            for values in reader:
                # A row that is too short lacks values, not columns.
                yield dict(zip(columns, [*values, *[""] * len(columns)], strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a table ({error}); mend it or move it away.") from error


def _stem(name: str) -> str:
    """An image's name without the suffix that some tables give it."""
    path = Path(name.strip())
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else name.strip()


def _nothing_found(folder: Path, tables: Mapping[Path, list[str]]) -> str:
    expected = (
        "one of: lesion_id, image_id, dx (HAM10000); image and one column a class (ISIC 2018 task 3); "
        "isic_id and diagnosis (ISIC archive); or folders named after the classes, as MEL and NV"
    )
    if not tables:
        return f"{folder} has neither a table of images nor a class folder with images; training needs {expected}."
    file, columns = next(iter(tables.items()))
    return f"{file} has the columns {', '.join(columns[:8]) or '(none)'}; training needs {expected}."
