"""What a training image may turn into without changing its label (albumentations)."""

from __future__ import annotations

import math
import os
from typing import Any, Final

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it would ask a server for a newer version
import albumentations as A  # noqa: N812 - its documentation's name

cv2.setNumThreads(0)  # the cores belong to the network


_AREA: Final = (0.4, 1.0)


def source_size(size: int) -> int:
    """How large images should be, in pixels, that are cropped to ``size``: then a mean crop has about that size.

    Enlarged crops would be less sharp than the whole images that are judged later. That they train a worse network has
    not been shown (``docs/classification.md``).
    """
    return math.ceil(size / math.sqrt(sum(_AREA) / 2))


class Augmentation:
    """Random changes of one image, each a function of the seed alone.

    A crop of 40 to 100% of the area, one of the eight symmetries of the square (a lesion has no upright position),
    a rotation and slight shear, light and colour as they differ between dermatoscopes, and a covered rectangle.

    Args:
        size: height and width of what comes out, in pixels.
    """

    def __init__(self, size: int) -> None:
        self._change: Any = A.Compose(
            [
                A.RandomResizedCrop((size, size), scale=_AREA, ratio=(0.85, 1.18), area_for_downscale="image"),
                A.D4(p=1.0),
                A.Affine(rotate=(-45, 45), shear=(-8, 8), border_mode=cv2.BORDER_REFLECT_101, p=0.3),
                A.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.03, 0.03), p=0.8),
                A.CoarseDropout(
                    num_holes_range=(1, 1), hole_height_range=(0.1, 0.3), hole_width_range=(0.1, 0.3), p=0.3
                ),
            ]
        )

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Change an image, uint8 (H, W, 3); returns uint8 (size, size, 3)."""
        self._change.set_random_seed(seed)
        changed: np.ndarray = self._change(image=np.ascontiguousarray(image))["image"]
        return changed
