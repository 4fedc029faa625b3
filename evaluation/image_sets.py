"""Find the images of a generated set and of a folder of real ones, and refuse one that is the other."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.files import sha256_of
from core.image_file import ImageFileError, read_parameters

SUFFIXES: Final = {".png", ".jpg", ".jpeg"}
_COLUMNS: Final = {"lesion_id", "image_id"}
_LOOKED_AT: Final = 20


@dataclass(frozen=True)
class FoundImage:
    """An image file: its class, and the lesion that it shows.

    Attributes:
        path: the file.
        class_name: class code.
        lesion_id: of a table; a name that no other image has where none tells.
        is_named: whether a table tells. The trainings may have known the lesion by another name where none does.
    """

    path: Path
    class_name: str
    lesion_id: str
    is_named: bool = True


@dataclass(frozen=True)
class RealImages:
    """Real images, and whether a table said which of them show one lesion."""

    images: tuple[FoundImage, ...]
    has_lesions: bool


def read_set(folder: Path, classes: Sequence[str]) -> tuple[FoundImage, ...]:
    """The images of a generated set, in the order of the classes.

    Raises:
        ArgumentError: no such folder, or no image of these classes in it.
    """
    found = tuple(_class_folders(folder, classes or CLASSES, {}))
    if not found:
        raise ArgumentError(f"{folder} holds no image in a folder named by a class ({', '.join(classes or CLASSES)}).")
    return found


def read_real(folder: Path, classes: Sequence[str]) -> RealImages:
    """Real images of these classes: a table in HAM10000's form beside ``images/``, or class folders.

    Raises:
        ArgumentError: neither, no image of these classes, or they say that they are synthetic.
    """
    if not folder.is_dir():
        raise ArgumentError(f"There is no folder of real images {folder}.")
    table = _find_table(folder)
    lesions = {_stem(row): row["lesion_id"] for row in table if row["lesion_id"]}
    if table and "dx" in table[0] and (folder / "images").is_dir():
        images = tuple(_listed(folder / "images", table, classes, lesions))
    else:
        images = tuple(_class_folders(folder, classes, lesions))
    if not images:
        raise ArgumentError(
            f"{folder} holds no real image of {', '.join(classes)}: neither folders named by them, nor a CSV with "
            "lesion_id, image_id and dx beside images/."
        )
    _refuse_synthetic(folder, images)
    return RealImages(images, bool(lesions))


def refuse_same(images: Path, real: Path) -> None:
    """Refuse to compare a folder with itself.

    Raises:
        ArgumentError: one folder is the other, or lies in it.
    """
    first, second = images.resolve(), real.resolve()
    if first == second or first in second.parents or second in first.parents:
        raise ArgumentError(
            f"The set {images} and the real images {real} are one folder; name a folder of real images."
        )


def refuse_same_content(generated: Sequence[str], real: Sequence[str]) -> None:
    """Refuse a set that is, for the greater part, the real images themselves; arguments are SHA-256 of the files.

    Raises:
        ArgumentError: more than half of the set's files are among the real ones.
    """
    known = set(real)
    same = sum(digest in known for digest in generated)
    if 2 * same > len(generated):
        raise ArgumentError(
            f"{same} of the {len(generated)} images of the set are, byte for byte, among the real images; "
            "name a folder of real images that is not the set."
        )


def digests_of(images: Sequence[FoundImage]) -> list[str]:
    """SHA-256 of each file."""
    return [sha256_of(image.path) for image in images]


def _class_folders(folder: Path, classes: Sequence[str], lesions: Mapping[str, str]) -> Iterator[FoundImage]:
    if not folder.is_dir():
        raise ArgumentError(f"There is no folder {folder}.")
    for name in classes:
        for path in sorted((folder / name).glob("*")):
            if path.suffix.lower() in SUFFIXES:
                yield _found(path, name, lesions)


def _listed(
    folder: Path, table: Sequence[Mapping[str, str]], classes: Sequence[str], lesions: Mapping[str, str]
) -> Iterator[FoundImage]:
    files = {path.stem: path for path in sorted(folder.glob("*")) if path.suffix.lower() in SUFFIXES}
    for row in table:
        name, path = (row["dx"] or "").upper(), files.get(_stem(row))
        if path is not None and name in classes:
            yield _found(path, name, lesions)


def _stem(row: Mapping[str, str]) -> str:
    """The name of a row's image without the ending that some tables give."""
    name = row["image_id"] or ""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in SUFFIXES else name


def _found(path: Path, class_name: str, lesions: Mapping[str, str]) -> FoundImage:
    """An image of a class, with the lesion that goes with its name."""
    named = lesions.get(path.stem)
    return FoundImage(path, class_name, named or f"{class_name}/{path.stem}", named is not None)


def _find_table(folder: Path) -> list[dict[str, str]]:
    """The rows of the first CSV that names lesions; none where there is no such CSV."""
    for file in sorted(folder.glob("*.csv")):
        try:
            with file.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.DictReader(stream)
                if set(reader.fieldnames or ()) >= _COLUMNS:
                    return list(reader)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ArgumentError(f"The table {file} cannot be read ({error}); mend or move it.") from error
    return []


def _refuse_synthetic(folder: Path, images: Sequence[FoundImage]) -> None:
    for image in images[:: max(1, len(images) // _LOOKED_AT)]:
        try:
            read_parameters(image.path)
        except ImageFileError:
            continue
        raise ArgumentError(f"{image.path} says that it is synthetic, so {folder} is no folder of real images.")
