from __future__ import annotations

import pytest

from core.io.json_text import parse_json


def test_a_text_is_its_value() -> None:
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]}
    assert parse_json(b"[1e3]") == [1000.0]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "", "{", b"\xff", "9" * 10_000])
def test_every_other_text_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse_json(text)
