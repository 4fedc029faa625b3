"""The entry point: commands with arguments, the window without."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core.paths import PROJECT_ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_error_names_generate() -> None:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "main.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "no display" in done.stderr
    assert "main.py generate" in done.stderr


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", str(PROJECT_ROOT / "main.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "cli" in loaded
    assert not loaded & {"torch", "diffusers", "torchvision", "PyQt5", "numpy", "PIL", "pandas", "psutil"}


def test_the_window_is_made_without_what_makes_images() -> None:
    code = (
        "import sys, gui.main_window\n"
        "assert not {'torch', 'diffusers', 'torchvision', 'captum', 'pandas'} & set(sys.modules)"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, env=environment, check=True)


@pytest.mark.parametrize(
    "command", [["main.py", "generate", "--classes", "MEL=1"], ["main.py"], ["download_models.py", "--list"]]
)
def test_a_python_without_the_packages_names_the_launcher(command: list[str]) -> None:
    """``-S`` hides every installed package."""
    done = subprocess.run(
        [sys.executable, "-S", *command],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": "", "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "is not installed in this Python" in done.stderr
    assert "run_isicgui" in done.stderr
    assert ("download_models.py" in done.stderr) == (command[0] == "download_models.py")
