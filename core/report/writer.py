"""Render sections into one HTML file that loads no scripts, fonts or other resources."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core import __version__
from core.io.atomic_files import write_whole
from core.report.content import Block, Gallery, Picture, Section, Table

RESEARCH_USE: Final = "For research use only. Not a medical device: nothing in this report is a diagnosis."
_TEMPLATE: Final = "report.html.j2"


def write_report(
    path: Path,
    title: str,
    summary: Sequence[str],
    sections: Sequence[Section],
    *,
    provenance: Mapping[str, object],
    warnings: Sequence[str] = (),
) -> None:
    """Write a report atomically. Tables and figures are numbered across all sections.

    Args:
        path: the HTML file; an existing file is replaced.
        title: title of the report, such as "Explanation of MEL/ISIC_0000001.png".
        summary: plain sentences that answer the report's questions, shown as a list at the top.
        sections: sections in reading order.
        provenance: origin of the numbers (files and hashes, settings, seeds, versions), shown at the end.
        warnings: sentences that a reader must know before using any number; shown above the summary.

    Raises:
        OSError: the file cannot be written, or a picture cannot be read.
        ValueError: a picture is neither PNG, JPEG nor SVG.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures, tables = itertools.count(1), itertools.count(1)
    html = environment.get_template(_TEMPLATE).render(
        title=title,
        summary=summary,
        warnings=warnings,
        sections=[(section.title, list(_numbered(section.blocks, figures, tables))) for section in sections],
        provenance=_stated(provenance),
        research_use=RESEARCH_USE,
        version=__version__,
        written_at=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )
    write_whole(path, html.encode("utf-8", "backslashreplace"))  # a file name need not be UTF-8


def _numbered(
    blocks: Sequence[Block], figures: Iterator[int], tables: Iterator[int]
) -> Iterator[tuple[str, Any, int | None]]:
    """Yield each block with its kind and its number."""
    for block in blocks:
        if isinstance(block, Table):
            yield "table", block, next(tables)
        elif isinstance(block, Picture):
            yield "picture", block, next(figures)
        elif isinstance(block, Gallery):
            yield "gallery", block, next(figures)
        else:
            yield "text", block, None


def _stated(facts: Mapping[str, object]) -> list[tuple[str, Any]]:
    """Return pairs of a readable name and a text. A nested mapping becomes a nested list of pairs."""
    return [
        (str(name).replace("_", " "), _stated(value) if isinstance(value, Mapping) else _plain(value))
        for name, value in facts.items()
    ]


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name  # reports are shared, so folder names of this machine are removed
    return "none" if value is None else str(value)
