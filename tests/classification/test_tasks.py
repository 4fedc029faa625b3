from __future__ import annotations

import numpy as np
import pytest

from classification.tasks import BENIGN, CONTRASTS, MALIGNANT, Task
from core.classes import CLASSES
from core.errors import ArgumentError


def test_seven_classes_are_in_the_order_of_the_contract() -> None:
    task = Task("isic7")
    assert task.classes == ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    assert [task.index(name) for name in CLASSES] == list(range(7))


def test_every_class_answers_every_contrast() -> None:
    for contrast in CONTRASTS.values():
        assert not contrast.positive & contrast.negative
        assert set(CLASSES) <= contrast.known


@pytest.mark.parametrize(("contrast", "positive"), [("melanoma", ["MEL"]), ("malignant", ["MEL", "BCC", "AKIEC"])])
def test_a_binary_task_sorts_the_classes(contrast: str, positive: list[str]) -> None:
    task = Task("binary", contrast)
    assert [name for name in CLASSES if task.index(name) == 1] == positive
    assert task.classes[1] == contrast


def test_the_probability_of_yes_is_the_sum_over_its_classes() -> None:
    probabilities = np.array([[0.1, 0.2, 0.3, 0.05, 0.15, 0.15, 0.05]])
    assert Task("isic7", "melanoma").positive_probability(probabilities) == pytest.approx([0.1])
    assert Task("isic7", "malignant").positive_probability(probabilities) == pytest.approx([0.45])
    assert Task("binary").positive_probability(np.array([[0.3, 0.7]])) == pytest.approx([0.7])


@pytest.mark.parametrize(
    ("task", "label"),
    [(Task("isic7"), "SCC"), (Task("isic7"), MALIGNANT), (Task("binary", "melanoma"), BENIGN)],
)
def test_a_label_outside_the_task_is_named(task: Task, label: str) -> None:
    with pytest.raises(ArgumentError, match=label):
        task.index(label)


def test_a_binary_classifier_cannot_answer_another_question() -> None:
    assert Task("isic7").asking("malignant").contrast == "malignant"
    with pytest.raises(ArgumentError, match="'melanoma'.*'malignant'"):
        Task("binary", "melanoma").asking("malignant")


@pytest.mark.parametrize(("name", "contrast"), [("isic8", "melanoma"), ("binary", "colour")])
def test_an_unknown_task_is_refused(name: str, contrast: str) -> None:
    with pytest.raises(ArgumentError, match="choose from"):
        Task(name, contrast)
