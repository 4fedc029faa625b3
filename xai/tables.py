"""Write the numbers of an analysis as CSV files, one per part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.classes import CLASSES
from core.io.atomic_files import write_whole
from core.io.plain_text import encode_csv


def write_tables(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``probabilities.csv``, ``time_shap.csv``, ``causal.csv`` and ``faithfulness.csv``.

    The first two are written only if the image has a denoising trajectory.

    Raises:
        OSError: the folder is not writable.
    """
    if "steps" in facts:
        rows = [
            [step["step"], step["timestep"], int(step["kept"]), *(step["probabilities"][name] for name in CLASSES)]
            for step in facts["steps"]
        ]
        _write(folder / "probabilities.csv", ["step", "timestep", "kept", *CLASSES], rows)
    if "time_shap" in facts:
        result = facts["time_shap"]
        columns = zip(result["groups"], result["contributions"], result["standard_errors"], strict=True)
        rows = [[group["first_step"], group["last_step"], value, error] for group, value, error in columns]
        _write(folder / "time_shap.csv", ["first_step", "last_step", "contribution", "standard_error"], rows)
    _write(folder / "causal.csv", *_causal(facts["causal"]))
    _write(folder / "faithfulness.csv", *_faithfulness(facts["faithfulness"]))


def _causal(check: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Return one row per region: position, attribution, group, and the fall of the score per intervention."""
    names = list(check["interventions"])
    falls = [check["interventions"][name]["falls"] for name in names]
    groups = dict.fromkeys(check["top_regions"], "top") | dict.fromkeys(check["bottom_regions"], "bottom")
    rows = [
        [*divmod(region, check["grid"]), value, groups.get(region, ""), *(fall[region] for fall in falls)]
        for region, value in enumerate(check["region_attributions"])
    ]
    return ["row", "column", "attribution", "group", *(f"fall_{name}" for name in names)], rows


def _faithfulness(checks: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Return one row per point of the curves: score in the order of the map, and mean over the random orders."""
    columns = ["share"]
    values = [np.linspace(0, 1, len(checks["deletion"]["scores"])).tolist()]
    for name in ("deletion", "insertion"):
        columns += [name, f"{name}_random_mean"]
        values += [checks[name]["scores"], np.mean(checks[name]["random_scores"], axis=0).tolist()]
    return columns, [list(row) for row in zip(*values, strict=True)]


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    write_whole(path, encode_csv([columns, *rows]))
