"""Fill the tables of ``docs/measurements/classification.md`` from the results, so that no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from classification.evaluation.result_files import METRICS
from classification.evaluation.tables import cell, interval_of
from classification.events import Emit, Note, Written, discard
from classification.fairness.audit import FAIRNESS
from classification.field_names import current_names
from classification.file_output import plain_failures
from classification.model_file import teacher_of
from classification.tasks import BACKBONES
from core.errors import ArgumentError
from core.io.atomic_files import write_whole
from core.io.json_text import parse_json
from core.report.document_markers import filled, marked_names
from core.report.escaping import markdown_text

_SCORES: Final = ("auc", "sensitivity", "specificity", "balanced_accuracy")


def fill_document(file: Path, runs: Path, emit: Emit = discard) -> None:
    """Replace the tables between the markers for which there are results; other tables are unchanged.

    Raises:
        ArgumentError: the document does not exist, or has no marker.
        JobFailedError: the document cannot be written.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ArgumentError(f"The document {file} cannot be read: {error.strerror}.") from error
    names = marked_names(text)
    if not names:
        raise ArgumentError(f"{file} has no marker such as <!-- begin ham10000 -->; add one where the table belongs.")
    for name in names:
        table = _TABLES[name](runs)
        emit(Note(f"{name}: {'filled' if table else 'no results'}"))
        if table:
            text = filled(text, name, table)
    with plain_failures(file.parent):
        write_whole(file, text.encode())
    emit(Written(file))


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    head, *body = [[markdown_text(str(value)) for value in line] for line in (columns, *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(columns), *body))


def _results(runs: Path, pattern: str) -> list[Mapping[str, Any]]:
    return [parse_json(file.read_text(encoding="utf-8")) for file in sorted(runs.glob(pattern))]


def _ham10000(runs: Path) -> str:
    """One row per run, including runs in folders inside: seven classes and the yes-or-no question."""
    rows = []
    results = [
        {**result, "classifier": current_names(result["classifier"])}
        for result in _results(runs, f"**/*_seed*/evaluation/{METRICS}")
    ]
    for result in sorted(results, key=_order):
        facts, data, seven = result["classifier"], result["data"], result.get("multiclass")
        rows.append(
            [
                facts["backbone"],
                facts["task"],
                facts["training"]["seed"],
                _initial_weights(facts),
                _epochs(facts["training"]),
                f"{data['images']:,} / {data['lesions']:,}",
                _text(seven["balanced_accuracy"]) if seven else "",
                _text(seven["macro_auc"]) if seven else "",
                result["question"],
                *(_text(result["binary"][score]) for score in _SCORES),
            ]
        )
    columns = ("Backbone", "Task", "Seed", "Initial weights", "Epochs", "Test images / lesions")
    scores = ("Balanced accuracy (7)", "Macro AUC (7)", "Question", "AUC", "Sensitivity", "Specificity")
    return _markdown((*columns, *scores, "Balanced accuracy"), rows)


def _order(result: Mapping[str, Any]) -> tuple[bool, int, int, int]:
    """Seven classes first; then small networks before large ones, and long runs before short ones."""
    facts, training = result["classifier"], result["classifier"]["training"]
    return (
        "multiclass" not in result,
        BACKBONES.index(facts["backbone"]),
        -sum(n * size**2 for n, size in zip(training["epochs"], training["sizes"], strict=True)),
        training["seed"],
    )


def _initial_weights(facts: Mapping[str, Any]) -> str:
    """The weights that a run started from, and whether it learnt from a teacher."""
    start = "random" if facts["initial_weights"].startswith("Training from scratch") else "ImageNet"
    return start if teacher_of(facts) is None else f"{start}, with teacher"


def _epochs(training: Mapping[str, Any]) -> str:
    """The planned epochs at each image size."""
    return ", ".join(f"{n} at {size} px" for n, size in zip(training["epochs"], training["sizes"], strict=True))


def _skin_type(runs: Path) -> str:
    return _groups(runs, "fairness_*/fitzpatrick17k")


def _ham10000_groups(runs: Path) -> str:
    return _groups(runs, "fairness_*/ham10000")


def _groups(runs: Path, pattern: str) -> str:
    """One row per group and classifier."""
    rows = [
        [
            grouping.replace("_", " "),
            cell["group"],
            name,
            *(cell[count] for count in ("images", "lesions", "positives", "negatives")),
            *(_text(cell[score]) for score in _SCORES),
        ]
        for result in _results(runs, f"{pattern}/{FAIRNESS}")
        for grouping, found in result["groupings"].items()
        for index in range(len(next(iter(found["series"].values()))["cells"]))
        for name, series in found["series"].items()
        for cell in [series["cells"][index]]
    ]
    columns = ("Grouping", "Group", "Classifier", "Images", "Lesions", "Positive", "Negative")
    return _markdown((*columns, "AUC", "Sensitivity", "Specificity", "Balanced accuracy"), rows)


def _gaps(runs: Path) -> str:
    """One row per criterion and classifier."""
    rows = [
        [
            grouping.replace("_", " "),
            name,
            gap["criterion"],
            _text(gap["size"]),
            _number(gap["by_chance"]),
            gap["lowest"],
            gap["highest"],
            ", ".join(gap["too_few"]) or "none",
        ]
        for result in _results(runs, f"fairness_*/*/{FAIRNESS}")
        for grouping, found in result["groupings"].items()
        for name, series in found["series"].items()
        for gap in series["gaps"]
    ]
    columns = ("Grouping", "Classifier", "Criterion", "Gap", "By chance (95%)", "Lowest", "Highest", "Too few")
    return _markdown(columns, rows)


def _fidelity(runs: Path) -> str:
    """One row per method and removal."""
    rows = [
        [
            result["classifier"]["backbone"],
            result["classifier"]["task"],
            result["images"],
            row["method"],
            row["removal"],
            _text(row["area"]),
            _text(row["above_control"]) if "above_control" in row else "",
        ]
        for result in _results(runs, "*/fidelity/fidelity.json")
        for row in result["rows"]
    ]
    columns = ("Backbone", "Task", "Images", "Method", "Removal", "Mean drop", "Above the control")
    return _markdown(columns, rows)


def _text(values: Any) -> str:
    return values if isinstance(values, str) else str(cell(interval_of(values)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


_TABLES: Final[Mapping[str, Callable[[Path], str]]] = {
    "ham10000": _ham10000,
    "skin_type": _skin_type,
    "ham10000_groups": _ham10000_groups,
    "gaps": _gaps,
    "fidelity": _fidelity,
}
