"""A generated set in the form of SYNT_ISIC: its folders, its sidecar JSON, its tables."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError, JobFailedError
from core.io.atomic_files import require_writable, write_whole
from core.io.plain_text import encode_csv
from core.models.architectures import DEFAULT_SCHEDULER
from core.output.dataset_table import TABLE_NAME
from core.output.image_file import SOURCE, ImageFileError, ImageParameters, read_parameters
from core.output.table_upgrade import SYNT_ISIC_COLUMNS

IMAGES: Final = "generated_images"
FLAT_IMAGES: Final = "ISIC2018_Task3_synt"
GROUND_TRUTH: Final = "ISIC2018_Task3_GroundTruth_synt.csv"
LAST_REAL_NUMBER: Final = 34320
"""The highest number of the real images of ISIC 2018; synthetic ones are numbered after it."""


@dataclass(frozen=True)
class Exported:
    """What was written: the number of images, and why others were left out."""

    images: int
    problems: tuple[str, ...]


def export_synt_isic(images: Path, output: Path) -> Exported:
    """Write a set as the window and as the server script of SYNT_ISIC would have left it.

    ``generated_images/<CLASS>/`` gets each image with a JSON file beside it, and the five-column table.
    ``ISIC2018_Task3_synt/`` gets the same images under numbers that rise over all classes, which
    ``ISIC2018_Task3_GroundTruth_synt.csv`` lists with one column per class. Images are linked, or copied if the disk
    cannot link.

    Args:
        images: an output folder of this program; it is not changed.
        output: a folder that does not exist or is empty.

    Raises:
        ArgumentError: no such set, no image of this program in it, or an output folder that holds something.
        JobFailedError: a file cannot be written.
    """
    found, problems = _read(images)
    if not found:
        why = f" ({problems[0]})" if problems else ""
        raise ArgumentError(f"{images} holds no image of this program in a folder named by a class{why}.")
    if output.exists() and any(output.iterdir()):
        raise ArgumentError(f"{output} holds files; name an empty folder with --output, so that none is overwritten.")
    require_writable(output)
    try:
        _write(found, output)
    except OSError as error:
        raise JobFailedError(f"{error.filename or output} cannot be written ({error.strerror}); make room.") from error
    return Exported(len(found), tuple(problems))


def _read(images: Path) -> tuple[list[tuple[Path, ImageParameters]], list[str]]:
    found, problems = [], []
    for file in _files(images):
        try:
            found.append((file, read_parameters(file)))
        except ImageFileError as error:
            problems.append(str(error))
    return found, problems


def _files(images: Path) -> Iterator[Path]:
    if not images.is_dir():
        raise ArgumentError(f"There is no set {images}.")
    for class_name in CLASSES:
        yield from sorted((images / class_name).glob("ISIC_*.png"))


def _write(found: list[tuple[Path, ImageParameters]], output: Path) -> None:
    rows, truth = [], []
    (output / FLAT_IMAGES).mkdir(parents=True)
    for number, (file, parameters) in enumerate(found, LAST_REAL_NUMBER + 1):
        class_name = file.parent.name
        target = output / IMAGES / class_name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(file, target)
        _link(file, output / FLAT_IMAGES / f"ISIC_{number:07d}.png")
        write_whole(target.with_suffix(".json"), json.dumps(_sidecar(file, parameters), indent=2).encode())
        rows.append([file.name, class_name, parameters.isic_number, SOURCE, parameters.generated_at])
        truth.append([f"ISIC_{number:07d}", *(float(class_name == name) for name in CLASSES)])
    write_whole(output / IMAGES / TABLE_NAME, encode_csv([SYNT_ISIC_COLUMNS, *rows]))
    write_whole(output / GROUND_TRUTH, encode_csv([("image", *CLASSES), *truth]))


def _sidecar(file: Path, parameters: ImageParameters) -> dict[str, Any]:
    """The JSON beside an image, with the keys of SYNT_ISIC."""
    return {
        "filename": file.name,
        "class": file.parent.name,
        "seed": parameters.seed,
        "inference_steps": parameters.steps,
        "scheduler": {**DEFAULT_SCHEDULER, "sampler": parameters.sampler},
        "model": {"model_path": parameters.checkpoint, "sha256": parameters.checkpoint_sha256},
        "device": parameters.device,
        "noise_hash": None,
    }


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)
