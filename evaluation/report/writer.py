"""Write ``evaluation.html``, ``evaluation.json`` and the dataset card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from core.io.atomic_files import cannot_write, write_whole
from core.report import write_report
from evaluation.report.dataset_card import dataset_card
from evaluation.report.results import Evaluation, digest_of, versions
from evaluation.report.sections import sections
from evaluation.report.summary import summarise

REPORT_FILE: Final = "evaluation.html"
JSON_FILE: Final = "evaluation.json"
CARD_FILE: Final = "DATASET_CARD.md"


def write_results(evaluation: Evaluation) -> list[Path]:
    """Write all results into the job's output folder; return the files, the report first.

    Raises:
        OutputFolderError: the folder cannot be written.
    """
    folder = evaluation.job.output
    data = json.dumps({**evaluation.to_json(), "summary": summarise(evaluation)}, indent=1, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / JSON_FILE, data.encode() + b"\n")
        write_whole(folder / CARD_FILE, dataset_card(evaluation).encode())
        write_report(
            folder / REPORT_FILE,
            f"{len(evaluation.generated):,} synthetic images of {evaluation.job.images.resolve().name}",
            summarise(evaluation),
            list(sections(evaluation)),
            provenance=_provenance(evaluation),
            warnings=evaluation.warnings,
        )
    except OSError as error:
        raise cannot_write(folder, error) from error
    return [folder / name for name in (REPORT_FILE, JSON_FILE, CARD_FILE)]


def _provenance(evaluation: Evaluation) -> dict[str, object]:
    return {
        **evaluation.provenance.in_words(),
        "set, SHA-256 of its files": digest_of(evaluation.generated.digests),
        "real images": f"{evaluation.job.real.resolve().name}, {len(evaluation.real):,} images",
        "real images, SHA-256": digest_of(evaluation.real.digests),
        "networks": {name: fingerprint[:16] for name, fingerprint in evaluation.networks.items()},
        "evaluation": f"seed {evaluation.job.seed}, {'quick, ' if evaluation.job.quick else ''}{evaluation.size} px",
        "versions": versions(),
    }
