"""The images of a job that are explained while it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generation.explanation_cadence import explanations_wanted, wants_explanation, without_explanation


def explained(counts: list[int], cadence: int) -> list[int]:
    """The explained numbers of jobs that follow one another in one class folder."""
    found, first = [], 1
    for count in counts:
        found += [n for n in range(first, first + count) if wants_explanation(n, count, cadence)]
        first += count
    return found


@pytest.mark.parametrize(
    ("counts", "cadence", "numbers"),
    [
        ([25], 10, [10, 20]),
        ([10], 10, [10]),
        ([3], 1, [1, 2, 3]),
        ([6], 10, [1]),  # fewer than the interval: the first
        ([6, 6], 10, [1, 10]),
        ([5, 5], 10, [1, 10]),
        ([3, 3, 3], 10, [1]),
        ([12, 7, 1], 10, [10, 20]),
    ],
)
def test_the_images_of_the_class_folder_are_counted(counts: list[int], cadence: int, numbers: list[int]) -> None:
    assert explained(counts, cadence) == numbers


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 50))
def test_the_total_is_that_of_the_single_answers(first: int, count: int, cadence: int) -> None:
    numbers = [n for n in range(first, first + count) if wants_explanation(n, count, cadence)]
    assert len(numbers) == explanations_wanted(first, count, cadence)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(1, 50))
def test_jobs_one_after_the_other_explain_the_numbers_of_one_run(counts: list[int], cadence: int) -> None:
    """Beside number 1, which is explained when the first job generates fewer images than the interval."""
    one_run = set(explained([sum(counts)], cadence))
    assert set(explained(counts, cadence)) - {1} == one_run - {1}


def test_classes_without_an_explained_image_have_their_next_number() -> None:
    first, counts = {"MEL": 7, "NV": 1, "DF": 11, "BCC": 9}, {"MEL": 3, "NV": 3, "DF": 5, "BCC": 2}
    assert without_explanation(first, counts, 10) == {"MEL": 10, "DF": 20}
