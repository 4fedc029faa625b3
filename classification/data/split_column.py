"""The split that a table itself gives, as melanoma-fair-xai's tables do: which image trains, validates and tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from core.errors import ArgumentError

TRAINING: Final = "training"
VALIDATION: Final = "validation"
TEST: Final = "test"

_WORDS: Final[Mapping[str, str]] = {
    **{"train": TRAINING, "training": TRAINING},
    **{"val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION},
    "test": TEST,
}
_TEST_OF_TYPE: Final = re.compile(r"test_?(-?\d+)(\.0)?")
_VALIDATION_SHARE: Final = 0.18  # of the training lesions, as melanoma-fair-xai draws it for HAM10000
_SEED: Final = 0


def part_of(words: str) -> str | None:
    """The part that a value of a split column names; None for "none" and every other word.

    ``test1`` to ``test6``, the test images of one skin type, keep their number.
    """
    plain = words.strip().lower()
    found = _TEST_OF_TYPE.fullmatch(plain)
    return f"{TEST}{found[1]}" if found else _WORDS.get(plain)


def check_lesions(source: str, lesions: Sequence[str], parts: Sequence[str]) -> None:
    """Refuse a split column that has one lesion in two parts.

    Test images of several skin types are one part here.

    Raises:
        ArgumentError: names the lesion.
    """
    seen: dict[str, str] = {}
    for lesion, part in zip(lesions, parts, strict=True):
        kind = TEST if part.startswith(TEST) else part
        if seen.setdefault(lesion, kind) != kind:
            raise ArgumentError(
                f"The split column of {source} puts the lesion {lesion} into {seen[lesion]} and {kind}, so the test "
                "would see training images; correct the column, or remove it to have a split drawn."
            )


def with_validation(lesions: Sequence[str], classes: Sequence[str], parts: Sequence[str]) -> list[str]:
    """The same parts with a validation part: if there is none, lesions of the training part are moved into it.

    The lesions are drawn within each class with a fixed seed, so that every run draws the same ones. At least one
    lesion of each class moves, if the class has two.

    Args:
        lesions, classes, parts: lesion, class and part of each image.
    """
    if VALIDATION in parts:
        return list(parts)
    of_class: dict[str, set[str]] = defaultdict(set)
    for lesion, name, part in zip(lesions, classes, parts, strict=True):
        if part == TRAINING:
            of_class[name].add(lesion)
    rng, moved = np.random.default_rng(_SEED), set[str]()
    for name in sorted(of_class):
        names = sorted(of_class[name])
        count = min(len(names) - 1, max(1, round(_VALIDATION_SHARE * len(names))))
        moved |= set(rng.permutation(names)[:count].tolist())
    return [
        VALIDATION if part == TRAINING and lesion in moved else part
        for lesion, part in zip(lesions, parts, strict=True)
    ]
