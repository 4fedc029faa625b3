from __future__ import annotations

import numpy as np
import pytest

from xai.attribution import Attribution
from xai.combine import combine, normalised, preferred, scale_of, smoothed


def attribution(method: str, values: np.ndarray, title: str = "Title") -> Attribution:
    return Attribution(values.astype(np.float32), method, 2, {"title": title})


def bump(row: int, column: int, height: float) -> np.ndarray:
    values = np.zeros((224, 224))
    values[row - 20 : row + 20, column - 20 : column + 20] = height
    return values


def test_smoothing_moves_nothing_and_keeps_the_sum() -> None:
    values = bump(100, 60, 3.0)
    found = smoothed(values, 4.0)
    assert found.sum() == pytest.approx(values.sum(), rel=1e-5)
    assert found[100, 60] == pytest.approx(3.0, rel=1e-3)
    assert found[100, 60] > found[100, 80] > found[100, 88] > 0


def test_normalised_keeps_signs_and_bounds() -> None:
    values = np.array([[-4.0, 0.0, 1.0, 2.0]])
    assert normalised(values) == pytest.approx(np.array([[-1.0, 0.0, 0.25, 0.5]]), rel=0.02)
    assert not normalised(np.zeros((3, 3))).any()
    assert scale_of(np.zeros((3, 3))) == 0
    assert not normalised(np.full((3, 3), 1e-11)).any()  # rounding errors are ignored


def test_one_extreme_pixel_does_not_hide_the_rest() -> None:
    values = np.full((224, 224), 1.0)
    values[5, 5] = 1e6
    assert normalised(values)[100, 100] == 1.0


def test_every_method_has_the_same_weight_in_any_unit() -> None:
    left, right = bump(100, 50, 0.001), bump(100, 170, 1000.0)
    found = combine([attribution("ig", left), attribution("shap", right)])
    assert found.values[100, 50] == pytest.approx(0.5, abs=0.01)
    assert found.values[100, 170] == pytest.approx(0.5, abs=0.01)
    assert (found.method, found.target) == ("combined", 2)
    assert found.details["methods"] == ["ig", "shap"]
    assert found.details["scales"]["shap"] == pytest.approx(1e6 * found.details["scales"]["ig"], rel=1e-3)


def test_methods_that_contradict_each_other_cancel() -> None:
    values = bump(100, 100, 1.0)
    assert np.abs(combine([attribution("ig", values), attribution("shap", -5 * values)]).values).max() < 1e-5


def test_an_empty_map_stays_empty() -> None:
    assert not combine([attribution("ig", np.zeros((224, 224)))]).values.any()


def test_grad_cam_is_combined_only_if_there_is_no_finer_map() -> None:
    ig, shap, gradcam = (attribution(name, bump(90, 90, 1.0)) for name in ("ig", "shap", "gradcam"))
    assert list(preferred([gradcam, ig, shap])) == [ig, shap]
    assert list(preferred([gradcam])) == [gradcam]
