"""Escape text from files and folder names for Markdown, YAML and shell commands.

HTML needs no function here, because Jinja2 escapes inserted text.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from core.io.plain_text import printable

_MARKDOWN: Final = re.compile(
    r"""[\\`*<>|~$]              # emphasis, code, HTML, columns of a table, mathematics
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])  # emphasis; within a word it is none
    | \](?=[(\[:])               # links and pictures
    | &(?=\#|[A-Za-z])           # character references
    | ^[\#+=-] | \#$             # headings and lists""",
    re.X,
)
_YAML_PLAIN: Final = re.compile(r"[A-Za-z](?:[\w ./-]*\w)?", re.ASCII)
_YAML_WORDS: Final = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}
_UNQUOTED: Final = re.compile(r"[ -&(-\[\]-~]")  # printable ASCII without the apostrophe and the backslash


def markdown_text(text: str) -> str:
    """Return one line of Markdown that shows the text unchanged, also in a table cell."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def yaml_text(text: str) -> str:
    """A string of YAML, for the head of a dataset card; quoted if YAML could take it for anything else."""
    if _YAML_PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(printable(text), ensure_ascii=False)


def shell_word(path: str) -> str:
    """A relative path as one word of a bash command, which is not taken for an option."""
    path = f"./{path}" if path.startswith("-") else path
    if path.isprintable():
        return shlex.quote(path)
    return "$'" + "".join(map(_shell_character, path)) + "'"


def _shell_character(character: str) -> str:
    if _UNQUOTED.fullmatch(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
