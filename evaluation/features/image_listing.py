"""List the images of a generated set and of a folder of real ones, and refuse to compare a folder with itself."""

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
    """An image file, its class and its lesion.

    Attributes:
        path: the file.
        class_name: class code.
        lesion_id: lesion name from a table; a unique name if no table names the lesion.
        is_named: whether a table names the lesion. If none does, trainings may know it by another name.
    """

    path: Path
    class_name: str
    lesion_id: str
    is_named: bool = True


@dataclass(frozen=True)
class RealImages:
    """Real images, and whether a table names their lesions."""

    images: tuple[FoundImage, ...]
    has_lesions: bool


def read_set(folder: Path, classes: Sequence[str]) -> tuple[FoundImage, ...]:
    """List the images of a generated set, in the order of the classes.

    Raises:
        ArgumentError: the folder does not exist or has no image of these classes.
    """
    found = tuple(_class_folders(folder, classes or CLASSES, {}))
    if not found:
        raise ArgumentError(
            f"{folder} contains no image in a folder named after a class ({', '.join(classes or CLASSES)})."
        )
    return found


def read_real(folder: Path, classes: Sequence[str]) -> RealImages:
    """List the real images of these classes, from tables (``core.real_data.table_forms``) or class folders.

    If a folder can be read in both ways, a folder ``images/`` in it means that the tables are used.

    Raises:
        ArgumentError: the folder has neither form, a table cannot be read, none of the listed images exist, there is
            no image of these classes, or the images are marked as synthetic.
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
            raise ArgumentError(f"{folder} contains real images, but none of these classes: {', '.join(classes)}.")
        check_readable(tables)
        raise ArgumentError(
            f"{folder} contains no real image of {', '.join(classes)}: it has neither folders with these names nor a "
            f"table with {EXPECTED}."
        )
    _refuse_synthetic(folder, images)
    return RealImages(images, bool(lesions))


def refuse_same(images: Path, real: Path) -> None:
    """Refuse to compare a folder with itself.

    Raises:
        ArgumentError: the folders are the same, or one is inside the other.
    """
    first, second = images.resolve(), real.resolve()
    if first == second or first in second.parents or second in first.parents:
        raise ArgumentError(
            f"The set {images} and the real images {real} are the same folder; name a folder of real images."
        )


def refuse_same_content(generated: Sequence[str], real: Sequence[str]) -> None:
    """Refuse a set that mostly consists of the real images; the arguments are SHA-256 of the files.

    Raises:
        ArgumentError: more than half of the files are among the real ones.
    """
    known = set(real)
    same = sum(digest in known for digest in generated)
    if 2 * same > len(generated):
        raise ArgumentError(
            f"{same} of the {len(generated)} images of the set are byte-for-byte copies of real images; "
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
    """An image of a class; ``lesion_id`` is empty if no table names the lesion."""
    return FoundImage(path, class_name, lesion_id or f"{class_name}/{path.stem}", bool(lesion_id))


def _refuse_synthetic(folder: Path, images: Sequence[FoundImage]) -> None:
    for image in images[:: max(1, len(images) // _LOOKED_AT)]:
        try:
            read_parameters(image.path)
        except ImageFileError:
            continue
        raise ArgumentError(f"{image.path} is marked as synthetic, so {folder} is not a folder of real images.")
