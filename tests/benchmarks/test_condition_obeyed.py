"""The judge of conditions on data with a known result, and the whole benchmark on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.condition_obeyed import ASKED, grid, judge, main, make_sets, table, value_of
from core.generation.job import GenerationJob
from core.models.conditions import Condition
from evaluation.features.extractors import CLASSIFIER
from evaluation.features.image_listing import FoundImage
from evaluation.features.image_set import Side
from tests.conftest import REAL_IMAGES, write_conditioned

SEXES = [value_of(condition, "sex") for condition in ASKED["sex"]]


def side(values: list[str], shown: list[str], strength: float = 6) -> Side:
    """Images whose labels are ``values`` and whose features encode ``shown``."""
    rng = np.random.default_rng(len(values[0]))  # different noise for real images, whose labels are empty
    features = rng.normal(size=(len(shown), 8)).astype(np.float32)
    features[:, 0] += [strength * SEXES.index(value) for value in shown]
    images = tuple(FoundImage(Path(str(index)), value, f"lesion {index}") for index, value in enumerate(values))
    return Side(images, ("",) * len(values), np.empty((len(values), 1, 1, 3), np.uint8), {CLASSIFIER: features})


def test_obeyed_and_ignored_values() -> None:
    truth = SEXES * 150
    real, obedient = side([""] * 300, truth), side(truth, truth)
    found = judge("sex", real, np.array(truth), obedient, 0)
    for scores in (found.real, found.generated):
        assert {name: score.value for name, score in scores.items()} == {"balanced_accuracy": 1, "macro_auc": 1}
    assert found.by_value == {"female": 1, "male": 1}
    assert (found.chance, found.generated_images) == (0.5, 300)
    assert 10 < found.real_images < 60  # a tenth of the lesions, by their hash
    always_female = judge("sex", real, np.array(truth), side(truth, ["female"] * 300), 0)
    assert always_female.generated["balanced_accuracy"].value == 0.5
    area = always_female.generated["macro_auc"]
    assert area.low is not None and area.high is not None and area.low < 0.5 < area.high
    assert always_female.by_value == {"female": 1, "male": 0}
    assert "| sex | 0.50 | 1.000 | 1.000 |" in table([found])


def test_the_auc_shows_obeyed_values_even_if_the_judge_names_only_one() -> None:
    truth = SEXES * 150
    found = judge("sex", side([""] * 300, truth), np.array(truth), side(truth, truth, strength=1), 0)
    assert found.by_value["male"] < 0.1
    assert found.generated["balanced_accuracy"].value == pytest.approx(0.5, abs=0.05)
    area = found.generated["macro_auc"]  # of two normal distributions one standard deviation apart: 0.76
    assert area.low is not None and area.high is not None and area.low < 0.76 < area.high and area.low > 0.6


def test_images_of_unknown_value_are_used_neither_for_training_nor_for_the_test() -> None:
    truth = SEXES * 150
    values = np.array(truth)
    values[200:] = "unknown"
    assert judge("sex", side([""] * 300, truth), values, side(truth, truth), 0).real_images < 40


def test_each_condition_sets_one_value_and_finished_images_are_kept(tmp_path: Path) -> None:
    models = write_conditioned(tmp_path)
    how = GenerationJob(
        {"UNSPECIFIED": 1}, models, tmp_path, steps=2, precision="fp32", device="cpu", color_adjustment=False,
        condition=Condition(), guidance=2.0,
    )  # fmt: skip
    made = make_sets(how, tmp_path, 1)
    assert {field: [image.class_name for image in images] for field, images in made.items()} == {
        "melanocytic": ["yes", "no"],
        "sex": ["female", "male"],
        "age_group": ["<40", "40-65", ">65"],
        "site": ["back", "chest", "lower extremity", "upper extremity", "torso", "head/neck", "abdomen"],
    }
    again = make_sets(replace(how, steps=3), tmp_path, 1)
    assert again == made
    assert {len(images) for images in make_sets(how, tmp_path, 0).values()} == {0}  # fewer than exist
    assert grid(how, 42).size == (7 * 20 + 4, 4 * 40 + 4)


def test_real_images_that_cannot_judge_are_refused_before_the_generation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--real", str(REAL_IMAGES), "--checkpoints", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(options) == 2
    assert "The real images cannot judge the" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
