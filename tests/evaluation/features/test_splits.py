from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.features.splits import halves, held_out_and_rest, mixed_as


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 9)), min_size=1, max_size=80), st.integers(0, 99))
def test_halves_share_no_lesion_and_lose_no_image(images: list[tuple[str, int]], seed: int) -> None:
    labels = np.array([name for name, _ in images])
    lesions = np.array([f"{name}{number}" for name, number in images])
    first, second = halves(labels, lesions, np.random.default_rng(seed))
    assert not set(lesions[first]) & set(lesions[second])
    assert sorted([*first, *second]) == list(range(len(images)))
    for name in set(labels.tolist()):
        counts = [len(set(lesions[half][labels[half] == name])) for half in (first, second)]
        assert abs(counts[0] - counts[1]) <= 1


def test_a_draw_has_the_requested_mix() -> None:
    labels = np.array(["MEL"] * 100 + ["DF"] * 10)
    drawn = mixed_as(np.arange(110), labels, {"MEL": 30, "DF": 30}, np.random.default_rng(0), 1000)
    assert sorted(labels[drawn]) == ["DF"] * 10 + ["MEL"] * 10
    assert len(mixed_as(np.arange(110), labels, {"MEL": 20, "DF": 10}, np.random.default_rng(0), 12)) == 12
    assert not len(mixed_as(np.arange(100), labels, {"MEL": 1, "DF": 1}, np.random.default_rng(0), 50))


@pytest.mark.parametrize(("count", "by_rule"), [(400, True), (12, False)])
def test_for_a_class_without_held_out_lesions_lesions_are_drawn(count: int, by_rule: bool) -> None:
    lesions = np.array([f"HAM_{number // 2:07d}" for number in range(count)])
    labels = np.array(["MEL", "MEL", "NV", "NV"] * (count // 4))
    tested, rest, decided = held_out_and_rest(labels, lesions, np.ones(count, bool), np.random.default_rng(0))
    assert decided is by_rule
    assert not set(lesions[tested]) & set(lesions[rest])
    assert set(labels[tested]) == {"MEL", "NV"}
    assert len(tested) + len(rest) == count


def test_only_lesions_named_by_a_table_are_held_out_by_rule() -> None:
    """The trainings hashed another name of the lesion, so the hash of this name is meaningless."""
    lesions = np.array([f"MEL/ISIC_{number:07d}" for number in range(400)])
    labels = np.array(["MEL"] * 400)
    tested, rest, by_rule = held_out_and_rest(labels, lesions, np.zeros(400, bool), np.random.default_rng(0))
    assert not by_rule
    assert (len(tested), len(rest)) == (100, 300)
    named = np.arange(400) < 200
    tested, rest, by_rule = held_out_and_rest(labels, lesions, named, np.random.default_rng(0))
    assert by_rule
    assert 5 < len(tested) < 40
    assert named[tested].all()
    assert len(tested) + len(rest) == 400


def test_lesions_are_drawn_if_the_rule_holds_out_a_whole_class() -> None:
    lesions = np.array(["HAM_4", "HAM_11", "HAM_18", "HAM_38", *(f"HAM_{100 + number}" for number in range(60))])
    labels = np.array(["DF"] * 4 + ["NV"] * 60)  # the rule holds out all four lesions of DF
    _, rest, by_rule = held_out_and_rest(labels, lesions, np.ones(64, bool), np.random.default_rng(0))
    assert not by_rule
    assert set(labels[rest]) == {"DF", "NV"}
