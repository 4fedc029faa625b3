"""Results as tables: CSV for spreadsheets, cells for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from classification.evaluation.bootstrap import Interval
from core.io.atomic_files import write_whole
from core.io.plain_text import encode_csv
from core.report import Cell, Estimate

_NAMES: Final = {"auc": "AUC", "macro_auc": "Macro AUC", "positive_rate": "Share classified as positive"}


def write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write rows as a CSV; the first row defines the columns, and an interval takes three columns."""
    flat = [_flat(row) for row in rows]
    columns = list(flat[0])
    write_whole(file, encode_csv([columns, *([row[column] for column in columns] for row in flat)]))
    return file


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            found |= {
                name: _number(value.value),
                f"{name}_low": _number(value.low),
                f"{name}_high": _number(value.high),
            }
        else:
            found[name] = value
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def cell(interval: Interval | None, missing: str = "not defined") -> Cell:
    """An interval as a cell of a report."""
    if interval is None or interval.value is None:
        return missing
    return Estimate(interval.value, interval.low, interval.high)


def named(score: str) -> str:
    """The name of a score in reports."""
    return _NAMES.get(score, score.replace("_", " ").capitalize())


def interval_of(values: Mapping[str, Any]) -> Interval:
    """An interval from its JSON form."""
    return Interval(values["value"], values["low"], values["high"], values["method"])
