from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.evaluation.thresholds import check_rule, choose_threshold
from core.errors import ArgumentError

POSITIVE = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]).astype(bool)
SCORES = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.25, 0.6, 0.8, 0.9])


def rates(threshold: float) -> tuple[float, float]:
    decided = threshold <= SCORES
    return float(decided[POSITIVE].mean()), float((~decided[~POSITIVE]).mean())


def test_equal_makes_sensitivity_and_specificity_meet() -> None:
    assert rates(choose_threshold("equal", POSITIVE, SCORES)) == (0.75, pytest.approx(5 / 6))


def test_youden_makes_their_sum_the_highest() -> None:
    assert rates(choose_threshold("youden", POSITIVE, SCORES)) == (0.75, pytest.approx(5 / 6))


def test_a_wanted_sensitivity_is_reached_with_the_most_specificity() -> None:
    threshold = choose_threshold("sensitivity:0.95", POSITIVE, SCORES)
    assert rates(threshold) == (1.0, 0.5)
    assert 0.2 < threshold < 0.25
    assert rates(choose_threshold("specificity:0.90", POSITIVE, SCORES)) == (0.5, 1.0)


def test_half_needs_no_images() -> None:
    assert choose_threshold("half", np.array([], bool), np.array([])) == 0.5


@pytest.mark.parametrize("positive", [np.ones(10, bool), np.zeros(10, bool)])
def test_one_outcome_alone_is_refused(positive: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="the same outcome"):
        choose_threshold("equal", positive, SCORES)


@pytest.mark.parametrize("rule", ["best", "sensitivity", "sensitivity:high", "sensitivity:0", "recall:0.9", "half:1"])
def test_an_unknown_rule_is_refused(rule: str) -> None:
    with pytest.raises(ArgumentError, match=rule):
        check_rule(rule)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=4, max_size=60), st.floats(0.05, 1))
def test_a_wanted_rate_is_always_reached(cases: list[tuple[bool, int]], wanted: float) -> None:
    positive, scores = np.array([c[0] for c in cases]), np.array([c[1] for c in cases]) / 20
    if positive.all() or not positive.any():
        return
    decided = scores >= choose_threshold(f"sensitivity:{wanted}", positive, scores)
    assert decided[positive].mean() >= wanted - 1e-9
