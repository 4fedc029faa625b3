from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classification.training.stages import Stages

STAGES = Stages((112, 224), (10, 5))
ANY = st.lists(st.tuples(st.integers(32, 256), st.integers(1, 20)), min_size=1, max_size=4).map(
    lambda pairs: Stages(*zip(*pairs, strict=True))
)


def test_sizes_follow_the_stages() -> None:
    assert [STAGES.size(step) for step in (0, 9, 10, 14, 99)] == [112, 112, 224, 224, 224]
    assert STAGES.total == 15


def test_the_remaining_work_counts_pixels() -> None:
    left = [STAGES.pixels_left(step) for step in (0, 9, 10, 15)]
    assert left == [10 * 112**2 + 5 * 224**2, 112**2 + 5 * 224**2, 5 * 224**2, 0]


@given(ANY)
def test_every_step_reduces_the_remaining_work_by_its_size(stages: Stages) -> None:
    for step in range(stages.total):
        assert stages.pixels_left(step) - stages.pixels_left(step + 1) == stages.size(step) ** 2
    assert stages.pixels_left(stages.total) == 0
