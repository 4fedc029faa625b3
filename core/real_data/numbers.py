"""Numbers in tables, also as a spreadsheet in a language with decimal commas saves them."""

from __future__ import annotations

import math


def number_of(words: str) -> float | None:
    """The number that a cell holds, with a decimal point or a decimal comma; None if it holds no finite number.

    "55.0" and "55,0" are the same number. A comma beside a point, as in "1,234.5", is not read as a decimal comma.
    """
    plain = words.strip()
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
