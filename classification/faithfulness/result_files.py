"""Write the files of a fidelity measurement: JSON, curves, and the report with its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from classification.evaluation.plots import fidelity_figure, save
from classification.evaluation.tables import cell, interval_of, write_csv
from classification.faithfulness.contours import NAMES, Explained, contour_figures
from classification.file_output import plain_failures, write_json
from core.io.atomic_files import whole_file
from core.report import Cell, Gallery, Picture, Section, Table, write_report

SHARES: Final = tuple(range(5, 100, 5))
"""Per cent of the pixels that are removed."""
CONTOURS: Final = "contours"
"""Folder of the contour figures in the output of a measurement."""
EXPLAINED: Final = ("gradcam", "ig")
REMOVALS: Final = ("black", "random")
_EXPLANATION: Final = (
    "The most important pixels are removed in steps of 5%. The drop of the probability of the predicted class is "
    "averaged over images and steps. The control removes the pixels that a random map marks. The map is as coarse as "
    "that of Grad-CAM for Grad-CAM, and random in every pixel for Integrated Gradients. Only a value above the control "
    "is evidence for the method. Images with removed pixels differ from all training images; this measure cannot "
    "distinguish that effect from importance (arXiv 2201.13291)."
)

_CONTOURS: Final = (
    "Contours enclose the most important 20%. TP, FP, TN, FN: true and false positives, true and false negatives."
)


@dataclass(frozen=True)
class FallsPerImage:
    """Drop of the probability of the predicted class for each image.

    Attributes:
        images: image ids, (N,).
        scores: probability of yes of each image before anything is removed, (N,).
        falls: for each method and removal, the drops, (N, len(SHARES)).
    """

    images: Sequence[str]
    scores: np.ndarray
    falls: Mapping[tuple[str, str], np.ndarray]


def write_fidelity(
    output: Path, result: Mapping[str, Any], shown: Sequence[Explained], per_image: FallsPerImage
) -> None:
    """Write the curves as CSV and PNG, ``report.html`` with the shown images, and ``fidelity.json``.

    The drops of all images are in ``fidelity_images.csv`` and ``fidelity_images.npz``; the contour figures of the
    shown images are also files in ``contours/``.

    Raises:
        JobFailedError: a file cannot be written.
    """
    with plain_failures(output):
        _write_per_image(output, per_image)
        _write(output, result, shown)


def _write_per_image(output: Path, per_image: FallsPerImage) -> None:
    rows = [
        {"image_id": image, "score": f"{score:.5f}", "method": method, "removal": removal, **_by_share(falls[index])}
        for index, (image, score) in enumerate(zip(per_image.images, per_image.scores, strict=True))
        for (method, removal), falls in per_image.falls.items()
    ]
    write_csv(output / "fidelity_images.csv", rows)
    arrays: dict[str, Any] = {"image_id": np.array(per_image.images, dtype=np.str_), "share": np.array(SHARES)}
    arrays |= {f"{_plain(method)}_{removal}": falls for (method, removal), falls in per_image.falls.items()}
    with whole_file(output / "fidelity_images.npz", replace=True) as stream:
        np.savez(stream, score=per_image.scores, **arrays)


def _plain(method: str) -> str:
    return method.replace(", ", "_")


def _write(output: Path, result: Mapping[str, Any], shown: Sequence[Explained]) -> None:
    curves = [{"method": r["method"], "removal": r["removal"], **_by_share(r["curve"])} for r in result["rows"]]
    write_csv(output / "fidelity.csv", curves)
    curves_shown = []
    for removal in REMOVALS:
        mine = [row for row in result["rows"] if row["removal"] == removal]
        lines = [
            (NAMES.get(row["method"], row["method"]), np.array(row["curve"]), row["method"] not in EXPLAINED)
            for row in mine
        ]
        file = save(fidelity_figure(SHARES, lines), output / f"fidelity_{removal}.png")
        curves_shown.append(Picture(file, f"Removed pixels become {removal}.", width=430))
    (output / CONTOURS).mkdir(exist_ok=True)
    contours = []
    for item, figure, caption in contour_figures(shown):
        file = save(figure, output / CONTOURS / f"{item.kind}_{item.image_id}.png")
        contours.append(Picture(file, caption, width=430))
    table = Table(
        ("Method", "Removal", "Mean drop", "Above the control"),
        [_row(row) for row in result["rows"]],
        f"Mean drop over {result['images']} images, with 95% intervals over lesions.",
    )
    sections = [
        Section(
            "Fidelity",
            [_EXPLANATION, table, Gallery(curves_shown, "Mean drop of the probability of the predicted class.")],
        ),
        Section("Regions that the classifier uses", [Gallery(contours, _CONTOURS)]),
    ]
    summary = [_sentence(row) for row in result["rows"] if "above_control" in row]
    title = f"Fidelity of explanations: {result['classifier']['backbone']}, {result['images']} images"
    provenance = {**result["classifier"], **result["settings"]}
    start = str(result["classifier"].get("initial_weights", ""))
    warnings = [start] if start.startswith("Training from scratch") else []
    write_report(output / "report.html", title, summary, sections, provenance=provenance, warnings=warnings)
    write_json(output / "fidelity.json", result)  # last: it marks a complete result


def _by_share(curve: Sequence[float]) -> dict[str, str]:
    return {f"{share}%": f"{value:.5f}" for share, value in zip(SHARES, curve, strict=True)}


def _row(row: Mapping[str, Any]) -> list[Cell]:
    above = cell(interval_of(row["above_control"])) if "above_control" in row else None
    return [NAMES.get(row["method"], row["method"]), row["removal"], cell(interval_of(row["area"])), above]


def _sentence(row: Mapping[str, Any]) -> str:
    above = interval_of(row["above_control"])
    verdict = "not significantly more or less faithful than"
    if above.low is not None and above.high is not None and above.low * above.high > 0:
        verdict = "more faithful than" if above.low > 0 else "less faithful than"
    return (
        f"{NAMES[row['method']]} (pixels made {row['removal']}) is {verdict} a random map (difference {cell(above)})."
    )
