"""Hooks of mkdocs: add the model cards of ``core/demo`` to the site, and adapt the links between them and the docs.

In the repository, a link must lead to the file in ``core/demo``. In the site, the cards are pages in ``cards/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

_CARDS: Final = Path(__file__).resolve().parent.parent / "core" / "demo"
_LINK_TO_CARD: Final = re.compile(r"\]\((?:\.\./)+core/demo/(\w+_CARD\.md)")
_LINK_TO_DOCS: Final = re.compile(r"\]\((?:\.\./)+docs/")


def on_files(files: Any, config: Any) -> Any:
    """Add the cards as pages of the site."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - the other functions need no mkdocs

    for card in sorted(_CARDS.glob("*_CARD.md")):
        files.append(File.generated(config, f"cards/{card.name}", content=card.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Adapt the links of a page."""
    return adapted(markdown, page.file.src_uri)


def adapted(markdown: str, page: str) -> str:
    """Return the text of a page with links that are valid in the site.

    Args:
        markdown: text of the page.
        page: path of the page in the site's source, with forward slashes, such as ``measurements/speed.md``.
    """
    up = "../" * page.count("/")
    linked = _LINK_TO_CARD.sub(rf"]({up}cards/\1", markdown)
    return _LINK_TO_DOCS.sub(f"]({up}", linked)
