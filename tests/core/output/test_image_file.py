from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.output.image_file import ImageFileError, read_parameters, read_pixels, write_image
from tests.conftest import REAL_IMAGES
from tests.core.examples import noise, parameters


def test_an_image_says_how_it_was_made(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    write_image(file, noise(), parameters())
    assert read_parameters(file) == parameters()
    assert np.array_equal(read_pixels(file), noise())
    with Image.open(file) as image:
        chunk = json.loads(image.text["isicgui"])  # type: ignore[attr-defined]
    assert (chunk["class"], chunk["source"], chunk["seed"]) == ("MEL", "synthetic", 2133561722)


def test_an_image_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    write_image(file, noise(0), parameters())
    with pytest.raises(FileExistsError):
        write_image(file, noise(1), parameters())
    assert np.array_equal(read_pixels(file), noise(0))


def test_foreign_images_are_told_apart(tmp_path: Path) -> None:
    real = next(iter(sorted((REAL_IMAGES / "images").iterdir())))
    with pytest.raises(ImageFileError, match="no text chunk"):
        read_parameters(real)
    with pytest.raises(ImageFileError, match="There is no image"):
        read_parameters(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ImageFileError, match="not a readable image"):
        read_parameters(tmp_path / "text.png")


def test_an_image_that_is_too_large_to_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.png", noise(), parameters())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(ImageFileError, match="not a readable image"):
        read_pixels(tmp_path / "a.png")
    assert read_parameters(tmp_path / "a.png") == parameters()  # which decodes nothing


@pytest.mark.parametrize(
    "chunk",
    ["", "no json", "[]", "{}", '{"format": "isicgui.image/1"}', '{"format": "isicgui.image/1", "class": "SCC"}'],
)
def test_a_chunk_that_says_too_little_is_named(tmp_path: Path, chunk: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("isicgui", chunk)
    Image.fromarray(noise()).save(tmp_path / "a.png", pnginfo=text)
    with pytest.raises(ImageFileError):
        read_parameters(tmp_path / "a.png")


def test_a_field_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("isicgui", json.dumps({**parameters().to_json(), "a_later_field": 2.0}))
    Image.fromarray(noise()).save(tmp_path / "a.png", pnginfo=text)
    assert read_parameters(tmp_path / "a.png") == parameters()
