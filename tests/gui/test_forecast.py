from __future__ import annotations

from pathlib import Path

import pytest

from gui.checkpoint_folder import Availability
from gui.forecast import Forecast
from tests.gui.conftest import job


@pytest.fixture
def forecast() -> Forecast:
    made = Forecast({})
    made.classes = {"MEL": Availability(True, "", 128, 1000), "NV": Availability(True, "", 128, 1000)}
    made.auto_device, made.auto_precisions = "cpu", {"cpu": "fp32"}
    return made


def test_there_is_no_estimate_before_a_measurement(forecast: Forecast, tmp_path: Path) -> None:
    assert forecast.seconds(job(tmp_path)) is None


def test_a_measured_speed_applies_to_classes_with_an_equal_model(forecast: Forecast, tmp_path: Path) -> None:
    forecast.note("MEL", "cpu", "fp32", 0.2)
    assert forecast.seconds(job(tmp_path)) == pytest.approx(3 * 10 * 0.2)
    assert forecast.seconds(job(tmp_path, precision="bf16")) is None
    assert Forecast(forecast.speeds).speeds == forecast.speeds


def test_steps_that_reuse_features_have_a_separate_speed(forecast: Forecast, tmp_path: Path) -> None:
    forecast.note("MEL", "cpu", "fp32", 0.2)
    assert forecast.seconds(job(tmp_path, reuse=3)) is None
    forecast.note("MEL", "cpu", "fp32", 0.1, reuse=3)
    assert forecast.seconds(job(tmp_path, reuse=3)) == pytest.approx(3 * 10 * 0.1)
    assert forecast.seconds(job(tmp_path)) == pytest.approx(3 * 10 * 0.2)


def test_size_needs_the_image_size(forecast: Forecast, tmp_path: Path) -> None:
    assert forecast.size(job(tmp_path)) == pytest.approx(3 * 128 * 128 * 1.8)
    forecast.classes = {"MEL": Availability(True, "being checked")}
    assert forecast.size(job(tmp_path)) is None
