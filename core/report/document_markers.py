"""Places in a Markdown document that a command fills, so that no figure in it is typed by hand."""

from __future__ import annotations

import re

_BEGIN = "<!-- begin {} -->"
_END = "<!-- end {} -->"


def marked_names(text: str) -> list[str]:
    """Names of the places, in their order."""
    return re.findall(r"<!-- begin (\w+) -->", text)


def filled(text: str, name: str, content: str) -> str:
    """The text with this content in the place ``<!-- begin name --> ... <!-- end name -->``; its markers stay."""
    begin, end = _BEGIN.format(name), _END.format(name)
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.S)
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)
