"""The journal of jobs, which allows the user to continue an interrupted job."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from core.errors import ArgumentError
from core.generation.job import GenerationJob
from core.io.atomic_files import write_whole
from core.io.json_text import parse_json

_FORMAT: Final = "isicgui.unfinished/1"
JOURNAL_FOLDER: Final = "unfinished_jobs"


@dataclass(frozen=True)
class UnfinishedJob:
    """A job with remaining images: the original job, and the number of attempted images per class."""

    job: GenerationJob
    attempted: dict[str, int]

    @property
    def left(self) -> int:
        """Return the number of images that were not attempted."""
        return self.job.total - sum(self.attempted.values())

    def remainder(self) -> GenerationJob:
        """Return a job for the remaining images. Numbers continue in the output folder, so exactly these follow."""
        counts = {name: count - self.attempted.get(name, 0) for name, count in self.job.counts.items()}
        return replace(self.job, counts={name: count for name, count in counts.items() if count > 0})

    def __str__(self) -> str:
        return f"{self.left} of {self.job.total} images remaining"


class Journal:
    """One small file per job, rewritten atomically after every image. A failed write does not stop the job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new_file(self) -> Path:
        """Return the file for a new job; the files sort by time."""
        return self.folder / f"{time.time_ns():020d}.json"

    def write(self, file: Path, unfinished: UnfinishedJob) -> None:
        """Store the progress of a job.

        Raises:
            OSError: the file cannot be written.
        """
        content: dict[str, Any] = {
            "format": _FORMAT,
            "job": unfinished.job.to_json(),
            "attempted": unfinished.attempted,
            "process": [os.getpid(), psutil.Process().create_time()],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(content, indent=1).encode())

    def latest(self) -> tuple[Path, UnfinishedJob] | None:
        """Return the unfinished job that was started last, with its file; None if there is none."""
        for file in sorted(self.folder.glob("*.json"), reverse=True):
            if (found := _read(file)) is not None:
                return file, found
        return None


def _read(file: Path) -> UnfinishedJob | None:
    """Return the job in a file; None if the file is damaged or if a running process works on the job."""
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or _runs_elsewhere(content["process"]):
            return None
        attempted = {str(name): int(number) for name, number in content["attempted"].items()}
        found = UnfinishedJob(GenerationJob.from_json(content["job"], str(file)), attempted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, ArgumentError):
        return None  # nothing is lost: all images that it counted exist
    return found if found.left > 0 else None


def _runs_elsewhere(process: list[float]) -> bool:
    number, started = int(process[0]), float(process[1])
    if number == os.getpid():
        return False
    try:
        return abs(psutil.Process(number).create_time() - started) < 1.0
    except psutil.Error:
        return False
