from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.io.json_text import encode_json, parse_json


@pytest.mark.parametrize(
    "text",
    ["[" * 33, "[" * 10**6, '{"a":' * 40 + "1" + "}" * 40, "NaN", "[Infinity]", "-Infinity", "1" * 5000, "", "{"],
)
def test_what_is_too_deep_or_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda i: st.lists(i) | st.dictionaries(st.text(), i),
        max_leaves=8,
    )
)
def test_what_is_written_is_read(value: Any) -> None:
    assert parse_json(encode_json(value).decode(), deepest=100) == value


def test_brackets_in_strings_do_not_count() -> None:
    assert parse_json(json.dumps({"a": '[{"\\' * 100})) == {"a": '[{"\\' * 100}
    assert parse_json("[" + ",".join(["[]"] * 100) + "]") == [[]] * 100


@pytest.mark.skipif(os.name == "nt", reason="names of Windows are Unicode")
def test_a_file_name_that_is_not_utf8_survives() -> None:
    name = os.fsdecode(b"/a/\xff\xfe/\xc3\xbc.png")
    data = encode_json({"path": Path(name).as_posix()}, indent=2)
    assert data.decode("utf-8").count("ü") == 1
    assert json.loads(data)["path"] == name


def test_a_text_is_its_value() -> None:
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]}
    assert parse_json(b"[1e3]") == [1000.0]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "", "{", b"\xff", "9" * 10_000])
def test_every_other_text_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse_json(text)
