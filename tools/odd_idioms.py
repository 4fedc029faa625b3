"""Count odd idioms per 10,000 words of documents, docstrings, comments and messages.

    python -m tools.odd_idioms                       # the whole repository
    python -m tools.odd_idioms evaluation --list     # every hit of one package, with a suggestion

The list below holds expressions that readers whose first language is not English have to read twice. A hit is a
suggestion, not a proof; a regular expression cannot see every meaning. `CONTEXT.md` has the words to use.

scikit-learn's `ensemble` and `linear_model`, albumentations, diffusers' schedulers and Lightning have 1 to 5 hits per
10,000 words by this list.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.prose import SUFFIXES, Passage, passages

ROOT: Final = Path(__file__).resolve().parents[1]
PATHS: Final = (
    "README.md",
    "docs",
    "benchmarks",
    "classification",
    "cli",
    "cluster",
    "core",
    "diffusion",
    "evaluation",
    "gui",
    "xai",
    "tests",
    "tools/__init__.py",
    "tools/prose.py",
    "main.py",
    "launch.py",
    "download_models.py",
)
"""Measured by default."""
_QUOTING: Final = (Path(__file__).resolve(), ROOT / "tests" / "tools" / "test_odd_idioms.py", ROOT / "CONTEXT.md")
"""Files that quote odd idioms; they are not measured."""
_NUMBER: Final = r"(?:a|the|one|each|every|per|first|last|second|next|two|three|four|five|six|seven|ten|\d+)"
_UNIT: Final = (
    r"(?:class|image|second|line|row|set|space|side|step|epoch|panel|minute|job|group|folder|page|file|column)"
)
_COUNTED: Final = (
    r"(?:seconds?|images?|steps?|rows?|lines?|folders?|objects?|networks?|columns?|values?|minutes?|outputs?|panels?|"
    r"figures?|objects?|files?|tables?|events?|jobs?|one)"
)
_AFTER_WHAT: Final = r"(?:is|are|was|were|it|they|has|had|cannot|can be|lies|comes|remains)\b"
_AFTER_WHERE: Final = (
    r"(?:there|it|they|none|nothing|no|neither|both|this|that|one|two|all|any|some|every|nobody|more|fewer)\b"
)
IDIOMS: Final[Sequence[tuple[str, str]]] = (
    (r"\b(?:tell|tells|telling|told)\b(?! apart)", "report, warn, show, determine"),
    (r"\b(?:tell|tells|told) apart\b", "distinguish"),
    (r"\b(?:say|says|said|saying)\b", "state, report, record"),
    (rf"\bwhat {_AFTER_WHAT}(?![^.;:!]*\?)", "name the thing"),
    (rf"(?:^|(?<=[.] ))What (?!{_AFTER_WHAT})[^.?!]*[.]", "start with the subject"),
    (
        r"\b(?:made|make|makes|making|drawn|done) (?:\w+ )?again\b|\b(?:make|makes|made) (?:each|it|them) again\b",
        "regenerate, rerun",
    ),
    (r"\b(?:go|goes|went|going|gone) on\b", "continue"),
    (
        r"\b(?:lie|lies|lay|lying) "
        r"(?:beside|there|under|next|with|among|at|(?:in|on) (?:the|an?|one|its|their|this|that))\b",
        "is in, is next to",
    ),
    (r"\b(?:to|can|could|cannot|may) be had\b", "available"),
    (r"\bat hand\b", "available"),
    (r"\bfor (?:want|lack) of\b", "because there is no"),
    (r"\banew\b", "again, from the start"),
    (r"\b(?:as it is|as they are)\b", "unchanged"),
    (r"\bof (?:its|their|his) own\b", "own, separate"),
    (r"\bby (?:itself|themselves)\b", "alone, automatically, separately"),
    (r"\b(?:but for|save for|nothing but|none but|all but)\b", "except, only"),
    (rf"(?:^|(?<=[.:;] )|(?<=[(]))[Ww]here (?!{_AFTER_WHERE})(?![^.?]*\?)", "if, when"),
    (rf"\bwhere {_AFTER_WHERE}(?![^.;]*\?)", "if, when"),
    (r"\bpictures?\b", "image, figure"),
    (rf"\b{_NUMBER} (?:whole |full |more |such )?pass(?:es)?\b(?! (?:of|through) (?:the )?network)", "epoch"),
    (r"\bpasses over\b", "epochs"),
    (r"(?<!decimal )\bplaces\b", "indices, positions"),
    (r"\b(?:their|as|same|coarse|\w+'s) place\b|\bplace (?:of|in|among) (?:the|a|each)\b", "index, position"),
    (rf"\b{_COUNTED} an? {_UNIT}\b", "per"),
    (r"(?<!lies )(?<!lie )\bbeside\b", "next to, with"),
    (r"\b(?:stand|stands|stood) (?:in|on|at|for|beside|there|against)\b", "is in, means"),
    (r"(?<!there )\b(?:is|are|was|were) no (?!longer|more|other|need|image|such|\w+er\b)\w+", "is not a"),
    (r"\b(?:come|comes|came) up to\b", "reach"),
    (r"\bvouch\b", "confirm"),
    (r"\b(?:somebody|anybody|nobody)(?:'s| else's)?\b", "a person, another program"),
    (r"\bthe one\b[^.;:]{3,40}\bthe other\b", "the first ... the second"),
    (r"\bof which (?:some|none|each|one|all)\b", "two sentences"),
    (r"\b(?:so many|as it were|that is to|as good as|not so much|all the same|for a while|ever so)\b", "plain words"),
    (r"\bin words\b", "as text"),
    (r"\b(?:hereof|thereof|therein|whereupon|whatsoever|whence)\b", "plain words"),
    (r"\b(?:besides|meanwhile|lest|albeit|amid)\b", "also, at the same time"),
    (r"\bwhatever (?:it|they|the|its|their)\b", "for any"),
)
_COMPILED: Final = [
    (re.compile(pattern, re.IGNORECASE if pattern.islower() else 0), suggestion) for pattern, suggestion in IDIOMS
]
"""Patterns with capital letters depend on the case."""


@dataclass(frozen=True)
class Hit:
    """One odd idiom: the file, its line (from 1), the words, and what to write instead."""

    file: Path
    line: int
    words: str
    suggestion: str


@dataclass(frozen=True)
class Count:
    """The odd idioms of some files."""

    hits: tuple[Hit, ...]
    words: int

    @property
    def rate(self) -> float:
        """Hits per 10,000 words; 0 if there are no words."""
        return 10_000 * len(self.hits) / self.words if self.words else 0.0


def files_of(path: Path) -> list[Path]:
    """The Markdown and Python files of a file or folder, sorted, without those that quote odd idioms.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in found if file.suffix in SUFFIXES and file not in _QUOTING]


def count(paths: Sequence[Path]) -> Count:
    """Count the odd idioms in files and folders."""
    hits: list[Hit] = []
    words = 0
    for file in (file for path in paths for file in files_of(path)):
        for passage in passages(file):
            words += passage.words
            hits += [Hit(file, *found) for found in hits_in(passage)]
    return Count(tuple(hits), words)


def hits_in(passage: Passage) -> Iterator[tuple[int, str, str]]:
    """Line, words and suggestion of each odd idiom in a passage."""
    lines = [(number, word) for number, line in enumerate(passage.text.split("\n")) for word in line.split()]
    text = " ".join(word for _, word in lines)
    for pattern, suggestion in _COMPILED:
        for match in pattern.finditer(text):
            offset = lines[min(text.count(" ", 0, match.start()), len(lines) - 1)][0]
            yield passage.line + offset, match.group(), suggestion


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rate of each path, the worst files and the overall rate."""
    parser = argparse.ArgumentParser(description="Count odd idioms per 10,000 words.")
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; default: the whole repository")
    parser.add_argument("--list", action="store_true", help="print every hit with a suggestion")
    parser.add_argument("--worst", type=int, default=10, help="number of files to name (default 10)")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.paths] or [ROOT / name for name in PATHS if (ROOT / name).exists()]
    counts = {path: count([path]) for path in paths}
    for path, found in counts.items():
        print(f"{found.rate:7.1f}  {len(found.hits):5} in {found.words:7,} words  {_short(path)}")
    hits = tuple(hit for found in counts.values() for hit in found.hits)
    if options.list:
        for hit in hits:
            print(f"{_short(hit.file)}:{hit.line}: {hit.words!r}: {hit.suggestion}")
    print("Worst files:")
    for file in sorted({hit.file for hit in hits}, key=lambda file: -count([file]).rate)[: options.worst]:
        print(f"{count([file]).rate:7.1f}  {_short(file)}")
    overall = Count(hits, sum(found.words for found in counts.values()))
    print(f"Overall: {overall.rate:.1f} per 10,000 words ({len(hits)} in {overall.words:,})")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    main()
