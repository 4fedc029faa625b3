"""Import torch without blocking the window: long operations run without Python's global lock."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.errors import IsicGuiError

# The order matters: torch also loads the first library globally before the second.
_LIBRARIES: Final = (("libtorch_global_deps.so", "RTLD_GLOBAL"), ("libtorch_python.so", "RTLD_LOCAL"))
_one_at_a_time: Final = threading.Lock()


def load_core() -> None:
    """Import torch and the parts of the core that need it. Every task that uses them calls this function first.

    Raises:
        IsicGuiError: torch or one of its dependencies is missing or does not fit this system.
    """
    try:
        with _one_at_a_time, _without_collections():
            preload_libraries()
            import core.download  # noqa: PLC0415 - no torch, but half a second of network libraries
            import core.generation.reproduction  # noqa: PLC0415
            import core.generation.runner  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:
        raise IsicGuiError(
            f"PyTorch cannot be loaded ({error}), so images cannot be generated; start the program with "
            "run_isicgui, which repairs its environment."
        ) from error


def preload_libraries() -> None:
    """Load the libraries of torch, which takes half a second, without holding Python's global lock.

    ``import`` holds the lock; a call through ctypes does not. If this fails, torch loads the libraries itself.
    """
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for name, scope in _LIBRARIES:
        file = Path(spec.origin).parent / "lib" / name
        load(os.fsencode(file), os.RTLD_NOW | getattr(os, scope))


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Disable the garbage collector during a large import, and exclude the imported objects from later collections.

    Torch and diffusers create some hundred thousand objects that exist as long as the program runs. A collection that
    visits all of them takes 0.1 to 0.5 s and holds Python's global lock, so the window would freeze each time.
    """
    if "torch" in sys.modules:  # already imported
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
