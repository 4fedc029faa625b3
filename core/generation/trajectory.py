"""The denoising trajectory of an image: its x0 estimate at every step, recorded in a file next to it, or reproduced."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from core.errors import IsicGuiError
from core.io.array_file import ArrayFileError, read_arrays
from core.io.atomic_files import write_whole

TRAJECTORY_FORMAT: Final = "isicgui.trajectory/1"
_SUFFIX: Final = ".trajectory.npz"


class TrajectoryFileError(IsicGuiError):
    """A file is not a recorded trajectory, or cannot be read."""


@dataclass(frozen=True)
class Trajectory:
    """What every step took for the finished image, before any colour adjustment.

    Every sampler's last x0 estimate is the image itself, so a trajectory can be checked against its image.

    Attributes:
        estimates: uint8 (T, S, S, 3), the x0 estimates in the order of the steps.
        timesteps: (T,), of the training schedule, falling.
    """

    estimates: np.ndarray = field(repr=False)
    timesteps: tuple[int, ...]


def trajectory_file(image: Path) -> Path:
    """Where the trajectory of an image is recorded: beside it, under a name that no image loader takes."""
    return image.with_name(image.stem + _SUFFIX)


def write_trajectory(path: Path, estimates: Sequence[np.ndarray], timesteps: Sequence[int], seed: int) -> None:
    """Record a trajectory; the file is whole or not there, and replaces one of that name.

    Args:
        path: of ``trajectory_file``.
        estimates: uint8 (S, S, 3) each, one a step.
        timesteps: one a step.
        seed: of the image; with the checkpoint's hash in the image it says whose trajectory this is.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    stream = io.BytesIO()
    np.savez(  # estimates are mostly noise: compression saves a fifth, at twenty times the time
        stream,
        format=np.array(TRAJECTORY_FORMAT),
        estimates=np.stack(estimates),
        timesteps=np.array(timesteps, np.int32),
        seed=np.array(seed, np.int64),
    )
    write_whole(path, stream.getvalue())


def read_trajectory(path: Path, seed: int) -> Trajectory:
    """Read the recorded trajectory of the image with this seed.

    Raises:
        TrajectoryFileError: not a trajectory, damaged, or another image's; says which.
    """
    try:
        found = read_arrays(path, ("format", "seed", "estimates", "timesteps"))
    except ArrayFileError as error:
        raise TrajectoryFileError(f"{path} is damaged or not a recorded trajectory ({error}).") from error
    estimates, timesteps = found["estimates"], found["timesteps"]
    fits = estimates.ndim == 4 and estimates.dtype == np.uint8 and timesteps.shape == estimates.shape[:1]
    fits = fits and estimates.shape[1] == estimates.shape[2] and estimates.shape[3] == 3
    fits = fits and timesteps.dtype.kind in "iu" and found["seed"].shape == () and found["seed"].dtype.kind in "iu"
    if str(found["format"]) != TRAJECTORY_FORMAT or not fits or not estimates.size:
        raise TrajectoryFileError(f"{path} does not have the form {TRAJECTORY_FORMAT}.")
    recorded_seed = int(found["seed"])
    if recorded_seed != seed:
        raise TrajectoryFileError(f"{path} is of an image with seed {recorded_seed}, not {seed}; remove it.")
    return Trajectory(estimates, tuple(int(timestep) for timestep in timesteps))
