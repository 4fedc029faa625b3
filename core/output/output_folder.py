"""The output folder: numbered images per class and their table, owned by one job at a time."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from filelock import Timeout

from core.errors import OutputFolderError
from core.io.atomic_files import PART_SUFFIX
from core.io.folder_lock import folder_lock
from core.output.dataset_table import OF_CLASSES, TABLE_NAME, DatasetTable, Layout, row_of
from core.output.image_file import ImageFileError, ImageParameters, read_parameters, write_image
from core.output.lesion_mask import mask_file, masks_folder, write_mask
from core.output.table_upgrade import upgrade_table

_IMAGE_NAME: Final = re.compile(r"ISIC_(\d{7,12})\.png", re.ASCII)


class OutputFolder:
    """An output folder while a job writes into it; get one from ``open_output_folder``."""

    def __init__(self, folder: Path, layout: Layout = OF_CLASSES, masks: Path | None = None) -> None:
        self.folder = folder
        self.layout = layout
        self.masks = masks or masks_folder(folder)
        self.upgraded = upgrade_table(folder / TABLE_NAME, layout.columns)  # the file that keeps the older table
        self.table = DatasetTable(folder / TABLE_NAME, layout)
        self._highest: dict[str, int] = {}
        self._take_stock()

    def highest_number(self, class_name: str) -> int:
        """The highest ISIC number that image or row of a class ever had; 0 for none."""
        return self._highest[class_name]

    def next_number(self, class_name: str) -> int:
        """Take the next ISIC number of a class: one above the highest that image or row ever had there."""
        self._highest[class_name] += 1
        return self._highest[class_name]

    def save(self, pixels: np.ndarray, parameters: ImageParameters, mask: np.ndarray | None = None) -> Path:
        """Write the lesion mask, the image, then its row. A row that cannot be written now waits in ``table.pending``.

        Args:
            pixels: uint8 (S, S, 3).
            parameters: with a number from ``next_number``.
            mask: bool (S, S), if the model makes one. It is written first, so that an image that records a mask has it.

        Raises:
            OSError: the mask or the image could not be written; nothing of the image is left.
        """
        path = self.folder / parameters.class_name / parameters.filename
        if mask is not None:
            write_mask(mask_file(self.masks, parameters.class_name, parameters.isic_number), mask)
        path.parent.mkdir(exist_ok=True)
        try:
            write_image(path, pixels, parameters)
        except OSError:
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # ImageFolder does not read a folder with an empty class in it
            raise
        # The image says all that its row says: a table that another program holds open delays the row only.
        with contextlib.suppress(OSError):
            self.table.append([row_of(parameters, self.table.columns)])
        return path

    def _take_stock(self) -> None:
        """Find the highest numbers, clear away what a killed job left, and restore rows that were never written."""
        orphans: list[ImageParameters] = []
        for class_name in self.layout.labels:
            there = set(_numbers_in(self.folder / class_name))
            listed = {number for name, number in self.table.known if name == class_name}
            self._highest[class_name] = max(there | listed, default=0)
            orphans += self._parameters_of(class_name, sorted(there - listed))
        with contextlib.suppress(OSError):  # tried again with the next image's row
            self.table.append(row_of(parameters, self.table.columns) for parameters in orphans)

    def _parameters_of(self, class_name: str, numbers: Iterable[int]) -> Iterator[ImageParameters]:
        for number in numbers:
            with contextlib.suppress(ImageFileError):  # an image that somebody else put there has no row to restore
                parameters = read_parameters(self.folder / class_name / f"ISIC_{number:07d}.png")
                # Nor has one that was moved or copied there: its row would be that of the place where it was made.
                if (parameters.class_name, parameters.isic_number) == (class_name, number):
                    yield parameters


def _numbers_in(class_folder: Path) -> Iterator[int]:
    if not class_folder.is_dir():
        return
    with os.scandir(class_folder) as entries:
        for entry in entries:
            if match := _IMAGE_NAME.fullmatch(entry.name):
                yield int(match[1])
            elif entry.name.startswith("ISIC_") and entry.name.endswith(PART_SUFFIX):
                with contextlib.suppress(OSError):  # a folder, or a file that cannot be removed, is left as it is
                    Path(entry.path).unlink()  # the lock is ours, so its writer is gone


@contextlib.contextmanager
def open_output_folder(folder: Path, layout: Layout = OF_CLASSES, masks: Path | None = None) -> Iterator[OutputFolder]:
    """Make the folder if needed, and own it until the block ends.

    Args:
        folder: the output folder.
        layout: the kind of images that it holds.
        masks: folder for lesion masks; None is ``<folder>_masks``.

    Raises:
        OutputFolderError: a file is in the way, the folder cannot be written, another job is writing into it,
            or its table has other columns.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputFolderError(f"The output folder {folder} is a file, or lies in one; choose a folder.") from error
    except OSError as error:
        raise OutputFolderError(f"The output folder {folder} cannot be made: {error.strerror}.") from error
    lock = folder_lock(folder)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputFolderError(
            f"Another job is writing into {folder}; wait until it has finished, or choose another output folder."
        ) from error
    except OSError as error:
        raise OutputFolderError(f"The output folder {folder} cannot be written: {error.strerror}.") from error
    try:
        yield OutputFolder(folder, layout, masks)
    finally:
        lock.release()
