"""Which images are explained while a job runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.generation.explanation_cadence import explanations_wanted, wants_explanation


@given(st.integers(1, 300), st.integers(1, 50))
def test_the_total_is_that_of_the_single_answers(count: int, cadence: int) -> None:
    chosen = [position for position in range(1, count + 1) if wants_explanation(position, count, cadence)]
    assert len(chosen) == explanations_wanted(count, cadence)
    assert chosen == ([1] if count < cadence else list(range(cadence, count + 1, cadence)))
