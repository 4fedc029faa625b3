"""``main.py generate --explain-every``: images, and explanations by a real process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.application import main
from core.paths import CLASSIFIER_FILE
from tests.xai.networks import write_classifier

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def generate(tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*more: str) -> list[dict[str, Any]]:
        fixed = ["--steps", "2", "--device", "cpu", "--precision", "fp32", "--batch-size", "1", "--json"]
        folders = ["--checkpoints", str(tmp_path / "models"), "--output", str(tmp_path / "o")]
        assert main(["generate", *folders, *fixed, *more, "--explanations", str(tmp_path / "x")]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    write_classifier(tmp_path / "models")
    for file in tiny_checkpoints.iterdir():
        (tmp_path / "models" / file.name).write_bytes(file.read_bytes())
    return run


def test_every_nth_image_of_a_class_is_explained(generate: Run, tmp_path: Path) -> None:
    events = generate("--classes", "MEL=3,NV=1", "--explain-every", "2")
    explained = [event for event in events if event["event"] == "image_explained"]
    assert [Path(event["path"]).parts[-2:] for event in explained] == [
        ("MEL", "ISIC_0000002.png"),
        ("NV", "ISIC_0000001.png"),
    ]
    for event in explained:
        assert Path(event["overlay"]).is_file()
        assert Path(event["overlay"]).is_relative_to(tmp_path / "x")
        assert sum(event["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(event["event"] == "image_saved" for event in events) == 4


def test_an_unusable_classifier_does_not_stop_the_generation(generate: Run, tmp_path: Path) -> None:
    (tmp_path / "models" / CLASSIFIER_FILE).write_text("not weights")
    events = generate("--classes", "MEL=2", "--explain-every", "1")
    (warned,) = [event["text"] for event in events if event["event"] == "warned"]
    assert warned.startswith("Overlays are off for this job: ")
    assert CLASSIFIER_FILE in warned
    assert sum(event["event"] == "image_saved" for event in events) == 2
    assert not any(event["event"] == "image_explained" for event in events)


def test_without_a_temporary_folder_images_are_generated_and_the_missing_explanations_reported(
    generate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    events = generate("--classes", "MEL=2", "--explain-every", "1")
    warned = [event["text"] for event in events if event["event"] == "warned"]
    cannot = f"is not explained: The job file cannot be written into {tmp_path / 'gone'} "
    assert [text.partition(" ")[0] for text in warned] == ["MEL/ISIC_0000001.png", "MEL/ISIC_0000002.png"]
    assert all(cannot in text for text in warned)
    assert sum(event["event"] == "image_saved" for event in events) == 2
