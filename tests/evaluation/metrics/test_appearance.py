from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.appearance import MEASURES, appearance, measure
from evaluation.progress import result_of
from tests.evaluation.examples import image_set, lesion


def measured(image: np.ndarray) -> dict[str, float]:
    return dict(zip(MEASURES, measure(image).tolist(), strict=True))


def test_a_flat_image() -> None:
    found = measured(np.full((32, 32, 3), (200, 100, 50), np.uint8))
    assert (found["red"], found["green"], found["blue"]) == (200, 100, 50)
    assert [found[name] for name in ("contrast", "edges", "sharpness", "fine detail", "entropy")] == [0] * 5
    assert found["colourfulness"] == pytest.approx(0.3 * np.hypot(100, 100), rel=1e-5)


def test_a_step_and_a_ramp() -> None:
    step = np.zeros((32, 32, 3), np.uint8)
    step[:, 16:] = 200
    found = measured(step)
    assert found["contrast"] == pytest.approx(100)
    assert found["entropy"] == pytest.approx(1)
    assert found["edges"] == pytest.approx(200 / 32)  # half of the step on each side of the edge
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(32, axis=0)
    assert measured(ramp)["edges"] == pytest.approx(1)
    assert measured(ramp)["sharpness"] == 0


def test_fine_detail_is_distinguished_from_coarse() -> None:
    columns = np.arange(64)
    waves = [np.rint(127 + 100 * np.sin(2 * np.pi * cycles * columns / 64)) for cycles in (4, 24)]
    coarse, fine = (measured(np.repeat(np.tile(w, (64, 1))[..., None], 3, 2).astype(np.uint8)) for w in waves)
    assert coarse["fine detail"] < 0.01
    assert fine["fine detail"] > 0.99


def test_a_shift_of_one_colour_exceeds_the_floor() -> None:
    reals = [lesion(seed) for seed in range(60)]
    shifted = [np.clip(lesion(seed) + np.array([0, 0, 12]), 0, 255).astype(np.uint8) for seed in range(100, 130)]
    found = {one.measure: one for one in result_of(appearance(image_set(shifted), image_set(reals), 10, 0))}
    blue = found["blue"]
    assert blue.class_name == "MEL"
    assert blue.value - blue.real == pytest.approx(12, abs=4)
    assert blue.difference == pytest.approx((blue.value - blue.real) / blue.real_sd)
    assert blue.difference > 2 * blue.floor_95
    assert abs(found["red"].difference) < 2 * found["red"].floor_95 + 0.3
    assert (blue.n_set, blue.n_real) == (30, 60)
    assert result_of(appearance(image_set(shifted[:3]), image_set(reals), 10, 0)) == []
