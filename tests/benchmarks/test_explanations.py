"""The figures of the benchmark for masks and maps with a known fit, and the whole benchmark on four real images."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.explanations import (
    Lesion,
    Score,
    _number_of,
    centre_blob,
    choose_lesions,
    main,
    read_mask,
    score,
    summarise,
)
from core.errors import ArgumentError
from tests.conftest import REAL_IMAGES
from tests.xai.networks import write_classifier

MASK = np.zeros((224, 224), bool)
MASK[:112, :112] = True


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four real images, two of one lesion, with round masks in the centre."""
    folder = tmp_path / "data"
    (folder / "masks").mkdir(parents=True)
    (folder / "images").mkdir()
    with (REAL_IMAGES / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[:4]
    rows[1]["lesion_id"] = rows[0]["lesion_id"]
    for row in rows:
        shutil.copy(REAL_IMAGES / "images" / f"{row['image_id']}.jpg", folder / "images")
        mask = (np.hypot(*(np.mgrid[:256, :256] - 127.5)) < 60) * np.uint8(255)
        Image.fromarray(mask).convert("1").save(folder / "masks" / f"{row['image_id']}.png")
    with (folder / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_map_of_the_lesion_has_everything_inside() -> None:
    assert score(MASK.astype(float), MASK) == Score(True, 1.0, 0.25)


def test_a_map_without_preference_has_the_share_of_the_area() -> None:
    assert score(np.ones((224, 224)), MASK).inside == pytest.approx(0.25)


def test_negative_attributions_do_not_count() -> None:
    values = np.where(MASK, -5.0, 0.0)
    values[200, 200] = 1.0
    assert score(values, MASK) == Score(False, 0.0, 0.25)


def test_an_empty_map_has_nothing_inside() -> None:
    assert score(np.zeros((224, 224)), MASK).inside == 0.0


def test_the_blob_is_in_the_centre() -> None:
    blob = centre_blob()
    assert np.allclose(blob, blob[::-1, ::-1])
    assert blob[111, 111] == pytest.approx(1.0, abs=1e-3)
    assert blob[111, 111 + 37] == pytest.approx(np.exp(-0.5), abs=0.02)


def test_figures_and_intervals() -> None:
    scores = [Score(bool(index % 4), 0.6, 0.2) for index in range(400)]
    found = summarise(scores, seed=0)
    assert found["n"] == 400
    assert found["ratio"] == {key: pytest.approx(3.0) for key in ("value", "low", "high")}
    hits = found["hit_rate"]
    assert hits["value"] == 0.75
    spread = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert hits["high"] - hits["low"] == pytest.approx(2 * spread, rel=0.15)


def test_one_image_per_lesion_and_no_training_image(data: Path, tmp_path: Path) -> None:
    lesions = choose_lesions(data, None, "test", 10, seed=0)
    assert len(lesions) == 3
    assert isinstance(lesions[0], Lesion)
    split = tmp_path / "split.csv"
    split.write_text(f"image_id,part\n{lesions[0].image_id},test\n{lesions[1].image_id},training\n")
    assert choose_lesions(data, split, "test", 10, seed=0) == [lesions[0]]
    assert read_mask(lesions[0].mask).mean() == pytest.approx(np.pi * 60**2 / 256**2, rel=0.02)


def test_any_layout_that_classification_reads_is_accepted(data: Path) -> None:
    lesions = choose_lesions(data, None, "test", 10, seed=0)
    for file in (data / "images").iterdir():
        file.rename(data / file.name)
    (data / "metadata.csv").rename(data / "HAM10000_metadata")
    moved = choose_lesions(data, None, "test", 10, seed=0)
    assert [(lesion.image_id, lesion.mask) for lesion in moved] == [(each.image_id, each.mask) for each in lesions]
    assert all(lesion.image.parent == data for lesion in moved)
    shutil.rmtree(data / "masks")
    with pytest.raises(ArgumentError, match=r"There is no folder .*masks; put the lesion masks there"):
        choose_lesions(data, None, "test", 10, seed=0)


def test_the_noise_of_an_image_depends_on_its_name() -> None:
    assert _number_of("ISIC_0024306") == 24306
    assert _number_of("mole") == _number_of("mole") != _number_of("other")


def test_the_whole_benchmark(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = write_classifier(tmp_path / "checkpoints")
    command = ["--data", data, "--checkpoints", checkpoints, "--methods", "gradcam", "--output", tmp_path / "o.json"]
    monkeypatch.setattr(sys, "argv", ["explanations", *map(str, command), "--device", "cpu"])
    assert main() == 0
    out = capsys.readouterr().out
    assert out.count("\n| ") == 7  # the head, its line, and the five maps
    facts = json.loads((tmp_path / "o.json").read_text())
    assert set(facts["table"]) == {"gradcam", "combined", "all combined", "random map", "centre blob"}
    assert len(facts["images"]) == 3
    assert facts["table"]["centre blob"]["hit_rate"]["value"] == 1.0
    shares = [entry["centre blob"]["inside"] for entry in facts["images"].values()]
    assert facts["table"]["centre blob"]["inside"]["value"] == pytest.approx(np.mean(shares))
