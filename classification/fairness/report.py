"""The report of a fairness audit: groups, gaps with those by chance, and the effects of mitigations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from classification.evaluation.plots import intervals_figure, save
from classification.evaluation.tables import cell, interval_of, named
from classification.evaluation.thresholds import description_of
from core.report import Block, Cell, Picture, Section, Table, write_report

_SCORES: Final = ("auc", "sensitivity", "specificity", "balanced_accuracy")
_TOO_FEW: Final = "too few"
_FIGURE_PX: Final = 640
_TITLES: Final = {
    "skin_type": "Fitzpatrick skin type",
    "skin_tone": "skin tone measured on the image",
    "sex": "sex",
    "age": "age",
}
_LIMITS: Final = {
    "skin_type": "Annotators estimated the types from photographs. Two annotation services agree exactly on about half "
    "of the images (arXiv 2104.09957), so neighbouring types are mixed.",
    "skin_tone": "The individual typology angle of the skin outside the lesion mask describes how light the skin is in "
    "the image. It also depends on camera, polarisation and white balance, and methods of this kind disagree strongly "
    "(arXiv 2308.09640). The groups are not Fitzpatrick types.",
    "sex": "From the table of the data.",
    "age": "From the table of the data, in steps of five years.",
}


def write_audit_report(path: Path, result: Mapping[str, Any], plots: Path) -> None:
    """Write ``report.html`` from the content of ``fairness.json``; plots are written to the folder ``plots``."""
    sections = [Section("How to read the tables", _how(result))]
    summary: list[str] = []
    for grouping, found in result["groupings"].items():
        title = _TITLES[grouping]
        blocks: list[Block] = [
            _LIMITS[grouping],
            _cell_table(found, title),
            *_plots(grouping, found, plots),
        ]
        blocks += [_gap_table(found), _difference_table(found), *_change_tables(found), *found["notes"]]
        sections.append(Section(f"By {title}", blocks))
        summary += _summary(title, found)
    names = ", ".join(result["classifiers"])
    provenance = {**result["settings"], **result["classifiers"]}
    title = f"Fairness audit: {names}, {result['data']['question']} yes or no"
    write_report(path, title, summary, sections, provenance=provenance, warnings=_warnings(result))


def _how(result: Mapping[str, Any]) -> list[str]:
    settings, data = result["settings"], result["data"]
    return [
        f"The question is {data['question']}, yes or no, for the {data['images']:,} images of the {data['part']} part. "
        f"A group has a score if it has at least {settings['minimum']} lesions of each outcome that the score needs; "
        f'otherwise the cell is "{_TOO_FEW}", which means neither fair nor unfair. Intervals contain 95% of '
        f"{settings['resamples']:,} resamples of lesions. Thresholds are chosen on the validation part "
        f"{description_of(settings['threshold'])}.",
        "A gap is the largest difference between two groups: of sensitivity (equal opportunity), of sensitivity or "
        "specificity, whichever differs more (equalised odds), or of the share classified as positive (demographic "
        "parity).",
    ]


def _warnings(result: Mapping[str, Any]) -> list[str]:
    found = []
    for name, facts in result["classifiers"].items():
        start = str(facts.get("initial_weights", ""))
        if start.startswith("Training from scratch"):
            found.append(f"{name}: {start}")
    return found


def _summary(title: str, found: Mapping[str, Any]) -> list[str]:
    return [
        f"By {title}, {name}: {_gap_sentence(gap)}"
        for name, series in found["series"].items()
        for gap in series["gaps"]
        if gap["criterion"] == "equal opportunity"
    ]


def _gap_sentence(gap: Mapping[str, Any]) -> str:
    left_out = f" Too few to judge: {', '.join(gap['too_few'])}." if gap["too_few"] else ""
    if gap["size"] == _TOO_FEW:
        return f"fewer than two groups have enough positives, so the gap cannot be measured.{left_out}"
    size = interval_of(gap["size"])
    if not gap["lowest"]:
        return f"sensitivity is equal in all groups with enough lesions.{left_out}"
    verdict = "more than" if (size.value or 0) > gap["by_chance"] else "no more than"
    return (
        f"sensitivity differs by {cell(size)} between {gap['lowest']} (lowest) and {gap['highest']} (highest), "
        f"{verdict} the {gap['by_chance']:.3f} that shuffled groups exceed in 5% of cases.{left_out}"
    )


def _cell_table(found: Mapping[str, Any], title: str) -> Table:
    rows: list[list[Cell]] = []
    for index, group in enumerate(_groups(found)):
        for name, series in found["series"].items():
            mine = series["cells"][index]
            counts: list[Cell] = [mine["images"], mine["lesions"], mine["positives"], mine["negatives"]]
            rows.append([group, name, *counts, *(_cell(mine[score]) for score in _SCORES)])
    columns = ("Group", "Classifier", "Images", "Lesions", "Positive", "Negative", *map(named, _SCORES))
    return Table(columns, rows, f"All groups by {title}, with each classifier.")


def _groups(found: Mapping[str, Any]) -> list[str]:
    return [row["group"] for row in next(iter(found["series"].values()))["cells"]]


def _plots(grouping: str, found: Mapping[str, Any], plots: Path) -> list[Picture]:
    figures = []
    for score in ("sensitivity", "specificity"):
        rows = [
            (mine["group"], name, mine[score]["value"], mine[score]["low"], mine[score]["high"])
            for name, series in found["series"].items()
            for mine in series["cells"]
            if mine[score] != _TOO_FEW and mine[score]["low"] is not None
        ]
        if rows:
            file = save(intervals_figure(rows, score), plots / f"{grouping}_{score}.png")
            caption = f"{named(score)} with 95% intervals; groups with too few cases are not shown."
            figures.append(Picture(file, caption, width=_FIGURE_PX))
    return figures


def _gap_table(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [
        [
            gap["criterion"],
            name,
            _cell(gap["size"]),
            gap["by_chance"],
            gap["lowest"] or None,
            gap["highest"] or None,
            ", ".join(gap["too_few"]) or "none",
        ]
        for name, series in found["series"].items()
        for gap in series["gaps"]
    ]
    columns = ("Criterion", "Classifier", "Gap", "By chance (95%)", "Lowest", "Highest", "Too few to judge")
    return Table(columns, rows, "Gaps, and the gap that shuffled groups exceed in 5% of cases.")


def _difference_table(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [
        [row["group"], row["reference"], name, *(_cell(row[score]) for score in _SCORES)]
        for name, series in found["series"].items()
        for row in series["differences"]
    ]
    columns = ("Group", "Compared with", "Classifier", *map(named, _SCORES))
    return Table(columns, rows, "Scores of each group minus those of the largest group; negative is a disadvantage.")


def _change_tables(found: Mapping[str, Any]) -> list[Table]:
    tables = []
    for name, change in found["changes"].items():
        rows: list[list[Cell]] = [[row["group"], *(_cell(row[score]) for score in _SCORES)] for row in change["groups"]]
        caption = f"Change of each group's scores from {change['from']} to {name}, on the same images."
        tables.append(Table(("Group", *map(named, _SCORES)), rows, caption))
    return tables


def _cell(values: Any) -> Cell:
    return _TOO_FEW if values == _TOO_FEW else cell(interval_of(values))
