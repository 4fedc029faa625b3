"""From an image file to the three files of its explanation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.classes import CLASSES
from core.errors import ArgumentError, OutputFolderError
from core.io.atomic_files import sha256_of
from core.output.image_file import read_pixels
from tests.xai.conftest import REAL_IMAGE
from tests.xai.networks import CPU, GreenDetector, classifier_of
from xai.attribution import AttributionOptions
from xai.classifier import UNTRAINED_HEAD, Classifier, prepare
from xai.combine import combine
from xai.explain import (
    ExplainSettings,
    Explanation,
    explain_image,
    label_of,
    picture,
    result_names,
    save_explanation,
)

OPTIONS = AttributionOptions(ig_steps=2, shap_samples=1, shap_regions=3)
QUICK = ExplainSettings(("gradcam",), options=OPTIONS)


@pytest.fixture(scope="module")
def explanation(classifier: Classifier) -> Explanation:
    return explain_image(REAL_IMAGE, classifier, ExplainSettings(("ig", "shap", "gradcam"), "BCC", OPTIONS))


def test_the_facts_are_those_of_the_classifier(explanation: Explanation, classifier: Classifier) -> None:
    facts = explanation.facts
    expected = classifier.probabilities(prepare(read_pixels(REAL_IMAGE)))[0]
    assert list(facts["probabilities"]) == list(CLASSES)
    assert list(facts["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert facts["predicted"] == CLASSES[int(expected.argmax())]
    assert facts["target"] == {
        "class": "BCC",
        "rule": "BCC",
        "probability": pytest.approx(float(expected[2]), abs=1e-6),
    }
    assert facts["image_sha256"] == sha256_of(REAL_IMAGE)
    assert facts["classifier"]["sha256"] == classifier.sha256
    assert facts["classifier"]["source"] == "classifier.pth"  # without the folder: results are passed on
    assert set(facts["methods"]) == {"ig", "shap", "gradcam"}
    assert facts["methods"]["ig"]["steps"] == 2


def test_integrated_gradients_and_shap_are_combined(explanation: Explanation) -> None:
    assert explanation.facts["combined"]["methods"] == ["ig", "shap"]
    assert np.array_equal(explanation.combined.values, combine(explanation.attributions[:2]).values)


def test_the_files_contain_the_explanation(explanation: Explanation, tmp_path: Path) -> None:
    files = save_explanation(explanation, tmp_path / "new" / "folder", "mole")
    assert json.loads(files.facts.read_text(encoding="utf-8")) == json.loads(json.dumps(explanation.facts))
    with np.load(files.attributions) as arrays:
        assert set(arrays) == {"ig", "shap", "gradcam", "combined"}
        assert np.array_equal(arrays["ig"], explanation.attributions[0].values)
    with Image.open(files.overlay) as overlay:
        assert overlay.width > 5 * 224
    assert {path.name for path in files.overlay.parent.iterdir()} == {
        "mole_overlay.png",
        "mole_attributions.npz",
        "mole_facts.json",
    }


def test_a_folder_that_cannot_be_written_is_named(explanation: Explanation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFolderError, match="choose another with --output"):
        save_explanation(explanation, tmp_path / "file", "mole")


def test_the_most_probable_class_is_the_default_target(classifier: Classifier) -> None:
    facts = explain_image(REAL_IMAGE, classifier, QUICK).facts
    assert facts["target"]["class"] == facts["predicted"]
    assert facts["target"]["probability"] == max(facts["probabilities"].values())


def test_the_label_is_the_class_folder(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "DF").mkdir()
    image = Path(shutil.copy(REAL_IMAGE, tmp_path / "DF" / "a.jpg"))
    settings = ExplainSettings(("gradcam",), "label", OPTIONS)
    assert label_of(image) == "DF"
    assert explain_image(image, classifier, settings).facts["target"]["class"] == "DF"
    with pytest.raises(ArgumentError, match="has no class label"):
        explain_image(REAL_IMAGE, classifier, settings)


@pytest.mark.parametrize(
    ("pixels", "noticed"),
    [
        (np.full((1, 1, 3), 90, np.uint8), True),
        (np.full((40, 200), 90, np.uint8), False),
        (np.full((64, 64, 4), 90, np.uint8), False),
        (np.full((64, 64), 9000, np.uint16), False),
        (np.full((1200, 1600, 3), 90, np.uint8), False),
    ],
)
def test_any_image_can_be_explained(tmp_path: Path, pixels: np.ndarray, noticed: bool) -> None:
    """A uniform image has no attribution: the maps are empty and contain neither noise nor NaN."""
    file = tmp_path / "image.png"
    Image.fromarray(pixels).save(file)
    found = explain_image(file, classifier_of(GreenDetector()), ExplainSettings(("ig", "shap"), "MEL", OPTIONS))
    assert np.abs(found.combined.values).max() == 0
    assert any("has little meaning" in notice for notice in found.facts["notices"]) == noticed
    assert any("The map is empty" in notice for notice in found.facts["notices"])
    assert save_explanation(found, tmp_path, "x").overlay.stat().st_size > 10_000


def test_a_large_image_is_explained_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (150, 100), "pink").save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # Pillow warns from here on
    found = explain_image(tmp_path / "large.png", classifier_of(GreenDetector()), QUICK)
    assert (found.facts["width"], found.facts["height"], found.facts["label"]) == (150, 100, None)


def test_problems_of_the_classifier_are_in_facts_and_figure(classifier: Classifier) -> None:
    untrained = Classifier(classifier.model, CPU, torch.float32, "torchvision", "", False, (UNTRAINED_HEAD,))
    found = explain_image(REAL_IMAGE, untrained, QUICK)
    assert found.facts["notices"] == [UNTRAINED_HEAD]
    assert found.facts["classifier"]["head_trained"] is False
    assert picture(found) != picture(explain_image(REAL_IMAGE, classifier, QUICK))


def test_results_of_images_with_the_same_name_are_separate() -> None:
    paths = [Path(name) for name in ("MEL/a.png", "NV/a.png", "x/a.png", "y/a.png", "x/b.png", "x/b.jpg")]
    assert result_names(paths) == ["MEL_a", "NV_a", "a", "a~2", "b", "b~2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("ig", "lime")}, "'lime'"),
        ({"methods": ()}, "''"),
        ({"target": "SCC"}, "'SCC'"),
    ],
)
def test_invalid_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ExplainSettings(**changes)  # type: ignore[arg-type]
