from __future__ import annotations

from core.report.document_markers import filled, marked_names

TEXT = "A\n<!-- begin one -->\nold\n<!-- end one -->\nB\n<!-- begin two -->\nkept\n<!-- end two -->\n"


def test_a_place_is_filled_again_and_again_and_the_rest_stays() -> None:
    assert marked_names(TEXT) == ["one", "two"]
    once = filled(TEXT, "one", "new \\1\n")
    assert once == TEXT.replace("old", "new \\1")
    assert filled(once, "one", "old") == TEXT
    assert filled(TEXT, "three", "x") == TEXT
