"""Measure skin tone on the image: the individual typology angle of the skin around the lesion.

ITA = arctan((L* - 50) / b*) in degrees (A. Chardon et al., Int. J. Cosmet. Sci. 13, 1991), from the median colour of
the pixels outside the lesion mask, as N. Kinyanjui et al. did for dermoscopy (MICCAI 2020, arXiv 1910.13268).

The measure is coarse. Cameras, polarisation and white balance of HAM10000 are unknown, so the angle describes how light
the skin is *in the image*. Methods of this kind disagree strongly on dermoscopy (arXiv 2308.09640), and the groups are
not Fitzpatrick types.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from core.models.conditions import TONES, UNKNOWN

_LIMITS: Final = (55.0, 41.0, 28.0, 10.0, -30.0)
_MARGIN: Final = 0.04  # share of the side; pigment extends beyond the mask
_DARKEST: Final = 25.0  # pixels with a lower L* are the rim of the lens, hair or ink
_LEAST_SHARE: Final = 0.05  # share of the image that must be skin


def typology_angle(pixels: np.ndarray, lesion: np.ndarray) -> float | None:
    """Individual typology angle of the skin outside the lesion, in degrees; None if too little skin is visible.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        lesion: bool (H, W).
    """
    margin = max(1, round(_MARGIN * max(lesion.shape)))
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    covered = cv2.dilate(lesion.astype(np.uint8), kernel).astype(bool)
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    skin = lab[~covered & (lab[..., 0] > _DARKEST)]
    if len(skin) < _LEAST_SHARE * lesion.size:
        return None
    lightness, _, yellowness = np.median(skin, axis=0)
    return math.degrees(math.atan2(lightness - 50, yellowness))


def tone_group(angle: float | None) -> str:
    """The skin tone of an angle."""
    return UNKNOWN if angle is None else TONES[sum(angle <= limit for limit in _LIMITS)]
