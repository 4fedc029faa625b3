"""The code blocks of README.md: the Python runs as a user runs it, and every command line is one that is understood."""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import download_models
import launch
from classification.arguments import build_parser as classification_parser
from cli.application import build_parser, main
from core.models.torchvision_shim import _compiled_library_loads
from core.paths import PROJECT_ROOT
from diffusion.__main__ import build_parser as diffusion_parser

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMING_FROM = (PROJECT_ROOT / "docs" / "coming_from_other_programs.md").read_text(encoding="utf-8")
THEIR_ROUTE = re.findall(r"^python (-m \w+ .+)$", COMING_FROM, re.MULTILINE)
COMMANDS = [
    line.partition(" #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("./run_isicgui.sh")
]
MODULES = {"diffusion": diffusion_parser, "classification": classification_parser}


def environment_as_launch_makes_it(folder: Path) -> str:
    """Lines that give a program the hook of launch.py, if torchvision does not fit torch on this machine."""
    if _compiled_library_loads():
        return ""
    folder.mkdir()
    launch.write_hook(folder)
    return f"import site\nsite.addsitedir({str(folder)!r})\n"


def run_python(code: str, folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    whole = environment_as_launch_makes_it(tmp_path / "site") + code
    return subprocess.run([sys.executable, "-c", whole], cwd=folder, capture_output=True, text=True, check=False)


def test_there_is_something_to_test() -> None:
    assert len(PYTHON) >= 1
    assert len(COMMANDS) >= 6
    assert len(THEIR_ROUTE) == 4


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_the_readme_reads_a_generated_set(code: str, tiny_checkpoints: Path, tmp_path: Path) -> None:
    arguments = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "out"), "--classes", "MEL=2,NV=1"]
    assert main(["generate", *arguments, "--steps", "2", "--device", "cpu", "--precision", "fp32"]) == 0
    done = run_python(code + "\nprint(images.classes, len(images), len(table))\n", tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['MEL', 'NV'] 3 3\n"


@pytest.mark.parametrize(
    "first", ["import torchvision", "import core.models.torchvision_shim as s; s.declare_missing_operators()", ""]
)
def test_the_hook_and_the_shim_of_the_program_do_not_get_in_each_others_way(first: str, tmp_path: Path) -> None:
    code = f"{first}\nfrom core.models.torchvision_shim import declare_missing_operators\n"
    code += "declare_missing_operators()\nimport diffusers, torchvision\nfrom torchvision.models import resnet18\n"
    done = run_python(code, PROJECT_ROOT, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, *(f"./run_isicgui.sh {command}" for command in THEIR_ROUTE)])
def test_every_command_of_the_documents_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)[1:]
    parser: argparse.ArgumentParser = build_parser()
    if words[:1] == ["-m"]:
        parser, words = MODULES[words[1]](), words[2:]
    elif words[:1] == ["download_models.py"]:
        parser, words = download_models._parser(), words[1:]
    try:
        with contextlib.redirect_stdout(None):
            parser.parse_args(words)
    except SystemExit as error:
        assert error.code == 0, f"{command}: {capsys.readouterr().err}"
