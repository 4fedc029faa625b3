from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.io.file_names import is_plain_name


@pytest.mark.parametrize(
    "name", ["unet_MEL_best.pth", "a", "0c2b8f", "_x", "README (1).md", "a+b-c.txt", "COMMON", "a..b"]
)
def test_names_of_files_are_plain(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "..\\x",
            "C:x",
            "C:\\x",
            "\\\\server\\share",
            "x:stream",
        ),
        *(".hidden", "-rf", "=1", "a\n", "a\0b", "a\x1b[2J", "a.", "a ", "con", "NUL.pth", "lpt1.txt", "a" * 201),
        *("\udcff.png", "naïve", "a\u202egnp", None, 5, b"a", ["a"], 1.0),
    ],
)
def test_everything_else_is_not(name: object) -> None:
    assert not is_plain_name(name)


@given(st.text(max_size=30))
def test_a_plain_name_stays_in_its_folder(name: str) -> None:
    if is_plain_name(name):
        assert (Path("/folder") / name).parent == Path("/folder")
        assert Path(os.path.normpath(Path("/folder") / name)).parent == Path("/folder")
