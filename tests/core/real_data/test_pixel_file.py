from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.real_data.pixel_file import find_pixels, map_pixels, write_pixels

IMAGES = list(np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8))
MIXED = [IMAGES[0], None, IMAGES[1], None, IMAGES[2]]


@pytest.mark.parametrize(("gaps", "rows"), [(True, [0, 2, 4]), (False, [0, 1, 2])])
def test_a_file_is_found_as_it_was_written(tmp_path: Path, gaps: bool, rows: list[int]) -> None:
    written = write_pixels(tmp_path / "p.npy", (5, 8, 8, 3), MIXED, gaps=gaps)
    assert find_pixels(tmp_path / "p.npy", (5, 8, 8, 3)) == written
    assert written.damaged == {1, 3}
    array = map_pixels(written.path)
    assert array.shape == (5, 8, 8, 3)
    assert np.array_equal(array[rows], np.stack(IMAGES[:3]))
    assert not np.delete(np.asarray(array), rows, axis=0).any()


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[300] ^= 4
    file.write_bytes(bytes(data))


def other_shape(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"(4, 8, 8, 3)", b"(9, 8, 8, 3)"))


def note(content: str) -> Callable[[Path], object]:
    return lambda file: file.with_suffix(".json").write_text(content)


@pytest.mark.parametrize(
    "spoil",
    [
        flip,
        other_shape,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes() + b"x"),
        lambda file: file.unlink(),
        lambda file: file.with_suffix(".json").unlink(),
        note("[" * 100_000),
        note("[]"),
        note(json.dumps({"damaged": ["x"], "crc32": 0})),
        note(json.dumps({"damaged": [[]], "crc32": 0})),
        note('{"damaged": []}'),
        note("\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
    ],
)
def test_a_file_with_any_damage_counts_as_absent(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    file = write_pixels(tmp_path / "p.npy", (4, 8, 8, 3), IMAGES).path
    spoil(file)
    assert find_pixels(file, (4, 8, 8, 3)) is None


def test_the_file_of_another_size_or_number_counts_as_absent(tmp_path: Path) -> None:
    file = write_pixels(tmp_path / "p.npy", (4, 8, 8, 3), IMAGES).path
    assert find_pixels(file, (3, 8, 8, 3)) is None
    assert find_pixels(file, (16, 4, 4, 3)) is None


def test_a_number_of_a_damaged_image_that_cannot_be_counts_as_damage(tmp_path: Path) -> None:
    file = write_pixels(tmp_path / "p.npy", (4, 8, 8, 3), IMAGES).path
    content = json.loads(file.with_suffix(".json").read_text())
    for damaged in ([4], [-1], [1.0]):
        note(json.dumps({**content, "damaged": damaged}))(file)
        assert find_pixels(file, (4, 8, 8, 3)) is None
