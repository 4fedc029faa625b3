"""Job files for ``python -m evaluation``. The window never imports that package; it only writes the job file."""

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
    """One evaluation of a generated set against real images.

    Attributes:
        images: the generated set, a folder of class folders.
        real: real images: class folders, or a folder in the HAM10000 format.
        output: folder for the report.
        quick: use fewer real images and repetitions, for a first impression.
        usefulness: also train classifiers with and without the set.
        checkpoints: folder with the classifier, if there is one.
        device: device name, as in a generation job.
    """

    images: Path
    real: Path
    output: Path
    quick: bool = True
    usefulness: bool = False
    checkpoints: Path = CHECKPOINTS
    device: str = AUTO

    def to_json(self) -> dict[str, Any]:
        """Return the content of the job file. Paths are absolute, because the process runs in another folder."""
        paths = ("images", "real", "output", "checkpoints")
        return {
            "format": EVALUATION_FORMAT,
            **{name: str(getattr(self, name).resolve()) for name in paths},
            "quick": self.quick,
            "utility": _USEFULNESS if self.usefulness else "",
            "device": self.device,
        }

    def encoded(self) -> bytes:
        """Return the job file as UTF-8 JSON."""
        return encode_json(self.to_json(), indent=2)


def report_folder(images: Path) -> Path:
    """Return the default folder of a report: next to the set, never inside it."""
    return images.with_name(f"{images.name}_evaluation")
