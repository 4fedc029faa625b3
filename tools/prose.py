"""Extract the English of a file: paragraphs of Markdown; docstrings, comments and messages of Python."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".md", ".py")
_MESSAGE_WORDS: Final = 3
"""Strings with fewer words are field names, options and the like."""
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'\N{RIGHT SINGLE QUOTATION MARK}-]*")
_FENCE: Final = re.compile(r"^\s*(```|~~~)")
_CODE: Final = re.compile(r"``[^`]*``|`[^`]*`|:\w+:`[^`]*`")
_LINK: Final = re.compile(r"\]\([^)]*\)|<!--.*?-->|https?://\S+")
_COMMAND: Final = re.compile(r"^\s*(?:python -m|\./run_\w+\.sh|>>>|\$) .*$", re.MULTILINE)


@dataclass(frozen=True)
class Passage:
    """A coherent piece of text.

    Attributes:
        line: line of the file on which it starts, from 1.
        text: the text with its line breaks, without code and link targets.
    """

    line: int
    text: str

    @property
    def words(self) -> int:
        """Number of words."""
        return len(_WORD.findall(self.text))


def passages(file: Path) -> list[Passage]:
    """Everything in a file that a person reads as English.

    Raises:
        ValueError: the suffix of the file is not one of ``SUFFIXES``.
        SyntaxError: a Python file cannot be parsed.
    """
    if file.suffix not in SUFFIXES:
        raise ValueError(f"{file} is neither Markdown nor Python; name a file that ends in .md or .py.")
    text = file.read_text(encoding="utf-8")
    found = _markdown(text) if file.suffix == ".md" else _python(text)
    return [Passage(one.line, without_code(one.text)) for one in found]


def without_code(text: str) -> str:
    """Text with inline code as the word CODE, and without link targets, addresses and lines that are commands."""
    return _LINK.sub("] ", _CODE.sub("CODE", _COMMAND.sub("", text)))


def _markdown(text: str) -> Iterator[Passage]:
    """Paragraphs, headings, list items and table rows outside fenced code."""
    lines: list[str] = []
    in_code = False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fence = _FENCE.match(line) is not None
        starts_block = re.match(r"\s*(?:[-*|#>]|\d+\.)\s?", line) is not None
        if lines and (fence or starts_block or not line.strip()):
            yield Passage(number - len(lines), "\n".join(lines))
            lines = []
        in_code ^= fence
        if not in_code and not fence and line.strip():
            lines.append(line)


def _python(text: str) -> Iterator[Passage]:
    yield from _strings(ast.parse(text))
    yield from _comments(text)


def _strings(node: ast.AST) -> Iterator[Passage]:
    """Docstrings, and strings that are long enough to be messages; values in an f-string read as VALUE."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "VALUE" for part in node.values]
        found = Passage(node.lineno, "".join(parts))
        if found.words >= _MESSAGE_WORDS:
            yield found
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = Passage(node.lineno, node.value)
        if found.words >= _MESSAGE_WORDS:
            yield found
    for child in ast.iter_child_nodes(node):
        yield from _strings(child)


def _comments(text: str) -> Iterator[Passage]:
    """Comments; those on consecutive lines are one passage."""
    start, last, lines = 0, -1, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or re.match(r"#\s*(?:noqa|type:|!)", token.string):
            continue
        number = token.start[0]
        if lines and number != last + 1:
            yield Passage(start, "\n".join(lines))
            lines = []
        start = start if lines else number
        lines.append(token.string.lstrip("# "))
        last = number
    if lines:
        yield Passage(start, "\n".join(lines))
