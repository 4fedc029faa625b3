"""Importing torch without making the window wait: what holds Python's lock for long is done outside of it."""

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

# In this order: torch, too, loads the first one globally before the second.
_LIBRARIES: Final = (("libtorch_global_deps.so", "RTLD_GLOBAL"), ("libtorch_python.so", "RTLD_LOCAL"))
_one_at_a_time: Final = threading.Lock()


def load_core() -> None:
    """Import torch and the core that needs it. Every task that uses them calls this first; only one does the work.

    Raises:
        IsicGuiError: torch or what it needs is not there, or does not fit this system.
    """
    try:
        with _one_at_a_time, _without_collections():
            preload_libraries()
            import core.download  # noqa: PLC0415 - no torch, but half a second of network libraries
            import core.generation.reproduction  # noqa: PLC0415
            import core.generation.runner  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:
        raise IsicGuiError(
            f"PyTorch cannot be loaded ({error}), so nothing can be generated; start the program with "
            "run_isicgui, which mends its environment."
        ) from error


def preload_libraries() -> None:
    """Let the system load torch's libraries, which takes half a second, while Python's lock is free.

    ``import`` holds the lock meanwhile; a call through ctypes does not. Where this does not work, torch loads them.
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
    """Hold the garbage collector still during a large import, and spare it everything imported for good.

    Torch and diffusers make some hundred thousand objects that live as long as the program. Walking through all of
    them takes 0.1 to 0.5 s each time, with Python's lock held: the window would stand still, also later.
    """
    if "torch" in sys.modules:  # it is all done already
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
