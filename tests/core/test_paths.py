"""Default folders of a source checkout and of an installed copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.paths import PROJECT_ROOT, data_root, is_checkout


def test_a_checkout_keeps_its_data_in_its_own_folder() -> None:
    assert is_checkout(PROJECT_ROOT)
    assert data_root(PROJECT_ROOT, {}) == PROJECT_ROOT


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, Path.home() / ".local" / "share" / "isicgui"),
        ("linux", {"XDG_DATA_HOME": "/data"}, Path("/data/isicgui")),
        ("darwin", {}, Path.home() / "Library" / "Application Support" / "ISICGUI"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/ISICGUI")),
        ("win32", {}, Path.home() / "AppData" / "Local" / "ISICGUI"),
    ],
)
def test_an_installed_copy_keeps_its_data_in_the_users_data_folder(
    tmp_path: Path, platform: str, environment: dict[str, str], expected: Path
) -> None:
    site_packages = tmp_path / "site-packages"
    site_packages.mkdir()
    assert data_root(site_packages, environment, platform) == expected


@pytest.mark.parametrize("code", [PROJECT_ROOT, Path("/usr/lib/python3/site-packages")])
def test_the_variable_names_the_folder_of_both(code: Path, tmp_path: Path) -> None:
    assert data_root(code, {"ISICGUI_HOME": str(tmp_path / "home")}) == tmp_path / "home"


def test_no_default_of_an_installed_copy_is_inside_site_packages(tmp_path: Path) -> None:
    site_packages = tmp_path / "site-packages"
    for package in ("core", "evaluation"):
        shutil.copytree(PROJECT_ROOT / package, site_packages / package, ignore=shutil.ignore_patterns("demo"))
    environment = {name: value for name, value in os.environ.items() if name != "ISICGUI_HOME"}
    environment |= {"PYTHONPATH": str(site_packages), "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path)}
    environment["LOCALAPPDATA"] = str(tmp_path / "data")
    code = (
        "from core.generation.job import GenerationJob\n"
        "from core.paths import CHECKPOINTS, LOGS, OUTPUT, RUNS, XAI_RESULTS\n"
        "from evaluation.job import CACHE\n"
        "job = GenerationJob({'MEL': 1})\n"
        "print(*(CHECKPOINTS, LOGS, OUTPUT, RUNS, XAI_RESULTS, CACHE, job.output, job.checkpoints), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    folders = [Path(line) for line in done.stdout.splitlines()]
    assert len(folders) == 8
    assert not [folder for folder in folders if folder.is_relative_to(site_packages)]
