from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from core.report import RESEARCH_USE, Estimate, Gallery, Picture, Section, Table, write_report
from tests.conftest import REAL_IMAGES


def png(value: int, side: int = 3) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (value, value, value)).save(stream, "PNG")
    return stream.getvalue()


def written(folder: Path, *blocks: object, **changes: object) -> str:
    path = folder / "report.html"
    values = {"provenance": {"seed": 42}, **changes}
    write_report(path, "A title", ["The result."], [Section("Part", blocks)], **values)
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collect references to other files, and elements that were not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.pictures: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                (self.pictures if (value or "").startswith("data:") else self.outside).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_file_needs_nothing_else(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    real = next((REAL_IMAGES / "images").iterdir())
    html = written(tmp_path, Picture(figure, "a curve"), Gallery([Picture(png(7), "x"), Picture(real, "y")], "two"))
    page = Page(html)
    assert page.open == []
    assert page.outside == []
    assert "<script" not in html
    assert "url(" not in html
    kinds = [re.match(r"data:([\w/]+);base64,", uri)[1] for uri in page.pictures]
    assert kinds == ["image/png", "image/png", f"image/{real.suffix[1:].replace('jpg', 'jpeg')}"]


def test_a_picture_is_the_very_file(tmp_path: Path) -> None:
    uri = Page(written(tmp_path, Picture(png(7), "grey"))).pictures[0]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    assert (pixels == 7).all()


def test_it_contains_title_summary_notice_and_provenance(tmp_path: Path) -> None:
    facts = {"a_key": {"b": [1, 2], "deep_one": {"f": 3}}, "c": None, "d": 0.13344813773009206, "e": True}
    html = written(tmp_path, "Words.", warnings=["The head is untrained."], provenance=facts)
    body = html[html.index("<body>") :]
    order = (
        "<h1>A title",
        RESEARCH_USE,
        "The head is untrained.",
        "The result.",
        "Words.",
        "a key",
        "<dt>b</dt><dd>1, 2</dd>",
        "deep one",
        "<dt>f</dt><dd>3</dd>",
        "none",
        ">0.133448<",
        "yes",
    )
    places = [body.index(text) for text in order]
    assert places == sorted(places)


def test_it_names_files_without_the_folders_of_the_machine(tmp_path: Path) -> None:
    html = written(tmp_path, provenance={"training": {"start": str(tmp_path / "best.pt")}})
    assert "<dt>start</dt><dd>best.pt</dd>" in html
    assert tmp_path.name not in html


def test_figures_and_tables_are_numbered_through(tmp_path: Path) -> None:
    table = Table(("a",), [(1,)], "t")
    html = written(tmp_path, table, Picture(png(1), "p"), table, Gallery([Picture(png(2), "q")], "g"))
    assert re.findall(r"<b>((?:Figure|Table) \d)\.</b>", html) == ["Table 1", "Figure 1", "Table 2", "Figure 2"]


def test_text_is_never_markup(tmp_path: Path) -> None:
    html = written(tmp_path, "<script>alert(1)</script>", Table(("<b>",), [("&",)]), Picture(png(1), '"><script>'))
    assert "<script" not in html
    assert "&lt;b&gt;" in html
    assert Page(html).open == []


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Estimate(0.12345, 0.1, 0.2, 1234), "0.123 [0.100, 0.200], n = 1,234"),
        (Estimate(-0.5, digits=1), "\N{MINUS SIGN}0.5"),
        (Estimate(0.1234, 0.1, 0.15, percent=True), "12.3% [10.0%, 15.0%]"),
        (Estimate(-0.0001, digits=2), "0.00"),
        (Estimate(float("nan"), n=3), "not defined, n = 3"),
        (1234, "1,234"),
        (0.5, "0.500"),
        (None, "\N{EN DASH}"),
        (True, "yes"),
    ],
)
def test_how_a_cell_reads(cell: object, text: str) -> None:
    assert Table(("x",), [(cell,)]).texts == [[text]]


def test_columns_of_numbers_are_distinguished_from_texts() -> None:
    rows = [("MEL", 1, "too few", True), ("NV", 2, Estimate(0.5), False), ("DF", 3, None, True)]
    assert Table(("class", "n", "score", "good"), rows).numeric == [False, True, True, False]


def test_a_number_and_its_deviation_stay_on_one_line(tmp_path: Path) -> None:
    assert "0.14&nbsp;±&nbsp;0.01 (0.00&nbsp;±&nbsp;0.02)" in written(
        tmp_path, Table(("KID",), [("0.14 ± 0.01 (0.00 ± 0.02)",)])
    )


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not have 2 cells"):
        Table(("a", "b"), [(1,)])


def test_what_is_no_picture_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither PNG"):
        written(tmp_path, Picture(b"GIF89a", "a"))
    assert list(tmp_path.iterdir()) == []
