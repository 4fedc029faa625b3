"""Prepare Fitzpatrick17k: filter it to one question, split it by photograph, and form a test part per skin type.

M. Groh et al., Evaluating deep neural networks trained on clinical images in dermatology with the Fitzpatrick 17k
dataset, arXiv 2104.09957. The table does not name patients. Many images are copies of the same photograph (K. Abhishek
et al., arXiv 2401.14497); they are always in the same part.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from classification.data.collection import PREPARED_FILE, PREPARED_FORMAT, PREPARED_TABLE
from classification.data.fitzpatrick_table import TYPES, UNKNOWN_TYPE, Seen, class_of, file_of, look_at, read_table
from classification.data.image_download import download_images
from classification.data.perceptual_duplicates import same_photographs
from classification.data.split_column import TEST, TRAINING, VALIDATION
from classification.events import Emit, Note, Written, discard
from classification.file_output import plain_failures, write_json
from classification.ranges import SPLIT_RANGES, check_ranges
from classification.tasks import CONTRASTS
from core.errors import ArgumentError
from core.io.atomic_files import require_writable, write_whole
from core.io.plain_text import encode_csv

REPORT: Final = "prepare_report.json"
_COLUMNS: Final = ("image_id", "lesion_id", "class", "part", "skin_type", "label", "file")


@dataclass(frozen=True)
class PrepareJob:
    """Settings of the preparation.

    Attributes:
        table: ``fitzpatrick17k.csv``.
        images: folder with ``<md5hash>.jpg``.
        output: folder for the table of images with their parts, and for the report.
        contrast: ``melanoma`` (against nevus; default of ``train --task binary``) or ``malignant`` (against benign).
        seed: seed of the split.
        validation, test: shares of the positives and negatives of each skin type.
        download: download missing images from the table's addresses.

    Raises:
        ArgumentError: a value is out of its range, or the shares leave nothing for training.
    """

    table: Path
    images: Path
    output: Path
    contrast: str = "melanoma"
    seed: int = 0
    validation: float = 0.15
    test: float = 0.35
    download: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, SPLIT_RANGES)
        if self.validation + self.test >= 1:
            raise ArgumentError(
                f"The shares {self.validation} and {self.test} leave nothing for training; their sum must be below 1."
            )


def prepare(job: PrepareJob, emit: Emit = discard) -> dict[str, Any]:
    """Filter, check and split the images; write ``images.csv``, one list per part, and a report.

    Returns:
        The report, which names the images that were left out.

    Raises:
        ArgumentError: the table is not that of Fitzpatrick17k, a value in it is unknown, too few images remain, or the
            output cannot be written.
        JobFailedError: a result cannot be written.
    """
    if job.contrast not in CONTRASTS:
        raise ArgumentError(f"The contrast {job.contrast!r} does not exist; choose from {', '.join(CONTRASTS)}.")
    rows = read_table(job.table)
    wanted = {row["md5hash"]: class_of(row, job.contrast) for row in rows}
    asked = [row for row in rows if wanted[row["md5hash"]]]
    _require_output(job.output)
    not_downloaded = _download(job, asked, emit) if job.download else {}
    seen = look_at(job.images, asked, emit)
    photographs = _photographs(seen)
    there = [row for row in asked if row["md5hash"] in photographs]
    contradicted = _contradicted(there, photographs, wanted)
    kept = [row for row in there if row["md5hash"] not in contradicted]
    parts = _split(kept, photographs, wanted, job)
    table = [_entry(row, photographs, wanted, parts, seen) for row in kept]
    _check(table, job)
    report = {
        "format": "isicgui.prepare_report/1",
        "contrast": job.contrast,
        "listed": len(rows),
        "of_the_contrast": len(asked),
        "kept": len(kept),
        "missing": sorted(seen.missing),
        "broken": seen.broken,
        "not_downloaded": not_downloaded,
        "contradictory_copies": sorted(contradicted),
        "photographs_shown_more_than_once": sum(times > 1 for times in Counter(photographs.values()).values()),
        "labels": {name: dict(counts) for name, counts in _labels(table).items()},
        "parts": {part: dict(counts) for part, counts in sorted(_cells(table).items())},
    }
    with plain_failures(job.output):
        _write(job, table, report)
    emit(Note(_summary(report)))
    emit(Written(job.output / REPORT))
    return report


def _require_output(folder: Path) -> None:
    """Check early that a folder can be written. A new one is removed, because too few images may remain to fill it."""
    there = folder.exists()
    require_writable(folder)
    if not there:
        folder.rmdir()


def _download(job: PrepareJob, rows: Sequence[Mapping[str, str]], emit: Emit) -> dict[str, str]:
    if not rows:
        raise ArgumentError(f"{job.table} lists no image that answers {job.contrast!r}; name another --contrast.")
    if "url" not in rows[0]:
        raise ArgumentError(f"{job.table} has no column url to download from; omit --download.")
    missing = [row for row in rows if file_of(job.images, row["md5hash"]) is None]
    return download_images({f"{row['md5hash']}.jpg": row["url"] for row in missing}, job.images, emit)


def _photographs(seen: Seen) -> dict[str, str]:
    """The photograph that each image shows, named after the first of its copies, so that the name is reproducible."""
    if not seen.hashes:
        return {}
    numbers = dict(zip(seen.hashes, same_photographs(list(seen.hashes.values())), strict=True))
    first: dict[int, str] = {}
    for name in sorted(numbers):
        first.setdefault(numbers[name], name)
    # Splits of earlier runs contain this prefix, and ``refuse_leak`` compares the names.
    return {name: f"picture-{first[number]}" for name, number in numbers.items()}


def _contradicted(
    rows: Sequence[Mapping[str, str]], photographs: Mapping[str, str], wanted: Mapping[str, str]
) -> set[str]:
    """Copies of one photograph with contradictory labels."""
    classes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        classes[photographs[row["md5hash"]]].add(wanted[row["md5hash"]])
    return {row["md5hash"] for row in rows if len(classes[photographs[row["md5hash"]]]) > 1}


def _split(
    rows: Sequence[Mapping[str, str]], photographs: Mapping[str, str], wanted: Mapping[str, str], job: PrepareJob
) -> dict[str, str]:
    """The part of each photograph, drawn within skin type and class; without a skin type it is for training only."""
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    types: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        types[photographs[row["md5hash"]]].add(row["fitzpatrick_scale"])
    for row in rows:
        photograph = photographs[row["md5hash"]]
        skin_type = min(types[photograph])  # if copies have several types; "-1" comes first
        if photograph not in strata[skin_type, wanted[row["md5hash"]]]:
            strata[skin_type, wanted[row["md5hash"]]].append(photograph)
    rng, parts = np.random.default_rng(job.seed), {}
    for (skin_type, _), members in sorted(strata.items()):
        order = rng.permutation(members).tolist()
        test, validation = round(job.test * len(order)), round(job.validation * len(order))
        for index, photograph in enumerate(order):
            part = TEST if index < test else VALIDATION if index < test + validation else TRAINING
            parts[photograph] = TRAINING if skin_type == UNKNOWN_TYPE else part
    return parts


def _entry(
    row: Mapping[str, str],
    photographs: Mapping[str, str],
    wanted: Mapping[str, str],
    parts: Mapping[str, str],
    seen: Seen,
) -> dict[str, str]:
    name, skin_type = row["md5hash"], row["fitzpatrick_scale"]
    part = parts[photographs[name]]
    return {
        "image_id": name,
        "lesion_id": photographs[name],
        "class": wanted[name],
        "part": f"{TEST}{skin_type}" if part == TEST else part,
        "skin_type": skin_type,
        "label": row["label"],
        "file": seen.files[name],
    }


def _check(table: Sequence[Mapping[str, str]], job: PrepareJob) -> None:
    for part in (TRAINING, VALIDATION):
        classes = {entry["class"] for entry in table if entry["part"] == part}
        if len(classes) < 2:
            there = f"only {', '.join(classes)}" if classes else "no image"
            raise ArgumentError(
                f"The {part} part would have {there}: only {len(table):,} images of {job.table} for the contrast "
                f"{job.contrast!r} are in {job.images}; add images or use --download."
            )


def _cells(table: Sequence[Mapping[str, str]]) -> dict[str, Counter[str]]:
    cells: dict[str, Counter[str]] = defaultdict(Counter)
    for part in (TRAINING, VALIDATION, *(f"{TEST}{number}" for number in TYPES)):
        cells[part] = Counter()
    for entry in table:
        cells[entry["part"]][entry["class"]] += 1
    return cells


def _labels(table: Sequence[Mapping[str, str]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in table:
        found[entry["class"]][entry["label"]] += 1
    return found


def _write(job: PrepareJob, table: Sequence[Mapping[str, str]], report: Mapping[str, Any]) -> None:
    job.output.mkdir(parents=True, exist_ok=True)
    _write_table(job.output / PREPARED_TABLE, table)
    for part in _cells(table):
        _write_table(job.output / f"{part}.csv", [entry for entry in table if entry["part"] == part])
    write_json(job.output / REPORT, report)
    facts = {
        "format": PREPARED_FORMAT,
        "source": "fitzpatrick17k",
        "contrast": job.contrast,
        "images": str(job.images.resolve()),
        "seed": job.seed,
        "shares": {VALIDATION: job.validation, TEST: job.test},
    }
    write_whole(job.output / PREPARED_FILE, json.dumps(facts, indent=2).encode())  # last: it marks a complete folder


def _write_table(file: Path, table: Sequence[Mapping[str, str]]) -> None:
    write_whole(file, encode_csv([_COLUMNS, *([entry[column] for column in _COLUMNS] for entry in table)]))


def _summary(report: Mapping[str, Any]) -> str:
    left_out = {
        "missing": len(report["missing"]),
        "broken": len(report["broken"]),
        "contradictory copies": len(report["contradictory_copies"]),
    }
    reasons = ", ".join(f"{count} {name}" for name, count in left_out.items())
    return f"{report['kept']:,} of {report['of_the_contrast']:,} images kept; left out: {reasons}."
