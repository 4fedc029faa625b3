from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.models.conditions import METADATA, Condition, columns_of
from diffusion.batches import (
    BalancedBatches,
    LatentBatches,
    TrainingBatches,
    fixed_batches,
    jittered,
    spread_timesteps,
    turned,
)
from diffusion.conditioning import CONDITIONINGS
from diffusion.data import LabelledImage

CPU = torch.device("cpu")
NOISE = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def batches(rank: int = 0, processes: int = 1, **changes: object) -> TrainingBatches:
    labels = torch.arange(20) % 7
    drawn = BalancedBatches(NOISE, labels.tolist(), 6, seed=3, **changes)  # type: ignore[arg-type]
    return TrainingBatches(drawn, labels, CONDITIONINGS["class"], CPU, rank, processes)


def test_batches_follow_from_their_number_alone() -> None:
    one, other = batches(jitter=True), batches(jitter=True)
    other.batch(1)
    first, again = one.batch(5), other.batch(5)
    for name in ("images", "labels", "timesteps", "noise"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(one.batch(6), name))
    assert first.images.shape == (6, 3, 8, 8)
    assert first.images.is_contiguous()
    other.layout = torch.channels_last
    assert torch.equal(other.batch(5).images, first.images)
    assert other.batch(5).images.is_contiguous(memory_format=torch.channels_last)
    assert -1 <= first.images.min() < -0.5 < 0.5 < first.images.max() <= 1


def test_every_seed_draws_its_own_batches() -> None:
    drawn = [BalancedBatches(NOISE, [0] * 20, 6, seed=seed).batch(5)[1].tolist() for seed in range(4)]
    assert len({tuple(rows) for rows in drawn}) == 4


def test_several_processes_share_the_batch_of_one() -> None:
    whole = batches(jitter=True).batch(4)
    parts = [batches(rank, 3, jitter=True).batch(4) for rank in range(3)]
    for name in ("images", "labels", "timesteps", "noise"):
        interleaved = torch.stack([getattr(part, name) for part in parts], dim=1).flatten(0, 1)
        assert torch.equal(interleaved, getattr(whole, name))


def test_the_parts_of_a_batch_are_the_batch() -> None:
    whole = batches().batch(0)
    parts = whole.parts(3)
    assert [len(part.images) for part in parts] == [2, 2, 2]
    assert torch.equal(torch.cat([part.noise for part in parts]), whole.noise)


def test_classes_are_balanced_by_the_square_root() -> None:
    labels = [0] * 900 + [1] * 100
    drawn = BalancedBatches(np.zeros((1000, 2, 2, 3), np.uint8), labels, 4000, seed=0)
    share = float((drawn.batch(0)[1] >= 900).float().mean())
    assert abs(share - 10 / 40) < 0.03  # sqrt(100) of sqrt(100) + sqrt(900)


def test_images_are_turned_in_all_eight_ways() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    images, _, _ = BalancedBatches(pixels, [0], 400, seed=0).batch(0)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 8


def test_colours_vary_mildly_and_not_at_all_in_the_middle() -> None:
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.7
    assert torch.allclose(jittered(images, torch.full((3, 64), 0.5)), images, atol=1e-6)
    varied = jittered(images, torch.rand(3, 64, generator=torch.Generator().manual_seed(1)))
    difference = (varied - images).abs().amax(dim=(1, 2, 3))
    assert difference.min() > 0.001
    assert difference.max() < 0.25  # of a range of two
    brighter = jittered(images, torch.tensor([[1.0], [0.5], [0.5]]).expand(3, 64))
    assert torch.allclose(brighter - images, torch.full_like(images, 0.06), atol=1e-5)


def test_a_tenth_of_the_classes_is_withheld() -> None:
    labels = torch.arange(7).repeat(1000)
    told = CONDITIONINGS["class"].drop(labels, torch.Generator().manual_seed(0))
    assert told is not None
    withheld = told != labels
    assert set(told[withheld].tolist()) == {7}
    assert abs(float(withheld.float().mean()) - 0.1) < 0.02


def test_each_field_of_a_condition_is_withheld_by_itself_and_with_the_others() -> None:
    """Withheld means unknown (NaN) in all its numbers; what is told is told unchanged, and what is unknown stays so."""
    full = Condition(melanocytic=False, sex="male", age=70, site="back")
    partly = Condition(melanocytic=True)
    images = [LabelledImage(Path("x"), None, "x", condition) for condition in (full, partly)]
    labels = CONDITIONINGS["metadata"].labels(images).repeat(4000, 1)
    told = CONDITIONINGS["metadata"].drop(labels, torch.Generator().manual_seed(0))
    assert told is not None
    known = ~told.isnan()
    assert torch.equal(told[known], labels[known])
    rows = known[::2]  # those of the full condition
    for place in columns_of(METADATA).values():
        assert torch.equal(rows[:, place].any(dim=1), rows[:, place].all(dim=1))
        assert abs(float(rows[:, place.start].float().mean()) - 0.9 * 0.9) < 0.03
    assert abs(float((~rows.any(dim=1)).float().mean()) - 0.1) < 0.02
    assert not known[1::2, 1:].any()


def test_held_out_images_are_always_noised_alike_over_the_whole_schedule() -> None:
    images, labels = torch.from_numpy(NOISE).permute(0, 3, 1, 2) / 127.5 - 1, torch.arange(20) % 7
    one, other = (fixed_batches(images, labels, True, 0, 1) for _ in range(2))
    assert all(torch.equal(a.noise, b.noise) for a, b in zip(one, other, strict=True))
    timesteps = torch.cat([batch.timesteps for batch in one]).sort().values
    assert (timesteps[0], timesteps[-1]) == (0, 999)
    assert timesteps.diff().max() < 20
    shared = [batch for rank in range(2) for batch in fixed_batches(images, labels, True, rank, 2)]
    assert sum(len(batch.images) for batch in shared) == sum(len(batch.images) for batch in one) == 80
    assert torch.equal(torch.cat([batch.timesteps for batch in shared]).sort().values, timesteps)


def test_the_timesteps_of_a_batch_cover_the_schedule() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([spread_timesteps(10, generator) for _ in range(500)])
    assert drawn.sort(dim=1).values.diff(dim=1).max() <= 101  # one in each tenth of the schedule
    assert (drawn.min(), drawn.max()) == (0, 999)
    assert abs(drawn.float().mean().item() - 499.5) < 5
    assert drawn[:, 0].float().std() > 250  # no place of the batch keeps to a part of the schedule


def test_latents_are_normalised_and_turned_with_their_features() -> None:
    rng = np.random.default_rng(1)
    maps = rng.normal(3.0, 2.0, (5, 2, 4, 4)).astype(np.float16)
    symmetries = [[turned(one.transpose(1, 2, 0), turn).transpose(2, 0, 1) for turn in range(8)] for one in maps]
    latents = np.array(symmetries)
    drawn = LatentBatches(latents, ([3.0, 3.0], [2.0, 2.0]), ["NV"] * 5, 64, seed=2, features=maps)
    batch, rows, _ = drawn.batch(7)
    features = drawn.features_of(7, slice(None))
    assert features is not None
    assert torch.allclose(batch * 2 + 3, features, atol=1e-2)  # the same maps, so turned alike
    assert set(rows.tolist()) == set(range(5))
    again, _, _ = drawn.batch(7, slice(1, None, 2))
    assert torch.equal(again, batch[1::2])
