from core.real_data.held_out import held_out_lesions, is_held_out, lesion_hash


def test_the_rule_never_changes() -> None:
    # Another rule would let classifiers be judged on lesions that published weights were trained on.
    assert [number for number in range(40) if is_held_out(f"HAM_{number:07d}")] == [1, 2]
    assert lesion_hash("HAM_0000000") == 0xB6E4D839


def test_about_a_tenth_is_held_out() -> None:
    assert 0.09 < sum(is_held_out(f"HAM_{number:07d}") for number in range(7470)) / 7470 < 0.11


def test_few_lesions_leave_some_for_both_parts() -> None:
    assert is_held_out("HAM_4")
    assert is_held_out("HAM_18")
    assert held_out_lesions(["HAM_4", "HAM_18"]) == {"HAM_18"}  # not both, which the rule alone would hold out
    assert not is_held_out("HAM_0")
    assert not is_held_out("HAM_1")
    assert len(held_out_lesions(["HAM_0", "HAM_1"])) == 1
    assert held_out_lesions(["HAM_0", "HAM_1", "HAM_4"]) == {"HAM_4"}
    assert held_out_lesions(["HAM_0"]) == set()
