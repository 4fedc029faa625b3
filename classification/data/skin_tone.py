"""Skin tone measured on the image: the individual typology angle of the skin around the lesion.

ITA = arctan((L* - 50) / b*) in degrees (A. Chardon et al., Int. J. Cosmet. Sci. 13, 1991), from the median colour of
the pixels outside the lesion mask, as N. Kinyanjui et al. did for dermoscopy (MICCAI 2020, arXiv 1910.13268).

It is a coarse measure. HAM10000's cameras, polarisation and white balance are unknown, so an angle says how light
the skin is *in the image*; methods of this kind disagree strongly on dermoscopy (arXiv 2308.09640), and the groups
are not Fitzpatrick's types.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from PIL import Image

from classification.data.collection import LabelledImage
from core.errors import ArgumentError
from core.output.image_file import UNREADABLE

TONES: Final = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""Del Bino's classes, from above 55 degrees down to below -30 (S. Del Bino, F. Bernerd, Br. J. Dermatol. 169, 2013)."""
_LIMITS: Final = (55.0, 41.0, 28.0, 10.0, -30.0)
_UNKNOWN: Final = "unknown"
_MARGIN: Final = 0.04  # of the side: pigment fades out beyond the mask
_DARKEST: Final = 25.0  # L* below: the rim of the lens, hair, ink
_LEAST_SHARE: Final = 0.05  # of the image that must be skin


def typology_angle(pixels: np.ndarray, lesion: np.ndarray) -> float | None:
    """Individual typology angle of the skin outside the lesion, in degrees; None where too little skin is seen.

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
    """The class of an angle."""
    return _UNKNOWN if angle is None else TONES[sum(angle <= limit for limit in _LIMITS)]


def tone_of(image: LabelledImage) -> str:
    """The class of an image whose lesion mask, ``<image_id>.png``, lies in its folder of masks; unknown without one.

    Raises:
        ArgumentError: the image or its mask cannot be read.
    """
    mask = image.masks / f"{image.image_id}.png" if image.masks else None
    if mask is None or not mask.is_file():
        return _UNKNOWN
    try:
        with Image.open(image.path) as picture, Image.open(mask) as outline:
            pixels = np.asarray(picture.convert("RGB"))
            lesion = np.asarray(outline.convert("L").resize(picture.size, Image.Resampling.NEAREST)) > 127
    except UNREADABLE as error:
        raise ArgumentError(f"{image.path} or its mask is not a readable image ({error}); restore it.") from error
    return tone_group(typology_angle(pixels, lesion))
