from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from evaluation.features.feature_cache import FeatureCache
from evaluation.features.image_listing import read_set
from evaluation.features.image_set import add_features, read_side
from evaluation.progress import result_of
from tests.evaluation.examples import lesion, write_set


class Counting:
    """A network that counts the images it receives; its features are the mean colour."""

    name = "counting"
    fingerprint = "1"
    spaces: ClassVar = {"colour": slice(0, 3), "red": slice(0, 1)}

    def __init__(self) -> None:
        self.seen = 0

    def features(self, pixels: np.ndarray) -> np.ndarray:
        self.seen += len(pixels)
        return pixels.mean(axis=(1, 2)).astype(np.float32)


def test_features_are_computed_once_for_each_content(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", {"MEL": [lesion(seed) for seed in range(20)]})
    side = result_of(read_side(read_set(folder, []), 32, "images"))
    network = Counting()
    result_of(add_features(side, network, tmp_path / "cache", "images"))
    assert network.seen == 20
    assert side.features["colour"] == pytest.approx(side.pixels.mean(axis=(1, 2)))
    assert side.features["red"].shape == (20, 1)

    (folder / "MEL" / "ISIC_0000003.png").rename(folder / "MEL" / "A_renamed.png")
    (folder / "MEL" / "ISIC_0000004.png").write_bytes((folder / "MEL" / "ISIC_0000005.png").read_bytes())
    again = result_of(read_side(read_set(folder, []), 32, "images"))
    result_of(add_features(again, network, tmp_path / "cache", "images"))
    assert network.seen == 20  # the key is the content, not the name
    assert again.features["colour"] == pytest.approx(again.pixels.mean(axis=(1, 2)))

    other_size = result_of(read_side(read_set(folder, []), 16, "images"))
    result_of(add_features(other_size, network, tmp_path / "cache", "images"))
    assert network.seen == 39  # two images have the same content


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"PK\x03\x04 no zip"])
def test_a_damaged_cache_counts_as_empty(tmp_path: Path, damage: bytes) -> None:
    cache = FeatureCache(tmp_path, "net", "print", 64)
    cache.add({"a": np.ones(3, np.float32)})
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    again = FeatureCache(tmp_path, "net", "print", 64)
    assert again.missing(["a"]) == {"a"}
    again.add({"b": np.zeros(3, np.float32)})
    assert FeatureCache(tmp_path, "net", "print", 64).missing(["a", "b"]) == {"a"}


@pytest.mark.parametrize(
    "arrays",
    [
        {"digests": np.array(["a"]), "features": np.array(5.0, np.float32)},
        {"digests": np.array([["a"]]), "features": np.zeros((1, 3), np.float32)},
        {"digests": np.array([1]), "features": np.zeros((1, 3), np.float32)},
        {"digests": np.array(["a"]), "features": np.zeros((2, 3), np.float32)},
        {"digests": np.array(["a"]), "features": np.zeros((1, 3), "<U4")},
        {"digests": np.array(["a"]), "features": np.zeros((1, 4), np.float32)},
    ],
)
def test_a_cache_of_another_layout_counts_as_empty(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "net-print-64px.npz", **arrays)
    assert FeatureCache(tmp_path, "net", "print", 64, width=3).missing(["a"]) == {"a"}


def test_an_evaluation_survives_a_cache_of_features_of_another_width(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", {"MEL": [lesion(1), lesion(2)]})
    side = result_of(read_side(read_set(folder, []), 32, "images"))
    cache = FeatureCache(tmp_path, "counting", "1", 32)
    cache.add({side.digests[0]: np.zeros(7, np.float32)})
    result_of(add_features(side, Counting(), tmp_path, "images"))
    assert side.features["colour"] == pytest.approx(side.pixels.mean(axis=(1, 2)))


def test_two_processes_keep_the_features_of_each_other(tmp_path: Path) -> None:
    first, second = (FeatureCache(tmp_path, "net", "print", 64) for _ in range(2))
    first.add({"a": np.ones(3, np.float32)})
    second.add({"b": np.zeros(3, np.float32)})
    assert not FeatureCache(tmp_path, "net", "print", 64).missing(["a", "b"])
    assert FeatureCache(tmp_path, "net", "other", 64).missing(["a"]) == {"a"}


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file", "net", "print", 64)
    cache.add({"a": np.ones(3, np.float32)})
    assert cache.get("a").tolist() == [1, 1, 1]
