from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from classification.data.collection import open_collection
from classification.data.split_column import TEST, TRAINING, VALIDATION
from classification.data.splits import images_of, read_split
from classification.events import Event, Note, Trained, Validated
from classification.model_file import load_classifier
from classification.tasks import Task
from classification.training.job import BEST, JOB, RESULT, SPLIT, STATE, TrainingJob
from classification.training.learner import AUROC, Learner
from classification.training.run_setup import Run
from classification.training.runner import train
from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError, JobFailedError
from core.paths import PROJECT_ROOT
from tests.classification.conftest import write_classifier


@pytest.fixture
def job(ham10000: Path, cache: Path, tmp_path: Path) -> TrainingJob:
    return TrainingJob(
        data=ham10000,
        output=tmp_path / "run",
        task="binary",
        sizes=(32,),
        epochs=(2,),
        batch_size=28,
        split=tmp_path / "split.csv",
        imagenet=False,
        device="cpu",
        precision="fp32",
        workers=0,
        cache=cache,
    )


@pytest.mark.parametrize(
    ("function", "file"),
    [("classification.training.run_setup.save_classifier", BEST), ("lightning.Trainer.save_checkpoint", STATE)],
)
def test_a_full_disk_is_reported_in_a_sentence(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch, function: str, file: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(function, full)
    with pytest.raises(
        JobFailedError, match=f"{file} cannot be written .No space left.*there is no previous one.*then start again"
    ):
        train(job)


def test_an_export_that_is_not_possible_is_refused_before_the_training(job: TrainingJob, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="at 32 px.*Omit --export"):
        train(replace(job, export=tmp_path / "classifier.pth"))
    assert not job.output.exists()


def test_a_run_saves_its_weights_and_their_provenance(trained_run: Path, ham10000: Path) -> None:
    classifier = load_classifier(trained_run / BEST)
    assert (classifier.backbone, classifier.task, classifier.image_size) == ("resnet18", Task("isic7"), 40)
    collection = open_collection(ham10000)
    parts = read_split(trained_run / SPLIT, collection.images)
    assert classifier.provenance["training_images"] == len(images_of(collection, parts, TRAINING))
    assert classifier.provenance["initial_weights"] == "Training from scratch, as requested."
    result = json.loads((trained_run / RESULT).read_text())
    with (trained_run / "curve.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["step"], row["size"]) for row in rows] == [("3", "32"), ("6", "40")]
    assert result[AUROC] == pytest.approx(float(rows[-1][AUROC]), abs=1e-5)  # the only epoch at the last size
    assert all(float(row["images_per_second"]) > 0 for row in rows)


def test_no_test_image_is_trained_on(job: TrainingJob) -> None:
    from lightning import Trainer

    run = Run(job, lambda _: None)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False)
    epoch, validation, _ = run.batches(trainer)
    ids = [image.image_id for image in run.collection.images]
    drawn = {ids[row] for row in torch.nonzero(epoch._batches.weights).flatten().tolist()}
    assert drawn == {name for name, part in run.parts.items() if part == TRAINING}
    assert {ids[row] for row in validation.rows} == {name for name, part in run.parts.items() if part == VALIDATION}
    assert TEST in run.parts.values()


@pytest.mark.parametrize(("size", "source"), [(32, 39), (48, 48), (64, 64)])
def test_crops_are_taken_from_larger_images_if_the_files_are_larger(job: TrainingJob, size: int, source: int) -> None:
    from lightning import Trainer

    run = Run(replace(job, sizes=(size,)), lambda _: None)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False)
    epoch, validation, _ = run.batches(trainer)
    assert epoch._batches.pixels[0].shape == (source, source, 3)
    assert validation.pixels[0].shape == (size, size, 3)
    assert len(validation.pixels) == len(epoch._batches.pixels) == len(run.collection.images)


def test_generated_images_are_added_only_to_the_training_part(job: TrainingJob, tmp_path: Path) -> None:
    from lightning import Trainer

    for name in CLASSES:
        (tmp_path / "made" / name).mkdir(parents=True)
        Image.new("RGB", (16, 16), (200, 90, 80)).save(tmp_path / "made" / name / "ISIC_0000001.png")
    run = Run(replace(job, synthetic=tmp_path / "made"), lambda _: None)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False)
    epoch, validation, shares = run.batches(trainer)
    weights = epoch._batches.weights
    assert len(weights) == 80 + 7
    assert (weights[80:] > 0).all()
    assert max(validation.rows) < 80
    assert run.per_epoch == -(-(len(run.training) + 7) // 28)
    assert not set(run.parts) & {image.image_id for image in run.synthetic}
    assert float(shares.sum()) == pytest.approx(1)


def state_of(folder: Path) -> Any:
    return torch.load(folder / STATE, weights_only=True)["state_dict"]


def curve_of(folder: Path) -> list[list[str]]:
    """The curve without the speed."""
    rows = [line.split(",") for line in (folder / "curve.csv").read_text().splitlines()]
    return [row[:3] + row[4:] for row in rows]


class StopError(Exception):
    """An interruption in the tests."""


def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, sizes=(32, 40), epochs=(1, 1), batch_size=20, mixup=0.4)
    train(job)
    whole = state_of(job.output)
    step = Learner.training_step
    for stop_at in (2, 3):  # in the middle of an epoch, and at the first step of the next one
        again = replace(job, output=job.output.parent / f"stopped_{stop_at}", save_every_s=0.0)

        def stopping(self: Learner, batch: Any, index: int, stop_at: int = stop_at) -> torch.Tensor:
            if self.global_step == stop_at:
                raise StopError
            return step(self, batch, index)

        monkeypatch.setattr(Learner, "training_step", stopping)
        with pytest.raises(StopError):
            train(again)
        monkeypatch.setattr(Learner, "training_step", step)
        train(again, resume=True)
        found = state_of(again.output)
        assert all(torch.equal(tensor, whole[name]) for name, tensor in found.items())
        assert curve_of(again.output) == curve_of(job.output)
        kept, expected = (torch.load(folder / BEST, weights_only=True) for folder in (again.output, job.output))
        assert kept["provenance"]["step"] == expected["provenance"]["step"]


def test_a_run_of_an_earlier_version_is_resumed(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier versions wrote ``passes`` into job.json, and ``pass_loss`` into the state."""
    job = replace(job, sizes=(32, 40), epochs=(1, 1), batch_size=20, mixup=0.4)
    train(job)
    again, step = replace(job, output=job.output.parent / "stopped", save_every_s=0.0), Learner.training_step

    def stopping(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if self.global_step == 2:  # in the middle of the first epoch
            raise StopError
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", stopping)
    with pytest.raises(StopError):
        train(again)
    monkeypatch.setattr(Learner, "training_step", step)
    settings = json.loads((again.output / "job.json").read_text())
    settings["passes"] = settings.pop("epochs")
    (again.output / "job.json").write_text(json.dumps(settings))
    state = torch.load(again.output / STATE, weights_only=True)
    (progress,) = (values for values in state["callbacks"].values() if "epoch_loss" in values)
    progress["pass_loss"] = progress.pop("epoch_loss")
    torch.save(state, again.output / STATE)
    with pytest.raises(ArgumentError, match=r"was started with epochs \[1, 1\], not \[1, 2\]"):
        train(replace(again, epochs=(1, 2)), resume=True)
    train(again, resume=True)
    assert curve_of(again.output) == curve_of(job.output)


@pytest.mark.parametrize("epochs", [(1,), (2,)])
def test_an_epoch_whose_validation_was_interrupted_is_validated_after_a_resume(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch, epochs: tuple[int, ...]
) -> None:
    job = replace(job, epochs=epochs, save_every_s=0.0)
    train(job)
    again, validate = replace(job, output=job.output.parent / "stopped"), Learner.validation_step

    def stopping(*_: Any) -> None:
        raise StopError

    monkeypatch.setattr(Learner, "validation_step", stopping)
    with pytest.raises(StopError):
        train(again)
    monkeypatch.setattr(Learner, "validation_step", validate)
    train(again, resume=True)
    assert curve_of(again.output) == curve_of(job.output)
    kept, expected = (
        torch.load(folder / BEST, weights_only=True)["state_dict"] for folder in (again.output, job.output)
    )
    assert all(torch.equal(kept[name], tensor) for name, tensor in expected.items())


def test_a_curve_that_cannot_be_written_is_reported_once_and_training_continues(job: TrainingJob) -> None:
    (job.output / "curve.csv").mkdir(parents=True)
    told: list[Event] = []
    train(job, emit=told.append)
    notes = [event.text for event in told if isinstance(event, Note)]
    assert sum("curve.csv cannot be written" in text and "training continues" in text for text in notes) == 1
    assert (job.output / BEST).is_file()


def test_training_overfits_classes_that_are_easy_to_distinguish(job: TrainingJob, tmp_path: Path) -> None:
    """Melanomas are red here; a few steps are enough to learn that."""
    folder, rng, rows = tmp_path / "easy", np.random.default_rng(0), ["lesion_id,image_id,dx"]
    (folder / "images").mkdir(parents=True)
    for number in range(40):
        name = "mel" if number % 2 else "nv"
        pixels = rng.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        pixels[..., 0 if number % 2 else 2] += 100
        Image.fromarray(pixels).save(folder / "images" / f"I{number}.png")
        rows.append(f"L{number},I{number},{name}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    events: list[Event] = []
    train(replace(job, data=folder, epochs=(8,), batch_size=14, learning_rate=3e-3, average=0.8), emit=events.append)
    validated = [event for event in events if isinstance(event, Validated)]
    assert validated[-1].auroc == pytest.approx(1.0)
    assert max(event.auroc for event in validated) == max(e.auroc for e in validated if e.best)
    speeds = [event.images_per_second for event in events if isinstance(event, Trained)]
    assert len(speeds) >= 8
    assert min(speeds) > 0


def test_training_stops_without_improvement(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Early stopping starts at the last size."""
    monkeypatch.setattr(Learner, "configure_optimizers", lambda self: torch.optim.SGD(self.network.parameters(), 0.0))
    job = replace(job, sizes=(32, 40), epochs=(2, 9), patience=2, average=0.0)
    train(job)
    epochs = (job.output / "curve.csv").read_text().count("\n") - 1
    assert 5 <= epochs <= 6  # two that do not count, one that is the best, two without improvement
    train(job, resume=True)
    assert (job.output / "curve.csv").read_text().count("\n") - 1 == epochs
    train(replace(job, patience=3), resume=True)
    assert (job.output / "curve.csv").read_text().count("\n") - 1 == epochs + 1


def test_a_nan_stops_the_run_and_keeps_the_saved_state(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Learner.training_step

    def poisoned(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if self.global_step == 3:
            with torch.no_grad():
                self.network.fc.bias.fill_(float("nan"))
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", poisoned)
    with pytest.raises(JobFailedError, match="step 3 is nan"):
        train(replace(job, save_every_s=0.0))
    assert all(torch.isfinite(tensor).all() for tensor in state_of(job.output).values())
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_run_neither_replaces_another_nor_resumes_with_other_settings(job: TrainingJob) -> None:
    with pytest.raises(ArgumentError, match="no interrupted run"):
        train(job, resume=True)
    job.output.mkdir()
    (job.output / STATE).write_bytes(b"")
    (job.output / JOB).write_text(json.dumps(job.to_json()))
    with pytest.raises(ArgumentError, match="add --resume"):
        train(job)
    with pytest.raises(ArgumentError, match="started with task 'binary', not 'isic7'"):
        train(replace(job, task="isic7"), resume=True)


def test_fine_tuning_takes_over_backbone_and_task(job: TrainingJob, prepared: Path, tmp_path: Path) -> None:
    start = write_classifier(tmp_path / "seven.pt", "isic7")
    events: list[Event] = []
    job = replace(job, data=prepared, start=start, task="isic7", epochs=(1,), batch_size=60, reweigh="skin_type")
    train(job, emit=events.append)
    found = load_classifier(job.output / BEST)
    assert (found.backbone, found.task) == ("resnet18", Task("binary", "malignant"))
    assert any(
        "with a new head because it was trained on isic7" in event.text for event in events if isinstance(event, Note)
    )


def test_a_checkpoint_of_another_question_is_refused(job: TrainingJob, prepared: Path, tmp_path: Path) -> None:
    start = write_classifier(tmp_path / "melanoma.pt", "binary", "melanoma")
    with pytest.raises(ArgumentError, match="answers 'melanoma', but the question is 'malignant'"):
        train(replace(job, data=prepared, start=start))
    with pytest.raises(ArgumentError, match="was trained on binary"):
        train(replace(job, task="isic7", teacher=start))


def test_a_teacher_is_learnt_from(job: TrainingJob, tmp_path: Path) -> None:
    teacher = write_classifier(tmp_path / "teacher.pt", "binary")
    alone, taught = (replace(job, output=tmp_path / name, epochs=(1,)) for name in ("alone", "taught"))
    train(alone)
    train(replace(taught, teacher=teacher))
    one, other = state_of(alone.output), state_of(taught.output)
    assert one.keys() == other.keys()
    assert not torch.equal(one["network.fc.weight"], other["network.fc.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "vgg16"}, "vgg16"),
        ({"task": "isic8"}, "isic8"),
        ({"sampling": "random"}, "random"),
        ({"sizes": (32, 64), "epochs": (1,)}, "one number per size"),
        ({"sizes": (64, 32), "epochs": (1, 1)}, "with the largest last"),
        ({"learning_rate": 3.0}, "learning rate 3.0"),
        ({"batch_size": 1}, "batch size 1"),
        ({"workers": -1}, "workers -1"),
    ],
)
def test_settings_out_of_range_are_named(job: TrainingJob, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(job, **changes)


def test_ctrl_c_keeps_the_state_and_resume_continues(job: TrainingJob, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "classification", "train", "--data", str(job.data), "--output", str(job.output)]
    command += ["--size", "32", "--epochs", "60", "--batch-size", "28", "--split", str(job.split), "--no-imagenet"]
    command += ["--cache", str(job.cache), "--device", "cpu", "--precision", "fp32", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        end = time.monotonic() + 120
        while not (job.output / STATE).exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert all(json.loads(line)["event"] for line in output.splitlines())
    assert not list(job.output.glob("*.part"))
    assert state_of(job.output)


def test_a_teacher_that_saw_lesions_of_the_evaluation_is_refused(job: TrainingJob, trained_run: Path) -> None:
    with pytest.raises(ArgumentError, match=r"best\.pt was trained on \d+ of the lesions"):
        train(replace(job, task="isic7", teacher=trained_run / BEST, seed=5))
    assert not job.output.exists()


DAMAGED: dict[str, Callable[[Path], object]] = {
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:50_000]),
    "empty": lambda file: file.write_bytes(b""),
    "of another program": lambda file: torch.save({"state_dict": {"a": torch.zeros(1)}}, file),
    "of another network": lambda file: torch.save(
        {**torch.load(file, weights_only=True), "state_dict": {"a": torch.zeros(1)}}, file
    ),
    "no job": lambda file: file.with_name(JOB).write_text("[" * 200_000),
    "a job of another form": lambda file: file.with_name(JOB).write_text("[]"),
}


def test_a_damaged_state_is_one_sentence(job: TrainingJob) -> None:
    train(job)
    (job.output / RESULT).unlink()
    whole = {name: (job.output / name).read_bytes() for name in (STATE, JOB)}
    for kind, spoil in DAMAGED.items():
        for name, content in whole.items():
            (job.output / name).write_bytes(content)
        spoil(job.output / STATE)
        with pytest.raises((ArgumentError, CheckpointError)) as error:
            train(job, resume=True)
        assert "\n" not in str(error.value), kind
        assert "weights_only" not in str(error.value)
