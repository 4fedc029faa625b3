"""The trajectory of a saved image, and only of that: recorded or made again, and checked equal before it is used."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import IsicGuiError
from core.generation.denoising import to_pixels
from core.generation.reproduction import prepare_repetition
from core.generation.trajectory import Trajectory, read_trajectory, trajectory_file
from core.models.checkpoints import ModelCache
from core.output.color_adjustment import adjust
from core.output.image_file import ImageParameters, read_parameters, read_pixels

RECORDED: Final = "recorded"
REPEATED: Final = "made again"


class TrajectoryMismatchError(IsicGuiError):
    """A trajectory does not end in the saved image."""


@dataclass(frozen=True)
class CheckedTrajectory:
    """The x0 estimates on the way to a saved image, in its colours; the last is the saved image itself.

    Attributes:
        frames: uint8 (T, S, S, 3).
        timesteps: (T,), of the training schedule, falling.
        origin: ``RECORDED`` or ``REPEATED``.
        maximum_difference: between the end of the trajectory and the saved image, in grey levels of 255.
        tolerance: the largest difference that was accepted.
        place: device and precision that it was made on again; empty for a recorded one.
    """

    frames: np.ndarray = field(repr=False)
    timesteps: tuple[int, ...]
    origin: str
    maximum_difference: int
    tolerance: int
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """What is known of it, without its frames."""
        return {
            "origin": self.origin,
            "steps": len(self.frames),
            "timesteps": list(self.timesteps),
            "maximum_difference": self.maximum_difference,
            "tolerance": self.tolerance,
            "made_again_on": self.place,
        }


@dataclass(frozen=True)
class Traced:
    """The trajectory of an image, or none; and in sentences what went otherwise than hoped for."""

    trajectory: CheckedTrajectory | None
    warnings: tuple[str, ...] = ()


def trace(image: Path, checkpoints: Path, device: str | None) -> Generator[tuple[int, int], None, Traced]:
    """Find the trajectory of an image: the one that was recorded beside it, else made again from its parameters.

    Args:
        image: any image file.
        checkpoints: folder of the checkpoint that made it.
        device: to make it again on; None takes the kind that the image names.

    Yields:
        Steps done, of how many, while it is made again.

    Returns:
        It, or the reason why there is none: a real image, a checkpoint that is gone or has changed, another kind of
        device, a result that is not the saved image.
    """
    warnings: list[str] = []
    try:
        parameters = read_parameters(image)
    except IsicGuiError as error:
        return Traced(None, (f"{error} It is explained without a denoising trajectory.",))
    file = trajectory_file(image)
    if file.is_file():
        try:
            return Traced(recorded_trajectory(image, file, parameters))
        except IsicGuiError as error:
            warnings.append(f"{error} The trajectory is made again instead.")
    try:
        repeated = yield from repeat_trajectory(image, checkpoints, device)
    except IsicGuiError as error:
        return Traced(None, (*warnings, f"{error} The image is explained without its denoising trajectory."))
    return Traced(repeated, tuple(warnings))


def recorded_trajectory(image: Path, file: Path, parameters: ImageParameters) -> CheckedTrajectory:
    """Read a recorded trajectory and check that it ends in the saved image, to the last grey level.

    Raises:
        TrajectoryFileError: the file cannot be used.
        TrajectoryMismatchError: it ends in another image.
    """
    trajectory = read_trajectory(file, parameters.seed)
    return _checked(trajectory, image, parameters, RECORDED, tolerance=0)


def repeat_trajectory(
    image: Path, checkpoints: Path, device: str | None
) -> Generator[tuple[int, int], None, CheckedTrajectory]:
    """Make an image again from what it says and check that it comes out as it was saved.

    Yields:
        Steps done, of how many.

    Raises:
        CheckpointError, DeviceError, ImageFileError: it cannot be made again.
        TrajectoryMismatchError: it comes out otherwise.
    """
    repetition = prepare_repetition(image, checkpoints, ModelCache(), device)
    parameters = repetition.parameters
    estimates, timesteps = [], []
    for step in repetition.steps():
        estimates.append(to_pixels(step.estimate)[0])
        timesteps.append(step.timestep)
        yield step.index, parameters.steps
    result = repetition.compare(step.images)
    place = f"{result.device}, {result.precision}"
    trajectory = Trajectory(np.stack(estimates), tuple(timesteps))
    return _checked(trajectory, image, parameters, REPEATED, tolerance=result.tolerance, place=place)


def _checked(
    trajectory: Trajectory, image: Path, parameters: ImageParameters, origin: str, *, tolerance: int, place: str = ""
) -> CheckedTrajectory:
    saved = read_pixels(image)
    estimates, color = trajectory.estimates, parameters.color_adjustment
    if estimates.shape[1:] != saved.shape:
        height, width = saved.shape[:2]
        raise TrajectoryMismatchError(f"{image} is {width}x{height} pixels, and its {origin} trajectory is not.")
    if color is not None:
        estimates = np.stack([adjust(estimate, color, like=estimates[-1]) for estimate in estimates])
    difference = int(np.abs(estimates[-1].astype(np.int16) - saved).max())
    if difference > tolerance:
        raise TrajectoryMismatchError(
            f"The {origin} trajectory of {image} does not end in it: they differ by {difference}/255, "
            f"and {tolerance}/255 is the most that rounding explains."
        )
    return CheckedTrajectory(
        np.concatenate([estimates[:-1], saved[None]]), trajectory.timesteps, origin, difference, tolerance, place
    )
