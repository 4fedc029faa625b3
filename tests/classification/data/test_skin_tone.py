from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from classification.data.collection import LabelledImage, open_collection
from classification.data.groups import AGES, GROUPS, SKIN_TYPES, UNKNOWN, groups_of
from classification.data.skin_tone import tone_of
from core.errors import ArgumentError
from core.models.conditions import TONES
from core.real_data.skin_tone import tone_group, typology_angle
from tests.classification.conftest import write_damaged_png


def patch(lightness: float, yellowness: float) -> np.ndarray:
    """One colour, uint8 (40, 40, 3)."""
    lab = np.full((40, 40, 3), (lightness, 10.0, yellowness), np.float32)
    return (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).round().astype(np.uint8)


LESION = np.zeros((40, 40), bool)
LESION[10:30, 10:30] = True


@pytest.mark.parametrize(
    ("lightness", "yellowness", "angle", "group"),
    [(75, 15, 59.0, "very light"), (66, 18, 41.6, "light"), (55, 20, 14.0, "tan"), (40, 18, -29.1, "brown")],
)
def test_the_angle_is_that_of_the_skin_around_the_lesion(
    lightness: float, yellowness: float, angle: float, group: str
) -> None:
    pixels = patch(lightness, yellowness)
    pixels[LESION] = (60, 20, 10)
    pixels[:3] = 0  # the rim of the lens
    found = typology_angle(pixels, LESION)
    assert found == pytest.approx(angle, abs=1.5)
    assert tone_group(found) == group


def test_the_limits_are_those_of_del_bino() -> None:
    angles = (60, 55, 41, 28, 10, -30)
    assert [tone_group(angle) for angle in angles] == list(TONES)
    assert tone_group(None) == UNKNOWN


def test_without_visible_skin_the_tone_is_unknown() -> None:
    assert typology_angle(patch(70, 15), np.ones((40, 40), bool)) is None
    assert typology_angle(np.zeros((40, 40, 3), np.uint8), LESION) is None


def test_ham10000_is_grouped_by_tone_sex_and_age(ham10000: Path) -> None:
    images = open_collection(ham10000).images
    assert set(groups_of(images, "skin_tone")) <= {*TONES, UNKNOWN}
    assert set(groups_of(images, "skin_tone")) & set(TONES)
    assert set(groups_of(images, "sex")) == {"female", "male"}
    assert set(groups_of(images, "age")) == {"30 to 44", "45 to 59", "60 to 74", "75 and over"}


@pytest.mark.parametrize("subfolder", [".", "images/part/one", "HAM10000_images_part_1"])
def test_masks_are_found_for_images_in_any_subfolder(ham10000: Path, tmp_path: Path, subfolder: str) -> None:
    there = open_collection(ham10000).images[0]
    (tmp_path / subfolder).mkdir(parents=True, exist_ok=True)
    shutil.copy(there.path, tmp_path / subfolder)
    (tmp_path / "masks").mkdir()
    shutil.copy(ham10000 / "masks" / f"{there.image_id}.png", tmp_path / "masks")
    shutil.copy(ham10000 / "metadata.csv", tmp_path)
    (image,) = open_collection(tmp_path).images
    assert tone_of(image) == tone_of(there) != UNKNOWN


def test_the_tone_of_an_image_that_cannot_be_read_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    file = tmp_path / "images" / "x.png"
    found = LabelledImage(file, "x", "x", "NV", masks=tmp_path / "masks")
    Image.new("L", (300, 300)).save(tmp_path / "masks" / "x.png")
    write_damaged_png(file)
    assert tone_of(found) == UNKNOWN
    Image.new("RGB", (300, 300)).save(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert tone_of(found) == UNKNOWN


def image(**facts: str) -> LabelledImage:
    return LabelledImage(Path("x.jpg"), "x", "x", "NV", facts)


def test_groups_by_their_tables() -> None:
    ages = [image(age=age) for age in ("0.0", "29", "30", "44.9", "45", "74", "75", "", "old")]
    assert groups_of(ages, "age") == [AGES[k] for k in (0, 0, 1, 1, 2, 3, 4)] + [UNKNOWN, UNKNOWN]
    types = [image(skin_type=text) for text in ("1", "6", "-1", "3.0", "7", "")]
    assert groups_of(types, "skin_type") == [SKIN_TYPES[0], SKIN_TYPES[5], UNKNOWN, SKIN_TYPES[2], UNKNOWN, UNKNOWN]


def test_a_grouping_with_unknown_groups_only_is_refused(ham10000: Path) -> None:
    images = open_collection(ham10000).images
    with pytest.raises(ArgumentError, match="skin type of all 80 images is unknown"):
        groups_of(images, "skin_type")
    with pytest.raises(ArgumentError, match="grouping 'colour' does not exist"):
        groups_of(images, "colour")
    assert set(GROUPS) == {"skin_type", "skin_tone", "sex", "age"}
