"""The fairness audit: compare classifiers and mitigations group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from classification.data.collection import Collection, LabelledImage, open_collection
from classification.data.groups import GROUPS, check_grouping, groups_of
from classification.data.split_column import TEST
from classification.evaluation.bootstrap import RESAMPLES
from classification.evaluation.prediction import Predictions
from classification.evaluation.runner import EvaluationJob, answers, images_asked, task_asked
from classification.evaluation.tables import write_csv
from classification.evaluation.thresholds import check_rule, choose_threshold
from classification.events import Emit, Note, Written, discard
from classification.fairness.gaps import gaps
from classification.fairness.group_scores import MINIMUM, Audited, changes, differences, group_cells
from classification.fairness.mitigation import thresholds_by_group
from classification.fairness.report import write_audit_report
from classification.file_output import plain_failures, write_json
from classification.model_file import TrainedClassifier, load_classifier
from classification.ranges import BOOTSTRAP_RANGES, check_ranges
from core.errors import ArgumentError

AUDIT_FORMAT: Final = "isicgui.fairness/1"
FAIRNESS: Final = "fairness.json"


@dataclass(frozen=True)
class AuditJob:
    """Settings of an audit.

    Attributes:
        classifiers: name to checkpoint, in the order of the tables; the others are compared with the first one.
        data: a HAM10000 folder, or the output of ``prepare``.
        output: folder for tables, plots and the report.
        groupings: names of ``classification.data.groups.GROUPS``.
        minimum: groups with fewer lesions of an outcome are reported as "too few".
        split, part, contrast, threshold, augmented, resamples, seed, device, cache: as for an evaluation.

    Raises:
        ArgumentError: a value is out of its range, or a grouping does not exist.
    """

    classifiers: Mapping[str, Path]
    data: Path
    output: Path
    groupings: tuple[str, ...] = ("skin_type",)
    minimum: int = MINIMUM
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
        if self.minimum < 1:
            raise ArgumentError(f"The minimum {self.minimum} is too low; it must be 1 lesion or more.")
        check_ranges(self, BOOTSTRAP_RANGES)
        for grouping in self.groupings:
            check_grouping(grouping)

    def evaluation(self, checkpoint: Path) -> EvaluationJob:
        """The evaluation job of one of the classifiers."""
        return EvaluationJob(
            checkpoint,
            self.data,
            self.output,
            self.split,
            self.part,
            self.contrast,
            self.threshold,
            self.augmented,
            self.resamples,
            self.seed,
            self.device,
            self.cache,
        )


@dataclass(frozen=True)
class _Answered:
    """Predictions of one classifier for both parts, and its threshold."""

    validation: Predictions
    judged: Predictions
    threshold: float
    facts: Mapping[str, Any] = field(repr=False)

    def audited(self, part: Predictions, group_of: Mapping[str, str], grouping: str) -> Audited:
        """A part with the decisions of this classifier; ``group_of`` has the group of every image id."""
        groups = [group_of[image.image_id] for image in part.images]
        return Audited(part, part.scores >= self.threshold, groups, GROUPS[grouping])


def audit(job: AuditJob, emit: Emit = discard) -> dict[str, Any]:
    """Audit classifiers and write ``fairness.json``, CSV tables and ``report.html``.

    Raises:
        ArgumentError: data, split, groups and classifiers do not fit, or the output cannot be written.
        CheckpointError: a classifier cannot be read.
        JobFailedError: a probability is not a number, or a result cannot be written.
    """
    check_rule(job.threshold)
    if not job.classifiers:
        raise ArgumentError("There is nothing to audit; name a classifier with --model NAME=CHECKPOINT.")
    collection = open_collection(job.data)
    emit(Note(collection.describe()))
    classifiers = {name: load_classifier(file) for name, file in job.classifiers.items()}
    # These checks come first because classifying takes minutes.
    _check_same_question(job, classifiers, collection)
    groups = _groups(job, collection)
    answered = {name: _ask(job, name, classifier, collection, emit) for name, classifier in classifiers.items()}
    judged = next(iter(answered.values())).judged
    result = {
        "format": AUDIT_FORMAT,
        "classifiers": {name: {**answer.facts, "threshold": answer.threshold} for name, answer in answered.items()},
        "data": {"part": job.part, "images": len(judged.images), "question": judged.task.contrast},
        "settings": {
            "threshold": job.threshold,
            "minimum": job.minimum,
            "resamples": job.resamples,
            "seed": job.seed,
            "augmented": job.augmented,
        },
        "groupings": {grouping: _grouping(job, grouping, answered, groups[grouping]) for grouping in job.groupings},
    }
    with plain_failures(job.output):
        _write(job.output, result)
    emit(Written(job.output / "report.html"))
    return result


def _groups(job: AuditJob, collection: Collection) -> dict[str, dict[str, str]]:
    """The group of each validation and evaluated image by its id, for each grouping; the same for all classifiers."""
    asked = {name: images_asked(job.evaluation(file), collection) for name, file in job.classifiers.items()}
    _check_same_images({name: judged for name, (_, judged) in asked.items()})
    validation, judged = next(iter(asked.values()))
    found: dict[str, dict[str, str]] = {}
    for grouping in job.groupings:
        names = groups_of(validation, grouping) + groups_of(judged, grouping)
        found[grouping] = {image.image_id: name for image, name in zip([*validation, *judged], names, strict=True)}
    return found


def _check_same_question(job: AuditJob, classifiers: Mapping[str, TrainedClassifier], collection: Collection) -> None:
    asked = {
        name: task_asked(job.evaluation(job.classifiers[name]), classifiers[name], collection) for name in classifiers
    }
    if len({task.contrast for task in asked.values()}) > 1:
        each = ", ".join(f"{name}: {task.contrast}" for name, task in asked.items())
        raise ArgumentError(f"The classifiers answer different questions ({each}); choose one with --contrast.")


def _check_same_images(judged: Mapping[str, Sequence[LabelledImage]]) -> None:
    first, images = next(iter(judged.items()))
    for name, others in judged.items():
        if [image.image_id for image in others] != [image.image_id for image in images]:
            raise ArgumentError(
                f"{name} and {first} were trained on different splits, so they cannot be compared; train them with the "
                "same --split."
            )


def _ask(job: AuditJob, name: str, classifier: TrainedClassifier, collection: Collection, emit: Emit) -> _Answered:
    validation, judged = answers(job.evaluation(job.classifiers[name]), classifier, collection, emit)
    threshold = choose_threshold(job.threshold, validation.positive, validation.scores)
    return _Answered(validation, judged, threshold, classifier.describe())


def _grouping(
    job: AuditJob, grouping: str, answered: Mapping[str, _Answered], group_of: Mapping[str, str]
) -> dict[str, Any]:
    """All results for one grouping: each classifier with its thresholds, and the changes."""
    limits = {"minimum": job.minimum, "resamples": job.resamples, "seed": job.seed}
    series: dict[str, Audited] = {}
    notes, costs = [], {}
    for name, answer in answered.items():
        plain = series[name] = answer.audited(answer.judged, group_of, grouping)
        choosing = answer.audited(answer.validation, group_of, grouping)
        mitigated = thresholds_by_group(choosing, plain, job.minimum, job.seed)
        if mitigated is None:
            notes.append(f"{name}: too few validation lesions for a threshold per group; the common one is used.")
            continue
        label = f"{name}, threshold by group"
        series[label] = replace(plain, decided=mitigated.decided)
        costs[label] = {"from": name, "groups": changes(plain, series[label], **limits)}
        if mitigated.unchanged:
            kept = ", ".join(mitigated.unchanged)
            notes.append(f"{label}: {kept} had too few validation lesions and keep the common threshold.")
    reference = next(iter(answered))
    for name in list(answered)[1:]:
        costs[name] = {"from": reference, "groups": changes(series[reference], series[name], **limits)}
    return {
        "groups": list(GROUPS[grouping]),
        "series": {name: _measured(audited, limits) for name, audited in series.items()},
        "changes": costs,
        "notes": notes,
    }


def _measured(audited: Audited, limits: Mapping[str, int]) -> dict[str, Any]:
    cells = group_cells(audited, **limits)
    return {
        "cells": [cell.to_json() for cell in cells],
        "gaps": [gap.to_json() for gap in gaps(audited, cells, limits["seed"])],
        "differences": differences(audited, cells),
    }


def _write(output: Path, result: Mapping[str, Any]) -> None:
    for grouping, found in result["groupings"].items():
        rows = [_flat(name, cell) for name, series in found["series"].items() for cell in series["cells"]]
        write_csv(output / f"{grouping}.csv", rows)
        gap_rows = [_flat(name, gap) for name, series in found["series"].items() for gap in series["gaps"]]
        write_csv(output / f"{grouping}_gaps.csv", gap_rows)
    write_audit_report(output / "report.html", result, output)
    write_json(output / FAIRNESS, result)  # last: it marks a complete result


def _flat(name: str, row: Mapping[str, Any]) -> dict[str, object]:
    """A row of a CSV: an interval takes three columns; "too few" is written in the column of the value."""
    flat: dict[str, object] = {"classifier": name}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {key: value["value"], f"{key}_low": value["low"], f"{key}_high": value["high"]}
        elif value == "too few":
            flat |= {key: value, f"{key}_low": "", f"{key}_high": ""}
        else:
            flat[key] = "; ".join(value) if isinstance(value, list) else value
    return flat
