"""Find the images of a generated set and of a folder of real ones, and refuse one that is the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.atomic_files import sha256_of
from core.output.image_file import ImageFileError, read_parameters
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import (
    IMAGES,
    Listing,
    check_readable,
    find_tables,
    is_photograph,
    lesions_of,
    list_images,
)
from core.real_data.table_forms import EXPECTED, TableForm, form_of

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
    """Real images of these classes: listed by tables of a form of ``core.real_data.table_forms``, or in class folders.

    If a folder could be read in both ways, a folder ``images/`` in it means that the tables count.

    Raises:
        ArgumentError: neither, a table that cannot be read, none of the images that it lists there, no image of these
            classes, or they say that they are synthetic.
    """
    if not folder.is_dir():
        raise ArgumentError(f"There is no folder of real images {folder}.")
    tables = find_tables(folder)
    lesions = lesions_of(tables)
    chosen = form_of(tables)
    listing = list_images(folder, tables, chosen[1], chosen[0].image) if chosen else None
    listed = tuple(_listed(chosen[0], listing, classes)) if chosen and listing else ()
    foldered = tuple(_class_folders(folder, classes, lesions))
    images = listed or foldered if (folder / IMAGES).is_dir() else foldered or listed
    if not images:
        others = any(_class_folders(folder, CLASSES, {}))
        if listing and not others:
            listing.check_any()
        if listing or others:
            raise ArgumentError(f"{folder} holds real images, but of none of these classes: {', '.join(classes)}.")
        check_readable(tables)
        raise ArgumentError(
            f"{folder} holds no real image of {', '.join(classes)}: neither folders named by them, nor a table with "
            f"{EXPECTED}."
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
            if is_photograph(path.name) and path.is_file():  # a FIFO or a folder with such a name is no image
                yield _found(path, name, lesions.get(path.stem, ""))


def _listed(form: TableForm, listing: Listing, classes: Sequence[str]) -> Iterator[FoundImage]:
    for image in listing.images:
        class_name = class_of(form.diagnosis(image.row))
        if class_name and class_name in classes:
            yield _found(image.path, class_name, image.lesion_id)


def _found(path: Path, class_name: str, lesion_id: str) -> FoundImage:
    """An image of a class, with its lesion, which is empty where no table names it."""
    return FoundImage(path, class_name, lesion_id or f"{class_name}/{path.stem}", bool(lesion_id))


def _refuse_synthetic(folder: Path, images: Sequence[FoundImage]) -> None:
    for image in images[:: max(1, len(images) // _LOOKED_AT)]:
        try:
            read_parameters(image.path)
        except ImageFileError:
            continue
        raise ArgumentError(f"{image.path} says that it is synthetic, so {folder} is no folder of real images.")
