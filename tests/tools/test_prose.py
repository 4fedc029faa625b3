from __future__ import annotations

from pathlib import Path

import pytest

from tools.prose import passages, without_code

_PYTHON = '''"""A module."""

# The first comment
# has two lines.
x = 1  # noqa: E501


def f(name: str) -> None:
    """Raise an error.

    The caller catches it.
    """
    raise ValueError(f"There is no {name!r} in the folder." "short")
'''


def test_docstrings_comments_and_messages_of_python_are_found_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(_PYTHON)
    found = {" ".join(passage.text.split()): passage.line for passage in passages(file)}
    assert found["The first comment has two lines."] == 3
    assert found["Raise an error. The caller catches it."] == 9
    assert found["There is no VALUE in the folder.short"] == 13
    assert not any("noqa" in text for text in found)


def test_short_strings_are_names_not_messages(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('x = {"one": "two words"}\n')
    assert passages(file) == []


def test_code_blocks_and_link_targets_of_markdown_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Title\n\nRead [this](docs/pictures/x.png) and `code`.\n\n```\na command\n```\n\n- one\n- two\n")
    found = [(passage.line, passage.text) for passage in passages(file)]
    assert found == [(1, "# Title"), (3, "Read [this]  and CODE."), (9, "- one"), (10, "- two")]


def test_a_line_that_is_a_command_is_no_english() -> None:
    assert without_code("Run:\n    python -m core --help\nDone.").split() == ["Run:", "Done."]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name a file that ends in \.md or \.py"):
        passages(tmp_path / "image.png")
