"""What the window asks of the explanations package: which images, and one job file for each."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

JOB_FORMAT: Final = "isicgui.xai/1"
NOT_HERE: Final = "Explanations are not part of this version."


def explanations_available() -> bool:
    """Whether the explanations package is installed with the program; looks without importing it."""
    return importlib.util.find_spec("xai") is not None


def wants_explanation(position: int, count: int, cadence: int) -> bool:
    """Whether the ``position``-th image (from 1) of ``count`` of its class is explained during generation.

    Every ``cadence``-th one; the first where the class has fewer.
    """
    return position == 1 if count < cadence else position % cadence == 0


def explanations_wanted(count: int, cadence: int) -> int:
    """How many of ``count`` images of a class are explained."""
    return 1 if 0 < count < cadence else count // cadence


@dataclass(frozen=True)
class ExplanationJob:
    """A full analysis of one image.

    Attributes:
        image: the PNG, which says itself how it was made.
        checkpoints: folder with the classifier and the image's checkpoint.
        output: folder that receives the results.
        stride: timestep stride for saving steps, also exported as ``XAI_SAVE_EVERY_N``.
        device: as in a generation job.
    """

    image: Path
    checkpoints: Path
    output: Path
    stride: int
    device: str

    def to_json(self) -> dict[str, Any]:
        """As the job file holds it."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        return {"format": JOB_FORMAT, **values}

    def encoded(self) -> bytes:
        """The content of the job file, UTF-8 JSON."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=2).encode()
