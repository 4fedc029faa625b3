"""Write the files of an evaluation: JSON, CSV tables, plots and the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from classification.evaluation.plots import (
    confusion_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
    save,
)
from classification.evaluation.prediction import Predictions
from classification.evaluation.report import write_evaluation_report
from classification.evaluation.tables import write_csv
from classification.file_output import plain_failures, write_json

METRICS: Final = "metrics.json"


def write_results(output: Path, test: Predictions, result: Mapping[str, Any]) -> None:
    """Write CSV tables, plots, the report, and last the JSON file, which marks a complete result.

    Raises:
        JobFailedError: a file cannot be written.
    """
    with plain_failures(output):
        _write(output, test, result)


def _write(output: Path, test: Predictions, result: Mapping[str, Any]) -> None:
    test.write(output / "predictions.csv", result["threshold"]["value"])
    write_csv(output / "scores.csv", [{"score": name, **values} for name, values in _scores(result)])
    write_csv(output / "diagnoses.csv", result["diagnoses"])
    if "classes" in result:
        write_csv(output / "classes.csv", [_flattened(row) for row in result["classes"]])
        table = zip(test.task.classes, result["confusion"], strict=True)
        rows = [{"true_class": name, **dict(zip(test.task.classes, counts, strict=True))} for name, counts in table]
        write_csv(output / "confusion.csv", rows)
    write_evaluation_report(output / "report.html", result, _plots(output, test, result))
    write_json(output / METRICS, result)


def _scores(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    binary = [(f"{result['question']}: {name}", values) for name, values in result["binary"].items()]
    return binary + list(result.get("multiclass", {}).items())


def _flattened(row: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        else:
            flat[name] = value
    return flat


def _plots(output: Path, test: Predictions, result: Mapping[str, Any]) -> dict[str, Path]:
    if "classes" in result:
        questions = [(name, test.truth == k, test.probabilities[:, k]) for k, name in enumerate(test.task.classes)]
        predicted, outputs = test.probabilities.argmax(axis=1), list(test.task.classes)
        truth, confidence = test.truth, test.probabilities.max(axis=1)
        right, meaning = truth == predicted, "highest probability"
    else:
        questions = [(test.task.contrast, test.positive, test.scores)]
        truth, predicted = test.positive.astype(int), (test.scores >= result["threshold"]["value"]).astype(int)
        outputs = [f"not {test.task.contrast}", test.task.contrast]
        confidence, right, meaning = test.scores, test.positive, f"probability of {test.task.contrast}"
    return {
        "roc": save(roc_figure(questions), output / "roc.png"),
        "precision_recall": save(precision_recall_figure(questions), output / "precision_recall.png"),
        "reliability": save(reliability_figure(confidence, right, meaning), output / "reliability.png"),
        "confusion": save(confusion_figure(truth, predicted, outputs), output / "confusion.png"),
    }
