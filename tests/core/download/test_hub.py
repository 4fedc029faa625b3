"""Hugging Face, played by a server on this computer."""

import hashlib
import json

import pytest

from core.errors import ArgumentError, DownloadError
from tests.core.download.examples import contents, job_of, run
from tests.core.download.server import Reply

COMMIT = "a" * 40


@pytest.fixture
def hub(server, models, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_secret")
    tree = [
        {"type": "file", "path": f"weights/{name}", "size": len(data), "oid": "0" * 40}
        | (
            {"lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 100}}
            if "pth" in name
            else {}
        )
        for name, data in models.items()
    ]
    tree += [{"type": "directory", "path": "weights", "oid": "0" * 40}]
    tree += [{"type": "file", "path": ".gitattributes", "size": 1, "oid": "0" * 40}]

    def answer(content):
        return lambda _: Reply(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    server.special["/api/models/lab/set/revision/main"] = answer({"id": "lab/set", "sha": COMMIT})
    server.special[f"/api/models/lab/set/tree/{COMMIT}"] = answer(tree)
    server.files |= {f"/lab/set/resolve/{COMMIT}/weights/{name}": data for name, data in models.items()}
    yield server
    huggingface_hub.close_session()


def test_a_repository(hub, models, tmp_path):
    hub.drops = [90_000]
    run("hf:lab/set", tmp_path, hub_url=hub.url)
    assert contents(tmp_path) == models
    recorded = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {entry["source"] for entry in recorded} == {"hf:lab/set"}
    assert hub.requests[-1][1]["Authorization"] == "Bearer hf_secret"


def test_a_repository_that_is_not_there(hub, tmp_path):
    missing = Reply(404, headers={"X-Error-Code": "RepoNotFound"})
    hub.special["/api/models/lab/other/revision/main"] = lambda _: missing
    with pytest.raises(DownloadError, match="hf:lab/other does not exist"):
        run("hf:lab/other", tmp_path, hub_url=hub.url)


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(DownloadError, match="did not list hf:lab/set"):
        run("hf:lab/set", tmp_path, hub_url="http://127.0.0.1:9")


def test_offline_the_cache_is_used(tmp_path, models, monkeypatch):
    import huggingface_hub

    cache = tmp_path / "cache"
    cache.mkdir()
    for name, data in models.items():
        (cache / name).write_bytes(data)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(cache))
    run("hf:lab/set", tmp_path / "models")
    assert contents(tmp_path / "models") == models


def test_offline_without_a_cache_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        run("hf:lab/no-such-set-anywhere", tmp_path / "models")


def test_a_name_that_is_none(tmp_path):
    with pytest.raises(ArgumentError, match="not a repository"):
        job_of("hf:only-a-name", tmp_path)
