"""Links, navigation, commands and layout of README and the documentation. Needs no mkdocs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.application import build_parser
from core.paths import PROJECT_ROOT
from tests.docs.links import anchors_of, broken_links, links_of
from tools.site_hooks import adapted

DOCS = PROJECT_ROOT / "docs"
CARDS = sorted((PROJECT_ROOT / "core" / "demo").glob("*.md"))
GUIDES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [*sorted(PROJECT_ROOT.glob("*.md")), *GUIDES, *CARDS]
OTHERS = ("classification", "coming_from_other_programs", "evaluation", "latent_models", "performance", "samplers")
WIDE = [
    *CARDS,
    *(DOCS / f"{name}.md" for name in OTHERS),
]
COMMANDS = ("generate", "reproduce", "explain", "analyse", "evaluate", "compare", "models")


def name_of(document: Path) -> str:
    return document.relative_to(PROJECT_ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    assert broken_links(document) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# Title\n\n## A `code` title, twice\n\n## A code title, twice\n", encoding="utf-8")
    page = tmp_path / "a.md"
    page.write_text(
        "# Top\n\n[good](b.md#a-code-title-twice-1), [self](#top), [web](https://example.org/x.md)\n"
        "`[code](missing.md)` and\n\n```\n[fenced](missing.md)\n```\n"
        "[file](missing.md), ![image](missing.png), [anchor](b.md#none), [own](#none)\n",
        encoding="utf-8",
    )
    assert broken_links(page) == [
        "a.md links to missing.md, but there is no missing.md.",
        "a.md links to missing.png, but there is no missing.png.",
        "a.md links to b.md#none, but b.md has no heading #none.",
        "a.md links to #none, but a.md has no heading #none.",
    ]
    assert anchors_of((tmp_path / "b.md").read_text(encoding="utf-8")) == {
        "title",
        "a-code-title-twice",
        "a-code-title-twice-1",
    }


def test_the_navigation_of_the_site_lists_every_page() -> None:
    navigation = (PROJECT_ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    pages = [page.relative_to(DOCS).as_posix() for page in GUIDES] + [f"cards/{card.name}" for card in CARDS]
    assert sorted(listed) == sorted(pages)


def test_links_to_cards_are_adapted_to_the_site() -> None:
    text = "[card](../core/demo/MODEL_CARD.md#x)"
    assert adapted(text, "models.md") == "[card](cards/MODEL_CARD.md#x)"
    assert adapted(text.replace("../", "../../"), "measurements/a.md") == "[card](../cards/MODEL_CARD.md#x)"
    assert adapted("[a](../../docs/evaluation.md#x)", "cards/MODEL_CARD.md") == "[a](../evaluation.md#x)"


def test_the_readme_is_short() -> None:
    lines = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if document not in WIDE], ids=name_of)
def test_lines_have_at_most_120_columns(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    written = re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", "", text, flags=re.DOTALL)  # without generated tables
    assert [line for line in written.splitlines() if len(line) > 120] == []


def commands_in(document: Path) -> list[list[str]]:
    """Return the arguments of every ``main.py`` command in the code blocks of a document."""
    blocks = re.findall(r"^```bash\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line.partition(" > ")[0], comments=True) for line in lines if "./run_isicgui.sh " in line]
    return [line[1:] for line in words if line[1:2] and line[1] in COMMANDS]


@pytest.mark.parametrize("document", [PROJECT_ROOT / "README.md", *GUIDES], ids=name_of)
def test_the_commands_of_the_guides_are_valid(document: Path) -> None:
    for arguments in commands_in(document):
        assert build_parser().parse_args(arguments).command == arguments[0]


def test_the_guides_contain_commands() -> None:
    found = [command[0] for document in [PROJECT_ROOT / "README.md", *GUIDES] for command in commands_in(document)]
    assert set(found) >= {"generate", "reproduce", "explain", "analyse", "evaluate", "models"}


def test_the_options_of_generate_are_in_its_guide() -> None:
    table = (DOCS / "generating.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(--[\w-]+)", table, re.MULTILINE))
    generate = build_parser()._subparsers._group_actions[0].choices["generate"]  # type: ignore[union-attr,index]
    options = {option for action in generate._actions for option in action.option_strings if option.startswith("--")}
    assert documented == options - {"--help"}


def test_links_are_read_from_the_documents() -> None:
    assert len([link for document in DOCUMENTS for link in links_of(document.read_text(encoding="utf-8"))]) > 50
