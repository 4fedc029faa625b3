from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from classification.evaluation.bootstrap import intervals
from classification.evaluation.metrics import once
from classification.evaluation.runner import EvaluationJob
from classification.events import Note
from classification.faithfulness import measurement
from classification.faithfulness.measurement import (
    FidelityJob,
    _falls,
    explainable,
    fall_statistic,
    kind_of,
    measure_fidelity,
)
from classification.faithfulness.result_files import SHARES
from classification.model_file import load_classifier, save_classifier
from classification.networks import LITE, build_network
from classification.training.job import BEST
from core.errors import ArgumentError, JobFailedError, OutputFolderError
from core.generation.events import Event
from xai.attribution import AttributionOptions
from xai.classifier import Classifier
from xai.methods import METHODS


@pytest.fixture
def job(trained_run: Path, ham10000: Path, cache: Path, tmp_path: Path) -> FidelityJob:
    evaluation = EvaluationJob(trained_run / BEST, ham10000, tmp_path / "out", device="cpu", cache=cache)
    return FidelityJob(evaluation, images=5, ig_steps=4, shown=1)


class Corner(nn.Module):
    """Uses only the brightness of the upper left quarter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, :, :16, :16].mean(dim=(1, 2, 3))
        return torch.stack([bright, -bright], dim=1) * 3


def corner() -> Classifier:
    return Classifier(Corner(), torch.device("cpu"), torch.float32, "corner", "", True, ())


def test_a_faithful_map_drops_first_and_its_reverse_last() -> None:
    image = torch.full((1, 3, 32, 32), 0.9)
    faithful = np.zeros((32, 32), np.float32)
    faithful[:16, :16] = np.linspace(1, 2, 256).reshape(16, 16)
    control = np.random.default_rng(0).random((32, 32))
    falls = {
        name: _falls(corner(), image, 0, values, "black", 0)
        for name, values in (("faithful", faithful), ("control", control), ("reverse", -faithful))
    }
    assert falls["faithful"].shape == (len(SHARES),)
    assert falls["faithful"].mean() > falls["control"].mean() + 0.05 > falls["reverse"].mean() + 0.1
    at = {share: index for index, share in enumerate(SHARES)}
    assert falls["reverse"][at[75]] == pytest.approx(0, abs=1e-6)  # the pixels removed first are not used
    assert falls["faithful"][at[25]] == pytest.approx(falls["faithful"][at[95]])  # the quarter is gone


def test_removed_pixels_may_become_random() -> None:
    image = torch.full((1, 3, 32, 32), 0.9)
    values = np.ones((32, 32), np.float32)
    black, random = (_falls(corner(), image, 0, values, removal, 0)[-1] for removal in ("black", "random"))
    assert 0 < random < black


def test_the_area_is_the_mean_of_the_curve() -> None:
    falls = np.array([[0.0, 0.2], [0.4, 0.6]])
    assert fall_statistic(falls)(once(2))["area"] == pytest.approx([0.3])
    assert fall_statistic(falls)(np.array([[0.0, 2.0]]))["area"] == pytest.approx([0.5])


def test_a_trained_run_is_explained_down_to_the_report(job: FidelityJob) -> None:
    result = measure_fidelity(job)
    assert result["images"] == 5
    rows = {(row["method"], row["removal"]): row for row in result["rows"]}
    assert set(rows) == {
        (method, removal)
        for method in ("gradcam", "ig", "control, coarse", "control, fine")
        for removal in ("black", "random")
    }
    for (method, removal), row in rows.items():
        assert row["area"]["value"] == pytest.approx(np.mean(row["curve"]))
        if method in ("gradcam", "ig"):
            control = rows["control, coarse" if method == "gradcam" else "control, fine", removal]
            above = row["area"]["value"] - control["area"]["value"]
            assert row["above_control"]["value"] == pytest.approx(above)
    output = job.evaluation.output
    assert json.loads((output / "fidelity.json").read_text()) == json.loads(json.dumps(result))
    with (output / "fidelity.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert float(table[0]["5%"]) == pytest.approx(result["rows"][0]["curve"][0], abs=1e-5)
    html = (output / "report.html").read_text()
    assert html.count("data:image/png") >= 3
    assert "a random map" in html


def test_the_falls_of_every_image_are_a_table_and_arrays(job: FidelityJob) -> None:
    result = measure_fidelity(job)
    output = job.evaluation.output
    with (output / "fidelity_images.csv").open() as stream:
        table = list(csv.DictReader(stream))
    arrays = np.load(output / "fidelity_images.npz")
    names = arrays["image_id"].tolist()
    assert len(names) == len(set(names)) == 5
    assert arrays["share"].tolist() == list(SHARES)
    assert len(table) == 5 * len(result["rows"])
    for row in result["rows"]:
        falls = arrays[f"{row['method'].replace(', ', '_')}_{row['removal']}"]
        assert falls.mean(axis=0).tolist() == pytest.approx(row["curve"])
        mine = [line for line in table if (line["method"], line["removal"]) == (row["method"], row["removal"])]
        assert [line["image_id"] for line in mine] == names
        assert [float(line["40%"]) for line in mine] == pytest.approx(falls[:, SHARES.index(40)], abs=1e-5)
    shown = sorted(file.name for file in (output / "contours").iterdir())
    assert shown
    assert all(re.fullmatch(r"[TF][PN]_ISIC_\d+\.png", name) for name in shown)


def test_a_chosen_image_is_shown(job: FidelityJob, trained_run: Path) -> None:
    with (trained_run / "split.csv").open() as stream:
        name = next(row["image_id"] for row in csv.DictReader(stream) if row["part"] == "test")
    measure_fidelity(replace(job, images=1, chosen=(name,), shown=0))
    assert name in (job.evaluation.output / "report.html").read_text()
    with pytest.raises(ArgumentError, match="ISIC_none is not in the part"):
        measure_fidelity(replace(job, chosen=("ISIC_none",)))


def test_a_missing_chosen_image_is_named_before_any_image_is_classified(job: FidelityJob) -> None:
    events: list[Event] = []
    with pytest.raises(ArgumentError, match="ISIC_none is not in the part"):
        measure_fidelity(replace(job, chosen=("ISIC_none",)), events.append)
    assert {type(event) for event in events} == {Note}
    assert not job.evaluation.output.exists()


def test_an_unwritable_output_is_found_before_any_image_is_explained(job: FidelityJob) -> None:
    events: list[Event] = []
    job.evaluation.output.write_text("a file")
    with pytest.raises(OutputFolderError, match="out cannot be written"):
        measure_fidelity(job, events.append)
    assert {type(event) for event in events} == {Note}


def test_a_result_that_cannot_be_written_leaves_no_json(job: FidelityJob) -> None:
    (job.evaluation.output / "report.html").mkdir(parents=True)
    with pytest.raises(JobFailedError, match=r"report\.html cannot be written"):
        measure_fidelity(replace(job, images=1, shown=0))
    assert not (job.evaluation.output / "fidelity.json").exists()


def test_the_requested_resamples_and_seed_are_used(job: FidelityJob, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[int, int]] = set()

    def noted(statistic: Any, lesions: Any, resamples: int, seed: int) -> Any:
        asked.add((resamples, seed))
        return intervals(statistic, lesions, resamples, seed)

    monkeypatch.setattr(measurement, "intervals", noted)
    evaluation = replace(job.evaluation, resamples=30, seed=3)
    result = measure_fidelity(replace(job, evaluation=evaluation, images=2, shown=0))
    assert (result["settings"]["resamples"], result["settings"]["seed"]) == (30, 3)
    assert asked == {(30, 3)}


def test_kinds_are_of_the_threshold() -> None:
    class Part:
        scores, positive = np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, False, True, False])

    part: Any = Part()
    assert [kind_of(part, row, 0.5) for row in range(4)] == ["TP", "FP", "FN", "TN"]


def test_lite_can_be_explained_too(trained_run: Path, tmp_path: Path) -> None:
    found = load_classifier(trained_run / BEST)
    lite = replace(found, backbone=LITE, state_dict=build_network(LITE, 7).state_dict())
    save_classifier(lite, tmp_path / "lite.pt")
    classifier = explainable(load_classifier(tmp_path / "lite.pt"), "cpu")
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    values = METHODS["gradcam"](classifier, image, 1, AttributionOptions()).values
    assert values.shape == (64, 64)
    assert np.ptp(values) > 0
