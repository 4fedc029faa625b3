"""Fill marked parts of a Markdown document with the output of a command, so that no number is typed by hand."""

from __future__ import annotations

import re

_BEGIN = "<!-- begin {} -->"
_END = "<!-- end {} -->"


def marked_names(text: str) -> list[str]:
    """Return the names of the marked parts, in their order."""
    return re.findall(r"<!-- begin (\w+) -->", text)


def filled(text: str, name: str, content: str) -> str:
    """Replace the text between ``<!-- begin name -->`` and ``<!-- end name -->``; keep the markers."""
    begin, end = _BEGIN.format(name), _END.format(name)
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.S)
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)
