from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import OutputFolderError
from xai.results import shown, write_picture


@pytest.mark.parametrize(
    ("shape", "size"),
    [((128, 128), (448, 448)), ((1, 1), (448, 448)), ((3, 2000), (1, 448)), ((1200, 1600), (336, 448))],
)
def test_an_image_keeps_its_aspect_ratio(shape: tuple[int, int], size: tuple[int, int]) -> None:
    picture = shown(np.full((*shape, 3), (200, 100, 50), np.uint8))
    assert picture.shape == (*size, 3)
    assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [[200, 100, 50]]


def test_a_new_image_replaces_the_old_one(tmp_path: Path) -> None:
    for value in (1, 2):
        write_picture(tmp_path / "new" / "a.png", np.full((4, 4, 3), value, np.uint8))
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert image.getpixel((0, 0)) == (2, 2, 2)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_folder_that_is_not_writable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFolderError, match="file cannot be written"):
        write_picture(tmp_path / "file" / "a.png", np.zeros((4, 4, 3), np.uint8))
