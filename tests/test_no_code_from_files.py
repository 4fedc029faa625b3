"""No file can bring code: where the program, and what it calls in libraries, opens files that could hold some."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import core  # noqa: F401 - sets the variable that one of the tests looks at

ROOT = Path(__file__).parent.parent
OWN = {"core", "xai", "evaluation", "classification", "diffusion", "gui", "cli", "cluster", "benchmarks", "tests"}
DANGEROUS_MODULES = {"marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "yaml", "code"}
DANGEROUS_CALLS = {
    *("Unpickler", "read_pickle", "load_state_dict_from_url", "load_url", "get_state_dict", "from_pretrained"),
    *("load_from_checkpoint", "unsafe_load", "full_load"),
}
DANGEROUS_BUILTINS = {"eval", "exec", "compile"}  # re.compile and model.eval are others
IMPORTS = {"import_module", "exec_module", "spec_from_file_location", "__import__"}  # libraries import their own parts
DANGEROUS_LOADERS = {"pickle", "cPickle", "marshal", "joblib", "dill", "cloudpickle", "torch.jit", "torch.hub", "yaml"}

# Every opening in the library modules that the program imports names from, and why it is safe.
EXPLAINED = {
    ("accelerate/accelerator.py", "torch.load"): "Accelerator.load_state, which the program does not call",
    ("accelerate/accelerator.py", "self.get_state_dict"): "weights of a model in memory",
    ("accelerate/utils/operations.py", "pickle.loads"): "what the processes of one training send one another",
    ("jinja2/environment.py", "compile"): "the templates of the program",
    ("jinja2/environment.py", "exec"): "the templates of the program",
    ("torch_fidelity/feature_extractor_inceptionv3.py", "torch.load"): "given a copy in memory of checked tensors",
    ("torch_fidelity/feature_extractor_inceptionv3.py", "load_state_dict_from_url"): "not reached: weights are given",
    ("torchvision/models/resnet.py", "weights.get_state_dict"): "not reached: networks are built without weights",
}


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [ROOT / name for name in listed.stdout.split() if not name.startswith("tests/")]
    assert len(found) > 200
    return found


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(given.value) for given in call.keywords if given.arg == name), None)


def is_opening(name: str, call: ast.Call) -> bool:
    """Whether a call could execute code from a file, as far as its own line shows."""
    module, _, function = name.rpartition(".")
    if function in {"load", "loads"} and module in DANGEROUS_LOADERS:
        return True
    if name == "torch.load":
        return keyword(call, "weights_only") != "True"
    if function == "load" and module in {"np", "numpy"}:
        return keyword(call, "allow_pickle") not in {None, "False"}
    return function in DANGEROUS_CALLS or name in DANGEROUS_BUILTINS


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("torch.load(f)", True),
        ("torch.load(f, weights_only=False)", True),
        ("torch.load(f, weights_only=safe)", True),
        ("torch.load(f, weights_only=True)", False),
        ("np.load(f, allow_pickle=True)", True),
        ("np.load(f)", False),
        ("pickle.loads(b)", True),
        ("json.loads(b)", False),
        ("weights.get_state_dict()", True),
        ("re.compile(p)", False),
        ("model.eval()", False),
        ("eval(text)", True),
        ("compile(t, 'f', 'exec')", True),
    ],
)
def test_the_walk_knows_an_opening_when_it_sees_one(code: str, found: bool) -> None:
    ((name, call),) = calls(code)
    assert is_opening(name, call) is found


def test_the_program_opens_no_file_in_a_way_that_could_execute_code() -> None:
    openings, loads = [], []
    for path in sources():
        source = path.read_text(encoding="utf-8")
        for name, call in calls(source):
            place = f"{path.relative_to(ROOT)}:{call.lineno} {name}"
            openings += [place] if is_opening(name, call) or name.rpartition(".")[2] in IMPORTS else []
            loads += [path.relative_to(ROOT).as_posix()] if name == "torch.load" else []
    assert openings == ["xai/methods/__init__.py:31 importlib.import_module"]  # the modules of its own folder
    assert loads == ["core/models/checkpoints.py"], "use core.models.checkpoints.load_file_safely"


def test_the_program_imports_no_module_that_executes_what_it_reads() -> None:
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[0] in DANGEROUS_MODULES]
    assert found == []


def imported_from_libraries() -> dict[Path, set[str]]:
    """Source files of everything that the program imports by name from a library."""
    found: dict[Path, set[str]] = {}
    ours = OWN | set(sys.stdlib_module_names)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.level or (node.module or "").split(".")[0] in ours:
                continue
            module = importlib.import_module(node.module or "") if is_installed(node.module or "") else None
            for name in node.names if module else ():
                target = getattr(module, name.name, None)
                if inspect.isclass(target) or inspect.isroutine(target) or inspect.ismodule(target):
                    file = source_of(target)
                    if file:
                        found.setdefault(file, set()).add(f"{node.module}.{name.name}")
    return found


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is not None


def source_of(target: object) -> Path | None:
    try:
        file = inspect.getsourcefile(target)  # type: ignore[arg-type]
    except TypeError:  # built in
        return None
    return Path(file) if file else None


@pytest.mark.filterwarnings("ignore")  # what libraries warn of when they are imported
def test_the_library_calls_that_could_execute_code_are_known_and_explained() -> None:
    files = imported_from_libraries()
    assert any(file.name == "feature_extractor_inceptionv3.py" for file in files)
    unexplained = []
    for file, names in files.items():
        short = file.as_posix().rpartition("site-packages/")[2]
        for name, call in calls(file.read_text(encoding="utf-8")):
            if is_opening(name, call) and (short, name) not in EXPLAINED:
                unexplained.append(f"{short}:{call.lineno} {name}, from {', '.join(sorted(names))}")
    assert not unexplained, "\n".join(unexplained)


def test_torch_load_is_safe_in_every_process_of_the_program_whatever_a_library_asks_for(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    program = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        "class Evil:\n"
        "    def __reduce__(self): return Path.touch, (Path(sys.argv[1]),)\n"
        "file = Path(sys.argv[1]).with_name('w.pth')\n"
        "file.write_bytes(pickle.dumps(Evil()))\n"
        "import torch, core\n"
        "try: torch.load(file, weights_only=False)\n"
        "except pickle.UnpicklingError: print('refused')\n"
    )
    for variables in ({}, {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", program, str(target)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "0", **variables},
        )
        assert done.stdout == "refused\n", done.stderr
        assert not target.exists()
