"""HAM10000's form, read in one way wherever real images are asked for: tables that list images, and those images.

A folder holds a table with lesion_id, image_id and dx, and the images by their names in ``images/`` or, those that are
not there, anywhere else in it. Other public collections list their images in the same way under other column names, so
that ``core.real_data.table_forms`` has them read with the same functions. What is forgiven:

- tables lie in the folder or in one below it, several are one list, and HAM10000_metadata needs no ending;
- what ``core.real_data.csv_tables`` forgives;
- an image may be named with its ending and a folder before it, endings may be in capitals, and of two rows for one
  image the first counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from core.errors import ArgumentError
from core.real_data.csv_tables import read_columns, read_rows

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
IMAGES: Final = "images"
IMAGE_ID: Final = "image_id"
LESION_ID: Final = "lesion_id"
COLUMNS: Final = frozenset({LESION_ID, IMAGE_ID, "dx"})
_TABLE_SUFFIXES: Final = (".csv", ".tab", ".tsv")
_OWN_TABLE: Final = "ham10000_metadata"  # in any case, with any of the endings below
_OWN_SUFFIXES: Final = ("", ".txt")
_NAME_COLUMNS: Final = (IMAGE_ID, "image", "isic_id", "image_name", "img_id")
_MASKS: Final = "masks"
_SEGMENTATION: Final = "_segmentation"
_NOT_PHOTOGRAPHS: Final = ("mask", "segmentation", "superpixel")
_OF_MACOS: Final = "._"  # facts that macOS leaves beside a file under its name, on disks of other systems
_UNNAMED: Final = "a row without a name"

Tables = Mapping[Path, tuple[str, ...]]
"""The tables of a folder with the names of their columns, the nearest first; none where it is no text."""


@dataclass(frozen=True)
class ListedImage:
    """An image that a table lists and the folder holds.

    Attributes:
        name: its name without an ending.
        path: its file.
        lesion_id: of its row, else of another table that names lesions; empty where none tells.
        row: column to value; every column of its table, empty where the row has no value.
    """

    name: str
    path: Path
    lesion_id: str
    row: Mapping[str, str]


@dataclass(frozen=True)
class Listing:
    """What the tables of a folder list.

    Attributes:
        folder: where they were found.
        tables: the tables, of which there is at least one.
        images: those whose file is there, each once, in the order of the tables.
        missing: names of those whose file is not there.
        twice: the name of every further row for an image; a row without a name is for none.
    """

    folder: Path
    tables: tuple[Path, ...]
    images: tuple[ListedImage, ...]
    missing: tuple[str, ...]
    twice: tuple[str, ...]

    def check_any(self) -> None:
        """Refuse tables of which no image is there.

        Raises:
            ArgumentError: names the first table and the folder.
        """
        if not self.images:
            raise ArgumentError(
                f"{self.tables[0]} lists {len(self.missing)} images, and none of them is in {self.folder} or a folder "
                "within it; put them there."
            )


def find_tables(folder: Path) -> Tables:
    """Every table in the folder or one below it, told by its name; none where there is no such folder.

    A file that is no text has no columns; ``check_readable`` names it.

    Raises:
        ArgumentError: the machine does not give a file out.
    """
    files = [file for pattern in ("*", "*/*") for file in folder.glob(pattern) if _is_table(file)]
    return {file: read_columns(file) for file in _nearest_first(files) if file.is_file()}


def tables_with(tables: Tables, *columns: Set[str]) -> list[Path]:
    """The tables that have all the columns of one of these sets."""
    return [table for table, names in tables.items() if any(wanted <= set(names) for wanted in columns)]


def check_readable(tables: Tables) -> None:
    """Refuse tables of which one is no text: where nothing else was found in the folder, that is why.

    Raises:
        ArgumentError: names the first table that cannot be read.
    """
    for table in tables:
        read_rows(table)


def list_images(folder: Path, tables: Tables, chosen: Sequence[Path], column: str = IMAGE_ID) -> Listing:
    """The images that some of the tables list.

    Args:
        folder: where the images are.
        tables: all tables of the folder, any of which may name lesions.
        chosen: those that list images, at least one.
        column: which of their columns holds the image's name.

    Raises:
        ArgumentError: a table cannot be read.
    """
    files, lesions = _index(folder), lesions_of(tables)
    images: dict[str, ListedImage] = {}
    missing: dict[str, None] = {}  # in their order, each once
    twice = []
    for row in (row for table in chosen for row in read_rows(table)):
        name = image_name(row[column]) or _UNNAMED
        if name in images or (name in missing and name != _UNNAMED):
            twice.append(name)
        elif name in files:
            images[name] = ListedImage(name, files[name], row.get(LESION_ID) or lesions.get(name, ""), row)
        else:
            missing[name] = None
    return Listing(folder, tuple(chosen), tuple(images.values()), tuple(missing), tuple(twice))


def lesions_of(tables: Tables) -> dict[str, str]:
    """Image name to lesion, wherever a table tells; the first that does counts.

    Raises:
        ArgumentError: a table that names lesions cannot be read.
    """
    lesions: dict[str, str] = {}
    for column in _NAME_COLUMNS:
        for table in tables_with(tables, {LESION_ID, column}):
            for row in read_rows(table):
                if row[LESION_ID]:
                    lesions.setdefault(image_name(row[column]), row[LESION_ID])
    return lesions


def image_name(words: str) -> str:
    """An image's name without the ending, and the folder before it, that some tables give."""
    path = PurePosixPath(words.replace("\\", "/"))
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def image_files(root: Path) -> list[Path]:
    """Every image in the folder or below it, in order of the paths, but for those in a folder of masks.

    Linked folders are entered, too.
    """
    return sorted(_walk(root, frozenset()))


def mask_files(root: Path) -> dict[str, Path]:
    """The lesion masks in the folder or below it, by the name of their image.

    A mask is ``<image>_segmentation.png`` anywhere, as ISIC names it, or ``<image>.png`` in a folder ``masks``.
    """
    found: dict[str, Path] = {}
    for folder, _, names in os.walk(root):
        in_masks = Path(folder).name.lower() == _MASKS
        for name in sorted(names):
            file = Path(folder) / name
            if file.suffix.lower() == ".png" and (in_masks or file.stem.endswith(_SEGMENTATION)):
                found.setdefault(file.stem.removesuffix(_SEGMENTATION), file)
    return found


def is_photograph(name: str) -> bool:
    """Whether a file is by its name an image, and no mask of one."""
    return _is_image(name) and not is_of_mask(name)


def is_of_mask(name: str) -> bool:
    """Whether a file or folder says by its name that it is no photograph."""
    return any(word in name.lower() for word in _NOT_PHOTOGRAPHS)


def _is_table(file: Path) -> bool:
    # The Dataverse serves HAM10000's own table without an ending or with .tab.
    own = file.name.lower().startswith(_OWN_TABLE)
    return file.suffix.lower() in (*_TABLE_SUFFIXES, *(_OWN_SUFFIXES if own else ()))


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(_OF_MACOS)


def _walk(folder: Path, above: Set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back
        return
    _, folders, names = next(os.walk(folder), ("", [], []))  # nothing where it may not be read
    yield from (folder / name for name in names if _is_image(name) and (folder / name).is_file())
    for name in folders:
        if not is_of_mask(name):
            yield from _walk(folder / name, above | {real})


def _index(folder: Path) -> dict[str, Path]:
    """Image files by name.

    Of two with one name that in ``images/`` counts, then the nearer, then the first: a JPEG before a mask in PNG.
    """
    best_first = sorted(
        image_files(folder), key=lambda file: (file.relative_to(folder).parts[0] != IMAGES, len(file.parts), file)
    )
    return {file.stem: file for file in reversed(best_first)}


def _nearest_first(files: Sequence[Path]) -> list[Path]:
    return sorted(files, key=lambda file: (len(file.parts), file))
