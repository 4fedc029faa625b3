"""Every run behind a table of ``docs/classification.md``, by one command: what is finished stays, the rest goes on."""

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
from classification.events import Note, Tell, nobody
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
    """Which runs, on what, into where.

    Attributes:
        data: a HAM10000 folder.
        runs: receives one folder a run, and the split that they share.
        table, images: Fitzpatrick17k's, for the fairness study.
        before: a classifier that is fine-tuned and audited, where none is to be trained on HAM10000 for the question.
        backbones, tasks, seeds: every combination is one run.
        sizes, passes, batch_size, learning_rate, patience, teacher, imagenet: of the training.
        finetune_passes: of the fine-tuning.
        augmented, resamples: of the evaluation.

    Raises:
        ArgumentError: no resamples.
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
    passes: tuple[int, ...] = (40, 20, 30)
    finetune_passes: int = 15
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
        check_ranges(self, (RESAMPLES_RANGE,))  # else it would be found out after the first training

    def training(self, backbone: str, task: str, contrast: str, seed: int) -> TrainingJob:
        """The job of one run."""
        job = TrainingJob(
            data=self.data,
            output=self.runs / run_name({"backbone": backbone, "task": task, "contrast": contrast, "seed": seed}),
            backbone=backbone,
            task=task,
            contrast=contrast,
            sizes=self.sizes,
            passes=self.passes,
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


def study_ham10000(job: StudyJob, tell: Tell = nobody) -> None:
    """Train and evaluate every backbone on every task with every seed.

    Raises:
        ArgumentError: the job does not fit the data, or a run in the folder was begun with other settings.
        JobFailedError: a run broke off; the same command goes on with it.
    """
    for task in job.tasks:
        for backbone in job.backbones or BACKBONES[:4]:
            for seed in job.seeds:
                best = _trained(job.training(backbone, task, job.contrast or "melanoma", seed), tell)
                if not (best.parent / EVALUATION / METRICS).exists():
                    evaluate(job.evaluation(best), tell)


def study_fairness(job: StudyJob, tell: Tell = nobody) -> None:
    """Train on HAM10000 unless a classifier is named, fine-tune on Fitzpatrick17k with and without reweighting, and
    audit both sets.

    Raises:
        ArgumentError: no table or images are named, or they do not fit.
        JobFailedError: a run broke off; the same command goes on with it.
    """
    if job.table is None or job.images is None:
        raise ArgumentError("The fairness study needs Fitzpatrick17k: name it with --csv and --images.")
    contrast, backbone = job.contrast or "malignant", (job.backbones or BACKBONES)[0]
    prepared = job.runs / f"fitzpatrick17k_{contrast}"
    if not (prepared / PREPARED_FILE).exists():
        prepare(PrepareJob(job.table, job.images, prepared, contrast), tell)
    asked = [] if job.before else [job.training(backbone, "binary", contrast, seed) for seed in job.seeds]
    for before in chain([job.before] if job.before else [], (_trained(training, tell) for training in asked)):
        after = _trained(_tuned(job, before, prepared, None), tell)
        reweighted = _trained(_tuned(job, before, prepared, "skin_type"), tell)
        classifiers = {"before": before, "after": after, "reweighted": reweighted}
        output = job.runs / f"fairness_{contrast}_{before.parent.name}"
        settings: dict[str, Any] = {"resamples": job.resamples, "device": job.device, "cache": job.cache}
        settings |= {"contrast": contrast, "augmented": job.augmented}
        audit(AuditJob(classifiers, prepared, output / "fitzpatrick17k", **settings), tell)
        audit(AuditJob({"HAM10000": before}, job.data, output / "ham10000", HAM_GROUPINGS, **settings), tell)


def _tuned(job: StudyJob, before: Path, prepared: Path, reweigh: str | None) -> TrainingJob:
    name = f"{before.parent.name}_finetuned" + ("_reweighted" if reweigh else "")
    return TrainingJob(
        data=prepared,
        output=job.runs / name,
        sizes=(job.sizes[-1],),
        passes=(job.finetune_passes,),
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


def _trained(job: TrainingJob, tell: Tell) -> Path:
    """The best weights of a run: it is finished, goes on, or begins."""
    if (job.output / RESULT).exists():
        tell(Note(f"{job.output} is finished."))
        return job.output / BEST
    tell(Note(f"{job.output} goes on." if (job.output / STATE).exists() else f"{job.output} begins."))
    return train(job, resume=(job.output / STATE).exists(), tell=tell)
