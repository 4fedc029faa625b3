"""The judge of class agreement, with a classifier whose predictions are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.class_agreement import agreement, judge
from classification.model_file import TrainedClassifier, save_classifier
from classification.networks import build_network
from classification.tasks import Task
from core.errors import ArgumentError


def write_judge(file: Path, task: str = "isic7") -> Path:
    """A ResNet-18 whose first convolution outputs zeros, so that it predicts BCC for any image."""
    network = build_network("resnet18", len(Task(task).classes))
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.bias.zero_()
        network.fc.bias[min(2, len(network.fc.bias) - 1)] = 5.0
    save_classifier(TrainedClassifier("resnet18", Task(task), 32, network.state_dict(), {}), file)
    return file


def write_images(folder: Path, counts: dict[str, int]) -> Path:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (40, 40), (200, number, 90)).save(folder / name / f"ISIC_{number:07}.png")
    return folder


def test_the_share_of_each_class_and_their_mean(tmp_path: Path) -> None:
    images = write_images(tmp_path / "set", {"MEL": 1, "BCC": 3})
    found = judge(write_judge(tmp_path / "best.pt"), images)
    assert found["images"] == 4
    assert found["agreement"] == {"MEL": 0.0, "BCC": 1.0, "macro": 0.5}
    assert found["confusion"][0][2] == 1
    assert found["confusion"][2][2] == 3


def test_classes_that_were_not_requested_do_not_count() -> None:
    counts = np.zeros((7, 7), int)
    counts[1, 1], counts[1, 4] = 3, 1
    assert agreement(counts) == {"NV": 0.75, "macro": 0.75}


def test_a_set_that_cannot_be_judged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="has no PNG in a folder named after a class"):
        judge(write_judge(tmp_path / "best.pt"), tmp_path)
    images = write_images(tmp_path / "set", {"NV": 1})
    with pytest.raises(ArgumentError, match="use a judge with the seven classes"):
        judge(write_judge(tmp_path / "binary.pt", "binary"), images)
