"""What the window asks of ``python -m evaluation``. That package itself is never imported here: the job file is all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.io.json_text import encode_json
from core.paths import CHECKPOINTS
from core.presets import AUTO

EVALUATION_FORMAT: Final = "isicgui.evaluation/1"
_USEFULNESS: Final = "features"


@dataclass(frozen=True)
class EvaluationRequest:
    """One generated set to be measured against real images.

    Attributes:
        images: the set, class folders.
        real: real images: class folders, or HAM10000's form.
        output: folder that receives the report.
        quick: fewer real images and repetitions, for a first look.
        usefulness: also train classifiers with and without the set.
        checkpoints: folder that may hold the classifier.
        device: as in a generation job.
    """

    images: Path
    real: Path
    output: Path
    quick: bool = True
    usefulness: bool = False
    checkpoints: Path = CHECKPOINTS
    device: str = AUTO

    def to_json(self) -> dict[str, Any]:
        """As the job file holds it; paths are made absolute, because the process works in another folder."""
        paths = ("images", "real", "output", "checkpoints")
        return {
            "format": EVALUATION_FORMAT,
            **{name: str(getattr(self, name).resolve()) for name in paths},
            "quick": self.quick,
            "utility": _USEFULNESS if self.usefulness else "",
            "device": self.device,
        }

    def encoded(self) -> bytes:
        """The content of the job file, UTF-8 JSON."""
        return encode_json(self.to_json(), indent=2)


def report_folder(images: Path) -> Path:
    """Where the report of a set goes unless another folder is named: beside the set, never among its images."""
    return images.with_name(f"{images.name}_evaluation")
