from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)

from classification.data.collection import LabelledImage
from classification.evaluation.bootstrap import Interval
from classification.evaluation.prediction import Predictions
from classification.fairness.gaps import Gap, gaps
from classification.fairness.group_scores import Audited, changes, differences, group_cells
from classification.fairness.mitigation import thresholds_by_group
from classification.tasks import Task

NAMES = ("I", "II", "III", "IV", "V", "VI")


def simulated(
    sizes: dict[str, tuple[int, int]], shift: dict[str, float] | None = None, seed: int = 0, threshold: float = 0.5
) -> Audited:
    """Positives and negatives of each group; ``shift`` lowers the logits of a group's positives."""
    rng, images, scores, groups = np.random.default_rng(seed), [], [], []
    for group, counts in sizes.items():
        for label, count in zip(("MEL", "NV"), counts, strict=True):
            for number in range(count):
                mean = 1.5 - (shift or {}).get(group, 0.0) if label == "MEL" else -1.5
                images.append(LabelledImage(Path("x"), f"{group}{label}{number}", f"{group}{label}{number}", label))
                scores.append(1 / (1 + np.exp(-rng.normal(mean, 1.2))))
                groups.append(group)
    positive = np.array(scores)
    part = Predictions(Task("binary"), tuple(images), np.stack([1 - positive, positive], axis=1))
    return Audited(part, positive >= threshold, groups, NAMES)


def gaps_of(audited: Audited, resamples: int = 50, seed: int = 0) -> list[Gap]:
    return gaps(audited, group_cells(audited, resamples=resamples), seed)


FAIR = {"I": (80, 160), "II": (80, 160), "III": (60, 120), "IV": (60, 100), "V": (50, 80), "VI": (3, 40)}


def test_a_planted_unfairness_is_found_with_its_sign() -> None:
    audited = simulated(FAIR, {"V": 2.0})
    opportunity, odds, _ = gaps_of(audited, resamples=400)
    assert (opportunity.criterion, opportunity.lowest, opportunity.score) == ("equal opportunity", "V", "sensitivity")
    assert opportunity.size is not None
    assert opportunity.by_chance is not None
    assert opportunity.size.low is not None
    assert opportunity.size.low > opportunity.by_chance
    assert odds.size is not None
    assert odds.size.value == opportunity.size.value
    rows = {row["group"]: row for row in differences(audited, group_cells(audited, resamples=400))}
    assert rows["V"]["reference"] in ("I", "II")
    assert rows["V"]["sensitivity"]["high"] < 0
    low, high = rows["III"]["sensitivity"]["low"], rows["III"]["sensitivity"]["high"]
    assert low < 0 < high


def test_groups_that_are_served_equally_have_a_gap_no_larger_than_chance() -> None:
    larger = 0
    for seed in range(8):
        (opportunity, *_) = gaps_of(simulated(FAIR, seed=seed), resamples=50, seed=seed)
        assert opportunity.size is not None
        larger += (opportunity.size.value or 0) > (opportunity.by_chance or 0)
    assert larger <= 2  # one in twenty on average


def test_gaps_are_those_of_fairlearn() -> None:
    audited = simulated({name: FAIR[name] for name in NAMES[:5]}, {"IV": 1.0})
    audited = replace(audited, names=NAMES[:5])
    truth, decided = audited.part.positive, audited.decided
    found = {gap.criterion: gap.size.value for gap in gaps_of(audited, resamples=50) if gap.size}
    groups = {"sensitive_features": audited.groups}
    assert found["equal opportunity"] == pytest.approx(equal_opportunity_difference(truth, decided, **groups))
    assert found["equalised odds"] == pytest.approx(equalized_odds_difference(truth, decided, **groups))
    assert found["demographic parity"] == pytest.approx(demographic_parity_difference(truth, decided, **groups))


def test_a_group_with_too_few_lesions_is_marked_and_never_dropped() -> None:
    audited = simulated(FAIR)
    cells = {cell.group: cell for cell in group_cells(audited, resamples=100)}
    assert list(cells) == list(NAMES)
    assert cells["VI"].scores["sensitivity"] is None
    assert cells["VI"].scores["auc"] is None
    assert isinstance(cells["VI"].scores["specificity"], Interval)
    assert cells["VI"].to_json()["sensitivity"] == "too few"
    opportunity, _, parity = gaps_of(audited, resamples=50)
    assert opportunity.too_few == ("VI",)
    assert "VI" in parity.judged  # 43 lesions are enough for the share classified as positive


def test_a_group_without_an_image_or_with_one_outcome_is_shown() -> None:
    audited = simulated({"I": (30, 30), "II": (20, 0)})
    cells = {cell.group: cell for cell in group_cells(audited, resamples=50)}
    assert cells["IV"].images == 0
    assert set(cells["IV"].scores.values()) == {None}
    assert isinstance(cells["II"].scores["sensitivity"], Interval)
    assert cells["II"].scores["specificity"] is None
    opportunity, odds, _ = gaps_of(audited, resamples=50)
    assert opportunity.judged == ("I", "II")
    assert odds.size is None
    assert odds.to_json()["size"] == "too few"
    assert odds.too_few == ("II", "III", "IV", "V", "VI")


def test_images_of_unknown_group_are_a_row_but_in_no_gap() -> None:
    audited = simulated({"I": (30, 30), "unknown": (20, 20)})
    assert [cell.group for cell in group_cells(audited, resamples=50)] == [*NAMES, "unknown"]
    assert all("unknown" not in (*gap.judged, *gap.too_few) for gap in gaps_of(audited, resamples=50))


def test_ten_of_ten_found_is_not_certainty() -> None:
    audited = simulated({"I": (12, 40)}, {"I": -9.0})
    sensitivity = group_cells(audited, resamples=100)[0].scores["sensitivity"]
    assert sensitivity is not None
    assert (sensitivity.value, sensitivity.high, sensitivity.method) == (1.0, 1.0, "wilson")
    assert sensitivity.low is not None
    assert sensitivity.low < 0.8


def test_a_change_is_measured_on_the_same_resamples() -> None:
    before = simulated(FAIR, {"V": 2.0})
    same = {row["group"]: row for row in changes(before, before, resamples=100)}
    assert same["V"]["sensitivity"] == {"value": 0.0, "low": None, "high": None, "method": "bootstrap"}
    after = replace(before, decided=before.part.scores >= 0.2)
    rows = {row["group"]: row for row in changes(before, after, resamples=300)}
    assert rows["V"]["sensitivity"]["low"] > 0
    assert rows["V"]["specificity"]["high"] <= 0
    assert rows["VI"]["sensitivity"] == "too few"
    with pytest.raises(ValueError, match="different images"):
        changes(before, simulated({"I": (20, 20)}))


def test_a_threshold_for_each_group_closes_a_planted_gap_and_costs_something() -> None:
    sizes = dict.fromkeys(NAMES[:3], (200, 300))
    validation, judged = (replace(simulated(sizes, {"III": 2.0}, seed), names=NAMES[:3]) for seed in (1, 2))
    mitigated = thresholds_by_group(validation, judged)
    assert mitigated is not None
    assert mitigated.groups == NAMES[:3]
    after = replace(judged, decided=mitigated.decided)
    (before_gap, *_), (after_gap, *_) = gaps_of(judged, resamples=50), gaps_of(after, resamples=50)
    assert before_gap.size is not None
    assert after_gap.size is not None
    assert (after_gap.size.value or 0) < 0.5 * (before_gap.size.value or 0)
    cost = {row["group"]: row for row in changes(judged, after, resamples=200)}
    assert cost["III"]["sensitivity"]["low"] > 0
    assert cost["III"]["specificity"]["high"] < 0
    again = thresholds_by_group(validation, judged)
    assert again is not None
    assert np.array_equal(again.decided, mitigated.decided)


def test_groups_with_too_few_validation_lesions_keep_the_common_threshold() -> None:
    validation = simulated({"I": (40, 60), "II": (40, 60), "V": (3, 50)}, seed=1)
    judged = simulated({"I": (40, 60), "II": (40, 60), "V": (30, 50)}, seed=2)
    mitigated = thresholds_by_group(validation, judged)
    assert mitigated is not None
    assert mitigated.groups == ("I", "II")
    assert "V" in mitigated.unchanged
    of_v = judged.members("V")
    assert np.array_equal(mitigated.decided[of_v], judged.decided[of_v])
    assert thresholds_by_group(simulated({"I": (40, 60), "V": (3, 50)}), judged) is None
