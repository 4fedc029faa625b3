"""The launcher, tested with small projects: no network, and packages of a few bytes."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import psutil
import pytest

import launch

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake tools are shell scripts")

ROOT = Path(launch.__file__).parent
MAIN = """import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix}))
sys.exit(int(sys.argv[2]) if sys.argv[1:2] == ["exit"] else 0)
"""


class Project:
    """A folder with the launcher and a stand-in for the program."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder, self.venv = folder, folder / ".venv"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        self.environment.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))

    @classmethod
    def new(cls, folder: Path, wheels: Path) -> "Project":
        folder.mkdir(parents=True)
        for name in ("launch.py", "run_isicgui.sh", "run_tests.sh"):
            shutil.copy(ROOT / name, folder)
        (folder / "main.py").write_text(MAIN)
        project = cls(folder, wheels)
        project.require("# nothing")
        for name in ("requirements-train.txt", "requirements-dev.txt"):
            project.require("-r requirements.txt", name)
        return project

    def copy(self, folder: Path) -> "Project":
        def link(source: str, target: str) -> None:  # thousands of files that no test writes into
            (os.link if "/site-packages/" in source else shutil.copy2)(source, target)

        shutil.copytree(self.folder, folder, symlinks=True, copy_function=link)
        return Project(folder, Path(self.environment["PIP_FIND_LINKS"]))

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "run_isicgui.sh", *arguments],
            cwd=cwd or self.folder.parent,
            env={**self.environment, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def require(self, line: str, name: str = "requirements.txt") -> None:
        """Write a requirement and, as .ci/lock would, its lock with the hash of its wheel."""
        (self.folder / name).write_text(line + "\n")
        package, _, version = line.partition("==")
        wheel = Path(self.environment["PIP_FIND_LINKS"]) / f"{package}-{version}-py3-none-any.whl"
        locked = version and not launch.UNLOCKED.match(line)
        lock = f"{line} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n" if locked else ""
        (self.folder / launch.lock_of(name)).write_text(lock)

    def site_packages(self) -> Path:
        return next(self.venv.glob("lib/python3*/site-packages"))

    def break_pip(self) -> None:
        file = self.site_packages() / "pip" / "__main__.py"
        file.unlink()
        file.write_text("raise SystemExit('pip was called')")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        write_wheel(folder, "tiny", version)
    write_wheel(folder, "torch", "1.0+cpu")
    return folder


def write_wheel(folder: Path, name: str, version: str, content: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", content or f"print('{name} {version}')\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture(scope="module")
def first_start(
    tmp_path_factory: pytest.TempPathFactory, wheels: Path
) -> tuple[Project, subprocess.CompletedProcess[str]]:
    project = Project.new(tmp_path_factory.mktemp("a place") / "мой проект", wheels)
    (project.venv / "lib" / "python3.11").mkdir(parents=True)  # a set-up that was killed at once leaves this much
    return project, project.start("--steps", "two words", "", "Мел", 'it\'s "it" $HOME *')


@pytest.fixture
def ready(first_start: tuple[Project, subprocess.CompletedProcess[str]], tmp_path: Path) -> Project:
    """A project with a finished environment."""
    return first_start[0].copy(tmp_path / "мой второй проект")


@pytest.fixture
def tools(tmp_path: Path) -> Callable[[Mapping[str, str]], str]:
    """Put fake commands, given as shell scripts, before the real ones; returns the PATH."""

    def make(scripts: Mapping[str, str]) -> str:
        folder = tmp_path / "tools"
        folder.mkdir()
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return f"{folder}{os.pathsep}{os.environ['PATH']}"

    return make


def test_first_start_makes_the_environment_and_passes_every_argument_on(first_start, tmp_path) -> None:
    project, result = first_start
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)  # stdout holds the program's output and nothing else
    assert answer["arguments"] == ["--steps", "two words", "", "Мел", 'it\'s "it" $HOME *']
    assert Path(answer["prefix"]) == project.venv
    assert Path(answer["cwd"]) == project.folder.parent
    assert "Set-up is done." in result.stderr


def test_a_second_start_uses_neither_pip_nor_the_network_and_prints_nothing(ready) -> None:
    ready.break_pip()
    begin = time.monotonic()
    result = ready.start("--help", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert (result.returncode, result.stderr) == (0, "")
    assert time.monotonic() - begin < 5  # it is a tenth of a second on an idle machine


def test_starts_through_a_link_and_from_any_folder(ready, tmp_path) -> None:
    link = tmp_path / "isicgui"
    link.symlink_to(ready.folder / "run_isicgui.sh")
    result = subprocess.run([link, "x"], cwd="/", env=ready.environment, capture_output=True, check=True)
    assert json.loads(result.stdout)["cwd"] == "/"


@pytest.mark.parametrize("code", [0, 2, 7, 130])
def test_exit_code_is_passed_through(ready, code) -> None:
    assert ready.start("exit", str(code)).returncode == code


def test_interrupt_goes_straight_to_the_program(ready) -> None:
    (ready.folder / "main.py").write_text(
        "import sys, time\ntry:\n    print('ready', flush=True)\n    time.sleep(30)\n"
        "except KeyboardInterrupt:\n    sys.exit(9)\n"
    )
    with subprocess.Popen(
        [ready.folder / "run_isicgui.sh", "x"], env=ready.environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 9


def test_a_script_or_a_module_can_be_named(ready, tmp_path) -> None:
    (ready.folder / "other.py").write_text("print('other script')")
    (ready.folder / "package").mkdir()
    (ready.folder / "package" / "__main__.py").write_text("import sys; print('package', sys.argv[1:])")
    assert ready.start("other.py", cwd=tmp_path).stdout == "other script\n"
    assert ready.start("-m", "package", "a b", cwd=tmp_path).stdout == "package ['a b']\n"


def test_qt_finds_its_plugins_below_a_folder_with_cyrillic_letters(ready) -> None:
    (ready.folder / "main.py").write_text("import os; print(os.environ['QT_PLUGIN_PATH'])")
    plugins = ready.site_packages() / "PyQt5" / "Qt5" / "plugins"
    assert ready.start("x", QT_PLUGIN_PATH="/more").stdout == f"{plugins}:/more\n"


def test_changed_requirements_are_installed(ready) -> None:
    ready.require("tiny==1.0")
    ready.start("x")
    (ready.folder / "main.py").write_text("import tiny")
    assert ready.start("x").stdout == "tiny 1.0\n"
    ready.require("tiny==2.0")
    assert ready.start("x").stdout == "tiny 2.0\n"


def test_a_package_that_is_not_the_tested_one_is_not_installed(ready, tmp_path) -> None:
    """As from an index that somebody has taken over."""
    ready.require("tiny==1.0")
    write_wheel(tmp_path, "tiny", "1.0", "print('another tiny')\n")
    (ready.folder / "main.py").write_text("import tiny")
    result = ready.start("x", PIP_FIND_LINKS=str(tmp_path))
    assert (result.returncode, result.stdout) == (1, "")
    assert "could not be installed: a package differs from the one that this program was tested with" in result.stderr
    assert ready.start("x").stdout == "tiny 1.0\n"  # from the index that it was tested with


def test_a_package_that_the_lock_lacks_is_not_installed(ready) -> None:
    ready.require("tiny==1.0")
    lock = ready.folder / "requirements.lock"
    lock.write_text(lock.read_text().partition(" --hash")[0] + "\n")
    result = ready.start("x")
    assert (result.returncode, result.stdout) == (1, "")
    assert "Hashes are required" in result.stderr


def test_torch_comes_from_whichever_index_serves_its_version(ready) -> None:
    """Its lock names no torch, because the files for CUDA and for processors differ."""
    ready.require("torch==1.0  # the models")
    (ready.folder / "main.py").write_text("import torch")
    assert ready.start("x").stdout == "torch 1.0+cpu\n"


def test_a_changed_lock_is_installed(ready) -> None:
    ready.require("tiny==1.0")
    requirement = (ready.folder / "requirements.txt").read_text()
    ready.start("x")
    ready.require("tiny==2.0")
    (ready.folder / "requirements.txt").write_text(requirement.replace("==1.0", ">=1.0"))
    (ready.folder / "main.py").write_text("import tiny")
    assert ready.start("x").stdout == "tiny 2.0\n"


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("requirements.txt", 91),
        ("requirements-train.txt", 91),
        ("requirements-dev.txt", 91),
        ("requirements-docs.txt", 20),
    ],
)
def test_the_lock_of_a_requirement_file_has_a_hash_for_each_of_its_packages(name: str, least: int) -> None:
    lock = (ROOT / launch.lock_of(name)).read_text(encoding="utf-8")
    locked = dict.fromkeys(re.findall(r"^(\S+==\S+) .*\\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE))
    assert len(re.findall(r"^[a-z]", lock, re.MULTILINE)) == len(locked) >= least
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z]", line):
            wanted, version = re.match(r"([\w.-]+==)([^;\s]+)", line).groups()
            pin = wanted.lower().replace("_", "-") + version
            assert (pin in locked) != bool(launch.UNLOCKED.match(line)), line
    assert not re.search(r"^(torch|torchvision|triton|nvidia-\S+|cuda-\S+)==", lock, re.MULTILINE)


def test_what_with_added_is_kept_up_to_date_by_plain_starts(ready) -> None:
    (ready.folder / "main.py").write_text("import tiny")
    ready.require("tiny==1.0", "requirements-train.txt")
    assert ready.start("x").returncode == 1
    assert ready.start("--with", "train", "x").stdout == "tiny 1.0\n"
    ready.require("tiny==2.0", "requirements-train.txt")
    assert ready.start("x").stdout == "tiny 2.0\n"


@pytest.mark.parametrize(("cuda", "advised"), [("None", True), ("'13.0'", False)])
def test_a_gpu_that_torch_cannot_use_is_reported(ready, tools, cuda: str, advised: bool) -> None:
    (ready.site_packages() / "torch").mkdir()
    (ready.site_packages() / "torch" / "version.py").write_text(f"cuda: Optional[str] = {cuda}\n")
    path = tools({"nvidia-smi": "exit 0"})
    ready.require("tiny==1.0")
    result = ready.start("x", PATH=path)
    assert result.returncode == 0
    assert ("NVIDIA GPU" in result.stderr) == advised
    assert ready.start("x", PATH=path).stderr == ""  # printed once, when something was installed


def write_torchvision(site_packages: Path, loads: bool) -> None:
    """Stand-ins: a torch for processors, and a torchvision that needs what is declared before it is imported."""
    for name in ("torch-2.13.0+cpu.dist-info", "torchvision-0.28.0.dist-info"):
        (site_packages / name).mkdir()
        (site_packages / name / "RECORD").write_text("a file")
    (site_packages / "torchvision").mkdir()
    check = "" if loads else "import sys\nassert 'declared' in sys.__dict__, 'operator does not exist'\n"
    (site_packages / "torchvision" / "__init__.py").write_text(check)


@pytest.mark.parametrize("loads", [True, False])
def test_torchvision_can_be_imported_whatever_build_it_is_of(ready, loads: bool) -> None:
    write_torchvision(ready.site_packages(), loads)
    shim = ready.folder / "core" / "models" / "torchvision_shim.py"
    shim.parent.mkdir(parents=True)
    shim.write_text("import sys\n\ndef declare_missing_operators():\n    sys.declared = True\n")
    ready.require("# changed")
    result = ready.start("--setup-only")
    assert result.returncode == 0, result.stderr
    hooks = sorted(file.name for file in ready.site_packages().glob("isicgui_torchvision*"))
    assert hooks == ([] if loads else sorted(launch.HOOK_FILES))
    imported = subprocess.run([ready.venv / "bin" / "python", "-c", "import torchvision"], check=False)
    assert imported.returncode == 0
    asked = "--index-url https://download.pytorch.org/whl/cpu torchvision==0.28.0+cpu"
    assert (asked in (ready.folder / "setup.log").read_text()) is not loads
    ready.break_pip()
    assert ready.start("--setup-only").returncode == 0  # the stamp is current


def test_an_environment_of_an_earlier_version_gets_its_pair(ready) -> None:
    stamp = ready.venv / "isicgui-setup.json"
    content = json.loads(stamp.read_text())
    assert content.pop("torchvision") == launch.PAIRED
    stamp.write_text(json.dumps(content))
    assert "Set-up is done." in ready.start("--setup-only").stderr
    assert json.loads(stamp.read_text())["torchvision"] == launch.PAIRED


def test_with_names_what_it_does_not_know(tmp_path, wheels) -> None:
    project = Project.new(tmp_path / "new", wheels)
    result = project.start("--with", "games", "x")
    assert result.returncode == 2
    assert result.stderr == "--with 'games' is not a known set of packages; choose from dev, train.\n"
    assert not project.venv.exists()


def test_later_with_belongs_to_the_program(ready) -> None:
    assert json.loads(ready.start("generate", "--with", "x").stdout)["arguments"] == ["generate", "--with", "x"]


def test_setup_only_starts_nothing(ready) -> None:
    result = ready.start("--with", "dev", "--setup-only")
    assert (result.returncode, result.stdout) == (0, "")
    assert "requirements-dev.txt" in json.loads((ready.venv / "isicgui-setup.json").read_text())["files"]


def without_python(project: Project) -> None:
    (project.venv / "bin" / "python").unlink()


def with_half_a_pip(project: Project) -> None:
    shutil.rmtree(project.site_packages() / "pip" / "_vendor" / "requests")
    next(project.site_packages().glob("pip-*.dist-info/RECORD")).unlink()
    (project.venv / "isicgui-setup.json").unlink()


def without_stamp(project: Project) -> None:
    (project.venv / "isicgui-setup.json").unlink()


def with_damaged_stamp(project: Project) -> None:
    (project.venv / "isicgui-setup.json").write_text('{"interp')


@pytest.mark.parametrize("damage", [without_python, with_half_a_pip, without_stamp, with_damaged_stamp])
def test_damaged_environment_is_mended(ready, damage) -> None:
    damage(ready)
    result = ready.start("after")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["arguments"], Path(answer["prefix"])) == (["after"], ready.venv)
    assert ready.start("again").stderr == ""


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pyvenv.cfg", "home = ", "home = /removed"),
        ("pyvenv.cfg", "home", "nothing"),
        ("isicgui-setup.json", "/python3", "/python2"),  # the system's python3 has become another version
    ],
)
def test_environment_of_a_python_that_is_no_longer_there_is_not_current(ready, file, old, new) -> None:
    (ready.folder / "main.py").write_text(
        "import launch; stamp = launch.read_stamp()\n"
        "print(launch.is_current(stamp, ['requirements.txt']), launch.is_whole(stamp))"
    )
    python = [sys.executable, "main.py"]
    run = partial(subprocess.check_output, python, cwd=ready.folder, env=ready.environment, encoding="utf-8")
    assert run() == "True True\n"
    path = ready.venv / file
    path.write_text(path.read_text().replace(old, new))
    assert run() == "False False\n"


def test_package_that_was_half_installed_is_installed_again(ready) -> None:
    ready.require("tiny==1.0")
    ready.start("x")
    (ready.site_packages() / "tiny.py").unlink()  # as if pip had been killed before its last step
    (ready.site_packages() / "tiny-1.0.dist-info" / "RECORD").unlink()
    (ready.venv / "isicgui-setup.json").unlink()
    (ready.folder / "main.py").write_text("import tiny")
    assert ready.start("x").stdout == "tiny 1.0\n"


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A package index that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def test_an_interrupted_set_up_continues_at_the_next_start(ready, silent_server, tmp_path) -> None:
    ready.require("tiny==1.0")
    slow = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": f"http://127.0.0.1:{silent_server.getsockname()[1]}/simple"}
    with subprocess.Popen(
        [ready.folder / "run_isicgui.sh", "x"],
        env={**ready.environment, **slow, "PIP_FIND_LINKS": "", "TMPDIR": str(tmp_path)},  # pip leaves its folder there
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        connection, _ = silent_server.accept()  # pip is at work
        with connection:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.endswith("The set-up was interrupted; the next start continues it.\n")
    ready.require("# restored")
    assert "Set-up is done." in ready.start("x").stderr


def test_training_brings_its_packages_on_first_use() -> None:
    assert launch.parse(["-m", "diffusion", "train"]).files == ["requirements.txt", "requirements-train.txt"]
    assert launch.parse(["-m", "benchmarks.generation"]).files == ["requirements.txt", "requirements-train.txt"]
    assert launch.parse(["-m", "pytest"]).files == ["requirements.txt"]
    assert launch.parse(["generate", "-m", "diffusion"]).files == ["requirements.txt"]


def test_second_set_up_waits_for_the_first(ready) -> None:
    fcntl = pytest.importorskip("fcntl")
    ready.require("# changed")
    with (ready.venv / "setup.lock").open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [ready.folder / "run_isicgui.sh", "x"],
            env=ready.environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        with process:
            assert process.stderr is not None
            assert (
                process.stderr.readline()
                == "Another set-up is running in this folder; waiting until it has finished.\n"
            )
            fcntl.flock(lock, fcntl.LOCK_UN)
            output, errors = process.communicate(timeout=30)
    assert (process.returncode, json.loads(output)["arguments"]) == (0, ["x"])
    assert "Set-up is done." in errors


def test_no_network_is_one_plain_sentence_with_a_log(ready) -> None:
    ready.require("tiny==1.0")
    offline = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    result = ready.start("x", **offline, PIP_RETRIES="0")
    assert (result.returncode, result.stdout) == (1, "")
    assert "could not be installed: the package index cannot be reached; check the network (full" in result.stderr
    assert "    ERROR: No matching distribution found for tiny==1.0" in result.stderr
    assert "127.0.0.1" in (ready.folder / "setup.log").read_text(encoding="utf-8")
    assert ready.start("x").returncode == 0  # the network is back


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("OSError(28, 'No space left on device')", "disk is full"),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'",
            "check the network",
        ),
        ("Failed to resolve 'pypi.org' ([Errno -3] Temporary failure in name resolution)", "check the network"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "certificate"),
        ("ProxyError('Cannot connect to proxy.', NewConnectionError())", "proxy"),
        ("ERROR: No matching distribution found for torch==2.13.0", "lacks a package"),
        ("ERROR: [Errno 13] Permission denied: '/opt/app/.venv/lib'", "permissions"),
        ("something new", "see the log"),
    ],
)
def test_reason_of_a_failure(line, expected) -> None:
    assert expected in launch.reason(["Collecting torch", line])


def test_too_old_python_is_named_in_one_sentence(tmp_path, wheels) -> None:
    project = Project.new(tmp_path / "new", wheels)
    text = (project.folder / "launch.py").read_text().replace("(3, 10), (3, 13)", "(4, 0), (4, 1)")
    (project.folder / "launch.py").write_text(text)
    result = project.start("x")
    assert result.returncode == 1
    assert "Python 4.0 to 4.1 (64 bit) is needed, but this machine has " in result.stderr.splitlines()[-1]
    assert sys.version.split()[0] in result.stderr


OLD = """echo '[[3, 8], "3.8.1", 64, true, "/usr/bin/python3.8"]'"""


def test_better_python_is_looked_for(tools, monkeypatch) -> None:
    monkeypatch.setenv(
        "PATH", tools({"old": OLD, "broken": "exit 1", "narrow": OLD.replace("8", "11").replace("64", "32")})
    )
    monkeypatch.setattr(launch, "candidates", lambda: [["absent"], ["old"], ["broken"], ["narrow"], [base_python()]])
    assert launch.find_python().command == [base_python()]
    monkeypatch.setattr(launch, "candidates", lambda: [["old"]])
    with pytest.raises(launch.SetupError, match=r"has 3\.8\.1 \(64 bit, /usr/bin/python3\.8\)"):
        launch.find_python()


def base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


@pytest.fixture
def bare_debian(tools, tmp_path, monkeypatch) -> Path:
    """A machine whose only Python lacks ensurepip until apt-get brings it; returns what apt-get was asked for."""
    asked = tmp_path / "asked"
    bare = """'[[3, 11], "3.11.2", 64, false, "/usr/bin/python3.11"]'"""
    path = tools(
        {
            "bare": f'if [ -e "{tmp_path}/installed" ]; then exec "{base_python()}" "$@"; else echo {bare}; fi',
            "apt-get": f'echo "$@" >> "{asked}"; if [ "$1" = install ]; then touch "{tmp_path}/installed"; fi',
            "sudo": 'shift; exec "$@"',
        }
    )
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(launch, "candidates", lambda: [["bare"]])
    monkeypatch.setattr(launch, "VENV", tmp_path)
    monkeypatch.setattr(launch, "LOG", tmp_path / "setup.log")
    return asked


def test_debian_python_gets_its_venv_package(bare_debian) -> None:
    assert launch.find_python().has_pip
    update, install = bare_debian.read_text().splitlines()
    assert update == "update"
    assert install.startswith("install -y ")
    assert install.endswith(" python3.11-venv")


def test_debian_package_is_named_where_it_may_not_be_installed(bare_debian, monkeypatch) -> None:
    monkeypatch.setattr(launch, "apt_prefix", lambda: None)
    with pytest.raises(launch.SetupError, match=r"install the package python3\.11-venv"):
        launch.find_python()


def fake_qt(project: Project) -> None:
    plugin = project.site_packages() / "PyQt5" / "Qt5" / "plugins" / "platforms" / "libqxcb.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()


LDD = """echo "$@" >> "{0}/asked"; [ -e "{0}/installed" ] && exit
echo "	libxcb-icccm.so.4 => not found"; echo "	libQt5Core.so.5 => /x/libQt5Core.so.5 (0x7)"
echo "	libstrange.so.7 => not found" """
APT = 'echo "$@" >> "{0}/asked"; [ "$1" = install ] && touch "{0}/installed"; exit 0'

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="about Linux packages")


@linux_only
def test_window_gets_the_libraries_of_qt_once(ready, tools, tmp_path) -> None:
    fake_qt(ready)
    scripts = {"ldd": LDD, "apt-get": APT, "sudo": 'shift; exec "$@"'}
    path = tools({name: script.replace("{0}", str(tmp_path)) for name, script in scripts.items()})
    assert ready.start("generate", PATH=path).returncode == 0
    assert not (tmp_path / "asked").exists()  # only a window needs them
    assert ready.start(PATH=path).returncode == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked if "libqxcb" not in line] == ["update", "install"]
    assert asked[2].endswith(" libxcb-icccm4")
    assert ready.start(PATH=path).returncode == 0
    assert (tmp_path / "asked").read_text().splitlines() == asked  # the stamp remembers


@linux_only
def test_window_names_the_libraries_that_it_may_not_install(ready, tools, tmp_path) -> None:
    fake_qt(ready)
    path = tools({"ldd": LDD.replace("{0}", str(tmp_path)), "apt-get": "exit 1", "sudo": "exit 1"})
    result = ready.start(PATH=path, QT_QPA_PLATFORM="xcb")
    assert (result.returncode, result.stdout) == (1, "")
    assert "For the window, this system lacks libstrange.so.7, libxcb-icccm4; install" in result.stderr
    assert result.stderr.endswith(": sudo apt-get install libxcb-icccm4\n")
    assert ready.start(PATH=path, QT_QPA_PLATFORM="offscreen").returncode == 0


@linux_only
def test_run_tests_wants_a_screen_too(ready, tools, tmp_path) -> None:
    fake_qt(ready)
    (ready.folder / "pytest.py").write_text("import os, sys; print('pytest', os.getcwd(), sys.argv[1:])")
    apt = APT.replace("{0}", str(tmp_path))
    path = tools({"ldd": "exit 0", "apt-get": apt, "sudo": 'shift; exec "$@"'})
    only_fakes = f"{path.split(os.pathsep)[0]}{os.pathsep}/usr/bin{os.pathsep}/bin"
    script = [ready.folder / "run_tests.sh", "-k", "a b"]
    result = subprocess.run(
        script,
        cwd="/",
        env={**ready.environment, "PATH": only_fakes},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert (
        result.stdout
        == f"pytest {ready.folder} ['-n', 'auto', '--dist', 'loadfile', '--no-loadscope-reorder', '-k', 'a b']\n"
    )
    if not shutil.which("xdotool"):
        assert "xdotool" in (tmp_path / "asked").read_text()


def test_window_that_fails_at_once_is_reported(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(launch, "WINDOW_LOG", tmp_path / "window.log")
    assert launch.start_window([sys.executable, "-c", "raise SystemExit('no Qt')"]) == 1
    assert "    no Qt" in capsys.readouterr().err
    assert launch.start_window([sys.executable, "-c", "import time; time.sleep(1)"], patience=0.1) == 0
    for window in psutil.Process().children():
        window.wait(20)


@pytest.mark.parametrize("name", ["run_isicgui.bat", "run_tests.bat", "download_models.bat"])
def test_batch_files_are_thin_and_end_their_lines_as_windows_does(name) -> None:
    content = (ROOT / name).read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") <= 12
    assert b'"%~dp0launch.py"' in content
    assert content.isascii()
