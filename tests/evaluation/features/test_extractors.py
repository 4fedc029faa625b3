from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from core.download import published
from core.download.published import PublishedWeights
from core.errors import JobFailedError
from core.io.atomic_files import sha256_of
from evaluation.features import extractors
from evaluation.features.extractors import (
    ClassifierNetwork,
    ImageNetNetwork,
    build_efficientnet,
    network_input,
    open_networks,
)
from evaluation.features.image_loading import resized
from tests.evaluation.examples import lesion
from xai.classifier import DEMONSTRATION

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.stack([lesion(1), lesion(2), lesion(2)])


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """A folder with a classifier of random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(resnet18(num_classes=7).state_dict(), tmp_path / "classifier.pth")
    return tmp_path


def test_the_last_layer_of_imagenets_network_gives_its_own_scores(pixels: np.ndarray) -> None:
    network = ImageNetNetwork(CPU)
    found = network.features(pixels)
    assert found.shape == (3, 1504)
    model = build_efficientnet().eval()
    with torch.inference_mode():
        scores = model(network_input(pixels, CPU))
        again = model._fc(torch.from_numpy(found[:, network.spaces["imagenet"]]))
    assert again.numpy() == pytest.approx(scores.numpy(), abs=1e-4)
    assert np.array_equal(found[1], found[2])
    for columns in network.spaces.values():
        assert not np.allclose(found[0, columns], found[1, columns])


def test_features_of_the_classifier_lead_to_its_probabilities(checkpoints: Path, pixels: np.ndarray) -> None:
    (network,), missing = open_networks(["classifier"], checkpoints, CPU)
    assert isinstance(network, ClassifierNetwork)
    assert missing == []
    found = network.features(pixels)
    features, probabilities = (found[:, network.spaces[space]] for space in ("classifier", "probabilities"))
    head = network.classifier.model.get_submodule("fc")
    again = head(torch.from_numpy(features)).softmax(dim=1)
    assert again.numpy() == pytest.approx(probabilities, abs=1e-5)
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_an_unavailable_network_is_reported_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "DEMO_SET", tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(published, "INCEPTION", PublishedWeights("http://127.0.0.1:9/w.pth", "0" * 64))
    found, missing = open_networks(["imagenet", "classifier", "inception"], tmp_path, CPU)
    assert [network.name for network in found] == ["imagenet"]
    left_out = "The features 'classifier' are not available and are left out: "
    assert missing[0] == f"{left_out}there is no classifier.pth in the checkpoints folder."
    assert missing[1].startswith("The features 'inception' are not available and are left out: <urlopen error")
    with pytest.raises(JobFailedError, match=r"None of .* \('classifier': there is no classifier.pth.*choose others"):
        open_networks(["classifier"], tmp_path, CPU)


def test_the_use_of_the_bundled_classifier_is_reported(tmp_path: Path) -> None:
    _, notices = open_networks(["classifier"], tmp_path, CPU)
    assert notices == [DEMONSTRATION]


def test_inception_is_downloaded_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "DEMO_SET", tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    found, missing = open_networks([], tmp_path, CPU)
    assert [network.name for network in found] == ["imagenet"]
    assert len(missing) == 1


@pytest.mark.parametrize("content", [b"nonsense", b""])
def test_a_broken_classifier_is_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "classifier.pth").write_bytes(content)
    found, missing = open_networks([], tmp_path, CPU)
    assert "imagenet" in [network.name for network in found]
    assert "classifier.pth" in missing[0]
    assert str(tmp_path) not in missing[0]


def test_a_head_of_other_classes_judges_nothing(tmp_path: Path) -> None:
    torch.save(resnet18(num_classes=2).state_dict(), tmp_path / "classifier.pth")
    _, missing = open_networks([], tmp_path, CPU)
    assert "the head of classifier.pth is untrained" in missing[0]


@pytest.fixture
def inception_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file for the Inception weights in torch's cache of this test; it does not exist yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    published.INCEPTION.cached.parent.mkdir(parents=True)
    return published.INCEPTION.cached


def test_inception_computes_what_torch_fidelity_computes(
    inception_file: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = random_inception()
    torch.save(theirs.state_dict(), inception_file)
    monkeypatch.setattr(published, "INCEPTION", PublishedWeights(published.INCEPTION.url, sha256_of(inception_file)))
    (network,), _ = open_networks(["inception"], tmp_path, CPU)
    batch = np.stack([resized(image, 299) for image in pixels])
    with torch.inference_mode():
        (expected,) = theirs(torch.from_numpy(batch).permute(0, 3, 1, 2))
    assert np.array_equal(network.features(pixels), expected.numpy())


def random_inception() -> Any:
    """torch-fidelity's network with random weights: its own constructor wants a file."""
    from torch_fidelity import FeatureExtractorInceptionV3

    class Random(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object) -> None:
            """Keep the weights that the layers were created with."""

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Random("inception", ["2048"], nothing)


@pytest.mark.parametrize("wanted", [(), ("imagenet", "inception")])
def test_no_code_of_a_cached_inception_file_runs(inception_file: Path, tmp_path: Path, wanted: tuple[str, ...]) -> None:
    target = tmp_path / "executed"
    inception_file.write_bytes(pickle.dumps(Runs(target)))
    found, notices = open_networks(wanted, tmp_path, CPU)
    assert "inception" not in [network.name for network in found]
    assert any(f"{inception_file.name} is not the published file" in notice for notice in notices)
    assert not target.exists()


class Runs:
    """Creates a file when a pickle that holds it is opened without care."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._target,)
