"""Load the denoising trajectory of a saved image, recorded or reproduced, and check that it ends in that image."""

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
REPRODUCED: Final = "reproduced"


class TrajectoryMismatchError(IsicGuiError):
    """A trajectory does not end in the saved image."""


@dataclass(frozen=True)
class CheckedTrajectory:
    """The x0 estimates of all denoising steps of a saved image, after its colour adjustment.

    Attributes:
        frames: uint8 (T, S, S, 3). The last frame is the saved image itself.
        timesteps: T timesteps of the training schedule, in falling order.
        origin: ``RECORDED`` or ``REPRODUCED``.
        maximum_difference: largest difference between the end of the trajectory and the saved image, in grey
            levels (0 to 255).
        tolerance: largest accepted difference, in grey levels.
        reproduced_on: device and precision of a reproduced trajectory; empty for a recorded one.
    """

    frames: np.ndarray = field(repr=False)
    timesteps: tuple[int, ...]
    origin: str
    maximum_difference: int
    tolerance: int
    reproduced_on: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return every attribute except the frames, ready for JSON."""
        return {
            "origin": self.origin,
            "steps": len(self.frames),
            "timesteps": list(self.timesteps),
            "maximum_difference": self.maximum_difference,
            "tolerance": self.tolerance,
            "reproduced_on": self.reproduced_on,
        }


@dataclass(frozen=True)
class Traced:
    """The trajectory of an image, or None, and warnings as full sentences."""

    trajectory: CheckedTrajectory | None
    warnings: tuple[str, ...] = ()


def trace(image: Path, checkpoints: Path, device: str | None) -> Generator[tuple[int, int], None, Traced]:
    """Load the recorded trajectory of an image. If there is none, reproduce it from the image's parameters.

    Args:
        image: any image file.
        checkpoints: folder of the checkpoint that generated the image.
        device: device for the reproduction; None selects the device type recorded in the image.

    Yields:
        Number of finished steps and number of all steps, during a reproduction.

    Returns:
        The trajectory, or None with a warning that gives the reason: the image is real, the checkpoint is missing
        or has changed, the device type differs, or the result is not the saved image.
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
            warnings.append(f"{error} The trajectory is reproduced instead.")
    try:
        reproduced = yield from reproduce_trajectory(image, checkpoints, device)
    except IsicGuiError as error:
        return Traced(None, (*warnings, f"{error} The image is explained without its denoising trajectory."))
    return Traced(reproduced, tuple(warnings))


def recorded_trajectory(image: Path, file: Path, parameters: ImageParameters) -> CheckedTrajectory:
    """Read a recorded trajectory and check that its last frame equals the saved image exactly.

    Raises:
        TrajectoryFileError: the file cannot be used.
        TrajectoryMismatchError: the trajectory ends in another image.
    """
    trajectory = read_trajectory(file, parameters.seed)
    return _checked(trajectory, image, parameters, RECORDED, tolerance=0)


def reproduce_trajectory(
    image: Path, checkpoints: Path, device: str | None
) -> Generator[tuple[int, int], None, CheckedTrajectory]:
    """Reproduce an image from its stored parameters and check that the result equals the saved image.

    Yields:
        Number of finished steps and number of all steps.

    Raises:
        CheckpointError, DeviceError, ImageFileError: the image cannot be reproduced.
        TrajectoryMismatchError: the result differs from the saved image.
    """
    repetition = prepare_repetition(image, checkpoints, ModelCache(), device)
    parameters = repetition.parameters
    estimates, timesteps = [], []
    for step in repetition.steps():
        estimates.append(to_pixels(step.estimate)[0])
        timesteps.append(step.timestep)
        yield step.index, parameters.steps
    result = repetition.compare(step.images)
    reproduced_on = f"{result.device}, {result.precision}"
    trajectory = Trajectory(np.stack(estimates), tuple(timesteps))
    return _checked(trajectory, image, parameters, REPRODUCED, tolerance=result.tolerance, reproduced_on=reproduced_on)


def _checked(
    trajectory: Trajectory,
    image: Path,
    parameters: ImageParameters,
    origin: str,
    *,
    tolerance: int,
    reproduced_on: str = "",
) -> CheckedTrajectory:
    saved = read_pixels(image)
    estimates, color = trajectory.estimates, parameters.color_adjustment
    if estimates.shape[1:] != saved.shape:
        height, width = saved.shape[:2]
        raise TrajectoryMismatchError(
            f"{image} has {width}x{height} pixels, but its {origin} trajectory has another size."
        )
    if color is not None:
        estimates = np.stack([adjust(estimate, color, like=estimates[-1]) for estimate in estimates])
    difference = int(np.abs(estimates[-1].astype(np.int16) - saved).max())
    if difference > tolerance:
        raise TrajectoryMismatchError(
            f"The {origin} trajectory of {image} does not end in the saved image: they differ by {difference}/255, "
            f"and rounding explains at most {tolerance}/255."
        )
    frames = np.concatenate([estimates[:-1], saved[None]])
    return CheckedTrajectory(frames, trajectory.timesteps, origin, difference, tolerance, reproduced_on)
