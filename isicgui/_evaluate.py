"""``isicgui.evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.paths import CHECKPOINTS
from core.presets import AUTO
from evaluation.job import CACHE, EvaluationJob

if TYPE_CHECKING:
    from evaluation.metrics.resemblance import Figure
    from evaluation.progress import Told


@dataclass(frozen=True)
class EvaluationResult:
    """The results of one evaluation.

    Attributes:
        report: the HTML report.
        data: JSON with every number of the report.
        card: the dataset card (Markdown).
        summary: the main findings, one sentence each.
        figures: KID, FID, precision, recall, density, coverage and diversity, each with its real-against-real floor.
        copies: number of images that are closer to a real image than chance explains.
        warnings: what a reader of the results must know.
    """

    report: Path
    data: Path
    card: Path
    summary: tuple[str, ...]
    figures: tuple[Figure, ...]
    copies: int
    warnings: tuple[str, ...]


def evaluate(
    images: str | Path,
    real: str | Path,
    output: str | Path,
    *,
    classes: Sequence[str] = (),
    quick: bool = False,
    utility: str = "",
    features: Sequence[str] = (),
    checkpoints: str | Path = CHECKPOINTS,
    cache: str | Path = CACHE,
    device: str = AUTO,
    seed: int = 0,
    on_progress: Callable[[str, float], object] | None = None,
) -> EvaluationResult:
    """Compare a generated set with real images: resemblance, copies and, on request, its use for training.

    Args:
        images: the generated set, a folder of class folders.
        real: real images: class folders, or a folder in the form of HAM10000 with its metadata table.
        output: the folder for the report, ``evaluation.json`` and the dataset card.
        classes: class codes to measure; empty for all classes of the set.
        quick: use fewer real images and repetitions, for a first look.
        utility: ``features`` or ``network`` to train classifiers with and without the set; empty for neither.
        features: any of ``imagenet``, ``classifier`` and ``inception``; empty for those that need no download.
        checkpoints: the folder that may hold ``classifier.pth``.
        cache: the folder that keeps computed features.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        seed: seed of every random draw.
        on_progress: called with the current task in words and the share that is done, 0 to 1.

    Raises:
        ArgumentError: the set, the real images or a value cannot be used.
        OutputFolderError: the output folder cannot be written.
        JobFailedError: no features can be computed.
    """
    job = EvaluationJob(
        images=Path(images),
        real=Path(real),
        output=Path(output),
        classes=tuple(classes),
        quick=quick,
        utility=utility,
        features=tuple(features),
        checkpoints=Path(checkpoints),
        cache=Path(cache),
        device=device,
        seed=seed,
    )
    from evaluation.progress import Progress, result_of  # noqa: PLC0415
    from evaluation.report.summary import summarise  # noqa: PLC0415
    from evaluation.report.writer import write_results  # noqa: PLC0415
    from evaluation.run import evaluate as measure  # noqa: PLC0415 - loads torch

    def report(told: Told) -> None:
        if on_progress and isinstance(told, Progress):
            on_progress(told.doing, told.done / told.total)

    found = result_of(measure(job), report)
    files = write_results(found)
    return EvaluationResult(
        report=files[0],
        data=files[1],
        card=files[2],
        summary=tuple(summarise(found)),
        figures=tuple(found.figures),
        copies=len(found.copies.copies),
        warnings=tuple(found.warnings),
    )
