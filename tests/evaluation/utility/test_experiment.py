"""Toy data with a known answer: synthetic data that helps, that hurts, and that adds no information."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.features.image_set import Side
from evaluation.metrics.class_agreement import agreement
from evaluation.progress import result_of
from evaluation.utility.experiment import (
    BOTH,
    REAL,
    SYNTHETIC,
    Examples,
    Usefulness,
    experiment,
    train_head,
    usefulness,
)
from evaluation.utility.finetuning import train_network
from evaluation.utility.probe import Head
from tests.evaluation.examples import lesion, run_work, side

CLASSES = ("MEL", "NV", "BCC")
CENTRES = np.random.default_rng(9).normal(0, 0.55, (3, 24))


def drawn(count: int, seed: int, centres: np.ndarray = CENTRES) -> Examples:
    """``count`` examples of each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    return Examples((centres[labels] + rng.normal(size=(3 * count, 24))).astype(np.float32), labels)


def short(inputs: np.ndarray, labels: np.ndarray, classes: int, seed: int, test: np.ndarray) -> np.ndarray:
    return Head(inputs, labels, classes, seed, steps=120).probabilities(test)


def tried(synthetic: Examples, real: Examples) -> Usefulness:
    test = drawn(100, 3)
    lesions = np.array([f"{label}-{number // 2}" for number, label in enumerate(test.labels)])
    return result_of(experiment(real, synthetic, test, lesions, CLASSES, short, seeds=3))


def test_good_images_of_a_rare_class_help() -> None:
    found = tried(drawn(150, 1), drawn(3, 2))
    assert found.verdict == "helps"
    assert found.gain.low > 0
    assert found.balanced_accuracy[BOTH].value > found.balanced_accuracy[REAL].value + 0.1
    assert found.gain.value == pytest.approx(found.balanced_accuracy[BOTH].value - found.balanced_accuracy[REAL].value)
    assert found.auroc[BOTH][0] > found.auroc[REAL][0]


def test_images_of_the_wrong_class_hurt() -> None:
    good = drawn(150, 1)
    found = tried(Examples(good.inputs, (good.labels + 1) % 3), drawn(40, 2))
    assert found.verdict == "hurts"
    assert found.gain.high < 0
    assert found.replacement.high < -0.3
    assert found.balanced_accuracy[SYNTHETIC].value < 0.15
    assert all(mean.value < 0 for mean in found.gain_of_class.values())


def test_more_of_the_same_makes_no_difference() -> None:
    real = drawn(200, 2)
    found = tried(real, real)
    assert found.verdict == "makes no difference that this test can show"
    assert found.gain.low <= 0 <= found.gain.high
    assert found.to_json()["n_test_lesions"] == 150


def test_a_head_is_reproducible_and_learns() -> None:
    examples, test = drawn(60, 5), drawn(60, 6)
    heads = [Head(examples.inputs, examples.labels, 3, seed) for seed in (0, 0, 1)]
    first, again, other = (head.probabilities(test.inputs) for head in heads)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (first.argmax(axis=1) == test.labels).mean() > 0.75


def test_a_network_learns_from_images() -> None:
    names = ("MEL", "VASC")
    pixels = np.stack([lesion(seed, name) for name in names for seed in range(30)])
    labels = np.repeat([0, 1], 30)
    test = np.stack([lesion(seed, name) for name in names for seed in range(100, 110)])
    first, again = (train_network(pixels, labels, 2, 0, test[:4], steps=2, batch_size=4) for _ in range(2))
    assert np.array_equal(first, again)
    found = train_network(pixels, labels, 2, 0, test, steps=30, batch_size=8)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(axis=1) == np.repeat([0, 1], 10)).mean() >= 0.9


def _sides(**changes: int) -> tuple[Side, Side]:
    names = np.array(CLASSES)
    real, generated = drawn(120, 7), drawn(30, 8)
    lesions = [f"HAM_{number:07d}" for number in range(360)]
    ours = names[(generated.labels + changes.get("shift", 0)) % 3]
    return side(ours, imagenet=generated.inputs), side(names[real.labels], lesions, imagenet=real.inputs)


def test_the_experiment_uses_both_sides() -> None:
    generated, real = _sides()
    found = result_of(usefulness(generated, real, lambda one: one.features["imagenet"], train_head, "a head", 2, 0))
    assert found.by_rule
    assert found.n_real + found.n_test == 360
    assert found.n_synthetic == 90
    assert found.classes == CLASSES
    one_class = side(["MEL"] * 9, imagenet=np.zeros((9, 24), np.float32))
    nothing, _, warnings = run_work(
        usefulness(one_class, real, lambda one: one.features["imagenet"], train_head, "a head", 2, 0)
    )
    assert nothing is None
    assert "at least two classes" in warnings[0]


def test_lesions_without_a_name_do_not_count_as_left_out_of_the_trainings() -> None:
    """The images of HAM10000 in class folders, without its table."""
    generated, listed = _sides()
    real = replace(listed, images=tuple(replace(image, is_named=False) for image in listed.images))
    found, _, warnings = run_work(agreement(generated, real, 0))
    assert [one.by_rule for one in found] == [False]
    assert "may have been trained on" in warnings[0]
    useful = result_of(usefulness(generated, real, lambda one: one.features["imagenet"], train_head, "a head", 2, 0))
    assert not useful.by_rule
    assert [one.by_rule for one in result_of(agreement(generated, listed, 0))] == [True]


@pytest.mark.parametrize(("shift", "low", "high"), [(0, 0.6, 1.0), (1, 0.0, 0.25)])
def test_the_probe_recognises_the_class(shift: int, low: float, high: float) -> None:
    generated, real = _sides(shift=shift)
    (found,) = result_of(agreement(generated, real, 0))
    assert found.judge == "probe"
    assert low <= found.macro() <= high
    assert found.macro(real=True) > 0.6
    assert found.confusion.sum() == 90
    assert found.of_set["MEL"].cases == 30
    assert found.of_set["MEL"].hits == found.confusion[0, 0]


def test_the_probabilities_of_the_classifier_are_used_unchanged() -> None:
    generated, real = _sides()
    for one in (generated, real):
        one.features["probabilities"] = np.eye(7, dtype=np.float32)[[("MEL", "NV", "BCC").index(n) for n in one.labels]]
    generated.features["probabilities"][:30] = np.eye(7, dtype=np.float32)[6]
    classifier, _ = result_of(agreement(generated, real, 0))
    assert classifier.judge == "classifier"
    assert (classifier.of_set["MEL"].value, classifier.of_set["NV"].value) == (0, 1)
    assert classifier.macro() == pytest.approx(2 / 3)
    assert classifier.confusion[0, 6] == 30
