"""Fifty kinds of bad lines and bad servers: a right file or a clear error, never a wrong file at its final name."""

import json
import random

import pytest

from core.errors import DownloadError
from tests.core.download.examples import contents, manifest_of, run, zip_of
from tests.core.download.server import Reply

HTML = b"<!DOCTYPE html><html><head><title>Sign in to the guest network</title></head></html>"


def spoil(server, rng, size):
    """Draw a combination of vices."""
    server.ranges = rng.random() < 0.75
    server.validator = rng.choice(["etag", "etag", "date", "weak", "none"])
    server.honours_if_range = rng.random() < 0.6
    server.repeats_validator = rng.random() < 0.6
    server.says_length = rng.random() < 0.8
    server.drops = [rng.randrange(size) for _ in range(rng.randrange(8))]
    if rng.random() < 0.3:
        server.length_lies = [rng.choice([0, -1, 1, -5000, 5000]) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.4:
        server.changes = rng.randrange(1, 6)
    busy = [
        Reply(429, headers={"Retry-After": "0"}),
        Reply(503, headers={"Retry-After": "3600"}),
        Reply(503),
        Reply(500, HTML, {"Content-Type": "text/html"}),
    ]
    if rng.random() < 0.4:
        server.replies = rng.choices(busy, k=rng.randrange(1, 4))
    if rng.random() < 0.1:
        server.replies.append(Reply(200, HTML, {"Content-Type": rng.choice(["text/html", "application/zip"])}))


def publish(server, kind, models, newer):
    if kind == "zip":
        server.files, server.newer = {"/m.zip": zip_of(models)}, {"/m.zip": zip_of(newer)}
        return f"{server.url}/m.zip"
    left_out = {"sha256": True, "bytes": True} if kind == "bare manifest" else {}
    for files, source in ((server.files, models), (server.newer, newer)):
        files |= {f"/set/{name}": data for name, data in source.items()}
        files["/set/manifest.json"] = manifest_of(source, **left_out)
    return f"{server.url}/set/manifest.json"


@pytest.mark.parametrize("seed", range(50))
def test_a_right_file_or_a_clear_error(seed, server, models, newer_models, tmp_path):
    rng = random.Random(seed)  # noqa: S311
    source = publish(server, ["zip", "manifest", "bare manifest"][seed % 3], models, newer_models)
    spoil(server, rng, max(map(len, server.files.values())))
    for _ in range(2):
        try:
            run(source, tmp_path)
        except DownloadError as error:
            assert len(str(error)) > 40
            assert_nothing_wrong(tmp_path, models, newer_models)
        else:
            break
    assert_nothing_wrong(tmp_path, models, newer_models)
    server.cure()
    run(source, tmp_path)
    assert_nothing_wrong(tmp_path, models, newer_models)
    assert set(contents(tmp_path)) == set(models)
    assert not (tmp_path / ".download").exists()
    recorded = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {entry["name"] for entry in recorded} == set(models)


def assert_nothing_wrong(folder, models, newer):
    for name, data in contents(folder).items():
        assert data in (models[name], newer[name]), f"{name} is neither the old nor the new file"
