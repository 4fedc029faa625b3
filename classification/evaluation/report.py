"""The report of an evaluation: scores, curves, and facts about the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from classification.evaluation.bootstrap import Interval
from classification.evaluation.tables import cell, interval_of, named
from classification.evaluation.thresholds import description_of
from classification.model_file import teacher_of
from core.classes import CLASSES
from core.report import Cell, Estimate, Gallery, Picture, Section, Table, write_report

_BINARY: Final = ("auc", "sensitivity", "specificity", "balanced_accuracy")
_MULTICLASS: Final = ("balanced_accuracy", "macro_auc", "accuracy", "calibration_error")
_CAPTIONS: Final = {
    "roc": "Receiver operating characteristic, and the area under it (AUC).",
    "precision_recall": "Precision and recall, with the average precision (AP) and the share of positives.",
    "reliability": "Observed frequency against predicted probability; the small numbers are numbers of images.",
    "confusion": "True class (rows) and predicted class (columns), shaded by the share of the row.",
}


def write_evaluation_report(path: Path, result: Mapping[str, Any], plots: Mapping[str, Path]) -> None:
    """Write ``report.html`` from the content of ``metrics.json`` and its plots."""
    facts, data = result["classifier"], result["data"]
    curves = [Picture(file, _CAPTIONS[name], width=420) for name, file in plots.items()]
    sections = [
        Section(f"The question: {result['question']}, yes or no", [_threshold_text(result), _binary_table(result)])
    ]
    if "multiclass" in result:
        sections.append(Section("Seven classes", [_overall_table(result), _class_table(result)]))
    sections += [
        Section("Curves", [Gallery(curves, f"All {data['images']:,} images of the {data['part']} part.")]),
        Section("By diagnosis", [_diagnosis_table(result)]),
    ]
    title = f"{facts['backbone']}, {facts['task']}: evaluation on {data['images']:,} images"
    write_report(path, title, _summary(result), sections, provenance=_provenance(result), warnings=_warnings(result))


def _summary(result: Mapping[str, Any]) -> list[str]:
    data, binary = result["data"], result["binary"]
    lines = [f"Evaluated on the {data['part']} part: {data['images']:,} images of {data['lesions']:,} lesions."]
    teacher = teacher_of(result["classifier"])
    if teacher is not None:
        who = f" {teacher}" if teacher else ", which its file does not name"
        lines.append(f"The classifier learnt from the labels and from the predictions of a teacher{who}.")
    named = [f"{_in_text(name)} {_text(binary[name])}" for name in _BINARY]
    lines.append(f"{result['question'].capitalize()}: {'; '.join(named)}.")
    if "multiclass" in result:
        overall = result["multiclass"]
        lines.append(
            f"Seven classes: balanced accuracy {_text(overall['balanced_accuracy'])}, "
            f"macro AUC {_text(overall['macro_auc'])}."
        )
    return lines


def _in_text(score: str) -> str:
    return "AUC" if score == "auc" else named(score).lower()


def _text(values: Mapping[str, Any]) -> str:
    return str(cell(interval_of(values)))


def _warnings(result: Mapping[str, Any]) -> list[str]:
    start = str(result["classifier"].get("initial_weights", ""))
    return [start] if start.startswith("Training from scratch") else []


def _threshold_text(result: Mapping[str, Any]) -> str:
    threshold = result["threshold"]
    return (
        f"An image is classified as positive if its probability is at least {Estimate(threshold['value'])}. The "
        f"threshold was chosen on the {threshold['images']:,} images of the {threshold['chosen_on']} part "
        f"{description_of(threshold['rule'])}. Intervals contain 95% of {result['settings']['resamples']:,} resamples "
        "of lesions. If all cases are right or all are wrong, resampling cannot vary, and Wilson's interval is used."
    )


def _binary_table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [[named(name), _cell(values)] for name, values in result["binary"].items()]
    return Table(("Score", "Value and 95% interval"), rows, "Scores of the yes-or-no question.")


def _overall_table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [[named(name), _cell(result["multiclass"][name])] for name in _MULTICLASS]
    return Table(
        ("Score", "Value and 95% interval"),
        rows,
        "The predicted class is the one with the highest probability. A score has no interval if a class is missing "
        "from more than one resample in twenty.",
    )


def _class_table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [
        [
            row["class"],
            row["images"],
            row["lesions"],
            row["recall"],
            *(_cell(row[name]) for name in ("auc", "sensitivity", "specificity")),
        ]
        for row in result["classes"]
    ]
    columns = ("Class", "Images", "Lesions", "Recall", "AUC", "Sensitivity", "Specificity")
    return Table(
        columns,
        rows,
        "Recall uses the highest probability. The other scores compare each class with all others, at a separate "
        "threshold for each class.",
    )


def _diagnosis_table(result: Mapping[str, Any]) -> Table:
    order = {name: index for index, name in enumerate(CLASSES)}
    found = sorted(result["diagnoses"], key=lambda row: order.get(row["class"], len(order)))
    rows: list[list[Cell]] = [[row["class"], row["images"], row["called_positive"]] for row in found]
    caption = f"Share classified as {result['question']}, by diagnosis."
    return Table(("Diagnosis", "Images", "Share classified as positive"), rows, caption)


def _cell(values: Mapping[str, Any]) -> Cell:
    interval: Interval = interval_of(values)
    return cell(interval)


def _provenance(result: Mapping[str, Any]) -> dict[str, object]:
    return {**result["classifier"], **result["settings"], "threshold": result["threshold"]}
