"""Create the environment at the first start, then start the program in it.

    python launch.py [--with train|dev] [--setup-only] [main.py | SCRIPT.py | -m MODULE] [arguments]

--with NAME     also install requirements-NAME.txt; later set-ups keep it installed
--setup-only    only create the environment; if a program is named, also install its system packages

The default script is main.py, which opens the window if there are no arguments. The order of work:

    parse -> is the stamp current? -> set up (Python, environment, packages) -> Qt's system libraries -> start

The stamp (.venv/isicgui-setup.json) is written last, so an interrupted set-up is detected and repaired. A start with a
current stamp reads a few small files and needs no network. All messages are printed to stderr, because stdout belongs
to the program. This file uses only the standard library and must run on Python 3.6, to find a newer Python or to report
missing packages.
"""
# ruff: noqa: UP006, UP035, UP045 - old Python versions do not support the newer syntax of these types

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

# The shared libraries that the Qt wheels need, and the Debian and Ubuntu packages that contain them.
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
QT_FILES = (  # in site-packages/PyQt5/Qt5: the libraries and plugins that a window loads
    "plugins/platforms/libqxcb.so",
    "plugins/xcbglintegrations/*.so",
    "lib/libQt5Gui.so.5",
    "lib/libQt5Widgets.so.5",
    "lib/libQt5XcbQpa.so.5",
)

# Error messages of pip and their meaning; the first match is used.
PIP_FAILURES = (
    (
        r"DO NOT MATCH THE HASHES",
        "a package differs from the one that this program was tested with; check the package index, and see the log",
    ),
    (r"No space left on device|\[Errno 28\]|not enough space|Disk quota", "the disk is full; free some space"),
    (r"Long Path support", "the folder's path is too long for Windows; move the folder to a shorter one"),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSL:",
        "the certificate of the package index was refused; check clock and proxy",
    ),
    (r"ProxyError|Tunnel connection failed", "the network proxy refused the connection; check the proxy's settings"),
    (
        r"[Cc]onnection|getaddrinfo|name resolution|Network is unreachable|Max retries|[Tt]imed out|IncompleteRead",
        "the package index cannot be reached; check the network",
    ),
    (r"No matching distribution", "the package index lacks a package for this Python and system; see the log"),
    (
        r"Permission denied|\[Errno 13\]|Access is denied",
        "a file cannot be written; check the permissions of the folder",
    ),
    (r"MemoryError|Killed", "there is not enough memory; close other programs"),
)
UNKNOWN_FAILURE = "pip failed; delete the folder .venv and see the log if it happens again"

PROBE = (  # must also run on Python 2, which some machines still call python
    "import importlib, json, platform, sys\n"
    "try:\n    import ensurepip; pip = True\n"
    "except ImportError:\n    pip = False\n"
    "bits = 64 if sys.maxsize > 2**32 else 32\n"
    "print(json.dumps([list(sys.version_info[:2]), platform.python_version(), bits, pip, sys.executable]))"
)


class SetupError(Exception):
    """The set-up cannot continue; the message is one sentence with the reason and the solution."""


class Request(NamedTuple):
    """The parsed command line."""

    files: List[str]  # names of the requirement files
    setup_only: bool
    program: List[str]  # the arguments after "python"

    @property
    def is_window(self) -> bool:
        """Check whether this opens the window: main.py without arguments."""
        return self.program == [str(HERE / "main.py")]

    @property
    def is_tests(self) -> bool:
        """Check whether this runs the tests."""
        return self.program[:2] == ["-m", "pytest"]


class Python(NamedTuple):
    """A Python interpreter found on this machine."""

    command: List[str]
    version: str
    bits: int
    fits: bool  # 64 bit, and the packages support its version
    has_pip: bool  # on Debian, pip and venv are in a separate package
    executable: str


def say(message: str) -> None:
    """Print one line to stderr; characters that the console cannot encode are printed as escapes."""
    if sys.stderr is None:  # a daemon may have closed it
        return
    encoding = sys.stderr.encoding or "ascii"
    with contextlib.suppress(OSError):  # nor does a terminal that was closed, or a full disk, end the set-up
        print(message.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)


def parse(arguments: List[str]) -> Request:
    """Separate the leading options of the launcher from the program and its arguments."""
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
        script = HERE / rest[0]
        rest[0] = str(script) if script.is_file() else rest[0]
    elif rest[:1] != ["-m"]:
        rest.insert(0, str(HERE / "main.py"))
    elif rest[1:2] and rest[1].split(".")[0] in TRAINING_MODULES and TRAINING not in files:
        files.append(TRAINING)
    return Request(files, setup_only, rest)


def requirement_file(extra: str) -> str:
    """Return the name of the requirement file for --with EXTRA."""
    known = sorted(path.stem[len("requirements-") :] for path in HERE.glob("requirements-*.txt"))
    if extra not in known:
        raise ValueError(f"--with {extra!r} is not a known set of packages; choose from {', '.join(known) or 'none'}.")
    return f"requirements-{extra}.txt"


# Python --------------------------------------------------------------------------------------------------------------


def candidates() -> List[List[str]]:
    """Return commands that may start a suitable Python, the running one first and the plain names last."""
    running = getattr(sys, "_base_executable", None) or sys.executable
    newest_first = [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    commands = [[running]] + [["py", f"-{version}"] for version in newest_first if os.name == "nt"]
    return commands + [[f"python{version}"] for version in newest_first] + [["python3"], ["python"]]


def probe(command: List[str]) -> Optional[Python]:
    """Start a candidate and return its properties; None if it does not start."""
    # Skip the interpreter of our own environment, because the set-up may remove it.
    found = shutil.which(command[0])
    if found is None or Path(found).parent == VENV_BIN:
        return None
    try:
        answer = subprocess.run(  # noqa: PLW1510 - the exit code is not needed
            [found, *command[1:], "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
        )
        numbers, version, bits, has_pip, executable = json.loads(answer.stdout.decode("utf-8", "replace"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    fits = OLDEST <= tuple(numbers) <= NEWEST and bits == 64
    return Python([found, *command[1:]], version, bits, fits, has_pip, executable)


def find_python() -> Python:
    """Find a Python for the environment. Install pip for a Debian Python without it, if this user may do so."""
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
        f"Python {dotted(OLDEST)} to {dotted(NEWEST)} (64 bit) is needed, but this machine has "
        f"{', '.join(found) or 'none'}; install one from https://www.python.org/downloads and start again."
    )


def completed(python: Python) -> Python:
    """Install the package that a Python needs to create environments, and return that Python."""
    package = "python{}.{}-venv".format(*python.version.split("."))
    install_packages([package])
    again = probe(python.command)
    if again is None or not again.has_pip:
        raise SetupError(
            f"{python.executable} cannot create environments; install the package {package} "
            f"(sudo apt-get install {package}) and start again."
        )
    return again


def dotted(version: "tuple[int, int]") -> str:
    """Return (3, 10) as 3.10."""
    return f"{version[0]}.{version[1]}"


# The environment -----------------------------------------------------------------------------------------------------


def read_stamp() -> Dict[str, Any]:
    """Return the stamp of the last set-up, or {}."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: Dict[str, Any]) -> None:
    """Write the stamp atomically."""
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
    """Return the lock file that .ci/lock writes for a requirement file: exact versions and hashes of all packages."""
    return name[: -len(".txt")] + ".lock"


def interpreter() -> str:
    """Return the Python used by the environment; "" if that Python has been removed."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    home = re.search(r"^home *= *(.+)$", settings, re.MULTILINE)
    if home is None or not Path(home.group(1).strip()).is_dir() or not VENV_PYTHON.is_file():
        return ""
    # Follow the link, because /usr/bin/python3 becomes another version when the system is upgraded.
    return str(Path(home.group(1).strip()) / VENV_PYTHON.resolve().name)


def site_packages() -> List[Path]:
    """Return the package folders of the environment."""
    return [*VENV.glob("lib/python3*/site-packages"), *VENV.glob("Lib/site-packages")]


def is_current(stamp: Dict[str, Any], files: List[str]) -> bool:
    """Check whether the environment satisfies these requirement files."""
    installed: Dict[str, str] = stamp.get("files", {})
    wanted = fingerprints(with_installed(files, stamp))
    fits = stamp.get("interpreter", "") == interpreter() != "" and stamp.get("torchvision") == PAIRED
    return fits and wanted.items() <= installed.items()


def with_installed(files: List[str], stamp: Dict[str, Any]) -> List[str]:
    """Return these requirement files and those added earlier by --with, so that all of them are kept up to date."""
    return files + [name for name in stamp.get("files", {}) if name not in files and (HERE / name).is_file()]


def set_up(files: List[str]) -> None:
    """Create or repair the environment so that it satisfies the requirement files."""
    with locked():
        before = read_stamp()
        if is_current(before, files):
            return
        files = with_installed(files, before)
        LOG.write_text(f"Set-up by Python {sys.version} for {', '.join(files)}\n", encoding="utf-8")
        say("Setting up. The first set-up takes minutes and several GB of disk space; later starts skip it.")
        if not is_whole(before):
            make_environment()
        write_stamp({**before, "interpreter": ""})  # marks the set-up as unfinished
        remove_half_installed()
        install(files)
        pair_torchvision()
        write_stamp({"interpreter": interpreter(), "files": fingerprints(files), "torchvision": PAIRED})
        say("Set-up is done.")
        advise_cuda()


def pair_torchvision() -> None:
    """Make ``import torchvision`` work for every program in the environment.

    The compiled part of torchvision fits only one build of torch. If torch is another build, such as the one for
    processors, the same build of torchvision is installed. If that is not available, a hook declares the missing parts.
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
    """If there is an NVIDIA GPU but torch was built without CUDA, as on Windows, print how to install CUDA support."""
    if not shutil.which("nvidia-smi"):
        return
    for folder in site_packages():
        version = folder / "torch" / "version.py"
        if version.is_file() and re.search(r"^cuda\b[^=]*= None", version.read_text(encoding="utf-8"), re.MULTILINE):
            say(
                "This machine has an NVIDIA GPU, but torch was installed for the processor only. To use it, remove "
                f"torch and torchvision ({VENV_PYTHON} -m pip uninstall torch torchvision) and install the same "
                "versions with the --index-url given on https://pytorch.org/get-started/locally/; see docs/install.md."
            )


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Allow one set-up at a time; a second one waits. The system releases the lock if the process is killed."""
    VENV.mkdir(exist_ok=True)
    with LOCK.open("a+b") as stream:
        waiting = False
        while not try_lock(stream):
            if not waiting:
                say("Another set-up is running in this folder; waiting until it has finished.")
            waiting = True
            time.sleep(0.2)
        # pip inherits the lock, so that the lock is held until pip ends even if this process is killed.
        os.set_inheritable(stream.fileno(), True)
        yield


def try_lock(stream: "IO[bytes]") -> bool:
    """Lock an open file without waiting; return False if another process holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - each of the two modules exists on one system only

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_whole(stamp: Dict[str, Any]) -> bool:
    """Check whether the environment has a working, suitable Python and pip, so that packages can be installed."""
    current = interpreter()
    if not current or (stamp.get("interpreter") or current) != current:
        return False
    if not any(is_recorded(mark) for folder in site_packages() for mark in folder.glob("pip-*.dist-info")):
        return False
    check = f"import sys, pip._internal.cli.main; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    return run([str(VENV_PYTHON), "-I", "-c", check]).code == 0


def make_environment() -> None:
    """Create .venv from the start; delete its old content except the lock."""
    python = find_python()
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path != LOCK:
            path.unlink()
    say(f"Creating the environment {VENV} with Python {python.version}.")
    made = run([*python.command, "-m", "venv", str(VENV)])
    if made.code != 0:
        raise SetupError(f"The environment could not be created: {reason(made.lines)} ({LOG}).\n{tail(made.lines)}")


def remove_half_installed() -> None:
    """Remove the metadata of partly installed packages. pip writes RECORD last but does not check it."""
    for mark in (mark for folder in site_packages() for mark in folder.glob("*.dist-info")):
        if not is_recorded(mark):
            shutil.rmtree(str(mark))


def is_recorded(mark: Path) -> bool:
    """Check whether the package with this .dist-info folder is completely installed."""
    record = mark / "RECORD"
    return record.is_file() and record.stat().st_size > 0


def install(files: List[str]) -> None:
    """Install the packages in the locks of these requirement files, checked by their hashes, and then torch.

    Torch is installed last and only by its version, because its files depend on the package index. All of its
    dependencies are then installed, except the CUDA libraries of its index.
    """
    locks = [word for name in files for word in ("-r", str(HERE / lock_of(name)))]
    pip_install(["--require-hashes", "--no-deps", "--only-binary", ":all:", *locks])
    unlocked = [line for name in files for line in (HERE / name).read_text(encoding="utf-8").splitlines()]
    torch = [found.group() for found in map(UNLOCKED.match, unlocked) if found]
    if torch:
        pip_install(torch)


def pip_install(arguments: List[str]) -> None:
    """Install packages with pip, and show the downloads."""
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--log", str(LOG), *arguments]
    done = run(
        command, show=r" *(Downloading (?!\S+\.metadata)\S+ \(.*|Building wheel \S+|Installing collected packages)"
    )
    if done.code != 0:
        # Only the log of pip contains the reason why an index did not answer.
        log = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        unanswered = [line for line in log if "Could not fetch URL" in line]
        why = reason(done.lines + unanswered)
        raise SetupError(f"The packages could not be installed: {why} (full report: {LOG}).\n{tail(done.lines)}")


def reason(lines: List[str]) -> str:
    """Return the meaning of pip's error output for the user."""
    text = "\n".join(lines)
    return next((meaning for pattern, meaning in PIP_FAILURES if re.search(pattern, text)), UNKNOWN_FAILURE)


def tail(lines: List[str]) -> str:
    """Return the last lines of a program's output, indented and without warnings of pip."""
    relevant = [line for line in lines if line and not line.startswith(("WARNING", "[notice]"))]
    return "\n".join("    " + line for line in (relevant or lines)[-6:])


class Finished(NamedTuple):
    """A finished subprocess."""

    code: int
    lines: List[str]


def run(command: List[str], show: str = "(?!)") -> Finished:
    """Run a program and write its output to the log; also print the lines that match `show`."""
    # A PIP_USER or PIP_TARGET of another project would install the packages outside the environment.
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
                shown = re.match(show, line)
                if shown:
                    say("  " + shown.group().strip())
        except KeyboardInterrupt:
            process.terminate()
            raise
    report = [f"$ {' '.join(command)}", *lines, f"exit code {process.returncode}", ""]
    with contextlib.suppress(OSError), LOG.open("a", encoding="utf-8") as log:  # a full disk is reported elsewhere
        log.write("\n".join(report))
    return Finished(process.returncode, lines)


# System packages -----------------------------------------------------------------------------------------------------


def provide_system_packages(request: Request) -> None:
    """On Linux, install the system packages for the window or the tests; check this once."""
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
    advice = f"For the {purpose}, this system lacks {', '.join(missing)}; install the packages that contain them"
    if shutil.which("apt-get"):
        advice += f": sudo apt-get install {' '.join(name for name in missing if '.so' not in name)}"
    if purpose == "window" and os.environ.get("QT_QPA_PLATFORM", "xcb") == "xcb":
        raise SetupError(advice)  # Qt would abort the program without naming them
    say(advice)


def remember(purpose: str) -> None:
    """Record in the stamp that the system packages are installed; do not change an environment without a stamp."""
    with contextlib.suppress(OSError), locked():
        stamp = read_stamp()
        if stamp:
            write_stamp({**stamp, "system": [*stamp.get("system", []), purpose]})


def missing_packages(purpose: str) -> List[str]:
    """Return the missing Debian packages, or names of libraries if their packages are unknown."""
    has_apt = bool(shutil.which("apt-get"))
    libraries = missing_libraries()
    packages = sorted({LIBRARY_PACKAGES.get(name, name) for name in libraries}) if has_apt else libraries
    return packages + (missing_test_tools() if has_apt and purpose == "tests" else [])


def missing_libraries() -> List[str]:
    """Return the shared libraries that Qt needs and that are missing."""
    files = [str(file) for folder in site_packages() for name in QT_FILES for file in folder.glob("PyQt5/Qt5/" + name)]
    if not files or not shutil.which("ldd"):
        return []
    return sorted(set(re.findall(r"(\S+) => not found", "\n".join(run(["ldd", *files]).lines))))


def missing_test_tools() -> List[str]:
    """Return the missing packages for tests of the window: a virtual display, mouse control, and a font."""
    tools = {"Xvfb": "xvfb", "xauth": "xauth", "xdotool": "xdotool"}
    packages = [package for tool, package in tools.items() if not shutil.which(tool)]
    fonts = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    return packages + ([] if fonts.is_file() else ["fonts-dejavu-core"])


def install_packages(packages: List[str]) -> None:
    """Install Debian packages if no password is needed. The caller must check the result."""
    prefix = apt_prefix()
    if prefix is None or not packages:
        return
    say(f"Installing the system packages {' '.join(packages)}.")
    run([*prefix, "apt-get", "update"])
    options = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *packages])


def apt_prefix() -> Optional[List[str]]:
    """Return the prefix for apt-get: nothing for root, sudo if it needs no password; None if apt-get is unusable."""
    if sys.platform == "win32" or not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    may = shutil.which("sudo") and run(["sudo", "-n", "true"]).code == 0
    return ["sudo", "-n"] if may else None


# Starting ------------------------------------------------------------------------------------------------------------


def start(request: Request) -> int:
    """Start the program. On POSIX, it replaces this process, so Ctrl-C and the exit code are its own."""
    os.environ.pop("PYTHONHOME", None)
    if request.program[0] == "-m":  # packages are found from any folder
        put_first("PYTHONPATH", HERE)
    plugins = [folder / "PyQt5" / "Qt5" / "plugins" for folder in site_packages()]
    if plugins and ascii(str(HERE)) != repr(str(HERE)):  # Qt 5 does not find its plugins in such a folder
        put_first("QT_PLUGIN_PATH", plugins[0])
    command = [str(VENV_PYTHON), *request.program]
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    if request.is_window:
        return start_window([str(VENV_BIN / "pythonw.exe"), *request.program])
    with subprocess.Popen(command) as process:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the program also receives Ctrl-C and handles it
                return process.wait()


def put_first(variable: str, folder: Path) -> None:
    """Add a folder at the start of a path list in an environment variable."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def start_window(command: List[str], patience: float = 3.0) -> int:
    """Start the window without a console; wait some seconds to report an immediate failure."""
    with WINDOW_LOG.open("wb") as log:
        process = subprocess.Popen(  # it outlives this function
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        code = process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # the window keeps running; this process does not wait for it
        return 0
    if code != 0:
        lines = WINDOW_LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        say(f"The window could not be opened (full report: {WINDOW_LOG}).\n{tail(lines)}")
    return code


def main(arguments: List[str]) -> int:
    """Set up the environment if necessary and start the program; return the exit code."""
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
        say("The set-up was interrupted; the next start continues it.")
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
