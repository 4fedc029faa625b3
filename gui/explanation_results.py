"""Read the last explanation of an image from its JSON file. Needs neither widgets nor torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.errors import IsicGuiError
from core.io.json_text import parse_json
from core.io.regular_file import read_regular
from xai.job import FACTS_FILE, MAP_FILE, REPORT_FILE, result_folder

_LARGEST_FACTS: Final = 1 << 22


@dataclass(frozen=True)
class Explained:
    """The explanation of an image.

    Attributes:
        probabilities: probability of each class, in the order of the classes.
        classifier: file or name of the weights.
        head_trained: whether the last layer is trained; if not, the probabilities are meaningless.
        overlay: path of the map drawn over the image; the file may be missing.
        report: path of the report of the full analysis; None if there is none.
    """

    probabilities: Mapping[str, float]
    classifier: str
    head_trained: bool
    overlay: Path
    report: Path | None

    @property
    def source(self) -> str:
        """Return the name of the classifier as text, with a warning if its head is untrained."""
        head = "" if self.head_trained else "; its head is untrained: ignore these values"
        return f"by {self.classifier}{head}"


def read_explained(results: Path, image: Path) -> Explained | None:
    """Return the explanation of an image from the folder of all results; None if there is no readable one."""
    try:
        folder = result_folder(results, image)
        facts = parse_json(read_regular(folder / FACTS_FILE, _LARGEST_FACTS).decode("utf-8"))
        probabilities = {name: _probability(facts["probabilities"][name]) for name in CLASSES}
        classifier = facts["classifier"]
        source, head_trained = str(classifier["source"]), bool(classifier["head_trained"])
    except (IsicGuiError, OSError, ValueError, KeyError, TypeError):
        return None
    report = folder / REPORT_FILE
    return Explained(probabilities, source, head_trained, folder / MAP_FILE, report if report.is_file() else None)


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError("not a probability")
    return float(value)
