"""The classifier computes the same as torchvision's ResNet-18, reads every file format, and refuses other files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from core.classes import CLASS_NAMES, CLASSES
from core.download.published import RESNETS, PublishedWeights
from core.errors import ClassifierError, DeviceError
from core.io.atomic_files import sha256_of
from tests.xai.networks import CPU, resnet
from xai import classifier as module
from xai.classifier import MEAN, STD, UNTRAINED_HEAD, Classifier, load_classifier, prepare
from xai.classifier_file import read_weights

WEIGHTS = resnet().state_dict()


@pytest.fixture(autouse=True)
def nothing_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevent the use of the bundled classifier in tests without a classifier file."""
    monkeypatch.setattr(module, "DEMO_SET", tmp_path / "bundle")


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "classifier.pth")
    return folder / "classifier.pth"


def expected(images: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    with torch.no_grad():
        return resnet()((images - mean) / std)


def test_it_computes_what_torchvision_computes(tmp_path: Path, image: torch.Tensor) -> None:
    file = saved(tmp_path, WEIGHTS)
    found = load_classifier(tmp_path, CPU, "fp32")
    assert torch.allclose(found.logits(image), expected(image), atol=1e-4)
    assert torch.allclose(found.probabilities(image), expected(image).softmax(dim=1), atol=1e-5)
    assert (found.source, found.sha256, found.head_trained, found.notices) == (str(file), sha256_of(file), True, ())


def test_half_precision_stays_close(image: torch.Tensor, tmp_path: Path) -> None:
    saved(tmp_path, {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in WEIGHTS.items()})
    found = load_classifier(tmp_path, CPU, "bf16")
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.probabilities(image), expected(image).softmax(dim=1), atol=0.02)
    # The head works in float32: scores are not confined to the 1/128 and coarser steps that bf16 has at this size.
    with torch.no_grad():
        logits = found.logits(image)
    assert not torch.equal(logits, logits.bfloat16().float())


def test_the_score_can_be_differentiated(classifier: Classifier, image: torch.Tensor) -> None:
    pixels = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(classifier.logits(pixels)[0, 2], pixels)
    direction = torch.sign(gradient) * 1e-4
    with torch.no_grad():
        change = (classifier.logits(image + direction) - classifier.logits(image - direction))[0, 2] / 2
    assert float(change) == pytest.approx(float((gradient * direction).sum()), rel=0.05)


WRAPPED: dict[str, Callable[[], Any]] = {
    "state_dict": lambda: {"state_dict": WEIGHTS, "epoch": 3},
    "model_state_dict": lambda: {"model_state_dict": WEIGHTS, "optimizer_state_dict": {}},
    "average": lambda: {"ema_state_dict": WEIGHTS, "model_state_dict": resnet(1).state_dict()},
    "data parallel": lambda: {f"module.{name}": tensor for name, tensor in WEIGHTS.items()},
    "head behind a dropout": lambda: {name.replace("fc.", "fc.1."): tensor for name, tensor in WEIGHTS.items()},
    "without counters": lambda: {name: tensor for name, tensor in WEIGHTS.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_every_form_gives_the_same_network(form: str, tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path, WRAPPED[form]()))
    assert found.has_head
    assert all(torch.equal(found.state_dict[name], WEIGHTS[name]) for name in found.state_dict)
    assert {name for name in WEIGHTS if "num_batches" not in name} <= set(found.state_dict)


PREFIXES = ("base_model.", "backbone.", "net.", "model.", "module.", "module.model.backbone.", "network.encoder_q.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_weights_are_found_under_any_prefix(prefix: str, tmp_path: Path) -> None:
    content = {"state_dict": {f"{prefix}{name}": tensor for name, tensor in WEIGHTS.items()}}
    found = read_weights(saved(tmp_path, content))
    assert found.has_head
    assert found.state_dict.keys() == WEIGHTS.keys()
    assert not found.notices


def test_a_checkpoint_of_lightning_is_read_and_what_is_not_used_is_said(tmp_path: Path) -> None:
    weights = {f"model.{name}": tensor for name, tensor in WEIGHTS.items()}
    content = {
        "epoch": 24,
        "global_step": 1000,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {**weights, "loss.weight": torch.ones(7)},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9)}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [],
    }
    saved(tmp_path, content)
    found = load_classifier(tmp_path, CPU, "fp32")
    assert found.head_trained
    assert found.notices == ("classifier.pth also holds weights that are not used, loss.weight among them.",)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("classes", sorted(CLASSES)),
        ("class_names", [CLASS_NAMES[code] for code in sorted(CLASSES)]),
        ("class_to_idx", {code.lower(): index for index, code in enumerate(sorted(CLASSES))}),
        ("idx_to_class", dict(enumerate(sorted(CLASSES)))),
    ],
)
def test_outputs_in_another_order_are_mapped_by_their_names(key: str, names: Any, tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path, {"state_dict": WEIGHTS, key: names}))
    order = [sorted(CLASSES).index(code) for code in CLASSES]
    assert torch.equal(found.state_dict["fc.weight"], WEIGHTS["fc.weight"][order])
    assert torch.equal(found.state_dict["fc.bias"], WEIGHTS["fc.bias"][order])


def test_an_output_of_none_of_the_seven_classes_is_left_out_and_named(tmp_path: Path) -> None:
    weights = resnet(classes=8).state_dict()
    found = read_weights(saved(tmp_path, {"state_dict": weights, "classes": ["SCC", *CLASSES]}))
    assert torch.equal(found.state_dict["fc.bias"], weights["fc.bias"][1:])
    assert found.notices == ("The classifier's outputs SCC are left out.",)


@pytest.mark.parametrize("backbone", ["resnet34", "resnet50", "resnet101"])
def test_other_resnets_are_explained_as_they_are(backbone: str, tmp_path: Path, image: torch.Tensor) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(models, backbone)(num_classes=len(CLASSES)).eval()
    saved(tmp_path, {f"net.{name}": tensor for name, tensor in model.state_dict().items()})
    found = load_classifier(tmp_path, CPU, "fp32")
    assert found.head_trained
    with torch.no_grad():
        assert torch.allclose(found.logits(image), model(found.normalised(image)), atol=1e-4)


HEADLESS: dict[str, Callable[[], Any]] = {
    "missing": lambda: {name: tensor for name, tensor in WEIGHTS.items() if not name.startswith("fc.")},
    "of ImageNet": lambda: resnet(classes=1000).state_dict(),
    "half": lambda: {name: tensor for name, tensor in WEIGHTS.items() if name != "fc.bias"},
}


@pytest.mark.parametrize("form", HEADLESS)
def test_a_head_that_does_not_fit_is_ignored_and_reported(form: str, tmp_path: Path) -> None:
    saved(tmp_path, HEADLESS[form]())
    found = load_classifier(tmp_path, CPU, "fp32")
    assert not found.head_trained
    assert found.notices == (UNTRAINED_HEAD,)
    again = load_classifier(tmp_path, CPU, "fp32")
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.probabilities(image), again.probabilities(image))


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in WEIGHTS.items() if key != name}


class Runs:
    """An object that creates a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._place,)


def not_finite() -> dict[str, torch.Tensor]:
    return {**WEIGHTS, "layer1.0.conv1.weight": torch.full_like(WEIGHTS["layer1.0.conv1.weight"], torch.nan)}


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "another network": (lambda: nn.Linear(2, 2).state_dict(), "not a ResNet-18"),
    "a layer missing": (lambda: without("layer3.0.conv2.weight"), r"layer3\.0\.conv2\.weight is missing"),
    "a layer too many": (lambda: {**WEIGHTS, "layer9.weight": torch.zeros(1)}, r"foreign weight layer9\.weight"),
    "a wrong shape": (
        lambda: {**WEIGHTS, "conv1.weight": torch.zeros(64, 1, 7, 7)},
        r"conv1\.weight is \(64, 1, 7, 7\)",
    ),
    "not finite": (not_finite, "not finite"),
    "a list": (lambda: [1, 2], "contains a list"),
    "no weights": (lambda: {"epoch": 3}, "contains no classifier weights"),
    "a layer missing under a prefix": (
        lambda: {f"base_model.{name}": tensor for name, tensor in without("layer3.0.conv2.weight").items()},
        r"layer3\.0\.conv2\.weight \(under the prefix 'base_model\.'\) is missing",
    ),
    "names that mean nothing": (
        lambda: {"state_dict": WEIGHTS, "classes": [f"class_{number}" for number in range(7)]},
        "its outputs are class_0, .* of which none means MEL; name them MEL, NV",
    ),
    "a class twice": (
        lambda: {"state_dict": WEIGHTS, "classes": ["mel", "melanoma", "nv", "bcc", "bkl", "df", "vasc"]},
        "of which 2 mean MEL",
    ),
    "fewer names than outputs": (
        lambda: {"state_dict": WEIGHTS, "classes": ["mel", "nv"]},
        r"names 2 classes \(mel, nv\) and has 7 outputs",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_not_a_classifier_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    content, message = BAD[kind]
    file = saved(tmp_path, content())
    with pytest.raises(ClassifierError, match=message) as error:
        load_classifier(tmp_path, CPU)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, WEIGHTS)
    whole = file.read_bytes()
    for spoiled in (whole[: len(whole) // 2], b"<html>not found</html>", b""):
        file.write_bytes(spoiled)
        with pytest.raises(ClassifierError, match=r"classifier\.pth"):
            load_classifier(tmp_path, CPU)


def test_a_file_with_code_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    saved(tmp_path, {"state_dict": Runs(tmp_path / "ran")})
    with pytest.raises(ClassifierError, match="nothing in it was executed"):
        load_classifier(tmp_path, CPU)
    assert not (tmp_path / "ran").exists()


def test_fp16_needs_a_gpu(checkpoints: Path) -> None:
    with pytest.raises(DeviceError, match="fp16"):
        load_classifier(checkpoints, CPU, "fp16")


def test_the_bundled_classifier_is_the_default_and_is_labelled(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    saved(tmp_path / "bundle", {"state_dict": WEIGHTS, "provenance": {"demonstration": True}})
    found = load_classifier(tmp_path, CPU)
    assert found.head_trained
    assert "demonstration" in found.notices[0]


def test_without_a_file_the_torchvision_weights_have_an_untrained_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: torch.Tensor
) -> None:
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(resnet(classes=1000).state_dict(), cache / "resnet18-f37072fd.pth")
    published = PublishedWeights(RESNETS["resnet18"].url, sha256_of(cache / "resnet18-f37072fd.pth"))
    monkeypatch.setitem(RESNETS, "resnet18", published)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    found = load_classifier(tmp_path, CPU, "fp32")
    assert "IMAGENET1K_V1" in found.source
    assert (found.sha256, found.head_trained, found.notices) == ("", False, (UNTRAINED_HEAD,))
    network = resnet(classes=1000)
    network.fc = nn.Identity()
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    found.model.fc = nn.Identity()  # type: ignore[assignment]
    with torch.no_grad():
        assert torch.allclose(found.logits(image), network((image - mean) / std), atol=1e-3)


@pytest.mark.parametrize("offline", ["1", ""])
def test_without_a_file_and_without_network_one_sentence_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], offline: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server listens there
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    with pytest.raises(ClassifierError, match=r"put a classifier\.pth into the folder") as error:
        load_classifier(tmp_path, CPU)
    assert "\n" not in str(error.value)


def test_an_image_of_any_shape_becomes_224_by_224_without_aliasing() -> None:
    stripes = np.zeros((900, 448, 3), np.uint8)
    stripes[:, ::2] = 200
    prepared = prepare(stripes)
    assert prepared.shape == (1, 3, 224, 224)
    assert prepared.dtype == torch.float32
    assert torch.allclose(prepared[..., 2:-2], torch.tensor(100 / 255), atol=0.01)
    flat = prepare(np.full((1, 1, 3), (255, 51, 0), np.uint8))
    assert torch.equal(flat[0, :, 100, 7], torch.tensor([1.0, 0.2, 0.0]))
