"""Makes the environment on first use, then starts the program in it.

    python launch.py [--with train|dev] [--setup-only] [main.py | SCRIPT.py | -m MODULE] [arguments]

--with NAME     also install requirements-NAME.txt; it stays installed from then on
--setup-only    only make the environment; with a program named, also what that needs of the system

Without a script it is main.py, and without arguments that opens the window. The order of work:

    parse -> is the stamp current? -> set up (Python, environment, packages) -> Qt's system libraries -> start

The stamp (.venv/isicgui-setup.json) is completed last, so a set-up that was cut short is noticed and mended, and a
start with a current stamp reads a few small files and needs no network. Every message goes to stderr: stdout belongs
to the program. Standard library only; must also run on Python 3.6, to find a better one or to say what is missing.
"""
# ruff: noqa: UP006, UP035, UP045 - the newer spellings of these types do not run on the Pythons that this must run on

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, NamedTuple, Optional

OLDEST, NEWEST = (3, 10), (3, 13)
HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = VENV_BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "isicgui-setup.json"
LOCK = VENV / "setup.lock"
LOG = HERE / "setup.log"
WINDOW_LOG = HERE / "window.log"
BASE = "requirements.txt"
TRAINING = "requirements-train.txt"
UNLOCKED = re.compile(r"(?:torch|torchvision)==\S+")  # whose files differ with the index: CUDA, processors alone
TRAINING_MODULES = ("diffusion", "classification", "benchmarks")  # these install it on first use

# The shared libraries that Qt's wheels expect of the system, and the Debian and Ubuntu packages that hold them.
LIBRARY_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
}
SHIM = HERE / "core" / "models" / "torchvision_shim.py"
HOOK_FILES = ("isicgui_torchvision.pth", "isicgui_torchvision_hook.py", "isicgui_torchvision_shim.py")
HOOK = """import sys


class BeforeTorchvision:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            from isicgui_torchvision_shim import declare_missing_operators

            declare_missing_operators()
        return None


sys.meta_path.insert(0, BeforeTorchvision())
"""
PAIRED = 1  # the way in which torch and torchvision are made to fit each other; a new way is applied at the next start
QT_FILES = (  # below site-packages/PyQt5/Qt5: what a window loads, the plugins included
    "plugins/platforms/libqxcb.so",
    "plugins/xcbglintegrations/*.so",
    "lib/libQt5Gui.so.5",
    "lib/libQt5Widgets.so.5",
    "lib/libQt5XcbQpa.so.5",
)

# What pip says when it fails, and what that means; the first match counts.
PIP_FAILURES = (
    (
        r"DO NOT MATCH THE HASHES",
        "a package differs from the one that this program was tested with; check the package index, and see the log",
    ),
    (r"No space left on device|\[Errno 28\]|not enough space|Disk quota", "the disk is full; make room on it"),
    (r"Long Path support", "the folder's path is too long for Windows; move the folder to a shorter one"),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError|SSL:", "the package index's certificate was refused; check clock and proxy"),
    (r"ProxyError|Tunnel connection failed", "the network proxy refused the connection; check the proxy's settings"),
    (
        r"[Cc]onnection|getaddrinfo|name resolution|Network is unreachable|Max retries|[Tt]imed out|IncompleteRead",
        "the package index cannot be reached; check the network",
    ),
    (r"No matching distribution", "the package index lacks a package for this Python and system; see the log"),
    (r"Permission denied|\[Errno 13\]|Access is denied", "a file may not be written; check the folder's permissions"),
    (r"MemoryError|Killed", "the memory ran out; close other programs"),
)
UNKNOWN_FAILURE = "pip failed; delete the folder .venv and see the log if it happens again"

PROBE = (  # also readable by Python 2, which some machines still call python
    "import importlib, json, platform, sys\n"
    "try:\n    import ensurepip; pip = True\n"
    "except ImportError:\n    pip = False\n"
    "bits = 64 if sys.maxsize > 2**32 else 32\n"
    "print(json.dumps([list(sys.version_info[:2]), platform.python_version(), bits, pip, sys.executable]))"
)


class SetupError(Exception):
    """The set-up cannot go on: one sentence with the reason and what to do."""


class Request(NamedTuple):
    """What the command line asks for."""

    files: List[str]  # requirement files, by name
    setup_only: bool
    program: List[str]  # what follows "python" on the command line

    @property
    def is_window(self) -> bool:
        """Whether this opens the window: main.py without arguments."""
        return self.program == [str(HERE / "main.py")]

    @property
    def is_tests(self) -> bool:
        """Whether this runs the tests."""
        return self.program[:2] == ["-m", "pytest"]


class Python(NamedTuple):
    """A Python interpreter found on this machine."""

    command: List[str]
    version: str
    bits: int
    fits: bool  # 64 bit, and of a version that the packages exist for
    has_pip: bool  # Debian keeps it, and with it the making of environments, in a package of its own
    executable: str


def say(message: str) -> None:
    """Print one line to stderr, on any console: what its encoding lacks is written as an escape."""
    if sys.stderr is None:  # a daemon may have closed it
        return
    encoding = sys.stderr.encoding or "ascii"
    with contextlib.suppress(OSError):  # nor does a terminal that was closed, or a full disk, end the set-up
        print(message.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)


def parse(arguments: List[str]) -> Request:
    """Split the launcher's own leading options from the program and its arguments."""
    rest, files, setup_only = list(arguments), [BASE], False
    while rest and rest[0] in ("--with", "--setup-only"):
        if rest.pop(0) == "--setup-only":
            setup_only = True
        else:
            name = requirement_file(rest.pop(0) if rest else "")
            files += [name] if name not in files else []
    if setup_only and not rest:
        return Request(files, setup_only, [])
    if rest and rest[0].endswith(".py"):
        beside = HERE / rest[0]
        rest[0] = str(beside) if beside.is_file() else rest[0]
    elif rest[:1] != ["-m"]:
        rest.insert(0, str(HERE / "main.py"))
    elif rest[1:2] and rest[1].split(".")[0] in TRAINING_MODULES and TRAINING not in files:
        files.append(TRAINING)
    return Request(files, setup_only, rest)


def requirement_file(extra: str) -> str:
    """The name of the requirement file that --with EXTRA installs."""
    known = sorted(path.stem[len("requirements-") :] for path in HERE.glob("requirements-*.txt"))
    if extra not in known:
        raise ValueError(f"--with {extra!r}: no such set of packages; choose from {', '.join(known) or 'none'}.")
    return f"requirements-{extra}.txt"


# Python --------------------------------------------------------------------------------------------------------------


def candidates() -> List[List[str]]:
    """Commands that may start a fitting Python: the running one first, the plain names last."""
    running = getattr(sys, "_base_executable", None) or sys.executable
    newest_first = [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    commands = [[running]] + [["py", f"-{version}"] for version in newest_first if os.name == "nt"]
    return commands + [[f"python{version}"] for version in newest_first] + [["python3"], ["python"]]


def probe(command: List[str]) -> Optional[Python]:
    """Start a candidate and ask it what it is; None if it does not start."""
    # An interpreter inside our own environment may be removed in a moment: it cannot make its own successor.
    found = shutil.which(command[0])
    if found is None or Path(found).parent == VENV_BIN:
        return None
    try:
        answer = subprocess.run(  # noqa: PLW1510 - the exit code is looked at
            [found, *command[1:], "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
        )
        numbers, version, bits, has_pip, executable = json.loads(answer.stdout.decode("utf-8", "replace"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    fits = OLDEST <= tuple(numbers) <= NEWEST and bits == 64
    return Python([found, *command[1:]], version, bits, fits, has_pip, executable)


def find_python() -> Python:
    """The Python to make the environment with; a Debian Python without pip is completed where that is allowed."""
    seen: List[Python] = []
    for command in candidates():
        python = probe(command)
        if python and python.fits and python.has_pip:
            return python
        seen += [python] if python else []
    for python in seen:
        if python.fits:
            return completed(python)
    found = sorted({f"{python.version} ({python.bits} bit, {python.executable})" for python in seen})
    raise SetupError(
        f"Python {dotted(OLDEST)} to {dotted(NEWEST)} (64 bit) is needed and this machine has "
        f"{', '.join(found) or 'none'}; install one from https://www.python.org/downloads and start again."
    )


def completed(python: Python) -> Python:
    """The same Python, with the package that lets it make environments."""
    package = "python{}.{}-venv".format(*python.version.split("."))
    install_packages([package])
    again = probe(python.command)
    if again is None or not again.has_pip:
        raise SetupError(
            f"{python.executable} cannot make environments; install the package {package} "
            f"(sudo apt-get install {package}) and start again."
        )
    return again


def dotted(version: "tuple[int, int]") -> str:
    """(3, 10) as 3.10."""
    return f"{version[0]}.{version[1]}"


# The environment -----------------------------------------------------------------------------------------------------


def read_stamp() -> Dict[str, Any]:
    """What the last finished set-up left, or {}."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: Dict[str, Any]) -> None:
    """Write the stamp whole or not at all."""
    temporary = STAMP.with_name(STAMP.name + ".tmp")
    temporary.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    temporary.replace(STAMP)


def fingerprints(files: List[str]) -> Dict[str, str]:
    """A hash per requirement file and its lock."""
    return {
        name: hashlib.sha256((HERE / name).read_bytes() + (HERE / lock_of(name)).read_bytes()).hexdigest()
        for name in files
    }


def lock_of(name: str) -> str:
    """The lock that .ci/lock makes from a requirement file: every package, in one version, with its hashes."""
    return name[: -len(".txt")] + ".lock"


def interpreter() -> str:
    """Which Python the environment leads to; "" where it leads nowhere, as after that Python was removed."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    home = re.search(r"^home *= *(.+)$", settings, re.MULTILINE)
    if home is None or not Path(home.group(1).strip()).is_dir() or not VENV_PYTHON.is_file():
        return ""
    # /usr/bin/python3 turns into another version when the system is upgraded: the link's end tells.
    return str(Path(home.group(1).strip()) / VENV_PYTHON.resolve().name)


def site_packages() -> List[Path]:
    """Where the environment keeps its packages."""
    return [*VENV.glob("lib/python3*/site-packages"), *VENV.glob("Lib/site-packages")]


def is_current(stamp: Dict[str, Any], files: List[str]) -> bool:
    """Whether the environment holds what these requirement files ask for."""
    installed: Dict[str, str] = stamp.get("files", {})
    wanted = fingerprints(with_installed(files, stamp))
    fits = stamp.get("interpreter", "") == interpreter() != "" and stamp.get("torchvision") == PAIRED
    return fits and wanted.items() <= installed.items()


def with_installed(files: List[str], stamp: Dict[str, Any]) -> List[str]:
    """These requirement files and those once added by --with: all are kept up to date, or they would drift apart."""
    return files + [name for name in stamp.get("files", {}) if name not in files and (HERE / name).is_file()]


def set_up(files: List[str]) -> None:
    """Bring the environment to the state that the requirement files describe, whatever state it is in."""
    with locked():
        before = read_stamp()
        if is_current(before, files):
            return
        files = with_installed(files, before)
        LOG.write_text(f"Set-up by Python {sys.version} for {', '.join(files)}\n", encoding="utf-8")
        say("Setting up; the first time this takes minutes and several GB of disk, later starts skip it.")
        if not is_whole(before):
            make_environment()
        write_stamp({**before, "interpreter": ""})  # from here on unfinished, and known to be
        remove_half_installed()
        install(files)
        pair_torchvision()
        write_stamp({"interpreter": interpreter(), "files": fingerprints(files), "torchvision": PAIRED})
        say("Set-up is done.")
        advise_cuda()


def pair_torchvision() -> None:
    """Make ``import torchvision`` work for every program in the environment.

    The compiled part of torchvision fits one build of torch. Where torch is another build, as the one for processors
    alone, the same build of torchvision is installed; where it cannot be had, a hook declares what is missing.
    """
    folder = next((place for place in site_packages() if (place / "torchvision").is_dir()), None)
    if folder is None:
        return
    for name in HOOK_FILES:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    if imports_torchvision() or (install_pair(folder) and imports_torchvision()):
        return
    write_hook(folder)
    say("torchvision is of another build than torch; its missing parts are declared, which image folders do not need.")


def imports_torchvision() -> bool:
    """Whether a program in the environment can import it."""
    return run([str(VENV_PYTHON), "-I", "-c", "import torchvision"]).code == 0


def install_pair(folder: Path) -> bool:
    """Install torchvision of the build that torch names in its version, as 2.13.0+cpu, from PyTorch's own index."""
    torch, torchvision = (installed_version(folder, name) for name in ("torch", "torchvision"))
    build = torch.partition("+")[2]
    if not (build and torchvision):
        return False
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-deps"]
    command += ["--force-reinstall", "--retries", "0", "--timeout", "15", "--progress-bar", "off", "--log", str(LOG)]
    index = f"https://download.pytorch.org/whl/{build}"
    return run([*command, "--index-url", index, f"torchvision=={torchvision.partition('+')[0]}+{build}"]).code == 0


def installed_version(folder: Path, package: str) -> str:
    """The version of a package in a folder of packages, as 2.13.0+cpu; "" if it is not there."""
    marks = sorted(folder.glob(package + "-*.dist-info"))
    return marks[0].name[len(package) + 1 : -len(".dist-info")] if marks else ""


def write_hook(folder: Path) -> None:
    """Declare torchvision's missing operators in every program before it imports torchvision."""
    shutil.copy(str(SHIM), str(folder / HOOK_FILES[2]))
    (folder / HOOK_FILES[1]).write_text(HOOK, encoding="utf-8")
    (folder / HOOK_FILES[0]).write_text("import isicgui_torchvision_hook\n", encoding="utf-8")  # last: it needs both


def advise_cuda() -> None:
    """Where there is an NVIDIA GPU and torch is the build that cannot use it, as on Windows: how to get the other."""
    if not shutil.which("nvidia-smi"):
        return
    for folder in site_packages():
        version = folder / "torch" / "version.py"
        if version.is_file() and re.search(r"^cuda\b[^=]*= None", version.read_text(encoding="utf-8"), re.MULTILINE):
            say(
                "This machine has an NVIDIA GPU, and torch was installed for the processor alone. For the GPU, remove "
                f"torch and torchvision ({VENV_PYTHON} -m pip uninstall torch torchvision), install the same versions "
                "with the --index-url that https://pytorch.org/get-started/locally/ names; docs/install.md shows it."
            )


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one set-up work at a time; a second one waits. The lock goes with its process, even a killed one."""
    VENV.mkdir(exist_ok=True)
    with LOCK.open("a+b") as stream:
        waiting = False
        while not try_lock(stream):
            if not waiting:
                say("Another set-up is running in this folder; waiting for it.")
            waiting = True
            time.sleep(0.2)
        # pip inherits the lock: should this process be killed, the lock holds until pip is through.
        os.set_inheritable(stream.fileno(), True)
        yield


def try_lock(stream: "IO[bytes]") -> bool:
    """Lock an open file without waiting; False if another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - each of the two exists on one system only

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_whole(stamp: Dict[str, Any]) -> bool:
    """Whether the environment has a working, fitting Python and pip, so that installing into it makes sense."""
    leads_to = interpreter()
    if not leads_to or (stamp.get("interpreter") or leads_to) != leads_to:
        return False
    if not any(is_recorded(mark) for folder in site_packages() for mark in folder.glob("pip-*.dist-info")):
        return False
    check = f"import sys, pip._internal.cli.main; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    return run([str(VENV_PYTHON), "-I", "-c", check]).code == 0


def make_environment() -> None:
    """Make .venv anew; what was in it goes, except the lock."""
    python = find_python()
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path != LOCK:
            path.unlink()
    say(f"Making the environment {VENV} with Python {python.version}.")
    made = run([*python.command, "-m", "venv", str(VENV)])
    if made.code != 0:
        raise SetupError(f"The environment could not be made: {reason(made.lines)} ({LOG}).\n{tail(made.lines)}")


def remove_half_installed() -> None:
    """Remove the marks of packages whose installation was cut short: pip writes RECORD last, yet never looks at it."""
    for mark in (mark for folder in site_packages() for mark in folder.glob("*.dist-info")):
        if not is_recorded(mark):
            shutil.rmtree(str(mark))


def is_recorded(mark: Path) -> bool:
    """Whether the installation of the package with this .dist-info folder came to its end."""
    record = mark / "RECORD"
    return record.is_file() and record.stat().st_size > 0


def install(files: List[str]) -> None:
    """Install what the locks of these requirement files name, each file checked against its hash, and then torch.

    Torch comes last and by its version alone: its files depend on the index that serves it. By then everything that it
    needs is there, except for the CUDA libraries of its own index.
    """
    locks = [word for name in files for word in ("-r", str(HERE / lock_of(name)))]
    pip_install(["--require-hashes", "--no-deps", "--only-binary", ":all:", *locks])
    unlocked = [line for name in files for line in (HERE / name).read_text(encoding="utf-8").splitlines()]
    torch = [found.group() for found in map(UNLOCKED.match, unlocked) if found]
    if torch:
        pip_install(torch)


def pip_install(arguments: List[str]) -> None:
    """Let pip install something; what it downloads is shown."""
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--log", str(LOG), *arguments]
    done = run(
        command, show=r" *(Downloading (?!\S+\.metadata)\S+ \(.*|Building wheel \S+|Installing collected packages)"
    )
    if done.code != 0:
        # Without retries pip tells only its log why an index gave no answer.
        log = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        unanswered = [line for line in log if "Could not fetch URL" in line]
        why = reason(done.lines + unanswered)
        raise SetupError(f"The packages could not be installed: {why} (full report: {LOG}).\n{tail(done.lines)}")


def reason(lines: List[str]) -> str:
    """What pip's output means for the user."""
    text = "\n".join(lines)
    return next((meaning for pattern, meaning in PIP_FAILURES if re.search(pattern, text)), UNKNOWN_FAILURE)


def tail(lines: List[str]) -> str:
    """The last lines of a program's output, indented; pip's warnings say little next to its errors."""
    telling = [line for line in lines if line and not line.startswith(("WARNING", "[notice]"))]
    return "\n".join("    " + line for line in (telling or lines)[-6:])


class Finished(NamedTuple):
    """A finished subprocess."""

    code: int
    lines: List[str]


def run(command: List[str], show: str = "(?!)") -> Finished:
    """Run a helper to its end; its output goes to the log, and what matches `show` to the screen too."""
    # A PIP_USER or PIP_TARGET made for other projects would send the packages past the environment.
    unwanted = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "__PYVENV_LAUNCHER__"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment["PYTHONIOENCODING"] = "utf-8"
    lines: List[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(VENV),
        env=environment, close_fds=False, encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                telling = re.match(show, line)
                if telling:
                    say("  " + telling.group().strip())
        except KeyboardInterrupt:
            process.terminate()
            raise
    report = [f"$ {' '.join(command)}", *lines, f"exit code {process.returncode}", ""]
    with contextlib.suppress(OSError), LOG.open("a", encoding="utf-8") as log:  # a full disk is reported elsewhere
        log.write("\n".join(report))
    return Finished(process.returncode, lines)


# System packages -----------------------------------------------------------------------------------------------------


def provide_system_packages(request: Request) -> None:
    """Before a window or the tests on Linux: have what Qt and the tests need of the system, checked once."""
    purpose = "window" if request.is_window else "tests" if request.is_tests else ""
    if not purpose or not sys.platform.startswith("linux") or purpose in read_stamp().get("system", []):
        return
    missing = missing_packages(purpose)
    if missing:
        install_packages([name for name in missing if ".so" not in name])
        missing = missing_packages(purpose)
    if not missing:
        remember(purpose)
        return
    advice = f"For the {purpose} this system lacks {', '.join(missing)}; install what holds them"
    if shutil.which("apt-get"):
        advice += f": sudo apt-get install {' '.join(name for name in missing if '.so' not in name)}"
    if purpose == "window" and os.environ.get("QT_QPA_PLATFORM", "xcb") == "xcb":
        raise SetupError(advice)  # Qt would abort the program, and name none of them
    say(advice)


def remember(purpose: str) -> None:
    """Note in the stamp that the system has what is needed; someone else's environment is left as it is."""
    with contextlib.suppress(OSError), locked():
        stamp = read_stamp()
        if stamp:
            write_stamp({**stamp, "system": [*stamp.get("system", []), purpose]})


def missing_packages(purpose: str) -> List[str]:
    """What to install: Debian packages, or the names of libraries where those are not known."""
    has_apt = bool(shutil.which("apt-get"))
    libraries = missing_libraries()
    packages = sorted({LIBRARY_PACKAGES.get(name, name) for name in libraries}) if has_apt else libraries
    return packages + (missing_test_tools() if has_apt and purpose == "tests" else [])


def missing_libraries() -> List[str]:
    """The shared libraries that Qt would look for in vain."""
    files = [str(file) for folder in site_packages() for name in QT_FILES for file in folder.glob("PyQt5/Qt5/" + name)]
    if not files or not shutil.which("ldd"):
        return []
    return sorted(set(re.findall(r"(\S+) => not found", "\n".join(run(["ldd", *files]).lines))))


def missing_test_tools() -> List[str]:
    """The packages that the tests of the window use and that are not there: a screen, a mouse, letters."""
    tools = {"Xvfb": "xvfb", "xauth": "xauth", "xdotool": "xdotool"}
    packages = [package for tool, package in tools.items() if not shutil.which(tool)]
    fonts = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    return packages + ([] if fonts.is_file() else ["fonts-dejavu-core"])


def install_packages(packages: List[str]) -> None:
    """Install Debian packages where this user may without being asked; who calls looks at what came of it."""
    prefix = apt_prefix()
    if prefix is None or not packages:
        return
    say(f"Installing the system packages {' '.join(packages)}.")
    run([*prefix, "apt-get", "update"])
    options = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *packages])


def apt_prefix() -> Optional[List[str]]:
    """What to put before apt-get: nothing as root, sudo where it asks nothing; None where it cannot be used."""
    if sys.platform == "win32" or not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    may = shutil.which("sudo") and run(["sudo", "-n", "true"]).code == 0
    return ["sudo", "-n"] if may else None


# Starting ------------------------------------------------------------------------------------------------------------


def start(request: Request) -> int:
    """Start the program. On POSIX it takes this process over, and with it Ctrl-C and the exit code."""
    os.environ.pop("PYTHONHOME", None)
    if request.program[0] == "-m":  # packages are found from any folder
        put_first("PYTHONPATH", HERE)
    plugins = [folder / "PyQt5" / "Qt5" / "plugins" for folder in site_packages()]
    if plugins and ascii(str(HERE)) != repr(str(HERE)):  # Qt 5 does not find its own plugins below such a folder
        put_first("QT_PLUGIN_PATH", plugins[0])
    command = [str(VENV_PYTHON), *request.program]
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    if request.is_window:
        return start_window([str(VENV_BIN / "pythonw.exe"), *request.program])
    with subprocess.Popen(command) as process:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the program got Ctrl-C too: it decides what that means
                return process.wait()


def put_first(variable: str, folder: Path) -> None:
    """Put a folder before those that an environment variable names."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def start_window(command: List[str], patience: float = 3.0) -> int:
    """Start the window without a console; wait just long enough to report one that fails at once."""
    with WINDOW_LOG.open("wb") as log:
        process = subprocess.Popen(  # it outlives this function
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        code = process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # it runs on by itself; nobody here waits for it
        return 0
    if code != 0:
        lines = WINDOW_LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        say(f"The window could not be opened (full report: {WINDOW_LOG}).\n{tail(lines)}")
    return code


def main(arguments: List[str]) -> int:
    """Set up what is missing and start the program; returns an exit code where the program has not taken over."""
    try:
        request = parse(arguments)
    except ValueError as error:
        say(str(error))
        return 2
    try:
        if not is_current(read_stamp(), request.files):
            set_up(request.files)
        provide_system_packages(request)
    except KeyboardInterrupt:
        say("The set-up was interrupted; the next start goes on with it.")
        return 130
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"The set-up failed: {error}.")
        return 1
    return 0 if request.setup_only else start(request)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
