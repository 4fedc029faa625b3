"""Training in processes of its own: killed, stopped, run out of disk, and shared by two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import JobFailedError
from core.paths import PROJECT_ROOT
from diffusion import stage_run
from diffusion.__main__ import main
from diffusion.config import Stage
from diffusion.history import History, Measured
from diffusion.state import read_state
from tests.diffusion.examples import class_folders, config, make_networks_tiny, trainer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and limits")

TINY_TRAINING = """
import sys
import pytest
from tests.diffusion.examples import make_networks_tiny
make_networks_tiny(pytest.MonkeyPatch())
from diffusion.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def options(data: Path, output: Path, steps: int) -> list[str]:
    places = ["--data", str(data), "--output", str(output), "--classes", "MEL", "--size", "16"]
    how = ["--batch-size", "4", "--save-every", "1", "--grid-every", "0", "--device", "cpu", "--precision", "fp32"]
    return ["train", *places, *how, "--steps", str(steps)]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sigterm_ends_the_step_saves_and_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_networks_tiny(monkeypatch)
    real = stage_run.denoising_loss

    def interrupted(*arguments: Any) -> torch.Tensor:
        signal.raise_signal(signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(stage_run, "denoising_loss", interrupted)
    data = class_folders(tmp_path / "data", MEL=10)
    assert main(options(data, tmp_path / "run", 50)) == 130
    assert "Stopped after step 1; go on with --resume." in capsys.readouterr().out
    assert read_state(tmp_path / "run" / "MEL" / "state.pt")["step"] == 1


def test_a_run_that_is_killed_leaves_a_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed when it has just replaced a state, so most likely while it trains or writes the next; it goes on."""
    data, file = class_folders(tmp_path / "data", MEL=10), tmp_path / "run" / "MEL" / "state.pt"
    endless = [sys.executable, "-c", TINY_TRAINING, *options(data, tmp_path / "run", 1_000_000)]
    process = subprocess.Popen(endless, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(file.exists, process)
        before = file.stat().st_mtime_ns
        wait_until(lambda: file.stat().st_mtime_ns != before, process)
    finally:
        process.kill()
        process.communicate()
    step = read_state(file)["step"]
    assert step > 1
    make_networks_tiny(monkeypatch)
    assert main([*options(data, tmp_path / "run", step + 1), "--resume"]) == 0
    assert f"going on from step {step}" in capsys.readouterr().out
    assert read_state(file)["step"] == step + 1


def test_a_full_disk_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_networks_tiny(monkeypatch)
    run = trainer(config(Stage(16, 4, 6, 1e-3, 1e-3)), tmp_path)
    run.run(until=2)
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(JobFailedError, match=r"step 4 cannot be written .* is whole: .*state.pt.*--resume"):
            run.run(until=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_state(run.places.state)["step"] == 2
    assert not list(tmp_path.glob("*.part"))


def test_a_disk_that_is_full_at_a_validation_does_not_end_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import resource

    history = History(tmp_path, 0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        history.add(Measured(10, 64, 0.5, 0.5, 12.5))
        history.add(Measured(20, 64, 0.4, 0.4, 12.5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().out.count("cannot be written (File too large)") == 2  # the table, and the picture
    assert not list(tmp_path.iterdir())
    history.add(Measured(30, 64, 0.3, 0.3, 12.5))
    assert [row.step for row in History(tmp_path, 30).rows] == [10, 20, 30]


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    """Each takes its half of every batch, so that the network comes out the same up to rounding."""
    data = class_folders(tmp_path / "data", MEL=10)
    small = ["--architecture", "small", "--validate-every", "2"]
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    plain = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "diffusion"]
    (tmp_path / "temporary").mkdir()  # the launcher leaves its folder of logs behind
    both = subprocess.run(
        [sys.executable, *launch, *plain, *options(data, tmp_path / "two", 2), *small],
        cwd=PROJECT_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert both.returncode == 0, both.stderr
    assert both.stdout.count("class folders, 10 images") == 1  # one of them speaks
    assert main([*options(data, tmp_path / "one", 2), *small]) == 0
    one, two = (read_state(tmp_path / name / "MEL" / "state.pt") for name in ("one", "two"))
    assert two["step"] == 2
    assert two["stopping"]["best"] == pytest.approx(one["stopping"]["best"], rel=1e-3)
    for name, weight in one["model"].items():
        assert torch.allclose(weight, two["model"][name], atol=2e-4), name
    assert (tmp_path / "two" / "checkpoints" / "unet_MEL_best.pth").is_file()
