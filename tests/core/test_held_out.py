from core.held_out import is_held_out, lesion_hash


def test_the_rule_never_changes() -> None:
    # Another rule would let classifiers be judged on lesions that published weights were trained on.
    assert [number for number in range(40) if is_held_out(f"HAM_{number:07d}")] == [1, 2]
    assert lesion_hash("HAM_0000000") == 0xB6E4D839


def test_about_a_tenth_is_held_out() -> None:
    assert 0.09 < sum(is_held_out(f"HAM_{number:07d}") for number in range(7470)) / 7470 < 0.11
