"""Random augmentation of training images that does not change their label (albumentations)."""

from __future__ import annotations

import math
import os
from typing import Any, Final

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # without it, the import asks a server for a newer version
import albumentations as A  # noqa: N812 - the name in its documentation

from classification.training.job import AUGMENTATIONS

cv2.setNumThreads(0)  # keep the cores free for the network


_AREA: Final = (0.4, 1.0)
USUAL, STRONG = AUGMENTATIONS


_LARGEST_HOLE: Final = 0.3
_LARGEST_STRONG_HOLE: Final = 0.375


def source_size(size: int) -> int:
    """Size of the source images, in pixels, so that an average crop has about the given size.

    Without it, enlarged crops would be less sharp than the whole images of the evaluation. An effect of this on
    accuracy has not been shown (``docs/measurements/classification.md``).
    """
    return math.ceil(size / math.sqrt(sum(_AREA) / 2))


class Augmentation:
    """Random changes of one image that depend only on the seed.

    ``usual``: a crop of 40 to 100% of the area, one of the eight symmetries of the square (a lesion has no upright
    orientation), a rotation and slight shear, changes of brightness and colour as between dermatoscopes, and a covered
    rectangle. ``strong`` adds blur or noise, a distortion, local contrast (CLAHE) and larger covered rectangles.

    Args:
        size: height and width of the result, in pixels.
        strength: one of ``classification.training.job.AUGMENTATIONS``.
    """

    def __init__(self, size: int, strength: str = USUAL) -> None:
        self._strength = strength
        largest = _LARGEST_STRONG_HOLE if strength == STRONG else _LARGEST_HOLE
        self._change: Any = A.Compose(
            [
                A.RandomResizedCrop((size, size), scale=_AREA, ratio=(0.85, 1.18), area_for_downscale="image"),
                A.D4(p=1.0),
                A.Affine(rotate=(-45, 45), shear=(-8, 8), border_mode=cv2.BORDER_REFLECT_101, p=0.3),
                A.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.03, 0.03), p=0.8),
                *(_strong() if strength == STRONG else ()),
                A.CoarseDropout(
                    num_holes_range=(1, 1), hole_height_range=(0.1, largest), hole_width_range=(0.1, largest), p=0.3
                ),
            ]
        )

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Augment an image, uint8 (H, W, 3); return uint8 (size, size, 3)."""
        self._change.set_random_seed(seed)
        if self._strength == STRONG:
            # albumentations 2.0.8 gives every change the same stream, so that all of them happen or none does.
            for index, change in enumerate(self._change.transforms):
                change.set_random_seed(seed + index)
        changed: np.ndarray = self._change(image=np.ascontiguousarray(image))["image"]
        return changed


def _strong() -> list[Any]:
    """The further changes of ``strong``, as melanoma-fair-xai's full set has them."""
    blur_or_noise = [
        A.MotionBlur(blur_limit=5),
        A.MedianBlur(blur_limit=5),
        A.GaussianBlur(blur_limit=(3, 5)),
        A.GaussNoise(std_range=(0.01, 0.03)),
    ]
    distortion = [
        A.OpticalDistortion(distort_limit=0.5),
        A.GridDistortion(num_steps=5, distort_limit=0.5),
        A.ElasticTransform(alpha=60, sigma=8),
    ]
    return [
        A.OneOf(blur_or_noise, p=0.5),
        A.OneOf(distortion, p=0.5),
        A.CLAHE(clip_limit=4.0, p=0.5),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=20, val_shift_limit=10, p=0.5),
    ]
