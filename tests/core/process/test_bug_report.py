"""Details for a bug report: what they contain, and that no folder of a path is among it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import __version__
from core.process.bug_report import bug_details, last_messages, without_folders
from core.process.log_file import log_file

PREFIX = "2026-01-02 03:04:05,678 ERROR 12 core.output: "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nothing to remove, 3.2 s, 1 / 2", "nothing to remove, 3.2 s, 1 / 2"),
        (f"{PREFIX}/data/Smith, John/scan 1.png cannot be read.", f"{PREFIX}…/scan 1.png cannot be read."),
        (f"{PREFIX}There is no image /a b/c.png.", f"{PREFIX}There is no image …/c.png."),
        (f"{PREFIX}output=/home/me/Smith/out, total=3", f"{PREFIX}output=…/out, total=3"),
        (f"{PREFIX}'C:\\Users\\Dr. Smith\\x.png' is empty", f"{PREFIX}'…/x.png' is empty"),
        (f"{PREFIX}~/Smith/x.png is empty", f"{PREFIX}…/x.png is empty"),
        (f"{PREFIX}John Smith/x.png is empty", f"{PREFIX}…/x.png is empty"),
        ('  File "/opt/isicgui/core/paths.py", line 3, in f', '  File "…/paths.py", line 3, in f'),
        (f"{PREFIX}John Smith/x.png is not /home/me/y.png", f"{PREFIX}…/x.png is not …/y.png"),
    ],
)
def test_paths_are_reduced_to_file_names(line: str, expected: str) -> None:
    assert without_folders(line) == expected


names = st.text("abcXYZ äé.,;:'()=-_", min_size=1, max_size=8).map(lambda text: f"P{text}P")


@given(st.lists(names, min_size=1, max_size=4), names, st.sampled_from("/\\"), st.sampled_from(["", "~", "/", "C:\\"]))
def test_no_folder_of_any_path_is_left(folders: list[str], name: str, separator: str, start: str) -> None:
    path = (start + separator if start == "~" else start) + separator.join([*folders, name])
    left = without_folders(f"{PREFIX}The image {path} cannot be read")
    assert left.endswith(f"{name} cannot be read")
    assert not [folder for folder in folders if folder in left.replace(name, "")]


def test_the_details_have_versions_device_and_messages(tmp_path: Path) -> None:
    with log_file("test", folder=tmp_path):
        logging.getLogger("core.example").warning("The folder %s is full", Path("/data/Smith/out"))
    text = bug_details("CPU", tmp_path)
    assert f"ISICGUI {__version__}" in text
    assert "torch 2" in text
    assert "Device: CPU" in text
    assert "core.example: The folder …/out is full" in text
    assert "Smith" not in text


def test_without_a_log_there_are_no_messages(tmp_path: Path) -> None:
    assert last_messages(tmp_path) == []
