from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
    roc_auc_score,
)
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from classification.evaluation.metrics import (
    binary_statistic,
    calibration_error,
    confusion,
    decisions,
    multiclass_statistic,
    once,
    plain,
    recalls,
    reliability,
    roc_auc,
)

TRUTH = np.array([1, 1, 1, 0, 0, 0, 0]).astype(bool)
SCORES = np.array([0.9, 0.4, 0.6, 0.6, 0.2, 0.1, 0.5])


def test_auc_by_hand() -> None:
    """12 pairs: 0.9 beats all four, 0.4 beats two, 0.6 beats three and ties one."""
    assert roc_auc(TRUTH, SCORES, once(7))[0] == pytest.approx((4 + 2 + 3.5) / 12)


def test_decisions_by_hand() -> None:
    found = decisions(TRUTH, SCORES >= 0.5, once(7))
    assert found["sensitivity"][0] == pytest.approx(2 / 3)
    assert found["specificity"][0] == pytest.approx(2 / 4)
    assert found["balanced_accuracy"][0] == pytest.approx(7 / 12)
    assert found["positive_rate"][0] == pytest.approx(4 / 7)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=60))
def test_weighted_auc_is_that_of_scikit_learn(cases: list[tuple[bool, int, int]]) -> None:
    truth, scores, weights = (np.array(column) for column in zip(*cases, strict=True))
    positive, weights = truth.astype(bool), weights.astype(float)
    found = roc_auc(positive, scores.astype(float), weights[None])[0]
    if (weights * positive).sum() and (weights * ~positive).sum():
        counted = np.repeat(np.arange(len(cases)), weights.astype(int))
        assert found == pytest.approx(roc_auc_score(positive[counted], scores[counted]))
    else:
        assert np.isnan(found)


def test_weights_define_how_often_images_count() -> None:
    weights = np.array([[2, 0, 1, 1, 3, 0, 1], [1, 1, 1, 1, 1, 1, 1]], float)
    counted = np.repeat(np.arange(7), weights[0].astype(int))
    found = binary_statistic(TRUTH, SCORES, SCORES >= 0.5)(weights)
    drawn = binary_statistic(TRUTH[counted], SCORES[counted], SCORES[counted] >= 0.5)(once(len(counted)))
    for name, values in found.items():
        assert values[0] == pytest.approx(drawn[name][0]), name


def test_one_outcome_has_no_auc_but_its_other_scores_are_reported() -> None:
    found = plain(binary_statistic(np.ones(4, bool), SCORES[:4], SCORES[:4] >= 0.5), 4)
    assert found["sensitivity"] == 0.75
    assert np.isnan([found["auc"], found["specificity"], found["balanced_accuracy"]]).all()


@pytest.fixture(scope="module")
def seven() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, 300)
    logits = rng.normal(size=(300, 7)) + 1.5 * np.eye(7)[truth]
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_seven_classes_are_scored_as_scikit_learn_does(seven: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = seven
    predicted = probabilities.argmax(axis=1)
    found = plain(multiclass_statistic(truth, probabilities), 300)
    assert found["accuracy"] == pytest.approx((truth == predicted).mean())
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found["macro_auc"] == pytest.approx(roc_auc_score(truth, probabilities, multi_class="ovr"))
    assert recalls(truth, predicted, 7, once(300))[0] == pytest.approx(recall_score(truth, predicted, average=None))
    assert np.array_equal(confusion(truth, predicted, 7), confusion_matrix(truth, predicted))


def test_the_calibration_error_is_that_of_torchmetrics(seven: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = seven
    right, confidence = truth == probabilities.argmax(axis=1), probabilities.max(axis=1)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(truth), 7, n_bins=15)
    assert calibration_error(confidence, right, once(300))[0] == pytest.approx(float(expected), abs=1e-6)


def test_the_calibration_error_by_hand() -> None:
    confidence, right = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 0.3]), np.array([1, 1, 1, 0, 1, 0]).astype(bool)
    assert calibration_error(confidence, right, once(6))[0] == pytest.approx((4 * 0.15 + 2 * 0.2) / 6)
    assert reliability(confidence, right) == [
        (pytest.approx(0.3), 0.5, 2),
        (pytest.approx(0.9), 0.75, 4),
    ]
    same = binary_calibration_error(torch.tensor(confidence), torch.tensor(right.astype(int)), n_bins=15)
    assert calibration_error(confidence, right, once(6))[0] == pytest.approx(float(same), abs=1e-6)
