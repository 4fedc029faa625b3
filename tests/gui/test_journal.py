from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gui.journal import Journal, UnfinishedJob
from tests.gui.conftest import job


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "unfinished_jobs")


def latest(journal: Journal) -> UnfinishedJob | None:
    found = journal.latest()
    return found[1] if found else None


def test_the_remaining_images_are_restored(journal: Journal, tmp_path: Path) -> None:
    journal.write(
        journal.folder / "1.json", UnfinishedJob(job(tmp_path, counts={"MEL": 500, "NV": 2}), {"MEL": 363, "NV": 2})
    )
    found = latest(journal)
    assert found is not None
    assert str(found) == "137 of 502 images remaining"
    assert dict(found.remainder().counts) == {"MEL": 137}
    assert found.remainder().steps == 10


def test_a_finished_job_is_not_offered(journal: Journal, tmp_path: Path) -> None:
    assert latest(journal) is None
    journal.write(journal.folder / "1.json", UnfinishedJob(job(tmp_path), {"MEL": 2, "NV": 1}))
    assert latest(journal) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "isicgui.unfinished/1"}', "null"])
def test_a_damaged_journal_offers_nothing(journal: Journal, content: str) -> None:
    journal.folder.mkdir()
    (journal.folder / "1.json").write_text(content)
    assert latest(journal) is None


def test_a_job_running_in_another_window_is_not_offered(journal: Journal, tmp_path: Path) -> None:
    journal.write(journal.folder / "1.json", UnfinishedJob(job(tmp_path), {}))
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        content = json.loads((journal.folder / "1.json").read_text())
        content["process"] = [other.pid, psutil.Process(other.pid).create_time()]
        (journal.folder / "1.json").write_text(json.dumps(content))
        assert latest(journal) is None
    finally:
        other.communicate(b"\n")
    assert latest(journal) is not None


def test_the_latest_job_is_offered_first(journal: Journal, tmp_path: Path) -> None:
    files = [journal.new_file() for _ in range(2)]
    for file, count in zip(files, (5, 7), strict=True):
        journal.write(file, UnfinishedJob(job(tmp_path, counts={"MEL": count}), {}))
    assert journal.latest() == (files[1], UnfinishedJob(job(tmp_path, counts={"MEL": 7}), {}))
    files[1].unlink()
    assert latest(journal) == UnfinishedJob(job(tmp_path, counts={"MEL": 5}), {})
