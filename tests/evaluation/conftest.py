"""One small evaluation that several tests check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.output.image_file import write_image
from evaluation.job import EvaluationJob
from evaluation.report.results import Evaluation
from evaluation.report.writer import write_results
from evaluation.run import evaluate
from tests.core.examples import parameters
from tests.evaluation.examples import lesion, run_work, write_real

CLASSES = ("MEL", "NV")
COPIED = 5


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation, its events, and its files."""

    evaluation: Evaluation
    files: list[Path]
    doings: list[str]
    shares: list[float]
    warnings: list[str]


def make_set(folder: Path) -> Path:
    """Eight images of MEL, of which the third is a rotated copy; eight of NV; and one unreadable file."""
    reals = [lesion(seed) for seed in range(18)]
    for offset, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(1, 9):
            image = lesion(1000 * (offset + 1) + number, name)
            if (name, number) == ("MEL", 3):
                image = np.ascontiguousarray(np.rot90(reals[COPIED]))
            made = parameters(class_name=name, isic_number=number, seed=number, sampler="dpmpp", steps=20)
            write_image(folder / name / f"ISIC_{number:07d}.png", image, made)
    (folder / "NV" / "ISIC_0000009.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A generated set, real images in HAM10000's form, and a cache that the first evaluation fills."""
    folder = tmp_path_factory.mktemp("evaluation")
    real = {name: [lesion(seed + 500 * offset, name) for seed in range(18)] for offset, name in enumerate(CLASSES)}
    return make_set(folder / "my set"), write_real(folder / "clinic", real), folder / "cache"


@pytest.fixture(scope="session")
def evaluated(folders: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """The quick evaluation of ``make_set`` and its files."""
    images, real, cache = folders
    output = tmp_path_factory.mktemp("report") / "out"
    job = EvaluationJob(images, real, output, quick=True, utility="features", features=("imagenet",), cache=cache)
    found, progress, warnings = run_work(evaluate(job))
    shares = [event.done / event.total for event in progress]
    return Evaluated(found, write_results(found), [event.doing for event in progress], shares, warnings)
