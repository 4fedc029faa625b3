"""The states of a job in the window."""

from __future__ import annotations

import enum


class JobState(enum.Enum):
    """The current state of the job."""

    IDLE = "ready"
    RUNNING = "running"
    PAUSING = "pausing after this step"
    PAUSED = "paused"
    STOPPING_AFTER_IMAGE = "stopping after this image"
    STOPPING_NOW = "stopping"
    REPRODUCING = "reproducing an image"
