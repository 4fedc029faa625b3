from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.classes import CLASSES
from diffusion.data import DataError, Found, LabelledImage, of_classes, split_by_lesion
from diffusion.tables import read_images


def found(**counts: int) -> Found:
    images = [LabelledImage(Path(f"{n}_{i}.jpg"), n, f"{n}_{i}") for n, count in counts.items() for i in range(count)]
    return Found(Path("folder"), "a form", images)


@given(st.lists(st.integers(0, 40), max_size=200))
@example([4, 18])  # both belong to the held-out tenth
def test_no_lesion_is_in_both_parts(lesions: list[int]) -> None:
    images = [LabelledImage(Path(f"{i}.jpg"), "NV", f"HAM_{lesion}") for i, lesion in enumerate(lesions)]
    training, held_out = split_by_lesion(images)
    assert not {image.lesion_id for image in training} & {image.lesion_id for image in held_out}
    assert sorted(image.path for image in training + held_out) == sorted(image.path for image in images)
    if len(set(lesions)) > 1:
        assert training
        assert held_out  # few lesions, too, leave one to validate on


def test_about_a_tenth_is_held_out() -> None:
    images = [LabelledImage(Path(f"{i}.jpg"), "NV", f"HAM_{i:07d}") for i in range(7470)]
    assert 0.08 < len(split_by_lesion(images)[1]) / len(images) < 0.12


def test_a_class_with_too_few_images_is_refused_with_advice() -> None:
    few = found(MEL=12, DF=9)
    assert list(of_classes(few, ["MEL"])) == ["MEL"]
    with pytest.raises(DataError, match=r"DF has 9 images .* at least 10.*add images.*--classes"):
        of_classes(few, ["MEL", "DF"])
    with pytest.raises(DataError, match="VASC has 0 images"):
        of_classes(few, ["VASC"])
    assert not few.skipped


def test_all_classes_are_those_that_have_enough() -> None:
    few = found(MEL=12, DF=9)
    assert list(of_classes(few, None)) == ["MEL"]
    (reason,) = few.skipped
    assert "DF has 9 images" in reason
    with pytest.raises(DataError, match="No class"):
        of_classes(found(DF=9), None)


def test_the_report_says_what_was_found_and_left_out() -> None:
    some = found(NV=3, MEL=2)
    for name in "abcd":
        some.skip("missing", name)
    lines = some.report()
    assert lines[0] == "folder: a form, 5 images of 5 lesions (MEL 2, NV 3)"
    assert lines[-1] == "skipped 4: missing (a, b, c, ...)"


@pytest.mark.full_data
def test_the_whole_data_is_read_and_split_by_lesion() -> None:
    everything = read_images(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256")
    images = everything.images
    counts = Counter(image.class_name for image in images)
    assert counts == {"NV": 5364, "MEL": 890, "BKL": 879, "BCC": 411, "AKIEC": 261, "VASC": 113, "DF": 92}
    assert not everything.skipped
    training, held_out = split_by_lesion(images)
    assert len({image.lesion_id for image in images}) == 6288
    assert not {image.lesion_id for image in training} & {image.lesion_id for image in held_out}
    assert {image.class_name for image in held_out} == set(CLASSES)
    known = [image.condition for image in images]
    assert sum(condition.sex is None for condition in known) == 47
    assert sum(condition.age is None for condition in known) == 46
    assert sum(condition.site is None for condition in known) == 5 + 37 + 184  # acral, genital, unknown
