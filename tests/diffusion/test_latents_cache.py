"""A cache of latents with any damage counts as absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffusion.latents import _checksums, _features_of, _read

SHAPE = (3, 8, 2, 4, 4)


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """The three files of a cache of three images."""
    file = tmp_path / "latents_32_key.npy"
    np.save(file, np.random.default_rng(0).random(SHAPE).astype(np.float16))
    np.save(_features_of(file), np.ones((3, 4, 5, 5), np.float16))
    note = {"tones": ["unknown"] * 3, "sha256": _checksums(file)}
    file.with_suffix(".json").write_text(json.dumps(note))
    return file


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-7] ^= 1
    file.write_bytes(bytes(data))


def test_a_whole_cache_is_read(cached: Path) -> None:
    found = _read(cached, SHAPE)
    assert found is not None
    array, features, tones = found
    assert (array.shape, len(features), tones) == (SHAPE, 3, ["unknown"] * 3)
    assert _read(cached, (2, *SHAPE[1:])) is None


@pytest.mark.parametrize(
    "spoil",
    [
        flip,
        lambda file: flip(_features_of(file)),
        lambda file: file.write_bytes(file.read_bytes().replace(b"(3, 8", b"(9, 8")),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: _features_of(file).unlink(),
        lambda file: file.with_suffix(".json").write_text("[" * 100_000),
        lambda file: file.with_suffix(".json").write_text('{"tones": []}'),
        lambda file: file.with_suffix(".json").unlink(),
    ],
)
def test_any_damage_is_absence(cached: Path, spoil: Callable[[Path], object]) -> None:
    spoil(cached)
    assert _read(cached, SHAPE) is None
