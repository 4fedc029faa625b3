"""Real processes, killed without warning or interrupted, and started again."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from core.paths import PROJECT_ROOT
from tests.core.download.examples import contents, manifest_of, run, zip_of

COMMAND = (sys.executable, str(PROJECT_ROOT / "download_models.py"), "--json")


def start(source, folder):
    return subprocess.Popen(
        [*COMMAND, "--source", source, "--dest", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def publish(server, models, kind):
    if kind == "zip":
        server.files["/m.zip"] = zip_of(models)
        return f"{server.url}/m.zip"
    server.files = {f"/{name}": data for name, data in models.items()}
    server.files["/manifest.json"] = manifest_of(models)
    return f"{server.url}/manifest.json"


@pytest.mark.parametrize("kind", ["zip", "manifest"])
def test_killed_at_random_moments_ends_whole(server, models, tmp_path, kind):
    rng = random.Random(kind)  # noqa: S311
    source = publish(server, models, kind)
    server.block_s = 0.01
    for _ in range(4):
        sent = server.sent
        with start(source, tmp_path) as process:
            deadline = time.monotonic() + 20  # a busy machine takes seconds to start it
            while server.sent == sent and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
        assert all(data == models[name] for name, data in contents(tmp_path).items())
    server.block_s = 0
    run(source, tmp_path)  # in this process, where torch is loaded already
    assert contents(tmp_path) == models
    assert any("Range" in headers for _, headers in server.requests)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_cleanly(server, models, tmp_path, number):
    source = publish(server, models, "zip")
    server.block_s = 0.05
    with start(source, tmp_path) as process:
        assert json.loads(process.stdout.readline())["event"] == "progress"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "again to resume" in errors
    assert "Traceback" not in errors
    assert contents(tmp_path) == {}
    assert list((tmp_path / ".download").rglob("*.part"))
