from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from classification.data.collection import LabelledImage, open_collection
from classification.data.split_column import TEST, TRAINING
from classification.data.splits import images_of, read_split, split_by_lesion, write_split
from classification.evaluation.prediction import Predictions, predict, symmetries
from classification.evaluation.result_files import METRICS
from classification.evaluation.runner import EvaluationJob, evaluate, measure
from classification.events import Note
from classification.model_file import load_classifier, save_classifier
from classification.tasks import Task
from classification.training.job import BEST, SPLIT
from core.errors import ArgumentError, JobFailedError, OutputFolderError
from core.generation.events import Event
from tests.classification.conftest import write_classifier


@pytest.fixture
def job(trained_run: Path, ham10000: Path, cache: Path, tmp_path: Path) -> EvaluationJob:
    return EvaluationJob(
        trained_run / BEST, ham10000, tmp_path / "out", resamples=200, threshold="youden", device="cpu", cache=cache
    )


def test_a_trained_run_is_evaluated_down_to_the_report(job: EvaluationJob) -> None:
    result = evaluate(job)
    written = json.loads((job.output / METRICS).read_text())
    assert written == json.loads(json.dumps(result))
    with (job.output / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    truth = np.array([row["class"] == "MEL" for row in rows])
    scores = np.array([float(row["p(melanoma)"]) for row in rows])
    called = np.array([row["called_positive"] == "1" for row in rows])
    binary = written["binary"]
    assert binary["auc"]["value"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
    assert binary["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(truth, called))
    assert np.array_equal(called, scores >= written["threshold"]["value"])
    names = [name for name in rows[0] if name.startswith("p(") and name != "p(melanoma)"]
    seven = np.array([[float(row[name]) for name in names] for row in rows])
    index = np.array([names.index(f"p({row['class']})") for row in rows])
    assert written["multiclass"]["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(index, seven.argmax(axis=1))
    )
    assert sum(map(sum, written["confusion"])) == len(rows) == written["data"]["images"]
    for score in binary.values():
        if score["low"] is not None:
            assert score["low"] <= score["value"] <= score["high"]
    html = (job.output / "report.html").read_text()
    assert "Training from scratch" in html
    assert html.count("data:image/png") == 4
    for name in ("roc", "precision_recall", "reliability", "confusion"):
        assert (job.output / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({}, ""),
        ({"teacher": None}, ""),
        ({"learns_from_a_teacher": False}, ""),
        ({"teacher": "runs/large/best.pt"}, "the predictions of a teacher runs/large/best.pt."),
        ({"teacher": "/home/me/large/best.pt"}, "the predictions of a teacher large/best.pt."),
        (
            {"learns_from_a_teacher": True},
            "the predictions of a teacher, which its file does not name.",
        ),
    ],
)
def test_the_head_of_the_report_names_the_teacher_of_the_classifier(
    job: EvaluationJob, tmp_path: Path, training: dict[str, object], sentence: str
) -> None:
    known = load_classifier(job.checkpoint)
    facts = {name: value for name, value in known.provenance["training"].items() if name != "teacher"}
    folder = tmp_path / "taught"
    folder.mkdir()
    shutil.copy(job.checkpoint.parent / SPLIT, folder)
    save_classifier(replace(known, provenance={**known.provenance, "training": {**facts, **training}}), folder / BEST)
    evaluate(replace(job, checkpoint=folder / BEST, resamples=2))
    head = (job.output / "report.html").read_text().partition("<section")[0]
    assert "Evaluated on the test part" in head
    assert ("teacher" in head) is bool(sentence)
    assert sentence in head


def test_only_the_test_part_is_used(job: EvaluationJob, trained_run: Path, ham10000: Path) -> None:
    evaluate(job)
    collection = open_collection(ham10000)
    parts = read_split(trained_run / SPLIT, collection.images)
    with (job.output / "predictions.csv").open() as stream:
        judged = {row["image_id"] for row in csv.DictReader(stream)}
    assert judged == {image.image_id for image in images_of(collection, parts, TEST)}


def test_a_split_that_tests_on_trained_lesions_is_refused(job: EvaluationJob, tmp_path: Path, ham10000: Path) -> None:
    images = open_collection(ham10000).images
    write_split(tmp_path / "other.csv", images, split_by_lesion(images, 99))
    with pytest.raises(ArgumentError, match="was trained on"):
        evaluate(replace(job, split=tmp_path / "other.csv"))
    with pytest.raises(ArgumentError, match="no images in the part 'holdout'"):
        evaluate(replace(job, part="holdout"))


def test_without_its_split_nothing_is_tested(job: EvaluationJob, tmp_path: Path) -> None:
    moved = shutil.copy(job.checkpoint, tmp_path / "moved.pt")
    with pytest.raises(ArgumentError, match="does not exist"):
        evaluate(replace(job, checkpoint=Path(moved)))


def test_a_checkpoint_of_another_question_is_refused(job: EvaluationJob, tmp_path: Path, trained_run: Path) -> None:
    binary = write_classifier(tmp_path / "binary.pt", "binary", "melanoma")
    shutil.copy(trained_run / SPLIT, tmp_path)
    with pytest.raises(ArgumentError, match="answers 'melanoma'"):
        evaluate(replace(job, checkpoint=binary, contrast="malignant"))
    assert not job.output.exists()


def test_an_unwritable_output_is_found_before_any_image_is_classified(job: EvaluationJob) -> None:
    events: list[Event] = []
    job.output.write_text("a file")
    with pytest.raises(OutputFolderError, match="out cannot be written"):
        evaluate(job, events.append)
    assert {type(event) for event in events} == {Note}


@pytest.mark.parametrize("name", ["predictions.csv", "roc.png", "report.html"])
def test_a_result_that_cannot_be_written_leaves_no_metrics(job: EvaluationJob, name: str) -> None:
    """metrics.json marks a finished evaluation."""
    (job.output / name).mkdir(parents=True)
    with pytest.raises(JobFailedError, match=f"{name} cannot be written"):
        evaluate(job)
    assert not (job.output / METRICS).exists()


def test_a_missing_device_is_reported_before_anything_is_written(job: EvaluationJob) -> None:
    with pytest.raises(ArgumentError):
        evaluate(replace(job, device="cuda:77"))
    assert not job.output.exists()


def test_a_single_resample_is_enough(job: EvaluationJob) -> None:
    assert evaluate(replace(job, resamples=1))["settings"]["resamples"] == 1


def test_a_binary_classifier_has_no_seven_classes(job: EvaluationJob, tmp_path: Path, trained_run: Path) -> None:
    binary = write_classifier(tmp_path / "binary.pt", "binary", "malignant")
    shutil.copy(trained_run / SPLIT, tmp_path)
    result = evaluate(replace(job, checkpoint=binary))
    assert result["question"] == "malignant"
    assert "multiclass" not in result
    assert {row["class"] for row in result["diagnoses"]} == {"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"}


def test_augmented_predictions_do_not_depend_on_the_orientation_of_an_image(job: EvaluationJob, ham10000: Path) -> None:
    images = torch.randint(0, 256, (2, 40, 40, 3), generator=torch.Generator().manual_seed(0)).byte()
    views = symmetries(images)
    assert len({view.numpy().tobytes() for view in views}) == 8
    turned = {view.numpy().tobytes() for view in symmetries(images.rot90(1, (1, 2)).flip(1))}
    assert turned == {view.numpy().tobytes() for view in views}
    classifier, collection = load_classifier(job.checkpoint), open_collection(ham10000)
    plain, mean = (
        predict(classifier, collection, collection.images[:5], augmented=augmented, device="cpu", cache=job.cache)
        for augmented in (False, True)
    )
    assert np.abs(plain.probabilities - mean.probabilities).max() > 1e-6
    assert mean.probabilities.sum(axis=1) == pytest.approx(np.ones(5))


def test_probabilities_that_are_not_numbers_name_the_image(job: EvaluationJob, tmp_path: Path, ham10000: Path) -> None:
    found = load_classifier(job.checkpoint)
    huge = {**found.state_dict, "fc.weight": torch.full_like(found.state_dict["fc.weight"], 3e38)}
    save_classifier(replace(found, state_dict=huge), tmp_path / "huge.pt")
    collection = open_collection(ham10000)
    with pytest.raises(JobFailedError, match="ISIC_0000 a probability that is not a number"):
        predict(load_classifier(tmp_path / "huge.pt"), collection, collection.images[:2], device="cpu", cache=job.cache)


def made_up(positives: int, negatives: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = np.array([1] * positives + [0] * negatives)
    scores = 1 / (1 + np.exp(-(rng.normal(size=len(truth)) + 2 * truth - 1)))
    images = tuple(
        LabelledImage(Path("x"), f"{k}", f"L{k // 2}-{t}", "MEL" if t else "NV") for k, t in enumerate(truth)
    )
    return Predictions(Task("binary"), images, np.stack([1 - scores, scores], axis=1))


def test_the_threshold_comes_from_the_validation_part() -> None:
    validation, test = made_up(60, 200, 0), made_up(50, 150, 1)
    found = measure(validation, test, "sensitivity:0.90", 300, 0)
    threshold = found["threshold"]["value"]
    assert (validation.scores[validation.positive] >= threshold).mean() >= 0.90
    expected = float((test.scores[test.positive] >= threshold).mean())
    assert found["binary"]["sensitivity"]["value"] == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="the same outcome"):
        measure(validation.chosen(validation.positive), test, "equal", 300, 0)


def test_a_part_is_chosen_by_its_mask() -> None:
    found = made_up(3, 3, 0)
    chosen = found.chosen(np.array([1, 0, 0, 1, 0, 0], bool))
    assert [image.image_id for image in chosen.images] == ["0", "3"]
    assert np.array_equal(chosen.scores, found.scores[[0, 3]])
    assert TRAINING != TEST
