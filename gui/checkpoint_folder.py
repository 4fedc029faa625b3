"""A first look at a checkpoints folder by file names alone: the window shows it before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.models.model_lookup import checkpoint_file
from core.paths import CHECKPOINTS, DEMO_SET

FOLDER_NAME: Final = "checkpoints"


def classes_in(folder: Path) -> tuple[str, ...]:
    """The classes that have a checkpoint file there, usable or not."""
    return tuple(name for name in CLASSES if checkpoint_file(folder, name).is_file())


def find_checkpoints(chosen: Path) -> Path | None:
    """The checkpoints folder that a user means by ``chosen``: itself, or the folder of that name in it.

    Returns:
        None when neither is one.
    """
    inner = chosen / FOLDER_NAME
    if classes_in(chosen):
        return chosen
    if inner.is_dir():
        return inner
    return chosen if chosen.is_dir() and chosen.name == FOLDER_NAME else None


def demo_set_would_fill(folder: Path) -> bool:
    """Whether a job unpacks the demonstration weights there: the folder has no checkpoint at all."""
    return not classes_in(folder) and (folder.is_dir() or folder == CHECKPOINTS) and DEMO_SET.is_dir()


@dataclass(frozen=True)
class Availability:
    """Whether a class can be generated.

    Attributes:
        usable: it can be chosen.
        reason: why not, or what is special about it; shown as a tool tip.
        image_size: pixels; None until the file has been read.
        parameters: weights of the model; None until the file has been read.
        demonstration: the file says that it is one of the bundled demonstration weights.
    """

    usable: bool
    reason: str
    image_size: int | None = None
    parameters: int | None = None
    demonstration: bool = False


def first_look(folder: Path) -> dict[str, Availability]:
    """What each class is to the eye: a file that is there counts as usable until it has been read."""
    there = classes_in(folder)
    if demo_set_would_fill(folder):
        reason = f"{folder} has no model: the bundled demonstration weights are unpacked there at Start."
        return dict.fromkeys(CLASSES, Availability(True, reason, demonstration=True))
    return {name: _by_file(folder, name, there) for name in CLASSES}


def _by_file(folder: Path, class_name: str, there: tuple[str, ...]) -> Availability:
    file = checkpoint_file(folder, class_name)
    if class_name in there:
        return Availability(True, f"{file.name} is there and is being checked.")
    return Availability(False, f"There is no {file.name} in {folder}; select another models folder or download models.")
