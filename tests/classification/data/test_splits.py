from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.data.collection import LabelledImage, open_collection
from classification.data.splits import (
    TEST,
    TRAINING,
    VALIDATION,
    images_of,
    parts_of,
    read_split,
    refuse_leak,
    split_by_lesion,
    write_split,
)
from core.classes import CLASSES
from core.errors import ArgumentError
from core.real_data.held_out import is_held_out


def made_up(sizes: dict[str, list[int]]) -> list[LabelledImage]:
    """Images of lesions, from the number of images of each lesion of each class."""
    return [
        LabelledImage(Path("x.jpg"), f"{name}-{lesion}-{number}", f"{name}-{lesion}", name)
        for name, lesions in sizes.items()
        for lesion, images in enumerate(lesions)
        for number in range(images)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(CLASSES), st.lists(st.integers(1, 4), min_size=3, max_size=25), min_size=1),
    st.integers(0, 1000),
)
def test_no_lesion_is_in_two_parts_and_every_class_is_in_every_part(sizes: dict[str, list[int]], seed: int) -> None:
    images = made_up(sizes)
    parts = split_by_lesion(images, seed)
    assert set(parts) == {image.image_id for image in images}
    of_lesion = defaultdict(set)
    for image in images:
        of_lesion[image.lesion_id].add(parts[image.image_id])
    assert all(len(found) == 1 for found in of_lesion.values())
    for name in sizes:
        there = {parts[image.image_id] for image in images if image.class_name == name}
        assert there == {TRAINING, VALIDATION, TEST}


def test_every_class_has_its_share_in_every_part() -> None:
    images = made_up({"MEL": [1] * 100, "NV": [2] * 500})
    parts = split_by_lesion(images, 0)
    counts = Counter((image.class_name, parts[image.image_id]) for image in images)
    assert (counts["MEL", TEST], counts["MEL", VALIDATION]) == (20, 10)
    assert counts["NV", TEST] == 2 * 100
    assert counts["NV", VALIDATION] == 2 * 50


def test_the_split_follows_from_the_seed_alone() -> None:
    images = made_up({"MEL": [1, 2] * 20, "NV": [1] * 60})
    assert split_by_lesion(images, 3) == split_by_lesion(images[::-1], 3)
    assert split_by_lesion(images, 3) != split_by_lesion(images, 4)


def test_a_test_for_generated_images_has_only_lesions_that_the_generator_never_saw() -> None:
    images = made_up({"MEL": [1] * 200, "NV": [1] * 400})
    parts = split_by_lesion(images, 0, test_unseen_by_generator=True)
    for image in images:
        assert (parts[image.image_id] == TEST) == is_held_out(image.lesion_id)


def test_lesions_that_the_generator_never_saw_are_in_the_test_part_of_any_split() -> None:
    images = made_up({"MEL": [1] * 200, "NV": [1] * 400})
    for seed in range(5):
        parts = split_by_lesion(images, seed)
        assert {parts[image.image_id] for image in images if is_held_out(image.lesion_id)} == {TEST}
    assert Counter(parts.values())[TEST] == 120


def test_an_existing_split_is_not_used_as_one_of_unseen_lesions(ham10000: Path, tmp_path: Path) -> None:
    collection, file = open_collection(ham10000), tmp_path / "split.csv"
    parts_of(collection, file, seed=0)
    with pytest.raises(ArgumentError, match=r"split\.csv exists and tests on .* may have seen"):
        parts_of(collection, file, seed=0, test_unseen_by_generator=True)


def test_too_few_lesions_are_refused() -> None:
    with pytest.raises(ArgumentError, match="DF has 2 lesions"):
        split_by_lesion(made_up({"DF": [3, 3], "NV": [1] * 9}), 0)


def test_a_lesion_of_two_classes_is_refused() -> None:
    images = [*made_up({"NV": [1] * 9}), LabelledImage(Path("x.jpg"), "other", "NV-0", "MEL")]
    with pytest.raises(ArgumentError, match="NV-0 has the labels NV and MEL"):
        split_by_lesion(images, 0)


def test_a_split_is_written_once_and_reused(ham10000: Path, tmp_path: Path) -> None:
    collection, file = open_collection(ham10000), tmp_path / "deep" / "split.csv"
    parts = parts_of(collection, file, seed=1)
    written = file.read_bytes()
    assert parts_of(collection, file, seed=2) == parts
    assert file.read_bytes() == written
    assert len(images_of(collection, parts, TEST)) == sum(part == TEST for part in parts.values())
    with pytest.raises(ArgumentError, match="no images in the part 'holdout'"):
        images_of(collection, parts, "holdout")


def test_a_split_of_other_data_is_refused(tmp_path: Path) -> None:
    images, file = made_up({"NV": [2] * 9}), tmp_path / "split.csv"
    write_split(file, images, split_by_lesion(images, 0))
    assert read_split(file, images) == split_by_lesion(images, 0)
    with pytest.raises(ArgumentError, match="does not cover"):
        read_split(file, [*images, *made_up({"MEL": [1]})])
    with pytest.raises(ArgumentError, match="of other data"):
        read_split(file, images[1:])
    with pytest.raises(ArgumentError, match="cannot be read"):
        read_split(tmp_path / "none.csv", images)


def test_a_split_that_leaks_is_refused(tmp_path: Path) -> None:
    images, file = made_up({"NV": [2] * 9}), tmp_path / "split.csv"
    parts = split_by_lesion(images, 0)
    name = next(name for name, part in parts.items() if part == TRAINING)
    write_split(file, images, {**parts, name: TEST})
    with pytest.raises(ArgumentError, match="in two parts"):
        read_split(file, images)


@pytest.mark.full_data
def test_the_whole_of_ham10000_is_split(tmp_path: Path) -> None:
    collection = open_collection(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256")
    parts = parts_of(collection, tmp_path / "split.csv", seed=0)
    lesions = {part: {i.lesion_id for i in images_of(collection, parts, part)} for part in (TRAINING, VALIDATION, TEST)}
    assert not lesions[TRAINING] & lesions[TEST]
    assert not lesions[TRAINING] & lesions[VALIDATION]
    assert sum(map(len, lesions.values())) == 6288
    assert abs(len(lesions[TEST]) - 0.2 * 6288) < 5


def test_names_that_are_formulas_or_not_utf8_are_text_in_the_table_and_found_again(tmp_path: Path) -> None:
    names = ["=1+1", "-x", "+cmd", "@a", "\udcff", "a\nb", "plain", '"quoted,']
    images = [LabelledImage(Path("x.jpg"), name, f"{name}-lesion", "MEL") for name in names]
    parts = dict.fromkeys(names, TRAINING)
    write_split(tmp_path / "split.csv", images, parts)
    lines = (tmp_path / "split.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(names) + 1
    assert not any(line.startswith(("=", "+", "-", "@")) for line in lines)
    assert read_split(tmp_path / "split.csv", images) == parts
    with pytest.raises(ArgumentError, match="trained on 1 of the lesions"):
        refuse_leak(tmp_path / "split.csv", images[4:5], "It")
