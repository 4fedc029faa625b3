"""Divide lesions into training, validation and test parts once, write the split to a file, and reuse it.

Images of one lesion look alike, so a split by image would test on training data: in a random fifth of the images of
HAM10000, 38% show lesions that the other images show too.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from classification.data.collection import Collection, LabelledImage
from classification.data.split_column import TEST, TRAINING, VALIDATION
from core.errors import ArgumentError
from core.io.atomic_files import write_whole
from core.io.plain_text import csv_cell, encode_csv
from core.real_data.held_out import is_held_out

VALIDATION_SHARE: Final = 0.10
TEST_SHARE: Final = 0.20
_COLUMNS: Final = ("image_id", "lesion_id", "class", "part")


def split_by_lesion(
    images: Sequence[LabelledImage],
    seed: int,
    *,
    validation: float = VALIDATION_SHARE,
    test: float = TEST_SHARE,
    test_unseen_by_generator: bool = False,
) -> dict[str, str]:
    """Assign every image to a part. Lesions are drawn within each class, so that all parts have the same class shares.

    The tenth that the generator never saw (``core.real_data.held_out``) is always in the test part, if a class has
    enough lesions, because the evaluation of generated images uses classifiers on it.

    Args:
        images: images to split.
        seed: seed of the draw.
        validation, test: shares of each class's lesions; each part gets at least one lesion of each class.
        test_unseen_by_generator: test only on that tenth, so that a generated copy of a training image cannot improve
            the test result.

    Returns:
        ``training``, ``validation`` or ``test`` for each image_id.

    Raises:
        ArgumentError: a class has too few lesions for three parts, or a lesion has two classes.
    """
    lesions = _class_of_lesions(images)
    rng, part_of = np.random.default_rng(seed), {}
    for class_name in sorted(set(lesions.values())):
        names = np.array(sorted(lesion for lesion, name in lesions.items() if name == class_name))
        rng.shuffle(names)
        names = np.array(sorted(names, key=is_held_out, reverse=True))  # a stable sort keeps the draw
        for_validation = max(1, round(validation * len(names)))
        for_test = unseen = sum(map(is_held_out, names))
        if not test_unseen_by_generator:
            for_test = max(1, round(test * len(names)), min(unseen, len(names) - for_validation - 1))
        if for_test < 1 or for_test + for_validation >= len(names):
            raise ArgumentError(
                f"The class {class_name} has {len(names)} lesions, too few for training, validation and test; "
                "add images of it."
            )
        for index, name in enumerate(names):
            part_of[name] = TEST if index < for_test else VALIDATION if index < for_test + for_validation else TRAINING
    return {image.image_id: part_of[image.lesion_id] for image in images}


def _class_of_lesions(images: Sequence[LabelledImage]) -> dict[str, str]:
    found: dict[str, str] = {}
    for image in images:
        if found.setdefault(image.lesion_id, image.class_name) != image.class_name:
            raise ArgumentError(
                f"The lesion {image.lesion_id} has the labels {found[image.lesion_id]} and {image.class_name}; correct "
                "the table: a lesion has one diagnosis."
            )
    return found


def write_split(file: Path, images: Sequence[LabelledImage], parts: Mapping[str, str]) -> None:
    """Write a split as a readable CSV that ``read_split`` accepts."""
    rows = [(image.image_id, image.lesion_id, image.class_name, parts[image.image_id]) for image in images]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, encode_csv([_COLUMNS, *rows]))


def read_split(file: Path, images: Sequence[LabelledImage]) -> dict[str, str]:
    """Read a split and check that it fits the images.

    Raises:
        ArgumentError: the file is not a split, does not cover the images, or has a lesion in two parts.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise ArgumentError(f"The split {file} cannot be read: {error.strerror}.") from error
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        raise ArgumentError(f"{file} is not a split: its columns are not {', '.join(_COLUMNS)}.")
    parts = {row["image_id"]: row["part"] for row in rows}
    _check_lesions(file, ((row["lesion_id"], row["part"]) for row in rows))
    names = {csv_cell(image.image_id): image.image_id for image in images}
    for problem, others in (
        ("does not cover", set(names) - set(parts)),
        ("is of other data: it lists", set(parts) - set(names)),
    ):
        if others:
            raise ArgumentError(f"{file} {problem} {min(others)} and {len(others) - 1} others; name another --split.")
    return {name: parts[cell] for cell, name in names.items()}


def _check_lesions(file: Path, pairs: Iterable[tuple[str, str]]) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for lesion, part in pairs:
        parts[lesion].add(part)
    twice = next((lesion for lesion, found in parts.items() if len(found) > 1), None)
    if twice:
        raise ArgumentError(
            f"{file} has the lesion {twice} in two parts, so the test would be biased; remove the file to split again."
        )


def parts_of(
    collection: Collection, file: Path, seed: int, *, test_unseen_by_generator: bool = False
) -> Mapping[str, str]:
    """The split of a collection: its own one, the one in ``file``, or a new one, which is written to ``file``.

    Raises:
        ArgumentError: the collection cannot be split, or the file is not a split of it or not of the requested kind.
    """
    if collection.parts:
        if test_unseen_by_generator:
            raise ArgumentError(
                f"{collection.folder} defines its test images, so --test-unseen-by-generator cannot choose them; "
                "omit it, or remove the split column from the table."
            )
        return collection.parts
    if not file.exists():
        parts = split_by_lesion(collection.images, seed, test_unseen_by_generator=test_unseen_by_generator)
        write_split(file, collection.images, parts)
    parts = read_split(file, collection.images)
    if test_unseen_by_generator:
        judging = {image.lesion_id for image in images_of(collection, parts, TEST)}
        seen = sorted(lesion for lesion in judging if not is_held_out(lesion))
        if seen:
            raise ArgumentError(
                f"The split {file} exists and tests on {len(seen)} lesions that the generator may have seen, for "
                f"example {seen[0]}; name another --split to create one without them."
            )
    return parts


def images_of(collection: Collection, parts: Mapping[str, str], part: str) -> list[LabelledImage]:
    """The images of one part, in the collection's order; ``test`` includes ``test1`` to ``test6``.

    Raises:
        ArgumentError: the part has no images.
    """
    found = [image for image in collection.images if _is_in(parts[image.image_id], part)]
    if not found:
        there = ", ".join(sorted(set(parts.values())))
        raise ArgumentError(f"{collection.folder} has no images in the part {part!r}; choose from {there}.")
    return found


def _is_in(part: str, wanted: str) -> bool:
    return part == wanted or (wanted == TEST and part.startswith(TEST))


def refuse_leak(split: Path, judged: Sequence[LabelledImage], who: str) -> None:
    """Refuse to evaluate a classifier, or to learn from one, on lesions that it was trained on.

    Args:
        split: the split of the classifier's own run; without this file, nothing is checked.
        judged: images of the evaluation.
        who: name of the classifier in the message.

    Raises:
        ArgumentError: a lesion is in both; the message names it.
    """
    if not split.is_file():
        return
    with split.open(newline="", encoding="utf-8-sig") as stream:
        trained = {row["lesion_id"] for row in csv.DictReader(stream) if row["part"] == TRAINING}
    known = {csv_cell(image.lesion_id) for image in judged} & trained
    if known:
        raise ArgumentError(
            f"{who} was trained on {len(known)} of the lesions of this evaluation, for example {min(known)}; "
            "use the same --split for both."
        )
