"""The route of melanoma-fair-xai from the command line with every option at its default."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from classification.__main__ import main
from classification.data.collection import open_collection
from classification.model_file import load_classifier
from classification.tasks import Task
from tests.classification.conftest import TinyResNet, write_fitzpatrick, write_ham10000

TRAINED = Path("runs/classification/resnet18_binary_melanoma_seed0/best.pt")
TUNED = Path("runs/classification/finetuned/best.pt")


def test_train_prepare_finetune_and_fairness_fit_together_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(write_ham10000(tmp_path / "ham10000"))
    table = write_fitzpatrick(tmp_path / "fitzpatrick", per_cell=8)
    images = str(table.parent / "images")
    assert main(["train", "--task", "binary", "--data", data]) == 0
    assert main(["prepare", "fitzpatrick17k", "--csv", str(table), "--images", images]) == 0
    assert main(["finetune", "--from", str(TRAINED), "--data", "runs/fitzpatrick17k"]) == 0
    assert load_classifier(TUNED).task == Task("binary", "melanoma")
    models = ["--model", f"before={TRAINED}", "--model", f"after={TUNED}"]
    assert main(["fairness", *models, "--data", "runs/fitzpatrick17k"]) == 0
    assert "Fairness audit" in Path("runs/classification/fairness/report.html").read_text()


def write_their_table(folder: Path) -> Path:
    """HAM10000 as melanoma-fair-xai's table lists it: melanoma and nevus, a split, neither dx nor lesions."""
    write_ham10000(folder)
    with (folder / "metadata.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["dx"] in ("mel", "nv") and row["image_id"][-1] != "4"]
    (folder / "metadata.csv").unlink()
    parts = ("train", "train", "val", "test")
    with (folder / "metadata_ground_truth_with_splits.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "benign_malignant", "split"])
        for index, row in enumerate(rows):
            writer.writerow([row["image_id"], int(row["dx"] == "mel"), parts[index % 4]])
    return folder


def write_their_checkpoint(file: Path) -> Path:
    network = TinyResNet()
    network.fc = torch.nn.Sequential(torch.nn.Dropout(0.4), torch.nn.Linear(16, 1))  # type: ignore[assignment]
    weights = {f"base_model.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 24, "pytorch-lightning_version": "2.5.0", "state_dict": weights}, file)
    return file


def test_their_table_trains_a_classifier_on_their_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_their_table(tmp_path / "data")
    quick = ["--size", "40", "--epochs", "1", "--device", "cpu", "--augmentation", "strong"]
    assert main(["train", "--task", "binary", "--data", str(folder), *quick]) == 0
    assert "the split column decides the parts (test 6, training 12, validation 6)" in capsys.readouterr().out
    with (TRAINED.parent / "split.csv").open() as stream:
        written = {row["image_id"]: row["part"] for row in csv.DictReader(stream)}
    assert written == open_collection(folder).parts
    assert main(["evaluate", "--checkpoint", str(TRAINED), "--data", str(folder), "--resamples", "60"]) == 0


def test_a_truncated_checkpoint_of_theirs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_their_table(tmp_path / "data")
    file = write_their_checkpoint(tmp_path / "final_checkpoints.ckpt")
    file.write_bytes(file.read_bytes()[:2000])
    assert main(["evaluate", "--checkpoint", str(file), "--data", str(folder)]) == 2
    assert "final_checkpoints.ckpt is damaged" in capsys.readouterr().err


def test_data_that_ask_another_question_name_both_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], prepared: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ["--size", "40", "--epochs", "1", "--device", "cpu", "--no-imagenet"]
    assert main(["train", "--task", "binary", "--data", str(write_ham10000(tmp_path / "d")), *quick]) == 0
    assert main(["finetune", "--from", str(TRAINED), "--data", str(prepared)]) == 2
    told = capsys.readouterr().err
    assert "run prepare with --contrast melanoma" in told
    assert "trained with --contrast malignant" in told
