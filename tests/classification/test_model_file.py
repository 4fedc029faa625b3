from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models
from torchvision.models import resnet34

from classification.model_file import (
    CLASSIFIER_FORMAT,
    TrainedClassifier,
    export_classifier,
    load_classifier,
    save_classifier,
)
from classification.networks import build_network
from classification.tasks import Task
from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError
from tests.classification.conftest import write_classifier
from xai.classifier import DEMONSTRATION
from xai.classifier import load_classifier as load_for_explanations


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedClassifier:
    return load_classifier(write_classifier(tmp_path_factory.mktemp("model") / "best.pt", size=224))


def test_a_classifier_is_unchanged_after_writing_and_reading(trained: TrainedClassifier, tmp_path: Path) -> None:
    save_classifier(trained, tmp_path / "again.pt")
    again = load_classifier(tmp_path / "again.pt")
    assert (again.backbone, again.task, again.image_size) == ("resnet18", Task("isic7"), 224)
    assert again.provenance == {"initial_weights": "random"}
    assert all(torch.equal(tensor, again.state_dict[name]) for name, tensor in trained.state_dict.items())
    json.dumps(again.describe())


def test_the_provenance_of_an_earlier_version_gets_the_current_names(
    trained: TrainedClassifier, tmp_path: Path
) -> None:
    former = {"beginning": "Training from scratch, as asked.", "training": {"passes": [40, 20], "seed": 3}}
    save_classifier(replace(trained, provenance=former), tmp_path / "former.pt")
    facts = load_classifier(tmp_path / "former.pt").describe()
    assert facts["initial_weights"] == "Training from scratch, as asked."
    assert facts["training"] == {"epochs": [40, 20], "seed": 3}
    assert "beginning" not in facts


def test_the_explanations_read_the_export(trained: TrainedClassifier, tmp_path: Path) -> None:
    export_classifier(trained, tmp_path / "classifier.pth")
    weights = torch.load(tmp_path / "classifier.pth", weights_only=True)
    assert weights["fc.weight"].shape == (len(CLASSES), 512)
    assert weights["fc.weight"].dtype == torch.float16
    explained = load_for_explanations(tmp_path, torch.device("cpu"), "fp32")
    assert explained.head_trained
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        expected = trained.build()((images - mean) / std).softmax(dim=1)
    assert torch.allclose(explained.probabilities(images), expected, atol=5e-3)


def test_a_demonstration_is_marked_and_contains_no_path(trained: TrainedClassifier, tmp_path: Path) -> None:
    facts = {"training": {"seed": 3, "data": "/home/ada/images", "teacher": "/home/ada/t.pt"}, "validation_auroc": 0.9}
    file = tmp_path / "classifier.pth"
    export_classifier(replace(trained, provenance=facts), file, demonstration=True)
    content = torch.load(file, weights_only=True)
    assert content["provenance"] == {
        "training": {"seed": 3, "learns_from_a_teacher": True},
        "validation_auroc": 0.9,
        "demonstration": True,
    }
    assert b"/home/ada" not in file.read_bytes()
    assert DEMONSTRATION in load_for_explanations(tmp_path, torch.device("cpu"), "fp32").notices
    again = load_classifier(file)
    assert (again.backbone, again.task.name) == ("resnet18", "isic7")


@pytest.mark.parametrize(
    "changes",
    [{"backbone": "resnet34"}, {"task": Task("binary")}, {"image_size": 128}],
    ids=lambda change: next(iter(change)),
)
def test_nothing_else_is_exported(trained: TrainedClassifier, changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="Only a resnet18 of the task isic7 at 224 px"):
        export_classifier(replace(trained, **changes), tmp_path / "classifier.pth")
    assert not list(tmp_path.iterdir())


def test_values_beyond_fp16_stay_in_fp32(trained: TrainedClassifier, tmp_path: Path) -> None:
    weights = {**trained.state_dict, "bn1.running_var": torch.full((64,), 1e6)}
    export_classifier(replace(trained, state_dict=weights), tmp_path / "classifier.pth")
    written = torch.load(tmp_path / "classifier.pth", weights_only=True)
    assert torch.equal(written["bn1.running_var"], weights["bn1.running_var"])


def test_bare_weights_of_a_resnet_are_recognised(tmp_path: Path) -> None:
    torch.save(resnet34(num_classes=7).state_dict(), tmp_path / "classifier.pth")
    found = load_classifier(tmp_path / "classifier.pth")
    assert (found.backbone, found.task.name, found.image_size) == ("resnet34", "isic7", 224)
    assert found.build()(torch.zeros(1, 3, 32, 32)).shape == (1, 7)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_a_checkpoint_of_melanoma_fair_xai_answers_melanoma(backbone: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = getattr(models, backbone)()
        network.fc = torch.nn.Sequential(torch.nn.Dropout(0.4), torch.nn.Linear(network.fc.in_features, 1))
    network.eval()
    weights = {f"base_model.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 24, "state_dict": weights, "callbacks": {}, "loops": {}}, tmp_path / "final_checkpoints.ckpt")
    found = load_classifier(tmp_path / "final_checkpoints.ckpt")
    assert (found.backbone, found.task, found.image_size) == (backbone, Task("binary", "melanoma"), 224)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(found.build()(images).softmax(dim=1)[:, 1], network(images).sigmoid()[:, 0], atol=1e-5)


def test_names_of_classes_decide_the_order_of_the_outputs(tmp_path: Path) -> None:
    weights = build_network("resnet18", len(CLASSES)).state_dict()
    torch.save({"state_dict": weights, "class_names": list(reversed(CLASSES))}, tmp_path / "classifier.pth")
    found = load_classifier(tmp_path / "classifier.pth")
    assert torch.equal(found.state_dict["fc.bias"], weights["fc.bias"].flip(0))


def spoiled(trained: TrainedClassifier, **changes: Any) -> dict[str, Any]:
    content = {
        "format": CLASSIFIER_FORMAT,
        "backbone": trained.backbone,
        "task": trained.task.to_json(),
        "image_size": 224,
        "state_dict": dict(trained.state_dict),
    }
    return {**content, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "vgg"}, "unknown backbone 'vgg'"),
        ({"backbone": "resnet34"}, "is not a resnet34"),
        ({"task": {"name": "isic8", "contrast": "melanoma"}}, "incomplete description"),
        ({"task": {"name": "binary", "contrast": "melanoma"}}, "is not a resnet18 with 2 outputs: fc.bias"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    trained: TrainedClassifier, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    torch.save(spoiled(trained, **changes), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=message):
        load_classifier(tmp_path / "model.pt")


def test_weights_that_are_not_numbers_are_refused(trained: TrainedClassifier, tmp_path: Path) -> None:
    weights = {**trained.state_dict, "fc.bias": torch.full((7,), float("nan"))}
    torch.save(spoiled(trained, state_dict=weights), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"values in fc\.bias that are not numbers"):
        load_classifier(tmp_path / "model.pt")


def test_files_that_are_not_classifiers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(build_network("resnet18", 9).state_dict(), tmp_path / "nine.pt")
    two = build_network("resnet18", 2).state_dict()
    torch.save({f"net.{name}": tensor for name, tensor in two.items()}, tmp_path / "two.pt")
    torch.save({f"base_model.{n}": t for n, t in two.items() if not n.startswith("layer2.1")}, tmp_path / "part.pt")
    for name, message in (
        ("text.pt", "damaged"),
        ("list.pt", "a list"),
        ("nine.pt", "7 outputs"),
        ("two.pt", "of 2 outputs under the prefix 'net.', and it does not name their classes"),
        ("part.pt", r"layer2\.1\.conv1\.weight \(under the prefix 'base_model\.'\) is missing"),
        ("no.pt", "no check"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_classifier(tmp_path / name)
