"""Estimate the duration and the disk space of a job before it starts, from measured speeds and the image size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.generation.job import GenerationJob
from core.generation.wording import reuse_in_words
from core.presets import AUTO, NO_REUSE
from gui.checkpoint_folder import Availability

_BYTES_A_PIXEL: Final = 1.8  # a PNG of skin: 3 channels, compressed to about 60 %


class Forecast:
    """Estimates for jobs on this machine. A speed depends on device, precision, image size, model size and reuse."""

    def __init__(self, speeds: Mapping[str, float]) -> None:
        self.speeds = dict(speeds)
        self.classes: Mapping[str, Availability] = {}
        self.auto_device: str | None = None
        self.auto_precisions: Mapping[str, str] = {}

    def note(self, class_name: str, device: str, precision: str, seconds: float, reuse: int = NO_REUSE) -> None:
        """Store the measured seconds per image and step for the model of a class."""
        key = self._key(class_name, device, precision, reuse)
        if key is not None:
            self.speeds[key] = round(seconds, 6)

    def seconds(self, job: GenerationJob) -> float | None:
        """Return the expected duration in seconds; None if no job with such a model has been measured."""
        device = self.auto_device if job.device == AUTO else job.device
        precision = self.auto_precisions.get(device or "") if job.precision == AUTO else job.precision
        if device is None or precision is None:
            return None
        total = 0.0
        for name, count in job.counts.items():
            speed = self.speeds.get(self._key(name, device, precision, job.reuse) or "")
            if speed is None:
                return None
            total += count * job.steps * speed
        return total

    def size(self, job: GenerationJob) -> float | None:
        """Return the expected size of the images in bytes; None until the checkpoints have been read."""
        total = 0.0
        for name, count in job.counts.items():
            size = self.classes[name].image_size if name in self.classes else None
            if size is None:
                return None
            total += count * size * size * _BYTES_A_PIXEL
        return total

    def _key(self, class_name: str, device: str, precision: str, reuse: int) -> str | None:
        known = self.classes.get(class_name)
        if known is None or known.image_size is None:
            return None
        return f"{device}/{precision}/{known.image_size} px/{known.parameters} weights{reuse_in_words(reuse)}"
