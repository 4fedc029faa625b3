"""Job files that cannot be used are one sentence each."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ArgumentError
from core.io.job_file import checked_fields, path_field, read_job_file


def test_a_value_comes_back(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"größe": [1, 2]}', encoding="utf-8")
    assert read_job_file(tmp_path / "job.json") == {"größe": [1, 2]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "is not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 9**5, "not JSON"),
    ],
)
def test_what_is_no_job_file_is_one_sentence(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(ArgumentError, match=said):
        read_job_file(tmp_path / "job.json")


def test_fields_are_those_that_are_known() -> None:
    assert checked_fields({"format": "f", "a": 1}, {"a", "b"}, ("a",), "j") == {"a": 1}
    with pytest.raises(ArgumentError, match="^j has the unknown field 'c'; the allowed fields are a, b.$"):
        checked_fields({"a": 1, "c": 2}, {"a", "b"}, (), "j")
    with pytest.raises(ArgumentError, match="^j lacks the field 'b'; the required fields are a, b.$"):
        checked_fields({"a": 1}, {"a", "b"}, ("a", "b"), "j")


def test_a_path_is_text() -> None:
    assert path_field("a/b", "output", "j") == Path("a/b")
    for value in (None, 3, "", "a\0b", "\ud800"):
        with pytest.raises(ArgumentError, match="is not a path"):
            path_field(value, "output", "j")
