"""Compare several sets: the same figures, measured against the same real images with the same features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from core.errors import ArgumentError
from core.io.atomic_files import cannot_write, sha256_of, write_whole
from core.io.json_text import parse_json
from core.report import Section, Table, write_report
from core.report.escaping import markdown_text
from evaluation.features.image_listing import FoundImage
from evaluation.features.image_loading import common_size
from evaluation.features.image_set import read_side
from evaluation.job import LEAST_SIZE, ComparisonJob
from evaluation.metrics.resemblance import ALL
from evaluation.progress import Event, PartsProgress, Progress, Warned, Work, map_events, result_of
from evaluation.report.results import RESULT_FORMAT, digest_of, versions
from evaluation.report.summary import heading
from evaluation.report.writer import JSON_FILE, write_results
from evaluation.run import evaluate, find_images

HTML_FILE: Final = "comparison.html"
DATA_FILE: Final = "comparison.json"
TABLE_FILE: Final = "comparison.md"
_PLANNING: Final = 0.01  # share of the time of one evaluation
_PROGRESS_EVERY: Final = 50  # images
_METRICS: Final = ("kid", "fid", "precision", "recall", "density", "coverage", "diversity")


def compare(job: ComparisonJob) -> Work[list[Path]]:
    """Evaluate the sets that have no evaluation yet and tabulate all of them.

    Sets are checked before the first evaluation starts, as far as the existing files allow it.

    Returns:
        The written files, the report first.

    Raises:
        ArgumentError: a set cannot be used, or two sets were not measured under the same conditions.
    """
    sets: dict[str, Path] = {}
    for folder in job.sets:
        sets[_unique(folder.resolve().name, sets)] = folder
    finished = {name: read_result(folder) for name, folder in sets.items() if (folder / JSON_FILE).is_file()}
    new = {name: folder for name, folder in sets.items() if name not in finished}
    if finished:
        check_comparable(finished)
    whole = PartsProgress([_PLANNING, *[1.0] * len(new)])
    size = (yield from whole.part(_planned_size(job, finished, new))) if new else 0
    results: dict[str, dict[str, Any]] = {}
    for number, (name, folder) in enumerate(sets.items(), 1):
        if name in finished:
            results[name] = finished[name]
            continue
        output = job.output / f"{number}-{folder.resolve().name}"
        write_results((yield from whole.part(evaluate(job.evaluation_of(folder, output, size)))))
        results[name] = read_result(output)
    check_comparable(results)
    return _write(job.output, results)


def _planned_size(job: ComparisonJob, finished: Mapping[str, Mapping[str, Any]], new: Mapping[str, Path]) -> Work[int]:
    """Size at which new sets are evaluated: that of the finished evaluations, otherwise a size common to all images.

    Raises:
        ArgumentError: a set cannot be used, or its evaluation would not be comparable.
    """
    jobs = {name: job.evaluation_of(folder, job.output, 0) for name, folder in new.items()}
    found = {name: result_of(find_images(one)) for name, one in jobs.items()}  # evaluate() reports their warnings
    known = next(iter(finished.values()))["basis"] if finished else {}
    _, real, _ = next(iter(found.values()))  # identical for all sets with the same classes
    images = [*(generated for generated, _, _ in found.values()), real]
    size: int = known["size"] if finished else common_size(*([one.path for one in side] for side in images))
    planned = {
        name: {
            "basis": {
                **known,
                "size": one.size or size,
                "classes": list(dict.fromkeys(image.class_name for image in found[name][0])),
                "quick": one.quick,
                "seed": one.seed,
            }
        }
        for name, one in jobs.items()
    }
    check_comparable({**finished, **planned})
    if known.get("real_sha256"):
        name, values = next(iter(planned.items()))  # the real images of all new sets are the same
        digest = yield from _digest_of_real(real, known["real_sha256"])
        check_comparable({**finished, name: {"basis": {**values["basis"], "real_sha256": digest}}})
    return size


def _digest_of_real(images: Sequence[FoundImage], expected: str) -> Work[str]:
    """Digest that an evaluation against these real images will record: that of the readable ones."""
    whole = PartsProgress([1.0, 1.0])
    if (yield from whole.part(_digest_of_files(images))) == expected:
        return expected
    # Unreadable images are found only by decoding; evaluate() names them in a warning.
    side = yield from whole.part(map_events(read_side(images, LEAST_SIZE, "real images"), _drop_warnings))
    return digest_of(side.digests)


def _drop_warnings(event: Event) -> Event | None:
    return None if isinstance(event, Warned) else event


def _digest_of_files(images: Sequence[FoundImage]) -> Work[str | None]:
    """Digest of all images; None if one cannot be opened."""
    digests = []
    for done, image in enumerate(images):
        if done % _PROGRESS_EVERY == 0:
            yield Progress("Comparing the real images", done, len(images))
        try:
            digests.append(sha256_of(image.path))
        except OSError:
            return None
    return digest_of(digests)


def read_result(folder: Path) -> dict[str, Any]:
    """Read the ``evaluation.json`` of a folder.

    Raises:
        ArgumentError: the file cannot be read or is not an evaluation.
    """
    file = folder / JSON_FILE
    try:
        values = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{file} cannot be read: {error}.") from error
    if not isinstance(values, dict) or values.get("format") != RESULT_FORMAT:
        raise ArgumentError(f'{file} is not an evaluation: "format" is not "{RESULT_FORMAT}"; evaluate the set again.')
    return values


def check_comparable(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to compare results with different real images, sizes, features, classes or settings.

    Raises:
        ArgumentError: two results differ; the message names the sets and the first difference.
    """
    (first, reference), *others = ((name, result["basis"]) for name, result in results.items())
    for name, basis in others:
        differing = [key for key in reference if basis.get(key) != reference[key]]
        if differing:
            raise ArgumentError(
                f"The sets {first} and {name} cannot be compared: {differing[0]} is {reference[differing[0]]} and "
                f"{basis.get(differing[0])}; evaluate both with the same settings and against the same real images."
            )


def tables(results: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """One table per feature space and one for the other results; one row per set."""
    first = next(iter(results.values()))
    group = ALL if len(first["set_images"]) > 1 else next(iter(first["set_images"]))
    found = [
        Table(
            ("Set", "n", *map(heading, _METRICS), "KID ÷ floor"),
            [_figures_row(name, result, group, space) for name, result in results.items()],
            f"Features: {description}. Classes: {group}. KID ± standard deviation over subsets. The last column is KID "
            "divided by the 95th percentile of real against real.",
        )
        for space, description in first["features"].items()
    ]
    judges = [agreement["judge"] for agreement in first["agreement"]]
    columns = (
        "Set",
        "Sampler",
        "Steps",
        "Reuse",
        *(f"Agreement ({judge})" for judge in judges),
        "Copies",
        "Suspicious",
    )
    rows = [_judgement_row(name, result, judges) for name, result in results.items()]
    return [
        *found,
        Table((*columns, "Similar", "Gain of balanced accuracy"), rows, "Class agreement, copies and usefulness."),
    ]


def _figures_row(name: str, result: Mapping[str, Any], group: str, space: str) -> list[str | int | float | None]:
    figures = {
        figure["metric"]: figure
        for figure in result["figures"]
        if figure["class_name"] == group and figure["features"] == space
    }
    cells: list[str | int | float | None] = [name, sum(result["set_images"].values())]
    for metric in _METRICS:
        figure = figures.get(metric)
        if figure is None:
            cells.append(None)
        elif metric == "kid":
            cells.append(f"{figure['value']:.4f} ± {figure['sd']:.4f}")
        else:
            cells.append(f"{figure['value']:.2f} ({figure['floor']:.2f})")
    return [*cells, figures["kid"]["ratio_to_floor_95"] if "kid" in figures else None]


def _judgement_row(name: str, result: Mapping[str, Any], judges: Sequence[str]) -> list[str | int | float | None]:
    macros = {agreement["judge"]: agreement["macro"] for agreement in result["agreement"]}
    values = result["provenance"]["values"]
    made = [" ".join(values.get(key, {})) or None for key in ("sampler", "steps", "reuse")]
    agreements = [f"{100 * macros[judge]:.1f}%" if macros.get(judge) is not None else None for judge in judges]
    gains = [_gain(found["gain"]) for found in result["usefulness"]]
    suspicious = f"{100 * result['copies']['suspicious']['share']:.1f}%"
    duplicates = result["duplicates"]
    similar = duplicates["similar" if "similar" in duplicates else "alike"]["hits"]  # its name in earlier versions
    return [name, *made, *agreements, result["copies"]["copies"], suspicious, similar, ", ".join(gains) or None]


def markdown(table: Table) -> str:
    """A table as Markdown, followed by its caption."""
    lines = ["| " + " | ".join(map(markdown_text, table.columns)) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(map(markdown_text, row)) + " |" for row in table.texts]
    return "\n".join(lines) + (f"\n\n{markdown_text(table.caption)}\n" if table.caption else "\n")


def _unique(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name} ({number})", number + 1
    return unique


def _write(folder: Path, results: Mapping[str, dict[str, Any]]) -> list[Path]:
    found = tables(results)
    summary = [f"{len(results)} sets were measured against the same real images; {_best_in_words(results)}."]
    summary += [f"{name}: {result['summary'][0]}" for name, result in results.items()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / DATA_FILE, json.dumps(results, indent=1).encode() + b"\n")
        write_whole(folder / TABLE_FILE, "\n".join(map(markdown, found)).encode())
        write_report(
            folder / HTML_FILE,
            f"Comparison of {len(results)} synthetic sets",
            summary,
            [Section("Figures", found)],
            provenance={**next(iter(results.values()))["basis"], "versions": versions()},
        )
    except OSError as error:
        raise cannot_write(folder, error) from error
    return [folder / name for name in (HTML_FILE, DATA_FILE, TABLE_FILE)]


def _gain(values: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * values[key]:+.1f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _best_in_words(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A sentence that names the set with the lowest KID and the sets within one standard deviation of it."""
    kids = {name: found for name, result in results.items() if (found := _kid(result))}
    if not kids:
        return "KID could not be measured for any of them"
    best = min(kids, key=lambda name: kids[name][0])
    value, deviation = kids[best]
    close = [name for name, (other, _) in kids.items() if name != best and other - value <= deviation]
    addition = f"; {', '.join(close)} within one standard deviation of it" if close else ""
    return f"{best} has the lowest KID{addition}"


def _kid(result: Mapping[str, Any]) -> tuple[float, float] | None:
    """Overall KID with the first features and its standard deviation; None if it was not measured."""
    space = next(iter(result["features"]))
    group = ALL if len(result["set_images"]) > 1 else next(iter(result["set_images"]))
    found = (
        (float(figure["value"]), float(figure["sd"]))
        for figure in result["figures"]
        if (figure["metric"], figure["class_name"], figure["features"]) == ("kid", group, space)
    )
    return next(found, None)
