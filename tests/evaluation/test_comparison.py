from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ArgumentError
from core.io.atomic_files import sha256_of
from evaluation.comparison import check_comparable, compare, markdown, tables
from evaluation.job import ComparisonJob, EvaluationJob
from evaluation.progress import Progress, Work, result_of
from evaluation.report.results import Evaluation, digest_of
from tests.evaluation.conftest import Evaluated
from tests.evaluation.examples import lesion, write_real, write_set


class AskedError(Exception):
    """Raised instead of running an evaluation, which would take minutes."""

    def __init__(self, job: EvaluationJob) -> None:
        super().__init__(job)
        self.job = job


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the requested job instead of evaluating it."""

    def evaluate(job: EvaluationJob) -> Work[Evaluation]:
        yield Progress("Evaluating", 0, 1)
        raise AskedError(job)

    monkeypatch.setattr("evaluation.comparison.evaluate", evaluate)


def drawn(size: int, *names: str) -> dict[str, list[np.ndarray]]:
    """Two images of each class."""
    return {name: [lesion(seed, name, size) for seed in (1, 2)] for name in names}


@pytest.fixture
def results(evaluated: Evaluated, tmp_path: Path) -> dict[str, Path]:
    """Two finished evaluations; the second has twice the KID of the first."""
    values: dict[str, Any] = json.loads(evaluated.files[1].read_text())
    worse = copy.deepcopy(values)
    worse["provenance"]["values"]["steps"] = {"10": 16}
    for figure in worse["figures"]:
        if figure["metric"] == "kid":
            figure["value"] = abs(figure["value"]) * 2 + 1
    folders = {}
    for name, content in (("good", values), ("worse", worse)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / "evaluation.json").write_text(json.dumps(content))
    return folders


def test_finished_evaluations_are_tabulated(results: dict[str, Path], tmp_path: Path) -> None:
    job = ComparisonJob(tuple(results.values()), tmp_path / "out", {})
    html, data, table = result_of(compare(job))
    assert set(json.loads(data.read_text())) == {"good", "worse"}
    text = table.read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| good", "| worse"))]
    assert len(rows) == 6  # two feature spaces and the other results, two sets each
    assert "| good | dpmpp | 20 |" in text
    assert "| worse | dpmpp | 10 |" in text
    assert "good has the lowest KID" in html.read_text()


def test_sets_within_one_deviation_of_the_best_are_named(results: dict[str, Path], tmp_path: Path) -> None:
    file = results["worse"] / "evaluation.json"
    file.write_text((results["good"] / "evaluation.json").read_text())
    html = result_of(compare(ComparisonJob(tuple(results.values()), tmp_path / "out", {})))[0].read_text()
    assert "good has the lowest KID; worse within one standard deviation of it" in html
    for folder in results.values():
        content = json.loads((folder / "evaluation.json").read_text())
        content["figures"] = []
        (folder / "evaluation.json").write_text(json.dumps(content))
    html = result_of(compare(ComparisonJob(tuple(results.values()), tmp_path / "out", {})))[0].read_text()
    assert "KID could not be measured for any of them" in html


def test_figures_for_other_real_images_or_features_are_not_compared(results: dict[str, Path]) -> None:
    loaded = {name: json.loads((folder / "evaluation.json").read_text()) for name, folder in results.items()}
    check_comparable(loaded)
    for key, value in (("real_sha256", "00"), ("size", 32), ("networks", {"inception": "x"}), ("classes", ["MEL"])):
        other = copy.deepcopy(loaded)
        other["worse"]["basis"][key] = value
        with pytest.raises(ArgumentError, match=f"good and worse cannot be compared: {key}"):
            check_comparable(other)


def test_a_set_that_is_not_evaluated_needs_real_images(results: dict[str, Path], folders: tuple[Path, ...]) -> None:
    job = ComparisonJob((results["good"], folders[0]), results["good"].parent / "o", {})
    with pytest.raises(ArgumentError, match="add --real"):
        result_of(compare(job))


@pytest.mark.usefixtures("asked")
def test_a_new_set_is_evaluated_at_the_size_of_the_finished_one(
    results: dict[str, Path], folders: tuple[Path, ...], tmp_path: Path
) -> None:
    """The finished evaluation has 64 px, although the new set has 128 px and the real images have 96 px."""
    new = write_set(tmp_path / "new", drawn(128, "MEL", "NV"))
    real = write_real(tmp_path / "large", drawn(96, "MEL", "NV"))
    file = results["good"] / "evaluation.json"
    content = json.loads(file.read_text())
    content["basis"]["real_sha256"] = digest_of([sha256_of(image) for image in (real / "images").iterdir()])
    file.write_text(json.dumps(content))
    for sets in ((results["good"], new), (new, results["good"])):
        with pytest.raises(AskedError) as asked:
            result_of(compare(ComparisonJob(sets, tmp_path / "out", {"real": str(real), "quick": True})))
        assert (asked.value.job.images, asked.value.job.size) == (new, 64)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "quick is True and False"),
        ({"quick": True, "seed": 5}, "seed is 0 and 5"),
        ({"quick": True, "size": 32}, "size is 64 and 32"),
        ({"quick": True, "classes": ["MEL"]}, r"classes is \['MEL', 'NV'\] and \['MEL'\]"),
    ],
)
def test_a_set_that_would_not_be_comparable_is_not_evaluated(
    results: dict[str, Path], folders: tuple[Path, ...], tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    new, real = write_set(tmp_path / "new", drawn(64, "MEL", "NV")), str(folders[1])
    job = ComparisonJob((results["good"], new), tmp_path / "out", {"real": real, **settings})
    with pytest.raises(ArgumentError, match=f"good and new cannot be compared: {message}"):
        result_of(compare(job))
    assert not job.output.exists()


@pytest.mark.usefixtures("asked")
def test_a_set_is_not_evaluated_against_other_real_images_than_the_finished_one(
    results: dict[str, Path], folders: tuple[Path, ...], tmp_path: Path
) -> None:
    """An unreadable image counts on neither side; a different image changes the digest."""
    new, real = write_set(tmp_path / "new", drawn(64, "MEL", "NV")), shutil.copytree(folders[1], tmp_path / "clinic")
    job = ComparisonJob((results["good"], new), tmp_path / "out", {"real": str(real), "quick": True})
    broken = real / "images" / "broken.png"
    broken.write_bytes(b"no image")
    with (real / "metadata.csv").open("a", newline="") as stream:
        stream.write("L_broken,broken,mel\r\n")
    with pytest.raises(AskedError):
        result_of(compare(job))
    shutil.copy(real / "images" / "nv_0000.png", broken)
    with pytest.raises(ArgumentError, match="good and new cannot be compared: real_sha256 is"):
        result_of(compare(job))
    assert not job.output.exists()


def test_finished_evaluations_that_are_not_comparable_are_refused_first(
    results: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_images(job: EvaluationJob) -> Work[Any]:
        raise AskedError(job)

    monkeypatch.setattr("evaluation.comparison.find_images", find_images)
    file = results["worse"] / "evaluation.json"
    content = json.loads(file.read_text())
    content["basis"]["real_sha256"] = "00"
    file.write_text(json.dumps(content))
    job = ComparisonJob((*results.values(), tmp_path / "new"), tmp_path / "out", {"real": str(tmp_path), "quick": True})
    with pytest.raises(ArgumentError, match="good and worse cannot be compared: real_sha256 is"):
        result_of(compare(job))


@pytest.mark.usefixtures("asked")
def test_new_sets_are_compared_at_a_size_that_the_real_images_also_have(tmp_path: Path) -> None:
    """Only the requested classes count; images of other classes may be smaller."""
    first, second = (write_set(tmp_path / name, drawn(128, "MEL", "NV")) for name in ("a", "b"))
    real = write_real(tmp_path / "clinic", {**drawn(64, "MEL"), "VASC": [lesion(1, "VASC", 32)] * 9})
    settings = {"real": str(real), "classes": ["MEL"]}
    with pytest.raises(AskedError) as asked:
        result_of(compare(ComparisonJob((first, second), tmp_path / "out", settings)))
    assert asked.value.job.size == 64
    other = write_set(tmp_path / "c", drawn(48, "VASC"))
    with pytest.raises(ArgumentError, match=r"a and c cannot be compared: classes is \['MEL'\] and \['VASC'\]"):
        result_of(compare(ComparisonJob((first, other), tmp_path / "out", {"real": str(real)})))


def test_a_foreign_json_is_named(results: dict[str, Path]) -> None:
    (results["worse"] / "evaluation.json").write_text('{"format": "other"}')
    with pytest.raises(ArgumentError, match=r"worse.evaluation.json is not an evaluation"):
        result_of(compare(ComparisonJob(tuple(results.values()), results["good"].parent / "o", {})))


def test_markdown_has_a_row_per_set(results: dict[str, Path]) -> None:
    loaded = {name: json.loads((folder / "evaluation.json").read_text()) for name, folder in results.items()}
    first = tables(loaded)[0]
    lines = markdown(first).splitlines()
    assert lines[0] == "| Set | n | KID | FID | precision | recall | density | coverage | diversity | KID ÷ floor |"
    assert lines[1].count("---") == 10
    assert lines[2].startswith("| good | 16 | ")


def test_names_from_other_results_are_text_in_markdown(results: dict[str, Path]) -> None:
    loaded = {name: json.loads((folder / "evaluation.json").read_text()) for name, folder in results.items()}
    hostile = "x | <script>alert(1)</script>\n\n# [a](b)"
    lines = markdown(tables({hostile: loaded["good"], "b": loaded["good"]})[0]).splitlines()
    assert lines[2].startswith("| x \\| \\<script\\>alert(1)\\</script\\>\\\\n\\\\n# [a\\](b) | 16 |")
    assert lines[3].startswith("| b | 16 |")


def test_a_set_is_listed_with_its_generation_settings(results: dict[str, Path]) -> None:
    loaded = {name: json.loads((folder / "evaluation.json").read_text()) for name, folder in results.items()}
    loaded["good"]["provenance"]["values"] = {"sampler": {"ddpm": 3, "ddim": 1}, "steps": {"50": 4}, "reuse": {"2": 4}}
    (made,) = (table for table in tables(loaded) if "Sampler" in table.columns)
    assert made.columns[:4] == ("Set", "Sampler", "Steps", "Reuse")
    assert list(made.rows[0][:4]) == ["good", "ddpm ddim", "50", "2"]


def test_an_evaluation_of_an_earlier_version_is_compared(results: dict[str, Path]) -> None:
    """Earlier versions wrote ``alike`` instead of ``similar``."""
    loaded = {name: json.loads((folder / "evaluation.json").read_text()) for name, folder in results.items()}
    duplicates = loaded["good"]["duplicates"]
    duplicates["alike"] = {**duplicates.pop("similar"), "hits": 5}
    (found,) = (table for table in tables(loaded) if "Similar" in table.columns)
    assert [row[found.columns.index("Similar")] for row in found.rows] == [
        5,
        loaded["worse"]["duplicates"]["similar"]["hits"],
    ]
