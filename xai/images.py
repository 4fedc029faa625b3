"""Read images of any source, not only of this program."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from core.io.image_errors import UNREADABLE
from core.io.regular_file import open_regular
from core.output.image_file import ImageFileError

_SIXTEEN_BITS: Final = 257  # 65535 / 255
_DEEP_MODES: Final = ("I", "F")


def read_image(path: Path) -> np.ndarray:
    """Read the pixels as a viewer shows them: rotated upright, transparency over white, 16 bits converted to 8.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        ImageFileError: the file does not exist, is not a readable image, or exceeds Pillow's limit for the size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a large image below the limit
            with open_regular(path) as stream, Image.open(stream) as image:
                return np.asarray(_in_eight_bits(ImageOps.exif_transpose(image)))
    except FileNotFoundError as error:
        raise ImageFileError(f"There is no image {path}.") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise ImageFileError(f"{path} has more than {limit:.0f} million pixels; make it smaller first.") from error
    except UNREADABLE as error:
        raise ImageFileError(f"{path} is not a readable image.") from error


def _in_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith(_DEEP_MODES):
        return _of_deep_grey(np.nan_to_num(np.asarray(image, np.float32)))
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


def _of_deep_grey(values: np.ndarray) -> Image.Image:
    """Convert grey values of more than 8 bits. Fractions are read as [0, 1], integers as 16 bits or as 8 bits."""
    highest = float(values.max())
    if highest <= 1 and not np.array_equal(values, values.round()):
        scaled = values * 255
    else:
        scaled = values / _SIXTEEN_BITS if highest > 255 else values
    return Image.fromarray(np.clip(scaled, 0, 255).round().astype(np.uint8)).convert("RGB")
