from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import ArgumentError
from evaluation.job import ComparisonJob, EvaluationJob, load_job

GOOD = {"format": "isicgui.evaluation/1", "images": "a", "real": "b", "output": "c"}


def loaded(tmp_path: Path, values: Any) -> EvaluationJob | ComparisonJob:
    file = tmp_path / "job.json"
    file.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return load_job(file)


def test_a_job_is_unchanged_after_writing_and_reading(tmp_path: Path) -> None:
    job = EvaluationJob(
        tmp_path / "вид", tmp_path, tmp_path, ("NV", "MEL", "NV"), True, "network", True, ("inception",), 64, seed=7
    )
    assert job.classes == ("MEL", "NV")
    assert loaded(tmp_path, job.to_json()) == job
    assert EvaluationJob(Path("a"), Path("b"), Path("c")).to_json()["images"] == str(Path("a").resolve())


def test_missing_fields_get_their_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD) == EvaluationJob(Path("a"), Path("b"), Path("c"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "isicgui.job/1"}, "is not an evaluation job"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"real": None}, "real None is not a path"),
        ({"classes": ["SCC"]}, "class 'SCC' does not exist"),
        ({"classes": "MEL"}, "'MEL' is not a list"),
        ({"features": ["clip"]}, "set of features 'clip' does not exist"),
        ({"utility": "yes"}, "usefulness test 'yes' does not exist"),
        ({"quick": 1}, "quick 1 is not true or false"),
        ({"seed": -1}, "seed -1"),
        ({"size": 8}, "size 8"),
        ({"device": 0}, "Device 0"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        loaded(tmp_path, {**GOOD, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an evaluation job"),
        ("[" * 100_000, "is not JSON"),
        ("null", "is not an evaluation job"),
    ],
)
def test_a_file_that_is_not_a_job_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        loaded(tmp_path, text)
    with pytest.raises(ArgumentError, match="cannot be read"):
        load_job(tmp_path / "none.json")


def test_missing_fields_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="lacks the field 'real'"):
        loaded(tmp_path, {name: value for name, value in GOOD.items() if name != "real"})


def test_a_comparison_makes_the_jobs_of_its_sets(tmp_path: Path) -> None:
    values = {"format": "isicgui.comparison/1", "sets": ["a", "b"], "output": "o", "real": "r", "quick": True}
    job = loaded(tmp_path, values)
    assert isinstance(job, ComparisonJob)
    one = job.evaluation_of(Path("a"), Path("o/1"), 64)
    assert (one.images, one.real, one.output, one.quick, one.size) == (Path("a"), Path("r"), Path("o/1"), True, 64)
    again = loaded(tmp_path, job.to_json())
    assert isinstance(again, ComparisonJob)
    assert again.settings == job.settings
    for wrong, message in (({"sets": ["a"]}, "at least two"), ({"images": "a"}, "unknown field 'images'")):
        with pytest.raises(ArgumentError, match=message):
            loaded(tmp_path, {**values, **wrong})
    with pytest.raises(ArgumentError, match="add --real"):
        ComparisonJob((Path("a"), Path("b")), Path("o"), {}).evaluation_of(Path("a"), Path("o/1"), 0)
