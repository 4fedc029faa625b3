from __future__ import annotations

import pytest

from core.generation.wording import counted_images, none_explained


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1200, "1,200 images")]
)
def test_images_are_counted_as_people_do(number: int, words: str) -> None:
    assert counted_images(number) == words


def test_a_class_without_an_explained_image_is_one_sentence() -> None:
    assert none_explained("NV", 20, "analysed") == "No image of NV is analysed in this job; the next is number 20."
