"""Which image is trained on, which chooses, which judges: decided once per lesion, written down, and reused.

Images of one lesion look alike, so a split by image tests on what was trained on: of a random fifth of HAM10000's
images, 38% show lesions that the rest shows too.
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
    """Assign every image to a part: lesions are drawn within each class, so every part has the classes' shares.

    The tenth that the generator never saw (``core.real_data.held_out``) is in the test part in any case, as far as a
    class has lesions enough: the evaluation of generated images asks classifiers about it.

    Args:
        images: what is to be split.
        seed: of the draw.
        validation, test: shares of each class's lesions; at least one lesion of each class goes into either part.
        test_unseen_by_generator: test on that tenth alone, so that a generated copy of a training image cannot help
            in the test.

    Returns:
        image_id to ``training``, ``validation`` or ``test``.

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
                "give more images of it."
            )
        for place, name in enumerate(names):
            part_of[name] = TEST if place < for_test else VALIDATION if place < for_test + for_validation else TRAINING
    return {image.image_id: part_of[image.lesion_id] for image in images}


def _class_of_lesions(images: Sequence[LabelledImage]) -> dict[str, str]:
    found: dict[str, str] = {}
    for image in images:
        if found.setdefault(image.lesion_id, image.class_name) != image.class_name:
            raise ArgumentError(
                f"The lesion {image.lesion_id} is called {found[image.lesion_id]} and {image.class_name}; correct the "
                "table: a lesion has one diagnosis."
            )
    return found


def write_split(file: Path, images: Sequence[LabelledImage], parts: Mapping[str, str]) -> None:
    """Write a split as a CSV that people can read and ``read_split`` accepts."""
    rows = [(image.image_id, image.lesion_id, image.class_name, parts[image.image_id]) for image in images]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, encode_csv([_COLUMNS, *rows]))


def read_split(file: Path, images: Sequence[LabelledImage]) -> dict[str, str]:
    """Read a split and hold it against the images.

    Raises:
        ArgumentError: no such file or form, it does not cover the images, or it has a lesion in two parts.
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
    for what, others in (
        ("does not cover", set(names) - set(parts)),
        ("is of other data: it lists", set(parts) - set(names)),
    ):
        if others:
            raise ArgumentError(f"{file} {what} {min(others)} and {len(others) - 1} others; name another --split.")
    return {name: parts[cell] for cell, name in names.items()}


def _check_lesions(file: Path, pairs: Iterable[tuple[str, str]]) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for lesion, part in pairs:
        parts[lesion].add(part)
    twice = next((lesion for lesion, found in parts.items() if len(found) > 1), None)
    if twice:
        raise ArgumentError(f"{file} has the lesion {twice} in two parts, which leaks; remove the file to split anew.")


def parts_of(
    collection: Collection, file: Path, seed: int, *, test_unseen_by_generator: bool = False
) -> Mapping[str, str]:
    """The split of a collection: its own, the one in ``file``, or a new one that is written there.

    Raises:
        ArgumentError: the collection cannot be split, or the file is not a split of it, or not one of those that were
            asked for.
    """
    if collection.parts:
        if test_unseen_by_generator:
            raise ArgumentError(
                f"{collection.folder} says itself which images test, so --test-unseen-by-generator cannot choose them; "
                "leave it out, or remove the split column from the table."
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
                f"The split {file} is there already and tests on {len(seen)} lesions that the generator may have seen, "
                f"{seen[0]} for one; name another --split to make one that does not."
            )
    return parts


def images_of(collection: Collection, parts: Mapping[str, str], part: str) -> list[LabelledImage]:
    """The images of one part, in the collection's order; ``test`` means ``test1`` to ``test6`` as well.

    Raises:
        ArgumentError: there is no such part.
    """
    found = [image for image in collection.images if _is_in(parts[image.image_id], part)]
    if not found:
        there = ", ".join(sorted(set(parts.values())))
        raise ArgumentError(f"{collection.folder} has no images in the part {part!r}; there are {there}.")
    return found


def _is_in(part: str, wanted: str) -> bool:
    return part == wanted or (wanted == TEST and part.startswith(TEST))


def refuse_leak(split: Path, judged: Sequence[LabelledImage], who: str) -> None:
    """Refuse to judge a classifier, or to learn from one, on lesions that it was trained on.

    Args:
        split: the split of the classifier's own run; nothing is known where it is not there.
        judged: the images that are to judge.
        who: the classifier, for the message.

    Raises:
        ArgumentError: names a lesion.
    """
    if not split.is_file():
        return
    with split.open(newline="", encoding="utf-8-sig") as stream:
        trained = {row["lesion_id"] for row in csv.DictReader(stream) if row["part"] == TRAINING}
    known = {csv_cell(image.lesion_id) for image in judged} & trained
    if known:
        raise ArgumentError(
            f"{who} was trained on {len(known)} of the lesions that are to judge, {min(known)} for one; "
            "use the same --split for both."
        )
