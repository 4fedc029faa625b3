"""Where things lie: everything relative to the project root, wherever the program was started from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PROJECT_ROOT: Final = Path(__file__).resolve().parent.parent
CHECKPOINTS: Final = PROJECT_ROOT / "checkpoints"
OUTPUT: Final = PROJECT_ROOT / "output"
XAI_RESULTS: Final = PROJECT_ROOT / "xai_results"
CONDITIONED_FILE: Final = "unet_metadata_best.pth"
CLASSIFIER_FILE: Final = "classifier.pth"
STATISTICS_FILE: Final = "color_statistics.json"
DEMO_SET: Final = PROJECT_ROOT / "core" / "demo"


def best_checkpoint_file(folder: Path, class_name: str) -> Path:
    """The file that a training writes for a class; ``core.models.model_lookup`` finds those of other programs too."""
    return folder / f"unet_{class_name}_best.pth"
