"""What to say where the program is started by a Python that lacks its packages. Needs none of them itself."""

from __future__ import annotations

import sys

from core.paths import PROJECT_ROOT, is_checkout


def what_to_start_instead(error: ModuleNotFoundError, program: str = "") -> str:
    """A sentence for the user.

    Args:
        error: the import that failed.
        program: what follows the launcher's name; empty for the program itself.

    Raises:
        ModuleNotFoundError: it is a module of this program that is missing, which no other start would mend.
    """
    name = (error.name or "").partition(".")[0]
    if not name or (PROJECT_ROOT / name).exists() or (PROJECT_ROOT / f"{name}.py").exists():
        raise error
    if not is_checkout(PROJECT_ROOT):
        again = 'repeat the installation in the source folder of ISICGUI: pip install ".[train]"'
        return f"{name} is not installed in this Python; {again}."
    launcher = "run_isicgui.bat" if sys.platform == "win32" else "./run_isicgui.sh"
    start = f"{launcher} {program}".rstrip()
    return f"{name} is not installed in this Python; start with {start}, which makes an environment that has it."
