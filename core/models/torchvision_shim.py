"""Make ``import torchvision`` work beside a torch build that its compiled operators do not fit.

torchvision's compiled library links against one particular torch build. Next to another one (a CPU-only
torch beside the CUDA build of torchvision is the common case) it does not load, and then
``import torchvision`` itself fails with "operator torchvision::nms does not exist", because the package
registers shape functions for operators that only the library would declare. diffusers imports torchvision,
so everything fails with it. This project calls no detection operator: declaring the schemas is enough for
models, transforms and diffusers.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a Library takes its declarations back when it is collected


def declare_missing_operators() -> bool:
    """Declare torchvision's operator schemas where its compiled library cannot; call before importing it.

    Returns:
        True when the schemas had to be declared, False when torchvision is whole, absent or already served.
    """
    # Looking for the library may run the hook that launch.py installs, which declares the schemas: ask about them last.
    if _declared or _compiled_library_loads() or hasattr(torch.ops.torchvision, "nms"):
        return False
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
    return True


def _compiled_library_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True
    for library in sorted(Path(spec.origin).parent.glob("_C*")):
        if library.suffix not in {".so", ".pyd", ".dylib"}:
            continue
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
        return True
    return False
