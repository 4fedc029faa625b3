"""The skin tone group of a labelled image, from the skin around its lesion mask."""

from __future__ import annotations

import numpy as np
from PIL import Image

from classification.data.collection import LabelledImage
from core.io.image_errors import UNREADABLE
from core.models.conditions import UNKNOWN
from core.real_data.skin_tone import tone_group, typology_angle


def tone_of(image: LabelledImage) -> str:
    """The skin tone of an image, from its lesion mask ``<image_id>.png`` in its folder of masks.

    It is unknown without a mask, and if the image or its mask cannot be read: a damaged file must not stop the job.
    """
    mask = image.masks / f"{image.image_id}.png" if image.masks else None
    if mask is None or not mask.is_file():
        return UNKNOWN
    try:
        with Image.open(image.path) as opened, Image.open(mask) as outline:
            pixels = np.asarray(opened.convert("RGB"))
            lesion = np.asarray(outline.convert("L").resize(opened.size, Image.Resampling.NEAREST)) > 127
    except UNREADABLE:
        return UNKNOWN
    return tone_group(typology_angle(pixels, lesion))
