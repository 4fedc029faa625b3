"""``main.py generate --explain-every --analyse-every``: images and, beside them, explanations by real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import explaining
from cli.application import main
from cli.generate import JsonLines
from core.generation.events import Event, JobFinished
from core.paths import CLASSIFIER_FILE
from tests.xai.networks import write_classifier

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def generate(tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*more: str, code: int = 0) -> list[dict[str, Any]]:
        fixed = ["--steps", "2", "--device", "cpu", "--precision", "fp32", "--batch-size", "1", "--json"]
        folders = ["--checkpoints", str(tmp_path / "models"), "--output", str(tmp_path / "o")]
        assert main(["generate", *folders, *fixed, "--explanations", str(tmp_path / "x"), *more]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    write_classifier(tmp_path / "models")
    for file in tiny_checkpoints.iterdir():
        (tmp_path / "models" / file.name).write_bytes(file.read_bytes())
    return run


@pytest.fixture
def small_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analyses that are small enough for tests."""
    command = (sys.executable, "-m", "tests.xai.small_analysis")
    monkeypatch.setattr(explaining, "headless_command", lambda _package: command)


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


def test_the_interval_counts_the_images_of_the_class_folder(generate: Run) -> None:
    def explained(*more: str) -> list[str]:
        events = generate("--classes", "MEL=3", "--explain-every", "5", *more)
        return [Path(event["path"]).stem[-2:] for event in events if event["event"] == "image_explained"]

    assert explained() == ["01"]
    assert explained() == ["05"]


def test_a_job_without_an_explained_image_names_the_next_one(generate: Run) -> None:
    generate("--classes", "MEL=2")
    events = generate("--classes", "MEL=1", "--explain-every", "5")
    notices = [event["text"] for event in events if event["event"] == "notice"]
    assert notices == ["No image of MEL is explained in this job; the next is number 5."]


@pytest.mark.usefixtures("small_analysis")
def test_every_nth_image_is_analysed_beside_its_overlay(generate: Run, tmp_path: Path) -> None:
    events = generate("--classes", "MEL=3", "--steps", "6", "--explain-every", "1", "--analyse-every", "2")
    (analysed,) = [event for event in events if event["event"] == "image_analysed"]
    assert Path(analysed["path"]).name == "ISIC_0000002.png"
    report = Path(analysed["report"])
    assert report.is_relative_to(tmp_path / "x")
    facts = json.loads((report.parent / "analysis.json").read_text(encoding="utf-8"))
    assert facts["trajectory"]["origin"] == "recorded"
    assert sum(analysed["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    fractions = [event["fraction"] for event in events if event["event"] == "analysis_progress"]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1
    explained = [Path(event["path"]).stem[-2:] for event in events if event["event"] == "image_explained"]
    assert explained == ["01", "02", "03"]


@pytest.mark.usefixtures("small_analysis", "generate")
def test_the_terminal_shows_how_far_an_analysis_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--checkpoints", str(tmp_path / "models"), "--output", str(tmp_path / "o"), "--steps", "2"]
    more = ["--classes", "NV=1", "--device", "cpu", "--analyse-every", "100", "--explanations", str(tmp_path / "x")]
    assert main(["generate", *arguments, *more]) == 0
    shown = capsys.readouterr()
    assert "1 image in" in shown.out
    assert "Analysing NV/ISIC_0000001.png: faithfulness" in shown.err
    assert "NV/ISIC_0000001.png is analysed: " in shown.err


@pytest.mark.usefixtures("small_analysis")
def test_an_analysis_that_is_refused_stops_no_image(generate: Run, tmp_path: Path) -> None:
    (tmp_path / "models" / CLASSIFIER_FILE).write_text("not weights")
    events = generate("--classes", "MEL=2", "--explain-every", "1", "--analyse-every", "1")
    warned = [event["text"] for event in events if event["event"] == "warned"]
    assert [text.partition(":")[0] for text in warned] == [
        "Overlays are off for this job",
        "Full analyses are off for this job",
    ]
    assert sum(event["event"] == "image_saved" for event in events) == 2


@pytest.mark.parametrize("option", ["--explain-every", "--analyse-every"])
def test_a_worker_that_dies_is_an_error_of_the_run_and_the_images_are_kept(
    tiny_checkpoints: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
) -> None:
    def dies(_: object) -> bytes:
        raise IndexError("an error that nobody foresaw")

    monkeypatch.setattr(explaining.ExplanationJob, "encoded", dies)
    options = ["--classes", "MEL=2", "--steps", "2", "--device", "cpu", "--precision", "fp32"]
    folders = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "o")]
    assert main(["generate", *options, *folders, option, "1", "--explanations", str(tmp_path / "x")]) == 1
    assert "error: The explanations failed (IndexError: an error that nobody foresaw)" in capsys.readouterr().err
    assert len(list((tmp_path / "o" / "MEL").glob("*.png"))) == 2


def test_an_interrupt_while_overlays_are_still_made_is_130(
    generate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = JsonLines.show

    def interrupt_after_the_images(lines: JsonLines, event: Event) -> None:
        show(lines, event)
        if isinstance(event, JobFinished):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(JsonLines, "show", interrupt_after_the_images)
    events = generate("--classes", "MEL=3", "--explain-every", "1", code=130)
    finished = next(event for event in events if event["event"] == "job_finished")
    assert (finished["saved"], finished["stopped"]) == (3, False)
    explained = sum(event["event"] == "image_explained" for event in events)
    assert events[-1]["text"] == f"Stopped; explanations that are missing: {3 - explained}."
    assert not list(tmp_path.glob("x/**/*.part"))


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


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_folders_whose_names_are_not_utf8_work_from_end_to_end(generate: Run, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    (tmp_path / "models").rename(odd)
    output, results = odd / "o", odd / "x"
    folders = ["--checkpoints", str(odd), "--output", str(output)]
    events = generate("--classes", "MEL=1", "--explain-every", "1", *folders, "--explanations", str(results))
    assert [event["event"] for event in events if event["event"] in ("warned", "image_explained")] == [
        "image_explained"
    ]
    assert Path(next(event["overlay"] for event in events if event["event"] == "image_explained")).is_file()
    assert (output / "MEL" / "ISIC_0000001.png").is_file()
