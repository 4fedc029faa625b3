from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.classes import CLASSES
from core.errors import ArgumentError
from core.generation.job import PRECISIONS, SAMPLERS, GenerationJob, parse_counts

jobs = st.builds(
    GenerationJob,
    counts=st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 9_999_999), min_size=1),
    checkpoints=st.sampled_from([Path("checkpoints"), Path("/tmp/модели")]),
    output=st.sampled_from([Path("out"), Path("/tmp/вывод 1")]),
    steps=st.integers(1, 1000),
    sampler=st.sampled_from(SAMPLERS),
    reuse=st.integers(1, 10),
    base_seed=st.integers(0, 2**31 - 1),
    precision=st.sampled_from(PRECISIONS),
    batch_size=st.none() | st.integers(1, 64),
    color_adjustment=st.booleans(),
    record_trajectory=st.booleans(),
    analyse_every=st.none() | st.integers(1, 100),
)


@given(jobs)
def test_a_job_survives_its_file(job: GenerationJob) -> None:
    assert GenerationJob.from_json(json.loads(json.dumps(job.to_json())), "the file") == job


def test_a_job_file_is_read_back(tmp_path: Path) -> None:
    job = GenerationJob({"VASC": 2, "MEL": 1}, output=tmp_path / "вывод")
    job.save(tmp_path / "job.json")
    assert GenerationJob.load(tmp_path / "job.json") == job
    assert list(job.counts) == ["MEL", "VASC"]  # in the order of the classes


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("MEL=4,NV=2", {"MEL": 4, "NV": 2}),
        (" mel = 4 , Nv=2 ", {"MEL": 4, "NV": 2}),
        ("ALL=3", dict.fromkeys(CLASSES, 3)),
    ],
)
def test_counts_are_read(text: str, counts: dict[str, int]) -> None:
    assert parse_counts(text) == counts


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SCC=1", "SCC"),
        ("MEL=0", "'0'"),
        ("MEL=-1", "'-1'"),
        ("MEL=2.5", "'2.5'"),
        ("MEL=²", "'²'"),
        ("MEL=", "''"),
        ("MEL", "'MEL'"),
        ("", "''"),
        ("MEL=1,,NV=2", "''"),
        ("MEL=1,MEL=2", "MEL"),
        ("ALL=1,NV=2", "NV"),
    ],
)
def test_wrong_counts_are_named(text: str, named: str) -> None:
    with pytest.raises(ArgumentError, match=named.replace("'", "['\"]")):
        parse_counts(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("steps", 1001),
        ("steps", "50"),
        ("steps", True),
        ("sampler", "euler"),
        ("reuse", 0),
        ("reuse", 11),
        ("reuse", 2.0),
        ("precision", "int8"),
        ("base_seed", -1),
        ("base_seed", 2**31),
        ("batch_size", 0),
        ("analyse_every", 0),
        ("analyse_every", 101),
        ("color_adjustment", "yes"),
        ("counts", {"MEL": 1.5}),
        ("counts", {}),
        ("counts", {"SCC": 1}),
        ("counts", 5),
        ("output", 3),
        ("checkpoints", ""),
        ("device", None),
        ("stepss", 50),
    ],
)
def test_a_job_file_with_a_wrong_field_is_refused(field: str, value: Any) -> None:
    values = {**GenerationJob({"MEL": 1}).to_json(), field: value}
    with pytest.raises(ArgumentError):
        GenerationJob.from_json(values, "job.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other/1"}', "\x00"])
def test_a_file_that_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "job.json"
    file.write_text(text)
    with pytest.raises(ArgumentError, match="job.json"):
        GenerationJob.load(file)


def test_a_missing_job_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="nowhere.json"):
        GenerationJob.load(tmp_path / "nowhere.json")


@pytest.mark.skipif(os.name == "nt", reason="names of Windows are Unicode")
def test_a_job_with_folders_that_are_not_utf8_survives_its_file(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    job = GenerationJob({"MEL": 1}, output=odd / "ü", checkpoints=odd)
    job.save(tmp_path / "job.json")
    assert GenerationJob.load(tmp_path / "job.json") == job
    assert "ü" in (tmp_path / "job.json").read_text(encoding="utf-8")
