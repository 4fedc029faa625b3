"""Run all trainings and evaluations of a table in ``docs/measurements/classification.md``; skip finished ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from classification.data.collection import PREPARED_FILE
from classification.data.fitzpatrick import PrepareJob, prepare
from classification.evaluation.bootstrap import RESAMPLES
from classification.evaluation.result_files import METRICS
from classification.evaluation.runner import EvaluationJob, evaluate
from classification.events import Emit, Note, discard
from classification.fairness.audit import AuditJob, audit
from classification.model_file import load_classifier
from classification.ranges import RESAMPLES_RANGE, check_ranges
from classification.tasks import BACKBONES
from classification.training.job import BEST, RESULT, STATE, TrainingJob, run_name
from classification.training.runner import train
from core.errors import ArgumentError

EVALUATION: Final = "evaluation"
HAM_GROUPINGS: Final = ("skin_tone", "sex", "age")


@dataclass(frozen=True)
class StudyJob:
    """Settings of a study.

    Attributes:
        data: a HAM10000 folder.
        runs: folder that receives one folder per run, and their common split.
        table, images: table and images of Fitzpatrick17k, for the fairness study.
        before: classifier to fine-tune and audit; None to train one on HAM10000.
        backbones, tasks, seeds: one run for each combination.
        sizes, epochs, batch_size, learning_rate, patience, teacher, imagenet: settings of the training.
        finetune_epochs: epochs of the fine-tuning.
        augmented, resamples: settings of the evaluation.

    Raises:
        ArgumentError: the number of resamples is out of its range.
    """

    data: Path
    runs: Path
    table: Path | None = None
    images: Path | None = None
    before: Path | None = None
    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("isic7", "binary")
    seeds: tuple[int, ...] = (0,)
    contrast: str | None = None
    sizes: tuple[int, ...] = (112, 160, 224)
    epochs: tuple[int, ...] = (40, 20, 30)
    finetune_epochs: int = 15
    batch_size: int = 64
    learning_rate: float = 1e-3
    patience: int = 10
    teacher: Path | None = None
    imagenet: bool = True
    augmented: bool = False
    workers: int | None = None
    resamples: int = RESAMPLES
    device: str = "auto"
    cache: Path = Path("runs/cache")

    def __post_init__(self) -> None:
        check_ranges(self, (RESAMPLES_RANGE,))  # otherwise the error would appear only after the first training

    def training(self, backbone: str, task: str, contrast: str, seed: int) -> TrainingJob:
        """The job of one run."""
        job = TrainingJob(
            data=self.data,
            output=self.runs / run_name({"backbone": backbone, "task": task, "contrast": contrast, "seed": seed}),
            backbone=backbone,
            task=task,
            contrast=contrast,
            sizes=self.sizes,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            seed=seed,
            split=self.runs / "split.csv",
            imagenet=self.imagenet,
            device=self.device,
            workers=self.workers,
            cache=self.cache,
        )
        fits = self.teacher is not None and load_classifier(self.teacher).task.classes == _classes(task, contrast)
        return replace(job, teacher=self.teacher) if fits else job

    def evaluation(self, checkpoint: Path, **changes: Any) -> EvaluationJob:
        """The evaluation of one run."""
        return EvaluationJob(
            checkpoint,
            self.data,
            checkpoint.parent / EVALUATION,
            augmented=self.augmented,
            resamples=self.resamples,
            device=self.device,
            cache=self.cache,
            **changes,
        )


def _classes(task: str, contrast: str) -> tuple[str, ...]:
    from classification.tasks import Task  # noqa: PLC0415

    return Task(task, contrast).classes


def study_ham10000(job: StudyJob, emit: Emit = discard) -> None:
    """Train and evaluate every backbone on every task with every seed.

    Raises:
        ArgumentError: the job does not fit the data, or a run in the folder was started with other settings.
        JobFailedError: a run failed; the same command continues it.
    """
    for task in job.tasks:
        for backbone in job.backbones or BACKBONES[:4]:
            for seed in job.seeds:
                best = _trained(job.training(backbone, task, job.contrast or "melanoma", seed), emit)
                if not (best.parent / EVALUATION / METRICS).exists():
                    evaluate(job.evaluation(best), emit)


def study_fairness(job: StudyJob, emit: Emit = discard) -> None:
    """Train on HAM10000 unless a classifier is named, fine-tune on Fitzpatrick17k with and without reweighting, and
    audit on both sets.

    Raises:
        ArgumentError: no table or images are named, or they do not fit.
        JobFailedError: a run failed; the same command continues it.
    """
    if job.table is None or job.images is None:
        raise ArgumentError("The fairness study needs Fitzpatrick17k: name it with --csv and --images.")
    contrast, backbone = job.contrast or "malignant", (job.backbones or BACKBONES)[0]
    prepared = job.runs / f"fitzpatrick17k_{contrast}"
    if not (prepared / PREPARED_FILE).exists():
        prepare(PrepareJob(job.table, job.images, prepared, contrast), emit)
    asked = [] if job.before else [job.training(backbone, "binary", contrast, seed) for seed in job.seeds]
    for before in chain([job.before] if job.before else [], (_trained(training, emit) for training in asked)):
        after = _trained(_tuned(job, before, prepared, None), emit)
        reweighted = _trained(_tuned(job, before, prepared, "skin_type"), emit)
        classifiers = {"before": before, "after": after, "reweighted": reweighted}
        output = job.runs / f"fairness_{contrast}_{before.parent.name}"
        settings: dict[str, Any] = {"resamples": job.resamples, "device": job.device, "cache": job.cache}
        settings |= {"contrast": contrast, "augmented": job.augmented}
        audit(AuditJob(classifiers, prepared, output / "fitzpatrick17k", **settings), emit)
        audit(AuditJob({"HAM10000": before}, job.data, output / "ham10000", HAM_GROUPINGS, **settings), emit)


def _tuned(job: StudyJob, before: Path, prepared: Path, reweigh: str | None) -> TrainingJob:
    name = f"{before.parent.name}_finetuned" + ("_reweighted" if reweigh else "")
    return TrainingJob(
        data=prepared,
        output=job.runs / name,
        sizes=(job.sizes[-1],),
        epochs=(job.finetune_epochs,),
        batch_size=job.batch_size,
        learning_rate=3e-4,
        mixup=0.0,
        patience=job.patience,
        start=before,
        reweigh=reweigh,
        device=job.device,
        workers=job.workers,
        cache=job.cache,
    )


def _trained(job: TrainingJob, emit: Emit) -> Path:
    """Start or continue a run unless it is finished; return the file of its best weights."""
    if (job.output / RESULT).exists():
        emit(Note(f"{job.output} is finished."))
        return job.output / BEST
    emit(Note(f"{job.output} continues." if (job.output / STATE).exists() else f"{job.output} starts."))
    return train(job, resume=(job.output / STATE).exists(), emit=emit)
