"""Default folders. They do not depend on the folder that the program is started from."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "ISICGUI_HOME"
"""Environment variable that names the folder for models, results and logs."""

PROJECT_ROOT: Final = Path(__file__).resolve().parent.parent
"""The folder that holds the packages: the source checkout, or ``site-packages`` of an installed copy."""


def is_checkout(code: Path) -> bool:
    """Whether a folder of packages is a source checkout, which an installed copy is not."""
    return (code / "pyproject.toml").is_file()


def data_root(code: Path, environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder for models, results and logs.

    It is the folder that ``ISICGUI_HOME`` names; without the variable, the checkout itself, or the user's data folder
    if the program is installed: an update replaces ``site-packages``, and users often cannot write there.

    Args:
        code: the folder that holds the packages.
        environment: the environment variables.
        platform: as ``sys.platform``.
    """
    if named := environment.get(HOME_VARIABLE):
        return Path(named).expanduser().resolve()
    if is_checkout(code):
        return code
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ISICGUI"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ISICGUI"
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "isicgui"


DATA_ROOT: Final = data_root(PROJECT_ROOT, os.environ)
CHECKPOINTS: Final = DATA_ROOT / "checkpoints"
OUTPUT: Final = DATA_ROOT / "output"
XAI_RESULTS: Final = DATA_ROOT / "xai_results"
RUNS: Final = DATA_ROOT / "runs"
LOGS: Final = DATA_ROOT / "logs"
CONDITIONED_FILE: Final = "unet_metadata_best.pth"
CLASSIFIER_FILE: Final = "classifier.pth"
STATISTICS_FILE: Final = "color_statistics.json"
DEMO_SET: Final = PROJECT_ROOT / "core" / "demo"


def best_checkpoint_file(folder: Path, class_name: str) -> Path:
    """The file that a training writes for a class; ``core.models.model_lookup`` finds those of other programs too."""
    return folder / f"unet_{class_name}_best.pth"
