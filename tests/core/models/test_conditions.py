from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.classes import CLASSES
from core.errors import ArgumentError
from core.models.conditions import (
    ALL_FIELDS,
    LABELS,
    METADATA,
    SEXES,
    SITES,
    TONES,
    Condition,
    columns_of,
    parse_condition,
    width_of,
)

conditions = st.builds(
    Condition,
    melanocytic=st.none() | st.booleans(),
    sex=st.none() | st.sampled_from(SEXES),
    age=st.none() | st.integers(0, 120) | st.floats(0, 120),
    site=st.none() | st.sampled_from(SITES),
    class_name=st.none() | st.sampled_from(CLASSES),
    tone=st.none() | st.sampled_from(TONES),
)


def test_each_number_stands_for_one_value_of_the_vocabulary() -> None:
    condition = Condition(melanocytic=True, sex="female", age=55, site="head/neck")
    vector = condition.vector()
    assert vector == (1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0)
    full = replace(condition, class_name="DF", tone="dark").vector(ALL_FIELDS)
    assert full == (*vector, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1)
    assert (width_of(METADATA), width_of(ALL_FIELDS)) == (12, 25)


@pytest.mark.parametrize(("field", "named"), [({"class_name": "DF"}, "class"), ({"tone": "dark"}, "skin tone")])
def test_a_field_that_the_model_does_not_know_is_refused(field: dict[str, str], named: str) -> None:
    with pytest.raises(ArgumentError, match=f"does not know the field {named}"):
        Condition(**field).vector(METADATA)


@pytest.mark.parametrize(
    ("age", "group"), [(0, "<40"), (39.9, "<40"), (40, "40-65"), (65, "40-65"), (66, ">65"), (None, None)]
)
def test_ages_have_three_groups(age: float | None, group: str | None) -> None:
    assert Condition(age=age).age_group == group


@given(conditions)
def test_unknown_is_never_a_number(condition: Condition) -> None:
    vector = condition.vector(ALL_FIELDS)
    for name, columns in columns_of(ALL_FIELDS).items():
        numbers = vector[columns]
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
        "tone": "unknown",
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
