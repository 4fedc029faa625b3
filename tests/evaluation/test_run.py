from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from core.errors import ArgumentError, OutputFolderError
from core.io.plain_text import printable
from evaluation.intervals import Share
from evaluation.job import EvaluationJob
from evaluation.progress import PartsProgress, Progress, result_of
from evaluation.report.results import plain
from evaluation.report.summary import summarise
from evaluation.report.writer import write_results
from evaluation.run import evaluate
from tests.evaluation.conftest import COPIED, Evaluated
from tests.evaluation.examples import lesion, run_work, write_set


def numbers(evaluated: Evaluated) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(evaluated.files[1].read_text())
    return found


def test_the_planted_copy_is_found_and_listed_first(evaluated: Evaluated) -> None:
    copies = numbers(evaluated)["copies"]
    assert copies["copies"] == 1
    assert copies["most_suspicious"][0]["image"] == "MEL/ISIC_0000003.png"
    assert copies["most_suspicious"][0]["real"] == f"mel_{COPIED:04d}.png"
    assert copies["most_suspicious"][0]["correlation"] > 0.99
    assert any(
        "Copies: 1 of 16 images are closer to a real image than chance explains" in sentence
        for sentence in numbers(evaluated)["summary"]
    )


def test_every_figure_names_its_features_and_has_its_floor(evaluated: Evaluated) -> None:
    figures = numbers(evaluated)["figures"]
    assert {figure["features"] for figure in figures} == {"imagenet", "texture"}
    assert {figure["class_name"] for figure in figures} == {"ALL", "MEL", "NV"}
    assert {figure["metric"] for figure in figures} == {
        *("kid", "fid", "precision", "recall", "density", "coverage", "diversity")
    }
    for figure in figures:
        assert figure["floor"] is not None
        assert figure["n_set"] >= 8
        if figure["metric"] == "fid":
            assert figure["class_name"] == "ALL"  # not computed for a class with fewer than 500 images
        if figure["metric"] == "kid":
            assert figure["ratio_to_floor_95"] is None or figure["ratio_to_floor_95"] >= 0
            # The artificial set is drawn like the real images, except for the copy.
            assert abs(figure["value"] - figure["floor"]) < 4 * (figure["sd"] + figure["floor_sd"])


def test_the_summary_agrees_with_the_figures(evaluated: Evaluated) -> None:
    found = numbers(evaluated)
    (probe,) = found["agreement"]
    assert probe["macro"] > 0.8  # two colours are easy to distinguish
    assert sum(map(sum, probe["confusion"])) == 16
    (useful,) = found["usefulness"]
    assert useful["seeds"] == 3
    assert useful["n_real"] + useful["n_test"] == 36
    assert found["duplicates"]["equal"]["hits"] == 0
    assert found["provenance"]["values"]["sampler"] == {"dpmpp": 16}
    assert found["provenance"]["values"]["reuse"] == {"1": 16}
    assert found["provenance"]["seeds"] == [1, 8]
    assert found["set_images"] == {"MEL": 8, "NV": 8}
    assert found["real_lesions"] == 36
    assert found["basis"]["size"] == 64
    red = next(one for one in found["appearance"] if (one["measure"], one["class_name"]) == ("red", "MEL"))
    assert red["value"] == pytest.approx(red["real"], abs=15)


def test_the_warnings_are_in_the_report(evaluated: Evaluated) -> None:
    assert any("1 of 17 images of the set cannot be read" in text for text in evaluated.warnings)
    assert any("FID of ALL is based on 16 images" in text for text in evaluated.warnings)
    assert len(set(evaluated.warnings)) == len(evaluated.warnings)
    assert numbers(evaluated)["warnings"] == evaluated.warnings
    html = evaluated.files[0].read_text()
    assert "cannot be read" in html


def test_the_report_is_one_file_without_facts_about_the_machine(evaluated: Evaluated) -> None:
    html = evaluated.files[0].read_text()
    pixels = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(pixels) >= 12 + 4 + 3  # pairs, duplicates, plots
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in pixels)
    assert not re.search(r'(src|href)="(?!data:)', html)
    for heading in ("Resemblance", "Class agreement", "Copies of real images", "Duplicates", "Usefulness"):
        assert f"{heading}</h2>" in html
    assert "MEL/ISIC_0000003 | mel_0005: copy" in html
    for file in evaluated.files:
        assert str(evaluated.evaluation.job.images.parent) not in file.read_text()


def test_the_card_can_be_published(evaluated: Evaluated) -> None:
    card = evaluated.files[2].read_text()
    assert card.startswith("---\npretty_name: my set\n")
    assert "| MEL | Melanoma | 8 |" in card
    assert "- sampler: dpmpp" in card
    assert "Not for diagnosis" in card
    assert "Copies: 1 of 16 images are closer to a real image than chance explains" in card
    assert "evaluate 'my set' --real REAL_IMAGES --output REPORT --quick --utility features" in card


HOSTILE = "-x | <script>alert(1)</script> [a](b) `c`\nlicence: mine\x1b[2J\u202e'$(id)"


@pytest.mark.parametrize("name", [HOSTILE.replace("/", "_"), "\udcff\udcfe set", "yes", "{folder} {0}"])
def test_a_set_of_any_name_has_a_card_and_a_report_that_show_it_as_text(
    evaluated: Evaluated, tmp_path: Path, name: str
) -> None:
    job = replace(evaluated.evaluation.job, images=tmp_path / name, output=tmp_path / "report")
    evaluation = replace(evaluated.evaluation, job=job, warnings=[HOSTILE, name])
    report, _, card = (file.read_text(encoding="utf-8") for file in write_results(evaluation))
    assert "<script>alert" not in report
    tokens = MarkdownIt("commonmark").enable("table").parse(card.split("---\n", 2)[2])
    assert not [token for token in tokens if token.type == "html_block"]
    inline = {child.type for token in tokens for child in token.children or []}
    assert not inline & {"html_inline", "link_open", "image"}
    head = yaml.safe_load(card.split("---\n")[1])
    assert set(head) == {"pretty_name", "task_categories", "tags"}
    assert head["pretty_name"] == printable(name)
    assert not any(line.startswith("licence") for line in card.splitlines())
    (line,) = [line for line in card.splitlines() if "run_isicgui.sh evaluate" in line]
    words = subprocess.run(  # the words into which bash splits the line
        ["bash", "-c", line.replace("./run_isicgui.sh", "printf '%s\\0'")], capture_output=True, check=True
    ).stdout.split(b"\0")
    assert words[:3] == [b"evaluate", os.fsencode(f"./{name}" if name.startswith("-") else name), b"--real"]


def test_progress_goes_from_start_to_end(evaluated: Evaluated) -> None:
    assert evaluated.shares == sorted(evaluated.shares)
    assert 0 <= evaluated.shares[0] < 0.1
    assert 0.9 < evaluated.shares[-1] <= 1
    assert list(dict.fromkeys(evaluated.doings))[:3] == [
        "Reading images of the set",
        "Reading real images",
        "Features (imagenet) of real images",
    ]


def test_the_overall_progress_weights_its_parts() -> None:
    def part(total: int) -> Any:
        for done in range(total):
            yield Progress("work", done, total)
        return total

    whole = PartsProgress([1, 3])
    results = [run_work(whole.part(part(count))) for count in (2, 4)]
    assert [result for result, _, _ in results] == [2, 4]
    assert [event.done for _, progress, _ in results for event in progress] == [0, 0.125, 0.25, 0.4375, 0.625, 0.8125]


def test_nan_and_infinity_become_null() -> None:
    assert plain({"a": (float("nan"), 1.5, float("inf")), 3: [None, True]}) == {
        "a": [None, 1.5, None],
        "3": [None, True],
    }


@pytest.fixture
def job(folders: tuple[Path, Path, Path], tmp_path: Path) -> dict[str, Any]:
    images, real, cache = folders
    return {"images": images, "real": real, "output": tmp_path / "out", "cache": cache, "features": ("imagenet",)}


def test_a_real_folder_that_is_the_set_is_refused(job: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="are the same folder"):
        result_of(evaluate(EvaluationJob(**{**job, "real": job["images"]})))
    assert not job["output"].exists()


def test_a_set_that_is_the_real_images_is_refused(job: dict[str, Any], tmp_path: Path) -> None:
    pixels = [lesion(seed) for seed in range(24)]
    job["images"] = write_set(tmp_path / "other name", {"MEL": pixels})
    with pytest.raises(ArgumentError, match="byte-for-byte copies"):
        result_of(evaluate(EvaluationJob(**job)))
    assert not job["output"].exists()


def test_a_control_with_unlabelled_duplicates_is_reported(evaluated: Evaluated) -> None:
    found = evaluated.evaluation.copies
    sentences = []
    for hits in (2, 4):
        few = replace(evaluated.evaluation, copies=replace(found, control=Share(hits, 30)))
        sentences += [line for line in summarise(few) if line.startswith("Copies")]
    assert len(found.thresholds) == 3
    assert found.rate == pytest.approx(3 / 37)  # the lowest rate for 36 real images in three spaces
    assert "other lesion: 6.7% (at most 8.1% by construction)" in sentences[0]
    assert "other lesion: 13.3% (more than 8.1%: the real data probably contains unlabelled duplicates)" in sentences[1]


@pytest.mark.parametrize(
    ("count", "reals", "message"), [(1, 24, "has 1 readable images"), (4, 5, "images of 5 lesions")]
)
def test_too_few_images_are_refused(job: dict[str, Any], tmp_path: Path, count: int, reals: int, message: str) -> None:
    job["images"] = write_set(tmp_path / "s", {"MEL": [lesion(seed) for seed in range(100, 100 + count)]})
    job["real"] = write_set(tmp_path / "r", {"MEL": [lesion(seed) for seed in range(reals)]})
    with pytest.raises(ArgumentError, match=message):
        result_of(evaluate(EvaluationJob(**job)))


def test_an_unwritable_output_is_found_before_the_computation(job: dict[str, Any]) -> None:
    job["output"].write_text("not a folder")
    work = evaluate(EvaluationJob(**job))
    with pytest.raises(OutputFolderError, match="cannot be written"):
        run_work(work)


def test_a_class_without_real_images_is_left_out(job: dict[str, Any], tmp_path: Path) -> None:
    """The set is small, grey and of another size. One class has no real images, another is not in the set."""
    grey = [image.mean(axis=2, keepdims=True).repeat(3, axis=2).astype("uint8") for image in map(lesion, (7, 8))]
    job["images"] = write_set(tmp_path / "s", {"MEL": [*grey, lesion(9, size=40)], "VASC": [lesion(1, "VASC")]})
    job["classes"] = ("MEL", "DF", "VASC")
    found, _, warnings = run_work(evaluate(EvaluationJob(**job, quick=True, seed=3)))
    assert found.generated.counts() == {"MEL": 3}
    assert any(text.startswith("VASC: there is no real image") for text in warnings)
    assert any(text.startswith("DF: the set contains no image") for text in warnings)
    assert any("2 of 3 images of the set are grey" in text for text in warnings)
    assert any(text.startswith("MEL: distances were not measured") for text in warnings)
    assert found.figures == []
    assert json.dumps(found.to_json(), allow_nan=False)
