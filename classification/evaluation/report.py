"""The report of an evaluation: what the numbers are, what they are of, and what they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from classification.evaluation.bootstrap import Interval
from classification.evaluation.tables import cell, interval_of, named
from classification.evaluation.thresholds import in_words
from classification.model_file import teacher_of
from core.classes import CLASSES
from core.report import Cell, Estimate, Gallery, Picture, Section, Table, write_report

_BINARY: Final = ("auc", "sensitivity", "specificity", "balanced_accuracy")
_MULTICLASS: Final = ("balanced_accuracy", "macro_auc", "accuracy", "calibration_error")
_CAPTIONS: Final = {
    "roc": "Receiver operating characteristic, and the area under it (AUC).",
    "precision_recall": "Precision and recall, with the average precision (AP) and how common a positive is.",
    "reliability": "How often a probability came true; the small numbers are those of images.",
    "confusion": "What the images are (rows) and what they are called (columns), shaded by the share of the row.",
}


def write_evaluation_report(path: Path, result: Mapping[str, Any], plots: Mapping[str, Path]) -> None:
    """Write ``report.html`` from the content of ``metrics.json`` and its plots."""
    facts, data = result["classifier"], result["data"]
    pictures = [Picture(file, _CAPTIONS[name], width=420) for name, file in plots.items()]
    sections = [
        Section(f"The question: {result['question']}, yes or no", [_threshold_text(result), _binary_table(result)])
    ]
    if "multiclass" in result:
        sections.append(Section("Seven classes", [_overall_table(result), _class_table(result)]))
    sections += [
        Section("Curves", [Gallery(pictures, f"All {data['images']:,} images of the {data['part']} part.")]),
        Section("By diagnosis", [_diagnosis_table(result)]),
    ]
    title = f"{facts['backbone']}, {facts['task']}: evaluation on {data['images']:,} images"
    write_report(path, title, _summary(result), sections, provenance=_provenance(result), warnings=_warnings(result))


def _summary(result: Mapping[str, Any]) -> list[str]:
    data, binary = result["data"], result["binary"]
    lines = [f"Judged on the {data['part']} part: {data['images']:,} images of {data['lesions']:,} lesions."]
    teacher = teacher_of(result["classifier"])
    if teacher is not None:
        who = f": {teacher}" if teacher else ", which its file does not name"
        lines.append(f"Besides the labels of its training images, the classifier learnt the answers of a teacher{who}.")
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
    beginning = str(result["classifier"].get("beginning", ""))
    return [beginning] if beginning.startswith("Training from scratch") else []


def _threshold_text(result: Mapping[str, Any]) -> str:
    threshold = result["threshold"]
    return (
        f"An image is called positive from a probability of {Estimate(threshold['value'])} on, chosen on the "
        f"{threshold['images']:,} images of the {threshold['chosen_on']} part {in_words(threshold['rule'])}. "
        f"Intervals hold 95% of {result['settings']['resamples']:,} resamples of lesions; where every case is right "
        "or wrong, so that resampling cannot vary, Wilson's interval stands."
    )


def _binary_table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [[named(name), _cell(values)] for name, values in result["binary"].items()]
    return Table(("Score", "Value and 95% interval"), rows, "Scores of the yes-or-no question.")


def _overall_table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [[named(name), _cell(result["multiclass"][name])] for name in _MULTICLASS]
    return Table(
        ("Score", "Value and 95% interval"),
        rows,
        "The class of the highest probability is the answer. A score stands without "
        "an interval where more than one resample in twenty lacks a class.",
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
        "Recall by the highest probability; the rest each class against all others, at a threshold of its own.",
    )


def _diagnosis_table(result: Mapping[str, Any]) -> Table:
    order = {name: place for place, name in enumerate(CLASSES)}
    found = sorted(result["diagnoses"], key=lambda row: order.get(row["class"], len(order)))
    rows: list[list[Cell]] = [[row["class"], row["images"], row["called_positive"]] for row in found]
    return Table(("Diagnosis", "Images", "Share called positive"), rows, f"Called {result['question']}, by diagnosis.")


def _cell(values: Mapping[str, Any]) -> Cell:
    interval: Interval = interval_of(values)
    return cell(interval)


def _provenance(result: Mapping[str, Any]) -> dict[str, object]:
    return {**result["classifier"], **result["settings"], "threshold": result["threshold"]}
