"""Small real data: crops of the 16 real images as separate lesions, in the forms of common data sets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from classification import networks
from classification.model_file import TrainedClassifier, save_classifier
from classification.networks import build_network
from classification.tasks import Task
from tests.conftest import REAL_IMAGES

CROPS = 4
SIDE = 48
REAL_NETWORKS = {"test_networks", "test_model_file"}


class TinyResNet(nn.Module):
    """A substitute for ResNet-18 with a thousand weights and the parameter names that the program relies on."""

    def __init__(self, **_: object) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, stride=4, padding=2)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer4 = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.fc = nn.Linear(16, 1000)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layer4(self.bn1(self.conv1(images)).relu())
        logits: torch.Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Make ``resnet18`` tiny."""
    patch.setitem(networks._RESNETS, "resnet18", (TinyResNet, networks._RESNETS["resnet18"][1]))


def write_ham10000(folder: Path) -> Path:
    """A HAM10000 folder of 80 images of 64 lesions: every crop is a lesion, the first of each image occurs twice."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    with (REAL_IMAGES / "metadata.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    table = []
    for number, row in enumerate(rows):
        with Image.open(REAL_IMAGES / "images" / f"{row['image_id']}.jpg") as image:
            whole = image.convert("RGB").resize((2 * SIDE + 16, 2 * SIDE + 16))
        for crop in range(CROPS + 1):
            lesion = min(crop, CROPS - 1)
            left, top = (lesion % 2) * SIDE + 4 * (crop == CROPS), (lesion // 2) * SIDE
            name = f"ISIC_{number:03}{crop}"
            whole.crop((left, top, left + SIDE, top + SIDE)).save(folder / "images" / f"{name}.jpg", quality=95)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[16:32, 16:32] = 255
            Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
            facts = {"age": row["age"], "sex": row["sex"], "localization": row["localization"]}
            table.append({"lesion_id": f"HAM_{number:03}{lesion}", "image_id": name, "dx": row["dx"], **facts})
    with (folder / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return folder


def write_damaged_png(file: Path) -> Path:
    """A PNG in which the name of the second block of pixels is damaged: Pillow raises SyntaxError on decoding."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    data = stream.getvalue()
    position = data.index(b"IDAT", data.index(b"IDAT") + 4)
    file.write_bytes(data[:position] + b"\x00\xff\x00\xff" + data[position + 4 :])
    return file


def write_fitzpatrick(folder: Path, per_cell: int = 3) -> Path:
    """A Fitzpatrick17k table with images of different noise, reddish if malignant; returns the table."""
    (folder / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for skin_type in (-1, 1, 2, 3, 4, 5, 6):
        for partition, label in (("malignant", "melanoma"), ("benign", "halo nevus"), ("non-neoplastic", "eczema")):
            for number in range(per_cell):
                name = f"{partition[:3]}{skin_type + 1}{number:02}"
                pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
                pixels[..., 0] = np.maximum(pixels[..., 0], 160 * (partition == "malignant"))
                image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                image.save(folder / "images" / f"{name}.jpg", quality=95)
                rows.append([name, skin_type, skin_type, label, partition])
    with (folder / "fitzpatrick17k.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["md5hash", "fitzpatrick_scale", "fitzpatrick_centaur", "label", "three_partition_label"])
        writer.writerows(rows)
    return folder / "fitzpatrick17k.csv"


def write_classifier(file: Path, task: str = "isic7", contrast: str = "melanoma", size: int = 32) -> Path:
    """A ResNet-18 with random weights, as a file."""
    asked = Task(task, contrast)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network("resnet18", len(asked.classes))
    save_classifier(
        TrainedClassifier("resnet18", asked, size, network.state_dict(), {"initial_weights": "random"}), file
    )
    return file


@pytest.fixture(scope="session")
def ham10000(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only; tests that change files write their own folder."""
    return write_ham10000(tmp_path_factory.mktemp("data") / "ham10000")


@pytest.fixture(scope="session")
def fitzpatrick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table; read-only."""
    return write_fitzpatrick(tmp_path_factory.mktemp("data") / "fitzpatrick", per_cell=8)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for decoded images, shared by all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def tiny_networks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use tiny networks, except in tests of the real ones."""
    if request.module.__name__.rpartition(".")[2] not in REAL_NETWORKS:
        shrink(monkeypatch)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do not let any test wait for a server."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, ham10000: Path, cache: Path) -> Path:
    """The folder of a real run of two epochs; read-only."""
    from classification.training.job import TrainingJob
    from classification.training.runner import train

    folder = tmp_path_factory.mktemp("runs")
    job = TrainingJob(
        data=ham10000,
        output=folder / "resnet18_isic7_seed0",
        sizes=(32, 40),
        epochs=(1, 1),
        batch_size=24,
        split=folder / "split.csv",
        imagenet=False,
        device="cpu",
        precision="fp32",
        workers=0,
        cache=cache,
    )
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return train(job).parent


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, fitzpatrick: Path) -> Path:
    """The prepared Fitzpatrick17k table; read-only."""
    from classification.data.fitzpatrick import PrepareJob, prepare

    folder = tmp_path_factory.mktemp("prepared")
    prepare(PrepareJob(fitzpatrick, fitzpatrick.parent / "images", folder, "malignant", test=0.5))
    return folder
