"""JSON that strangers wrote, read within bounds; and JSON that this program writes, whatever text it contains."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

DEEPEST: Final = 32


def parse_json(text: str | bytes, deepest: int = DEEPEST) -> Any:
    """Parse JSON as its standard defines it: without NaN and Infinity, and nested no deeper than ``deepest`` levels.

    The caller limits the length of the text.

    Raises:
        ValueError: not such JSON, not UTF-8, or a number of more digits than Python converts.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if _is_too_deep(text, deepest):
        raise ValueError(f"it is nested more than {deepest} levels deep")
    return json.loads(text, parse_constant=_refuse_constant)


def encode_json(value: Any, *, indent: int | None = None, allow_nan: bool = True) -> bytes:
    """JSON in UTF-8 with a line end.

    File names that are not UTF-8 contain lone surrogates in Python. They become JSON escapes such as ``\\udcff``, from
    which ``json.loads`` restores the name.

    Raises:
        ValueError: a number is not finite and ``allow_nan`` is false.
    """
    text = json.dumps(value, indent=indent, allow_nan=allow_nan, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _is_too_deep(text: str, deepest: int) -> bool:
    if text.count("[") + text.count("{") <= deepest:  # so it is for nearly every text, and counting is fast
        return False
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > deepest:
                return True
        elif character in "]}":
            depth -= 1
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
