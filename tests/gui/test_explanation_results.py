from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from core.classes import CLASSES
from gui.explanation_results import Explained, read_explained
from gui.widgets.probability_bars import ProbabilityBars
from tests.conftest import REAL_IMAGES
from xai.job import result_folder

REAL_IMAGE = REAL_IMAGES / "images" / "ISIC_0024310.jpg"
PROBABILITIES = dict(zip(CLASSES, (0.1, 0.5, 0.02, 0.2, 0.03, 0.05, 0.1), strict=True))
FACTS: dict[str, Any] = {
    "probabilities": PROBABILITIES,
    "classifier": {"source": "classifier.pth", "head_trained": True},
}


def write(results: Path, content: str) -> Path:
    folder = result_folder(results, REAL_IMAGE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image_facts.json").write_text(content, encoding="utf-8")
    return folder


def test_an_explanation_is_found_by_the_image(tmp_path: Path) -> None:
    folder = write(tmp_path, json.dumps(FACTS))
    explained = Explained(PROBABILITIES, "classifier.pth", True, folder / "image_map.png", None)
    assert read_explained(tmp_path, REAL_IMAGE) == explained
    (folder / "report.html").write_text("")
    found = read_explained(tmp_path, REAL_IMAGE)
    assert found is not None
    assert found.report == folder / "report.html"


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", "[" * 100_000, '{"probabilities": {"MEL": 1}}', json.dumps({**FACTS, "classifier": None})),
        *(
            json.dumps({**FACTS, "probabilities": {**PROBABILITIES, "MEL": value}})
            for value in (10**400, -1, 2, True, "0.1", None, math.nan, math.inf)
        ),
    ],
)
def test_unreadable_explanations_are_ignored(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    assert read_explained(tmp_path, REAL_IMAGE) is None
    assert read_explained(tmp_path, tmp_path / "gone.png") is None


def test_the_bars_show_the_probabilities_the_highest_first(qtbot: QtBot, tmp_path: Path) -> None:
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    bars.show()
    assert "not explained yet" in bars.note.text()
    assert not bars.bars["NV"].isVisible()
    bars.show_explained(Explained(PROBABILITIES, "classifier.pth", False, tmp_path, None))
    bars.layout().activate()
    assert bars.note.text() == "by classifier.pth; its head is untrained: ignore these values"
    assert {name: bar.value() for name, bar in bars.bars.items()} == {
        name: round(1000 * value) for name, value in PROBABILITIES.items()
    }
    assert bars.percents["NV"].text() == "50.0%"
    from_above = sorted(CLASSES, key=lambda name: bars.bars[name].y())
    assert from_above[:2] == ["NV", "AKIEC"]
    assert from_above[-1] == "BCC"
    bars.show_explained(None)
    assert not bars.bars["NV"].isVisible()
