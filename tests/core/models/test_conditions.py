from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ArgumentError
from core.models.conditions import FIELDS, LABELS, NUMBERS, SEXES, SITES, Condition, parse_condition

conditions = st.builds(
    Condition,
    melanocytic=st.none() | st.booleans(),
    sex=st.none() | st.sampled_from(SEXES),
    age=st.none() | st.integers(0, 120) | st.floats(0, 120),
    site=st.none() | st.sampled_from(SITES),
)


def test_the_twelve_numbers_stand_for_what_their_names_say() -> None:
    condition = Condition(melanocytic=True, sex="female", age=55, site="head/neck")
    told = dict(zip(NUMBERS, condition.vector(), strict=True))
    assert {name for name, number in told.items() if number == 1} == {"melanocytic", "female", "age 40-65", "head/neck"}
    assert set(told.values()) == {0.0, 1.0}
    assert len(NUMBERS) == 12


@pytest.mark.parametrize(
    ("age", "group"), [(0, "<40"), (39.9, "<40"), (40, "40-65"), (65, "40-65"), (66, ">65"), (None, None)]
)
def test_ages_have_three_groups(age: float | None, group: str | None) -> None:
    assert Condition(age=age).age_group == group


@given(conditions)
def test_unknown_is_never_a_number(condition: Condition) -> None:
    vector = condition.vector()
    for name, place in FIELDS.items():
        numbers = vector[place]
        if getattr(condition, name) is None:
            assert all(math.isnan(number) for number in numbers)
        else:
            assert set(numbers) <= {0.0, 1.0}
            assert sum(numbers) == 1 or len(numbers) == 1


@given(conditions)
def test_a_condition_survives_json(condition: Condition) -> None:
    assert Condition.from_json(json.loads(json.dumps(condition.to_json()))) == condition


def test_it_says_in_words_what_is_known() -> None:
    assert Condition(melanocytic=False, age=70).to_row() == {
        "melanocytic": "no",
        "sex": "unknown",
        "age": "70",
        "age_group": ">65",
        "site": "unknown",
    }
    assert [Condition(melanocytic=value).label for value in (True, False, None)] == list(LABELS)


def test_the_words_of_the_command_line_are_read() -> None:
    expected = Condition(melanocytic=True, sex="female", age=55, site="back")
    assert parse_condition("yes", "female", "55", "back") == expected
    assert parse_condition(*["unknown"] * 4) == Condition()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("perhaps", "female", "55", "back"), "'perhaps'"),
        (("yes", "f", "55", "back"), "'f'"),
        (("yes", "female", "old", "back"), "'old'"),
        (("yes", "female", "-1", "back"), "-1"),
        (("yes", "female", "nan", "back"), "nan"),
        (("yes", "female", "55", "elbow"), "'elbow'"),
    ],
)
def test_words_that_say_nothing_are_named(words: tuple[str, str, str, str], named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        parse_condition(*words)


@pytest.mark.parametrize("values", [None, [], {"colour": 1}, {"sex": 3}, {"melanocytic": "yes"}, {"age": True}])
def test_what_is_no_condition_is_refused(values: Any) -> None:
    with pytest.raises(ArgumentError):
        Condition.from_json(values)
