from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from classification.data.collection import open_collection
from classification.data.pixel_cache import Pixels, decode, read_image
from classification.training.augmentation import Augmentation, source_size
from classification.training.batches import (
    EpochBatches,
    EvaluationBatches,
    TrainingBatches,
    class_weights,
    drawn_shares,
    group_weights,
)
from classification.training.stages import Stages
from tests.conftest import REAL_IMAGES

IMAGES = open_collection(REAL_IMAGES).images


@pytest.fixture(scope="module")
def pixels(cache: Path) -> Pixels:
    return Pixels((decode(IMAGES, 40, cache).path,))


def batches(pixels: Pixels, **changes: object) -> TrainingBatches:
    values = {"batch_size": 6, "seed": 3, "stages": Stages((32, 40), (4, 4)), **changes}
    return TrainingBatches(pixels, [index % 3 for index in range(16)], torch.ones(16).double(), **values)


def test_a_batch_depends_only_on_its_number(pixels: Pixels) -> None:
    one, other = batches(pixels), batches(pixels)
    other[1]
    images, labels = one[5]
    again, labels_again = other[5]
    assert torch.equal(images, again)
    assert torch.equal(labels, labels_again)
    assert not torch.equal(images, one[6][0])
    assert (images.shape, images.dtype) == ((6, 40, 40, 3), torch.uint8)
    assert one[2][0].shape == (6, 32, 32, 3)


def test_every_seed_draws_its_own_batches(pixels: Pixels) -> None:
    drawn = [batches(pixels, seed=seed)[5][0] for seed in range(4)]
    assert not any(torch.equal(drawn[0], other) for other in drawn[1:])


def test_two_processes_share_a_batch(pixels: Pixels) -> None:
    whole = batches(pixels)[3]
    parts = [batches(pixels, rank=rank, world=2)[3] for rank in (0, 1)]
    for rank, (images, labels) in enumerate(parts):
        assert torch.equal(images, whole[0][rank::2])
        assert torch.equal(labels, whole[1][rank::2])


def test_an_epoch_continues_at_the_current_step(pixels: Pixels) -> None:
    source, step = batches(pixels), 0
    epoch = EpochBatches(source, per_epoch=3, workers=0, step=lambda: step)
    whole = [labels for _, labels in epoch]
    assert len(whole) == len(epoch) == 3
    step = 2
    assert torch.equal(next(iter(epoch))[1], whole[2])
    assert len(list(epoch)) == 1
    step = 3
    assert torch.equal(next(iter(epoch))[1], source[3][1])


def test_workers_draw_the_same(pixels: Pixels) -> None:
    alone, helped = (list(EpochBatches(batches(pixels), 2, workers, lambda: 0)) for workers in (0, 1))
    for (images, labels), (others, other_labels) in zip(alone, helped, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)


@pytest.mark.parametrize(("sampling", "share"), [("none", 0.1), ("sqrt", 0.25), ("balanced", 0.5)])
def test_rare_classes_are_drawn_more_often(sampling: str, share: float) -> None:
    labels = [0] * 90 + [1] * 10
    weights = class_weights(labels, 2, sampling)
    assert drawn_shares(labels, weights, 2)[1] == pytest.approx(share, abs=1e-6)


def test_reweighting_makes_the_label_independent_of_the_group() -> None:
    labels = [1] * 30 + [0] * 10 + [1] * 5 + [0] * 55
    groups = ["a"] * 40 + ["b"] * 60
    weights = group_weights(labels, groups).numpy()
    table = np.zeros((2, 2))
    np.add.at(table, ([int(group == "b") for group in groups], labels), weights)
    shares = table / table.sum(axis=1, keepdims=True)
    assert shares[0] == pytest.approx(shares[1])
    assert shares[0, 1] == pytest.approx(0.35)
    assert weights[0] == pytest.approx(40 * 35 / (100 * 30))


def test_every_image_is_evaluated_once_and_unaltered(pixels: Pixels) -> None:
    found = EvaluationBatches(pixels, range(2, 16), list(range(14)), batch_size=4)
    images, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    assert len(found) == 4
    assert labels.tolist() == list(range(14))
    assert np.array_equal(images.numpy(), np.stack([pixels[row] for row in range(2, 16)]))


def test_an_augmented_image_depends_on_its_seed_and_keeps_its_appearance(pixels: Pixels) -> None:
    change = Augmentation(32)
    views = [change(pixels[3], seed) for seed in range(40)]
    assert np.array_equal(change(pixels[3], 7), views[7])
    assert len({view.tobytes() for view in views}) == 40
    assert np.abs(np.mean([view.mean() for view in views]) - pixels[3].mean()) < 12


def sharpness(pixels: np.ndarray) -> float:
    return float(sum(np.abs(np.diff(pixels.astype(int), n=2, axis=axis)).mean() for axis in (0, 1)))


def test_crops_are_about_as_sharp_as_the_whole_images_of_the_evaluation() -> None:
    """Crops from images of the same size would be enlarged, and thereby blurred."""
    change, whole = Augmentation(64), np.mean([sharpness(read_image(image.path, 64)) for image in IMAGES])

    def share(source: int) -> float:
        images = [read_image(image.path, source) for image in IMAGES]
        return float(np.mean([sharpness(change(image, seed)) for image in images for seed in range(20)]) / whole)

    assert share(source_size(64)) == pytest.approx(1, abs=0.05)
    assert share(64) < 0.9
