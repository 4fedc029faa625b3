"""A finished image as a PNG that says by itself how it was made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, PngImagePlugin

from core.classes import CLASSES
from core.errors import IsicGuiError
from core.io.atomic_files import whole_file
from core.io.image_errors import UNREADABLE
from core.io.json_text import parse_json
from core.io.regular_file import open_regular
from core.models.conditions import LABELS, Condition
from core.output.color_adjustment import ColorStatistics
from core.output.parameter_reader import checked_parameters
from core.output.png_text import read_png_text

IMAGE_FORMAT: Final = "isicgui.image/1"
TEXT_CHUNK: Final = "isicgui"
SOURCE: Final = "synthetic"


class ImageFileError(IsicGuiError):
    """A file is not an image of this program, or cannot be read."""


@dataclass(frozen=True)
class ImageParameters:
    """Everything that decided one image; what the PNG's text chunk holds and what reproducing needs.

    ``checkpoint`` is a file name without its folder: a published image must not tell how its maker's disk is laid out.
    ``color_adjustment`` holds the class statistics that were applied, or None. ``condition`` and ``guidance`` are those
    of a metadata-conditioned model; without a class, its images have one of ``core.models.conditions.LABELS`` as class.
    ``lesion_mask`` is whether a mask was written for the image (``core.output.lesion_mask``).
    """

    class_name: str
    isic_number: int
    generated_at: str
    seed: int
    base_seed: int
    sampler: str
    steps: int
    reuse: int
    precision: str
    device: str
    checkpoint: str
    checkpoint_sha256: str
    demonstration: bool
    image_size: int
    color_adjustment: ColorStatistics | None
    isicgui_version: str
    torch_version: str
    diffusers_version: str
    condition: Condition | None = None
    guidance: float | None = None
    lesion_mask: bool = False

    @property
    def filename(self) -> str:
        """``ISIC_0000001.png``."""
        return f"ISIC_{self.isic_number:07d}.png"

    def to_json(self) -> dict[str, Any]:
        """As the text chunk holds it; ``class`` and ``source`` under the names that the CSV uses."""
        values = asdict(self)
        name = values.pop("class_name")
        color = self.color_adjustment.to_json() if self.color_adjustment else None
        if self.condition is None:
            del values["condition"], values["guidance"]
        else:
            values["condition"] = self.condition.to_json()
        if not self.lesion_mask:
            del values["lesion_mask"]
        return {"format": IMAGE_FORMAT, "class": name, "source": SOURCE, **values, "color_adjustment": color}

    @classmethod
    def from_json(cls, values: object) -> ImageParameters:
        """Check and take over what a text chunk contains; fields of later versions are ignored.

        Raises:
            ValueError: not of this format, or a field is missing, of another type or out of its range.
        """
        if not isinstance(values, dict) or values.get("format") != IMAGE_FORMAT:
            raise ValueError(f"its format is not {IMAGE_FORMAT!r}")
        taken = checked_parameters(values)
        labels = CLASSES if taken["condition"] is None else (*CLASSES, *LABELS)
        if taken["class_name"] not in labels:
            raise ValueError(f"the class {taken['class_name']} is not one of {', '.join(labels)}")
        return cls(**taken)


def write_image(path: Path, pixels: np.ndarray, parameters: ImageParameters) -> None:
    """Write a PNG with its parameters; the file is whole or not there.

    Args:
        path: must not exist.
        pixels: uint8 (S, S, 3), RGB.
        parameters: go into the text chunk ``isicgui`` as JSON.

    Raises:
        FileExistsError: there is such a file already.
        OSError: the folder cannot be written, or the disk is full.
    """
    text = PngImagePlugin.PngInfo()
    text.add_text(TEXT_CHUNK, json.dumps(parameters.to_json()))
    with whole_file(path, replace=False) as stream:
        Image.fromarray(pixels).save(stream, format="PNG", pnginfo=text)


def read_parameters(path: Path) -> ImageParameters:
    """Read how an image was made, without decoding its pixels. Nothing in the text chunk is believed unchecked.

    Raises:
        ImageFileError: not there, not a regular file, not a PNG, damaged, or not an image of this program.
    """
    try:
        text = read_png_text(path, TEXT_CHUNK)
    except FileNotFoundError as error:
        raise ImageFileError(f"There is no image {path}.") from error
    except OSError as error:
        raise ImageFileError(f"{path} is not a readable image ({error.strerror}).") from error
    except ValueError as error:
        raise ImageFileError(f"{path} is not a readable image: {error}.") from error
    if text is None:
        raise ImageFileError(
            f"{path} does not say how it was made: it has no text chunk {TEXT_CHUNK!r}, or is not a readable image."
        )
    try:
        return ImageParameters.from_json(parse_json(text))
    except ValueError as error:
        raise ImageFileError(f"{path} does not say how it was made in a way that can be read: {error}.") from error


def read_pixels(path: Path) -> np.ndarray:
    """The pixels of an image, uint8 (H, W, 3).

    Raises:
        ImageFileError: not a readable image.
    """
    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise ImageFileError(f"{path} is not a readable image.") from error
