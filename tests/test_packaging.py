"""What ``pip install .`` installs: every package, every data file, and the requirements of the launcher."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from core import __version__
from core.paths import PROJECT_ROOT

NOT_INSTALLED = {"tests", "benchmarks", "tools"}
IGNORED = shutil.ignore_patterns("__pycache__", "unet_*_best.pth", "*.lock")
PACKAGES = sorted({path.parent.name for path in PROJECT_ROOT.glob("*/__init__.py")} - NOT_INSTALLED)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, because the build writes into their folder."""
    folder = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(PROJECT_ROOT / package, folder / package, ignore=IGNORED)
    for pattern in ("*.py", "*.txt", "*.toml", "MANIFEST.in", "README.md", "LICENSE"):
        for file in PROJECT_ROOT.glob(pattern):
            shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built without a network."""
    folder, built = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("build") / "source"
    shutil.copytree(source, built)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*command, "-w", str(folder), str(built)], check=True, stdout=subprocess.DEVNULL)
    (file,) = folder.glob("isicgui-*.whl")
    return zipfile.ZipFile(file)


def test_every_file_of_every_package_is_installed(source: Path, wheel: zipfile.ZipFile) -> None:
    assert {"core", "gui", "isicgui", "xai"} <= set(PACKAGES)
    expected = {"main.py", "download_models.py"}
    for package in PACKAGES:
        files = (file for file in (source / package).rglob("*") if file.is_file())
        expected |= {file.relative_to(source).as_posix() for file in files}
    assert {"core/demo/unet.safetensors", "core/report/report.html.j2", "core/model_sources.json"} <= expected
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_the_metadata_repeats_the_requirements_of_the_launcher(wheel: zipfile.ZipFile) -> None:
    metadata = message_from_bytes(wheel.read(f"isicgui-{__version__}.dist-info/METADATA"))
    assert metadata["Version"] == __version__
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {path.stem.removeprefix("requirements-") for path in PROJECT_ROOT.glob("requirements-*.txt")}
    assert {"train", "dev"} <= extras
    listed = {
        re.split(r"[=<>! ;]", line, maxsplit=1)[0].lower().replace("_", "-")
        for line in (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[=<>! ;]", line, maxsplit=1)[0].lower().replace("_", "-") for line in required} == listed


def test_the_scripts_name_functions_that_exist(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"isicgui-{__version__}.dist-info/entry_points.txt").decode()
    scripts = dict(re.findall(r"^([\w-]+) = (\S+)$", text, re.M))
    assert set(scripts) == {"isicgui", "isicgui-download-models"}
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_an_installed_copy_runs_and_keeps_its_data_elsewhere(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    site = tmp_path / "site"
    wheel.extractall(site)
    before = sorted(site.rglob("*"))
    environment = {name: value for name, value in os.environ.items() if name != "ISICGUI_HOME"}
    environment |= {"PYTHONPATH": str(site), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    environment |= {"LOCALAPPDATA": str(tmp_path / "data"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    program = "import sys, main; sys.exit(main.main())"
    command = [sys.executable, "-c", program, "generate", "--classes", "DF=1", "--steps", "1", "--device", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (image,) = tmp_path.rglob("ISIC_0000001.png")
    assert image.relative_to(tmp_path).parts[-3:] == ("output", "DF", "ISIC_0000001.png")
    assert not image.is_relative_to(site)
    assert sorted(site.rglob("*")) == before


def test_an_installed_copy_without_its_packages_names_the_installation(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """``-S`` hides every installed package."""
    wheel.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-S", "-m", "main", "generate", "--classes", "MEL=1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "pip install" in done.stderr
    assert "run_isicgui" not in done.stderr
