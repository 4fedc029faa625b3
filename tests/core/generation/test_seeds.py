from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.classes import CLASSES
from core.generation.seeds import fresh_base_seed, image_seed, stream_seed

numbers = st.integers(1, 9_999_999)
base_seeds = st.integers(0, 2**31 - 1)


def test_seeds_are_those_of_the_contract() -> None:
    # The hashes are those of `printf MEL | md5sum` and so on, taken outside this code.
    for class_name, digest in {"MEL": 0xFF2B9150, "NV": 0x5343F615, "BCC": 0x1FC5EFE0, "AKIEC": 0x0B445119}.items():
        assert image_seed(class_name, 1) == (42 + (digest & 0x7FFFFFFF)) & 0x7FFFFFFF
        assert image_seed(class_name, 8, base_seed=7) == (7 + (digest & 0x7FFFFFFF) + 7) & 0x7FFFFFFF


@given(st.sampled_from(CLASSES), numbers, base_seeds)
def test_a_seed_fits_every_generator(class_name: str, number: int, base: int) -> None:
    assert 0 <= image_seed(class_name, number, base) < 2**31


@given(st.sampled_from(CLASSES), numbers, base_seeds)
def test_next_number_has_next_seed(class_name: str, number: int, base: int) -> None:
    assert image_seed(class_name, number + 1, base) == (image_seed(class_name, number, base) + 1) % 2**31


@given(base_seeds)
def test_classes_start_far_apart(base: int) -> None:
    seeds = sorted(image_seed(name, 1, base) for name in CLASSES)
    gaps = [after - before for before, after in pairwise(seeds)] + [seeds[0] + 2**31 - seeds[-1]]
    assert min(gaps) > 10_000_000


def test_fresh_base_seeds_differ_and_are_valid() -> None:
    drawn = [fresh_base_seed() for _ in range(20)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**31 for seed in drawn)


@given(base_seeds, numbers)
def test_a_stream_heeds_both_seed_and_step_in_32_bits(seed: int, number: int) -> None:
    found = stream_seed(seed, number)
    assert 0 <= found < 2**32
    assert found != stream_seed(seed + 1, number)
    assert found != stream_seed(seed, number + 1)
    assert stream_seed(0, number) == number
