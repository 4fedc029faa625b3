from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.generation.events import ClassStarted, ImageFailed, ImageSaved, JobStarted, Paused, Resumed
from gui.job_progress import JobProgress
from gui.tasks.generation import ImageReport, StepReport
from tests.gui.conftest import job


def started(path: Path) -> list[object]:
    return [
        JobStarted(3, 10, "ddpm", 1, "cpu", "fp32", path, 42, {"MEL": 1}),
        ClassStarted("MEL", 2, "unet_MEL_best.pth", "", 2),
    ]


def saved(path: Path, done: int) -> ImageReport:
    parameters: Any = None
    return ImageReport(ImageSaved(path, parameters, done, 3), None)


def test_counts_steps_of_single_images(tmp_path: Path) -> None:
    progress = JobProgress(job(tmp_path))
    reports = [
        *started(tmp_path),
        StepReport("MEL", (1, 2), 5, 10, None),
        StepReport("MEL", (1, 2), 10, 10, None),
        saved(tmp_path, 1),
        saved(tmp_path, 2),
    ]
    positions = []
    for second, report in enumerate(reports):
        progress.note(report, float(second))
        positions.append(progress.position)
    assert positions == [0, 0, 10, 20, 20, 20]
    assert (progress.total, progress.done, progress.device) == (30, 2, "cpu")
    assert progress.seconds_left == pytest.approx(10 * (2 / 20))


def test_a_pause_does_not_count(tmp_path: Path) -> None:
    progress = JobProgress(job(tmp_path))
    for second, report in (
        *((0.0, report) for report in started(tmp_path)),
        (3.0, StepReport("MEL", (1,), 3, 10, None)),
        (4.0, Paused()),
        (500.0, Resumed()),
        (503.0, StepReport("MEL", (1,), 6, 10, None)),
    ):
        progress.note(report, second)
    assert progress.seconds_a_step == pytest.approx(1.0)


def test_a_failed_image_counts_as_finished(tmp_path: Path) -> None:
    progress = JobProgress(job(tmp_path))
    progress.note(ImageFailed("MEL", 1, 1, "empty", 1, 3), 1.0)
    assert (progress.done, progress.position) == (1, 10)


def test_a_repeated_batch_does_not_reduce_the_progress(tmp_path: Path) -> None:
    progress = JobProgress(job(tmp_path))
    progress.note(StepReport("MEL", (1, 2), 9, 10, None), 1.0)
    progress.note(StepReport("MEL", (1,), 1, 10, None), 2.0)
    assert progress.position == 18


def test_explanations_count_as_part_of_the_job(tmp_path: Path) -> None:
    progress = JobProgress(job(tmp_path))
    progress.expect_explanations(2)
    progress.note(saved(tmp_path, 3), 1.0)
    assert progress.fraction == pytest.approx(3 / 5)
    progress.explanation_ended(8.0)
    assert (progress.fraction, progress.explanations_left) == (pytest.approx(4 / 5), 1)
    progress.expect_explanations(0)  # the queue was cleared
    assert progress.fraction == 1.0
    assert progress.seconds_left == 0
