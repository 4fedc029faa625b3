"""Inspect a checkpoints folder by its file names, so that the window can show it before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.models.model_lookup import checkpoint_file
from core.paths import CHECKPOINTS, DEMO_SET

FOLDER_NAME: Final = "checkpoints"


def classes_in(folder: Path) -> tuple[str, ...]:
    """Return the classes with a checkpoint file in the folder, whether usable or not."""
    return tuple(name for name in CLASSES if checkpoint_file(folder, name).is_file())


def find_checkpoints(chosen: Path) -> Path | None:
    """Return the chosen folder, or its subfolder ``checkpoints``, whichever contains checkpoints.

    Returns:
        None if neither is a checkpoints folder.
    """
    inner = chosen / FOLDER_NAME
    if classes_in(chosen):
        return chosen
    if inner.is_dir():
        return inner
    return chosen if chosen.is_dir() and chosen.name == FOLDER_NAME else None


def demo_set_would_fill(folder: Path) -> bool:
    """Return whether a job will unpack the demonstration weights, because the folder has no checkpoint."""
    return not classes_in(folder) and (folder.is_dir() or folder == CHECKPOINTS) and DEMO_SET.is_dir()


@dataclass(frozen=True)
class Availability:
    """Whether a class can be generated.

    Attributes:
        usable: whether the class can be chosen.
        reason: why it cannot be chosen, or a description of the model; shown as a tool tip.
        image_size: width and height in pixels; None until the file has been read.
        parameters: number of weights; None until the file has been read.
        demonstration: whether the file contains bundled demonstration weights.
    """

    usable: bool
    reason: str
    image_size: int | None = None
    parameters: int | None = None
    demonstration: bool = False


def first_look(folder: Path) -> dict[str, Availability]:
    """Return the availability of each class by file names. An existing file counts as usable until it is read."""
    present = classes_in(folder)
    if demo_set_would_fill(folder):
        reason = f"{folder} contains no model. Start unpacks the bundled demonstration weights into it."
        return dict.fromkeys(CLASSES, Availability(True, reason, demonstration=True))
    return {name: _by_file(folder, name, present) for name in CLASSES}


def _by_file(folder: Path, class_name: str, present: tuple[str, ...]) -> Availability:
    file = checkpoint_file(folder, class_name)
    if class_name in present:
        return Availability(True, f"{file.name} exists and is being checked.")
    return Availability(False, f"There is no {file.name} in {folder}; select another models folder or download models.")
