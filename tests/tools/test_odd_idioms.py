from __future__ import annotations

from pathlib import Path

import pytest

from tools.odd_idioms import ROOT, count, files_of, hits_in, main
from tools.prose import Passage

DONE = (
    "benchmarks",
    "classification",
    "core/demo",
    "docs/classification.md",
    "docs/evaluation.md",
    "docs/measurements",
    "docs/performance.md",
    "docs/samplers.md",
    "evaluation",
    "tests/benchmarks",
    "tests/classification",
    "tests/evaluation",
    "tests/tools",
    "tools",
)
"""Files and folders that are in plain English; add a path when it is done, and never remove one."""
_AT_MOST = 3.0


@pytest.mark.parametrize("path", DONE)
def test_a_finished_part_stays_in_plain_english(path: str) -> None:
    found = count([ROOT / path])
    listing = "\n".join(f"{hit.file}:{hit.line}: {hit.words!r}: {hit.suggestion}" for hit in found.hits)
    assert found.words > 0
    assert found.rate < _AT_MOST, f"{path}: {found.rate:.1f} odd idioms per 10,000 words:\n{listing}"


@pytest.mark.parametrize(
    ("text", "idiom"),
    [
        ("Every warning is told once.", "told"),
        ("It explains what is there.", "what is"),
        ("What is explained is the model.", "What is"),
        ("What training reaches on images.", "What training reaches on images."),
        ("The image is made again.", "made again"),
        ("The job goes on.", "goes on"),
        ("The file lies beside the image.", "lies beside"),
        ("No features can be had.", "can be had"),
        ("Features are computed anew.", "anew"),
        ("Zero where there is no image.", "where there"),
        ("Where none is named, all are used.", "Where none"),
        ("Where lesions are named, both are used.", "Where "),
        ("A picture of the lesion.", "picture"),
        ("The best of each pass is kept.", "each pass"),
        ("It returns places in the list.", "places"),
        ("The image is left as it is.", "as it is"),
        ("A process of its own.", "of its own"),
        ("Seconds an image, one thread.", "Seconds an image"),
    ],
)
def test_an_odd_idiom_is_found(text: str, idiom: str) -> None:
    found = [words for _, words, _ in hits_in(Passage(1, text))]
    assert [words.lower() for words in found] == [idiom.lower()]


@pytest.mark.parametrize(
    "text",
    [
        "What is in it?",
        "The folder where the report is written.",
        "Round to three decimal places.",
        "One forward pass of the network.",
        "There is no checkpoint in this folder.",
        "It continues in one place.",
        "The paths are in `told`.",
    ],
)
def test_ordinary_english_is_not_counted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.md"
    file.write_text(text + "\n")
    assert count([file]).hits == ()


def test_a_hit_over_a_line_break_has_the_line_on_which_it_starts() -> None:
    assert [line for line, *_ in hits_in(Passage(5, "First line.\nThe job goes\non and ends."))] == [6]


def test_the_command_prints_rates_hits_and_the_worst_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.md").write_text("One plain sentence.\n")
    (tmp_path / "bad.md").write_text("The report says it and goes on.\n")
    main([str(tmp_path), "--list", "--worst", "1"])
    printed = capsys.readouterr().out
    assert f"{tmp_path}/bad.md:1: 'says': state, report, record" in printed
    assert f"Worst files:\n 2857.1  {tmp_path}/bad.md\n" in printed
    assert "Overall: 2000.0 per 10,000 words (2 in 10)" in printed


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        files_of(tmp_path / "none")
