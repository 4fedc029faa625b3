from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.report.escaping import markdown_text, shell_word, yaml_text

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](file:///etc/passwd)",
    "a | b",
    "`code` *a* __b__ ~~c~~ $x$",
    "&lt;b&gt; &#60;",
    "# heading",
    "x\n---\nlicence: mine",
    '"; rm -rf ~ #',
    "'$(id)' `id`",
    "-rf",
    "\x1b[2J\u202e",
    "\udcff\udcfe",
    "set_of 500 images, 0.12 [0.10, 0.15] ± 0.3",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    tokens = _MARKDOWN.parse(f"- {markdown_text(text)}\n")
    (block,) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in block.children or []} <= {"text", "text_special"}


def test_figures_and_file_names_stay_readable() -> None:
    text = "unet_MEL_best.pth (sha256 0123abcd): 0.12 [0.10, 0.15], +2.1%"
    assert markdown_text(text) == text


@given(st.text(max_size=40))
def test_a_cell_stays_one_cell_of_one_row(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {markdown_text(text)} | c |\n"
    tokens = _MARKDOWN.parse(table)
    assert sum(token.type == "td_open" for token in tokens) == 2
    assert not any(token.type.startswith("html") for token in tokens)


@given(st.text(max_size=40) | st.sampled_from(HOSTILE))
def test_the_head_of_a_card_is_yaml_with_the_text_as_one_string(text: str) -> None:
    head = yaml.safe_load(f"pretty_name: {yaml_text(text)}\ntags: [synthetic]\n")
    assert set(head) == {"pretty_name", "tags"}
    assert isinstance(head["pretty_name"], str)


@pytest.mark.parametrize(
    "text", ["my set", "yes", "Null", "a: b", "1.5", "- x", "{x}", "x #y", "2020-01-01", "=", 'a"b', "é"]
)
def test_yaml_gives_the_text_back(text: str) -> None:
    assert yaml.safe_load(f"name: {yaml_text(text)}") == {"name": text}


@pytest.mark.skipif(shutil.which("bash") is None, reason="the line of the card is for bash")
@pytest.mark.parametrize("text", [*HOSTILE, "plain", "two words", "it's", "a\\b'\x01"])
def test_bash_reads_the_folder_as_one_word(text: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {shell_word(text)}"], capture_output=True, check=True)
    assert os.fsdecode(done.stdout).removeprefix("./") == text
