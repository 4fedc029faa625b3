"""The skin tone group of a labelled image, from the skin around its lesion mask."""

from __future__ import annotations

import numpy as np
from PIL import Image

from classification.data.collection import LabelledImage
from core.errors import ArgumentError
from core.models.conditions import UNKNOWN
from core.output.image_file import UNREADABLE
from core.real_data.skin_tone import tone_group, typology_angle


def tone_of(image: LabelledImage) -> str:
    """The skin tone of an image, from its lesion mask ``<image_id>.png``; unknown without a mask.

    Raises:
        ArgumentError: the image or its mask cannot be read.
    """
    mask = image.masks / f"{image.image_id}.png" if image.masks else None
    if mask is None or not mask.is_file():
        return UNKNOWN
    try:
        with Image.open(image.path) as opened, Image.open(mask) as outline:
            pixels = np.asarray(opened.convert("RGB"))
            lesion = np.asarray(outline.convert("L").resize(opened.size, Image.Resampling.NEAREST)) > 127
    except UNREADABLE as error:
        raise ArgumentError(f"{image.path} or its mask is not a readable image ({error}); restore it.") from error
    return tone_group(typology_angle(pixels, lesion))
