"""Colour adjustment: draw an image's channel means and deviations towards those of real images of its class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import CheckpointError
from core.io.json_text import parse_json
from core.paths import STATISTICS_FILE

SCALE_RANGE: Final = (0.6, 1.4)  # a wider stretch turns noise and JPEG blocks into visible artefacts
BLEND: Final = 0.35
_FLATTEST: Final = 1e-3


@dataclass(frozen=True)
class ColorStatistics:
    """Channel means and standard deviations (R, G, B), 0 to 255."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def to_json(self) -> dict[str, list[float]]:
        """As ``color_statistics.json`` and the PNG hold it."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: object) -> ColorStatistics:
        """Check and take over ``{"mean": [r, g, b], "std": [r, g, b]}``.

        Raises:
            ValueError: anything else, or a value outside 0 to 255.
        """
        if not isinstance(values, Mapping):
            raise ValueError("not an object with mean and std")
        return cls(_triple(values.get("mean")), _triple(values.get("std")))


def load_color_statistics(folder: Path) -> dict[str, ColorStatistics]:
    """The statistics of a checkpoints folder per class code; empty when it has none.

    Raises:
        CheckpointError: the file is there but damaged.
    """
    file = folder / STATISTICS_FILE
    if not file.is_file():
        return {}
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
        return {name: ColorStatistics.from_json(entry["rgb"]) for name, entry in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{file} is not a table of colour statistics ({error}); mend or remove it.") from error


def adjust(pixels: np.ndarray, target: ColorStatistics, like: np.ndarray | None = None) -> np.ndarray:
    """Adjust one image.

    Each channel is scaled about its mean to the target's deviation, by a factor kept within 0.6 and 1.4, and
    moved to the target's mean; 35% of the result is blended with 65% of the image.

    Args:
        pixels: uint8 (S, S, 3).
        target: statistics of real images of the class.
        like: the image whose mean and deviation decide the change, by default this one; an estimate on the way to
            an image is changed as that image is.

    Returns:
        uint8 (S, S, 3).
    """
    image = pixels.astype(np.float64)
    deciding = image if like is None else like.astype(np.float64)
    mean, std = deciding.mean(axis=(0, 1)), deciding.std(axis=(0, 1))
    scale = np.clip(np.asarray(target.std) / np.maximum(std, _FLATTEST), *SCALE_RANGE)
    adjusted = (image - mean) * scale + np.asarray(target.mean)
    blended = image + BLEND * (adjusted - image)
    return np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def measure(images: Iterable[np.ndarray]) -> ColorStatistics:
    """Statistics of a set of images: the mean over images of each image's channel mean and deviation.

    Deviations are taken within each image, because that is what ``adjust`` compares them with; pooled over all
    pixels they would contain the differences between images too.

    Args:
        images: uint8 (S, S, 3) each; at least one.
    """
    facts = [(image.mean(axis=(0, 1)), image.std(axis=(0, 1))) for image in images]
    mean = np.mean([fact[0] for fact in facts], axis=0)
    std = np.mean([fact[1] for fact in facts], axis=0)
    return ColorStatistics(_triple(mean.round(3).tolist()), _triple(std.round(3).tolist()))


def _triple(values: Any) -> tuple[float, float, float]:
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise ValueError("not three numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 255:
            raise ValueError("not three numbers from 0 to 255")
    red, green, blue = map(float, values)
    return red, green, blue
