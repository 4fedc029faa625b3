"""The full analysis of one small image: its files, and a report whose numbers follow from the JSON."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.classes import CLASSES
from core.errors import OutputFolderError
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.output.image_file import read_pixels
from tests.xai.conftest import REAL_IMAGE
from tests.xai.small_analysis import OPTIONS, SETTINGS
from xai.analysis import Analysis, AnalysisSettings
from xai.attribution import AttributionOptions
from xai.classifier import UNTRAINED_HEAD, Classifier, prepare
from xai.events import Finished, OverlayMade, Progress, Warned
from xai.explain import ExplainSettings
from xai.job import ANALYSIS, ExplanationJob
from xai.report import write_analysis_report
from xai.stored_names import with_current_names

STEPS = 8


@pytest.fixture(scope="module")
def image_file(tiny_checkpoints_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("generated")
    list(run(GenerationJob({"MEL": 1}, tiny_checkpoints_once, output, steps=STEPS, device="cpu", precision="fp32")))
    return output / "MEL" / "ISIC_0000001.png"


@pytest.fixture(scope="module")
def analyse(tiny_checkpoints_once: Path) -> Callable[..., list[Any]]:
    def run_one(
        image: Path,
        classifier: Classifier,
        output: Path,
        target: str = "predicted",
        methods: tuple[str, ...] = ("gradcam",),
    ) -> list[Any]:
        job = ExplanationJob(ANALYSIS, image, tiny_checkpoints_once, output, 3, target, seed=5)
        explain = ExplainSettings(methods, target, AttributionOptions(5, **OPTIONS))
        return list(Analysis(job, classifier, AnalysisSettings(3, explain, **SETTINGS)).events())

    return run_one


@pytest.fixture(scope="module")
def events(
    analyse: Callable[..., list[Any]],
    image_file: Path,
    classifier: Classifier,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Any]:
    return analyse(image_file, classifier, tmp_path_factory.mktemp("results"), methods=("ig", "shap"))


@pytest.fixture(scope="module")
def folder(events: list[Any]) -> Path:
    assert isinstance(events[-1], Finished)
    return events[-1].folder


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, list[list[str]]]:
    """Return every table of the report as rows of texts, by its first two column titles."""
    html = (folder / "report.html").read_text(encoding="utf-8")
    html = html.replace("\N{MINUS SIGN}", "-").replace("&nbsp;", " ")
    found = {}
    for table in re.findall(r"<table>(.*?)</table>", html, re.DOTALL):
        heads = [unescape(head) for head in re.findall(r"<th [^>]*>(.*?)</th>", table)]
        rows = [
            [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
        ]
        found[", ".join(heads[:2])] = rows
    return found


def test_all_files_exist_and_no_temporary_file(folder: Path) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    steps = {f"steps/step_{step:04d}_{what}.png" for step in (3, 6, 8) for what in ("estimate", "overlay")}
    pictures = {"image.png", "image_map.png", "image_overlay.png", "mosaic.png"}
    tables = {"probabilities.csv", "time_shap.csv", "causal.csv", "faithfulness.csv"}
    rest = {"image_attributions.npz", "image_facts.json", "analysis.json", "report.html"}
    assert {name.replace("\\", "/") for name in names} == steps | pictures | tables | rest


def test_progress_rises_to_its_end_and_the_overlay_comes_early(events: list[Any], folder: Path) -> None:
    progress = [event for event in events if isinstance(event, Progress)]
    done = [event.done / event.total for event in progress]
    assert done == sorted(done)
    assert done[0] == 0
    assert 0.9 < done[-1] <= 1
    overlay = next(index for index, event in enumerate(events) if isinstance(event, OverlayMade))
    assert overlay < len(events) / 2
    assert not [event for event in events if isinstance(event, Warned)]


def test_the_last_step_is_the_saved_image_and_has_its_probabilities(
    facts: dict[str, Any], folder: Path, image_file: Path, classifier: Classifier
) -> None:
    assert facts["trajectory"]["origin"] == "reproduced"
    assert facts["trajectory"]["maximum_difference"] <= 1
    assert np.array_equal(read_pixels(folder / "steps" / "step_0008_estimate.png"), read_pixels(image_file))
    assert [step["step"] for step in facts["steps"]] == list(range(1, STEPS + 1))
    assert [step["step"] for step in facts["steps"] if step["kept"]] == [3, 6, 8]
    expected = classifier.probabilities(prepare(read_pixels(image_file)))[0].tolist()
    assert list(facts["steps"][-1]["probabilities"].values()) == pytest.approx(expected, abs=1e-5)


def test_the_report_and_the_json_have_the_same_numbers(
    facts: dict[str, Any], tables: dict[str, list[list[str]]]
) -> None:
    """Compute every number of the report again from the values in the JSON file."""
    for name, _, percent in tables["Class, Diagnosis"]:
        assert percent == f"{facts['probabilities'][name]:.1%}"
    estimates = np.array(facts["time_shap"]["estimates"])
    rows = tables[f"Steps, Contribution to the {facts['target']['class']} logit"]
    errors = estimates.std(axis=0, ddof=1) / len(estimates) ** 0.5
    for row, value, error in zip(rows, estimates.mean(axis=0), errors, strict=False):
        assert [float(row[1]), float(row[2])] == pytest.approx([value, error], abs=6e-4)
    gained = facts["time_shap"]["score"] - facts["time_shap"]["baseline_score"]
    assert float(rows[-1][1]) == pytest.approx(gained, abs=6e-4)
    causal = facts["causal"]
    for row in tables["Intervention, Mean fall, top"]:
        falls = np.array(causal["interventions"][row[0]]["falls"])
        top, bottom = falls[causal["top_regions"]].mean(), falls[causal["bottom_regions"]].mean()
        shown = [float(row[1]), float(row[2]), float(row[3].split(" ")[0])]
        assert shown == pytest.approx([top, bottom, top - bottom], abs=6e-4)
    for name, _, shown, random in tables["Curve, Good is"]:
        curve = facts["faithfulness"][name]
        shares = np.linspace(0, 1, len(curve["scores"]))
        areas = [np.trapezoid(scores, shares) for scores in curve["random_scores"]]
        assert float(shown) == pytest.approx(np.trapezoid(curve["scores"], shares), abs=6e-4)
        assert random == f"{np.mean(areas):.3f} ± {np.std(areas, ddof=1):.3f}, n = 3"


def test_the_tables_hold_the_same_numbers(facts: dict[str, Any], folder: Path) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (folder / name).open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    probabilities = rows("probabilities.csv")
    assert [float(row["NV"]) for row in probabilities] == [step["probabilities"]["NV"] for step in facts["steps"]]
    assert [float(row["contribution"]) for row in rows("time_shap.csv")] == facts["time_shap"]["contributions"]
    falls = [float(row["fall_blur"]) for row in rows("causal.csv")]
    assert falls == facts["causal"]["interventions"]["blur"]["falls"]
    assert [float(row["deletion"]) for row in rows("faithfulness.csv")] == facts["faithfulness"]["deletion"]["scores"]


def test_verdicts_follow_from_the_numbers(facts: dict[str, Any]) -> None:
    causal, deletion, insertion, _ = (entry["supports_map"] for entry in facts["verdicts"])
    checks = facts["faithfulness"]
    assert deletion == (checks["deletion"]["auc"] < min(checks["deletion"]["random_aucs"]))
    assert insertion == (checks["insertion"]["auc"] > max(checks["insertion"]["random_aucs"]))
    p_values = [result["permutation_p_holm"] for result in facts["causal"]["interventions"].values()]
    assert causal == (sum(p < 0.05 for p in p_values) > 2)


def test_the_field_names_of_earlier_versions_are_read(facts: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    earlier = json.loads(json.dumps(facts))
    earlier["trajectory"]["origin"] = "made again"
    earlier["trajectory"]["made_again_on"] = earlier["trajectory"].pop("reproduced_on")
    for verdict in earlier["verdicts"]:
        verdict["speaks_for_the_map"] = verdict.pop("supports_map")
    assert with_current_names(earlier) == facts
    shutil.copytree(folder, tmp_path / "copy")
    write_analysis_report(tmp_path / "copy", earlier)
    assert _text(tmp_path / "copy" / "report.html") == _text(folder / "report.html")


def _text(report: Path) -> str:
    """Return a report without its figures and its time, which may differ between two runs."""
    return re.sub(r"data:image/[^\"]*|[-0-9]{10} [0-9:]{5} UTC", "", report.read_text(encoding="utf-8"))


def test_the_mosaic_shows_every_step_in_order(folder: Path, image_file: Path) -> None:
    with Image.open(folder / "mosaic.png") as mosaic:
        sheet = np.asarray(mosaic.convert("RGB")).astype(int)
    side = 128
    last = np.asarray(Image.fromarray(read_pixels(image_file)).resize((side, side), Image.Resampling.LANCZOS))
    x = 6 + 7 * (side + 6)
    assert np.array_equal(sheet[6 : 6 + side, x : x + side], last)
    assert sheet.shape[1] == STEPS * (side + 6) + 6


def test_an_image_without_a_trajectory_is_explained(
    analyse: Callable[..., list[Any]], classifier: Classifier, tmp_path: Path
) -> None:
    """The classifier has an untrained head, and the report warns about it."""
    untrained = Classifier(classifier.model, classifier.device, classifier.dtype, "x", "", False, (UNTRAINED_HEAD,))
    events = analyse(REAL_IMAGE, untrained, tmp_path, target="DF")
    facts = events[-1].facts
    assert (facts["trajectory"], facts["parameters"], facts["target"]["class"]) == (None, None, "DF")
    assert "steps" not in facts
    assert any(isinstance(event, Warned) and "does not say how it was made" in event.text for event in events)
    html = (events[-1].folder / "report.html").read_text(encoding="utf-8")
    assert UNTRAINED_HEAD.replace("'", "&#39;") in html
    assert "The head of this classifier is untrained: ignore these values." in html
    assert "Time-SHAP:" not in html
    assert set(facts["probabilities"]) == set(CLASSES)


def test_a_folder_that_cannot_be_written_is_one_sentence(
    analyse: Callable[..., list[Any]], classifier: Classifier, image_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFolderError, match="cannot be written"):
        analyse(image_file, classifier, tmp_path / "file")
