"""Evaluate a classifier on images that were used neither for training nor for selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from classification.data.collection import Collection, LabelledImage, check_every_class, open_collection
from classification.data.split_column import TEST, VALIDATION
from classification.data.splits import images_of, parts_of, refuse_leak
from classification.evaluation.bootstrap import RESAMPLES, Interval, intervals, mend_shares
from classification.evaluation.metrics import binary_statistic, confusion, multiclass_statistic, recalls
from classification.evaluation.prediction import Predictions, predict
from classification.evaluation.result_files import write_results
from classification.evaluation.thresholds import check_rule, choose_threshold
from classification.events import Emit, Note, Written, discard
from classification.model_file import TrainedClassifier, load_classifier
from classification.ranges import BOOTSTRAP_RANGES, check_ranges
from classification.tasks import Task
from classification.training.job import SPLIT
from core.errors import ArgumentError, JobFailedError
from core.io.atomic_files import require_writable
from core.models.devices import resolve_device

EVALUATION_FORMAT: Final = "isicgui.evaluation/1"


@dataclass(frozen=True)
class EvaluationJob:
    """Settings of an evaluation.

    Attributes:
        checkpoint: the classifier.
        data: a HAM10000 folder, or the output of ``prepare``.
        output: folder for tables, plots and the report.
        split: split of HAM10000; None for that of the classifier's own run.
        part: part to evaluate on.
        contrast: the yes-or-no question; None for that of the data or of the classifier.
        threshold: rule for choosing the threshold on the validation part (``thresholds``).
        augmented: average over the eight symmetries of each image.
        resamples: resamples of the bootstrap.
        seed: seed of the bootstrap.

    Raises:
        ArgumentError: a value is out of its range.
    """

    checkpoint: Path
    data: Path
    output: Path
    split: Path | None = None
    part: str = TEST
    contrast: str | None = None
    threshold: str = "equal"
    augmented: bool = False
    resamples: int = RESAMPLES
    seed: int = 0
    device: str = "auto"
    cache: Path = Path("runs/cache")

    def __post_init__(self) -> None:
        check_ranges(self, BOOTSTRAP_RANGES)


def evaluate(job: EvaluationJob, emit: Emit = discard) -> dict[str, Any]:
    """Evaluate a classifier and write ``metrics.json``, CSV tables, plots and ``report.html``.

    Raises:
        ArgumentError: the data, the split and the classifier do not fit each other, or the output cannot be written.
        CheckpointError: the classifier cannot be read.
        JobFailedError: a probability is not a number, or a result cannot be written.
    """
    check_rule(job.threshold)
    classifier = load_classifier(job.checkpoint)
    collection = open_collection(job.data)
    emit(Note(collection.describe()))
    validation, test = answers(job, classifier, collection, emit)
    result = {
        "format": EVALUATION_FORMAT,
        "classifier": classifier.describe(),
        "data": {"part": job.part, "images": len(test.images), "lesions": len(set(test.lesions))},
        "settings": {"augmented": job.augmented, "resamples": job.resamples, "seed": job.seed},
        **measure(validation, test, job.threshold, job.resamples, job.seed),
    }
    write_results(job.output, test, result)
    emit(Written(job.output / "report.html"))
    return result


def task_asked(job: EvaluationJob, classifier: TrainedClassifier, collection: Collection) -> Task:
    """The task of the classifier with the question of the job, of the data, or, if neither has one, of the classifier.

    Raises:
        ArgumentError: the classifier cannot answer that question.
    """
    return classifier.task.asking(job.contrast or collection.contrast or classifier.task.contrast)


def answers(
    job: EvaluationJob, classifier: TrainedClassifier, collection: Collection, emit: Emit
) -> tuple[Predictions, Predictions]:
    """Predictions for the validation part and the evaluated part, after checking that the output can be written.

    Raises:
        ArgumentError: job, data and classifier do not fit, the device does not exist, or the output cannot be written.
        JobFailedError: a probability is not a number, or no image of a part can be read.
    """
    task = task_asked(job, classifier, collection)
    chosen_on, judged = images_asked(job, collection)
    if task.name == "isic7" and not collection.contrast:
        check_every_class(judged, task, job.part)
        check_every_class(chosen_on, task, VALIDATION)
    resolve_device(job.device)  # before the folder is created: nothing is written if an argument is wrong
    require_writable(job.output)
    found = predict(
        classifier,
        collection,
        [*chosen_on, *judged],
        task=task,
        augmented=job.augmented,
        device=job.device,
        cache=job.cache,
        emit=emit,
    )
    readable = {image.image_id for image in found.images}
    count = sum(image.image_id in readable for image in chosen_on)
    if count in {0, len(found.images)}:
        raise JobFailedError(f"None of the images of the part {job.part if count else VALIDATION} can be read.")
    first = np.arange(len(found.images)) < count
    return found.chosen(first), found.chosen(~first)


def images_asked(job: EvaluationJob, collection: Collection) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """The images of the validation part and of the evaluated part.

    Raises:
        ArgumentError: the part does not exist, or there is no split that excludes the classifier's training images.
    """
    parts = _parts(job, collection)
    return images_of(collection, parts, VALIDATION), images_of(collection, parts, job.part)


def _parts(job: EvaluationJob, collection: Collection) -> Mapping[str, str]:
    own = job.checkpoint.parent / SPLIT
    file = job.split or own
    if not collection.parts and not file.exists():
        raise ArgumentError(
            f"The split that {job.checkpoint} was trained with does not exist ({own}); name it with --split, because "
            "another split would test on training images."
        )
    parts = parts_of(collection, file, job.seed)
    refuse_leak(own, images_of(collection, parts, job.part), str(job.checkpoint))
    return parts


def measure(validation: Predictions, test: Predictions, rule: str, resamples: int, seed: int) -> dict[str, Any]:
    """All scores of the test part as JSON values, with the threshold chosen on the validation part."""
    threshold = choose_threshold(rule, validation.positive, validation.scores)
    decided = test.scores >= threshold
    found: dict[str, Any] = {
        "question": test.task.contrast,
        "threshold": {"rule": rule, "value": threshold, "chosen_on": VALIDATION, "images": len(validation.images)},
        "binary": _as_json(question_intervals(test, test.positive, test.scores, decided, resamples, seed)),
        "diagnoses": [_diagnosis(test, decided, name) for name in sorted({i.class_name for i in test.images})],
    }
    if test.task.name == "isic7" and len({image.class_name for image in test.images}) == len(test.task.classes):
        found |= _multiclass(validation, test, rule, resamples, seed)
    return found


def question_intervals(
    part: Predictions, positive: np.ndarray, scores: np.ndarray, decided: np.ndarray, resamples: int, seed: int
) -> dict[str, Interval]:
    """The scores of one yes-or-no question, with intervals over lesions."""
    found = intervals(binary_statistic(positive, scores, decided), part.lesions, resamples, seed)
    lesions = np.array(part.lesions)
    return mend_shares(found, len(set(lesions[positive])), len(set(lesions[~positive])))


def _multiclass(validation: Predictions, test: Predictions, rule: str, resamples: int, seed: int) -> dict[str, Any]:
    truth, predicted = test.truth, test.probabilities.argmax(axis=1)
    shares = recalls(truth, predicted, len(test.task.classes), np.ones((1, len(truth))))[0]
    rows = []
    for index, name in enumerate(test.task.classes):
        threshold = choose_threshold(rule, validation.truth == index, validation.probabilities[:, index])
        scores = test.probabilities[:, index]
        found = question_intervals(test, truth == index, scores, scores >= threshold, resamples, seed)
        mine = [image for image in test.images if image.class_name == name]
        counts = {"class": name, "images": len(mine), "lesions": len({image.lesion_id for image in mine})}
        rows.append({**counts, "threshold": threshold, "recall": float(shares[index]), **_as_json(found)})
    overall = intervals(multiclass_statistic(truth, test.probabilities), test.lesions, resamples, seed)
    table = confusion(truth, predicted, len(test.task.classes)).tolist()
    return {"multiclass": _as_json(overall), "classes": rows, "confusion": table}


def _diagnosis(test: Predictions, decided: np.ndarray, name: str) -> dict[str, Any]:
    mine = np.array([image.class_name == name for image in test.images])
    return {"class": name, "images": int(mine.sum()), "called_positive": float(decided[mine].mean())}


def _as_json(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.to_json() for name, interval in found.items()}
