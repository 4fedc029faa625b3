"""Fixtures of the download tests: tiny real checkpoints and a server."""

import gc
from collections.abc import Iterator

import pytest

from tests.core.download.examples import make_checkpoint
from tests.core.download.server import Server, serving


@pytest.fixture(scope="session")
def checkpoints() -> dict[str, bytes]:
    """Two checkpoints, and the second version of each, of the same size."""
    names = [f"unet_{name}_best.pth{version}" for version in ("", "#2") for name in ("MEL", "DF")]
    made = {name: make_checkpoint(seed) for seed, name in enumerate(names)}
    gc.freeze()  # torch and diffusers are here to stay: a collection after every test need not walk through them
    return made


@pytest.fixture(scope="session")
def models(checkpoints) -> dict[str, bytes]:
    """The files of the published set."""
    return {**{name: data for name, data in checkpoints.items() if "#" not in name}, "color_statistics.json": b"{}"}


@pytest.fixture(scope="session")
def newer_models(checkpoints) -> dict[str, bytes]:
    """The same set after its publisher has replaced it."""
    newer = {name[:-2]: data for name, data in checkpoints.items() if "#" in name}
    return {**newer, "color_statistics.json": b'{"a": 1}'}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_ambient_network(monkeypatch):
    """Tests see no proxy and no offline mode of the machine they run on."""
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
