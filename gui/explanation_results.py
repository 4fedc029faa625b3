"""What the last explanation of an image found, read from its JSON file. Free of widgets and of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.classes import CLASSES
from core.errors import IsicGuiError
from core.io.json_text import parse_json
from xai.job import FACTS_FILE, MAP_FILE, REPORT_FILE, result_folder


@dataclass(frozen=True)
class Explained:
    """An explanation of an image.

    Attributes:
        probabilities: of all classes, in their order.
        classifier: the file or the name of the weights.
        head_trained: whether the probabilities mean anything.
        overlay: the picture of the map over the image; may not be there.
        report: of the full analysis; None where there was none.
    """

    probabilities: Mapping[str, float]
    classifier: str
    head_trained: bool
    overlay: Path
    report: Path | None

    @property
    def source(self) -> str:
        """Who says so, in words."""
        head = "" if self.head_trained else "; its head is untrained, so they mean nothing"
        return f"by {self.classifier}{head}"


def read_explained(results: Path, image: Path) -> Explained | None:
    """The explanation of an image in the folder of all results; None where there is none that can be read."""
    try:
        folder = result_folder(results, image)
        facts = parse_json((folder / FACTS_FILE).read_text(encoding="utf-8"))
        probabilities = {name: float(facts["probabilities"][name]) for name in CLASSES}
        classifier = facts["classifier"]
        source, head_trained = str(classifier["source"]), bool(classifier["head_trained"])
    except (IsicGuiError, OSError, ValueError, KeyError, TypeError):
        return None
    report = folder / REPORT_FILE
    return Explained(probabilities, source, head_trained, folder / MAP_FILE, report if report.is_file() else None)
