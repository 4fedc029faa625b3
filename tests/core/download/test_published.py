"""Published weights are opened only if they are the published ones, and no code in them runs."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from core.download import published
from core.download.published import RESNETS, PublishedWeights, fetch_published, read_checked, read_published
from core.errors import DownloadError
from tests.core.download.server import Reply, Server

WEIGHTS = {"weight": torch.arange(4.0), "bias": torch.zeros(1)}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


class Runs:
    """Creates a file when a pickle that holds it is opened without care."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._target,)


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keep(weights: PublishedWeights, data: bytes) -> Path:
    weights.cached.parent.mkdir(parents=True)
    weights.cached.write_bytes(data)
    return weights.cached


def test_the_addresses_and_checksums_are_those_of_torchvision_and_torch_fidelity() -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    theirs = (
        models.ResNet18_Weights.IMAGENET1K_V1,
        models.ResNet34_Weights.IMAGENET1K_V1,
        models.ResNet50_Weights.IMAGENET1K_V2,
        models.ResNet101_Weights.IMAGENET1K_V2,
    )
    assert [weights.url for weights in RESNETS.values()] == [weights.url for weights in theirs]
    assert published.INCEPTION.url == URL_INCEPTION_V3
    for weights in (*RESNETS.values(), published.INCEPTION):
        assert weights.cached.stem.endswith("-" + weights.sha256[:8])


def test_weights_are_downloaded_once(server: Server) -> None:
    data = saved(WEIGHTS)
    server.files["/net-1234.pth"] = data
    weights = PublishedWeights(f"{server.url}/net-1234.pth", digest(data))
    for _ in range(2):
        assert torch.equal(read_published(weights)["weight"], WEIGHTS["weight"])
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["zip", "pickle", "pickle of the first protocol"])
def test_no_code_of_a_cached_file_runs(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "executed"
    evil = {"zip": saved(Runs(target)), "pickle": pickle.dumps(Runs(target), protocol=2)}
    data = evil.get(kind) or pickle.dumps({"weight": Runs(target)}, protocol=1)
    file = keep(RESNETS["resnet18"], data)
    with pytest.raises(DownloadError, match=r"resnet18-f37072fd\.pth is not the published file: its SHA-256"):
        read_published(RESNETS["resnet18"])
    with pytest.raises(DownloadError, match="nothing in it was executed"):
        read_checked(file, digest(data))  # not even if the checksum is right
    assert not target.exists()


def test_a_checksum_given_in_part_is_compared_in_part(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(saved(WEIGHTS))
    right = digest(file.read_bytes())
    assert set(read_checked(file, right[:8])) == {"weight", "bias"}
    with pytest.raises(DownloadError, match="not 00000000; delete it"):
        read_checked(file, "00000000")


def test_a_downloaded_file_that_is_another_one_is_not_kept(server: Server) -> None:
    server.files["/net-1234.pth"] = saved(WEIGHTS)
    weights = PublishedWeights(f"{server.url}/net-1234.pth", "0" * 64)
    with pytest.raises(DownloadError, match="invalid hash value"):
        fetch_published(weights)
    assert not weights.cached.exists()


@pytest.mark.parametrize("content", [[1, 2], {"weight": "text"}])
def test_what_holds_no_weights_is_refused(tmp_path: Path, content: object) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(saved(content))
    with pytest.raises(DownloadError, match="does not hold weights; delete it"):
        read_checked(file, digest(file.read_bytes()))


def test_a_server_that_refuses_and_offline_mode_are_one_sentence(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = PublishedWeights(f"{server.url}/net-1234.pth", "0" * 64)
    server.replies.append(Reply(status=404))
    with pytest.raises(DownloadError, match="404"):
        read_published(weights)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        read_published(weights)


def test_a_folder_in_the_place_of_the_file_is_one_sentence() -> None:
    RESNETS["resnet18"].cached.mkdir(parents=True)
    with pytest.raises(DownloadError, match="cannot be read"):
        read_published(RESNETS["resnet18"])
