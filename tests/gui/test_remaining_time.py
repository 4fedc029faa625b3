from __future__ import annotations

import pytest

from gui.remaining_time import RemainingTime, in_words, size_in_words


def test_the_time_is_unknown_until_enough_was_measured() -> None:
    left = RemainingTime()
    left.expect("step", 100)
    left.advance("step", 1, 1.5)
    assert left.seconds_left() is None
    left.advance("step", 9, 8.5)
    assert left.seconds_left() == pytest.approx(90.0)


def test_counts_every_kind_of_work() -> None:
    left = RemainingTime()
    left.expect("step", 10)
    left.expect("explanation", 4)
    left.advance("step", 5, 5.0)
    assert left.seconds_left() is None  # the duration of an explanation is still unknown
    left.advance("explanation", 2, 60.0)
    assert left.seconds_left() == pytest.approx(5 + 60)
    left.leave("explanation", 1)
    assert left.seconds_left() == pytest.approx(5 + 30)
    left.leave("explanation", 0)
    assert left.seconds_left() == pytest.approx(5)


def test_the_assumed_speed_is_used_until_enough_was_measured() -> None:
    left = RemainingTime()
    left.expect("explanation", 3)
    left.assume("explanation", 10.0)
    assert left.seconds_left() == pytest.approx(30)
    left.advance("explanation", 2, 40.0)
    assert left.seconds_left() == pytest.approx(20)


def test_work_without_a_time_counts_as_finished_but_not_for_the_speed() -> None:
    left = RemainingTime()
    left.expect("step", 20)
    left.advance("step", 4, 8.0)
    left.advance("step", 6, None)
    assert left.seconds_left() == pytest.approx(20.0)


def test_done_is_zero() -> None:
    left = RemainingTime()
    left.expect("step", 3)
    left.advance("step", 5, 9.0)
    assert left.seconds_left() == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "a few seconds"), (31, "about 30 s"), (58, "about 1 min"), (150, "about 2 min"), (5400, "about 1 h 30 min")],
)
def test_durations_as_text(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"), [(12, "12 B"), (29_500, "30 KB"), (1_240_000, "1.2 MB"), (3.2e12, "3.2 TB")]
)
def test_sizes_as_text(size: float, words: str) -> None:
    assert size_in_words(size) == words
