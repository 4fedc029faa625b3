"""The attribution methods, one file each. A new file with ``@method("name")`` is registered automatically."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from xai.attribution import Method

_found: dict[str, Method] = {}
METHODS: Final[Mapping[str, Method]] = MappingProxyType(_found)
"""Name to method: ``METHODS["ig"](classifier, image, target, options)``."""


def method(name: str) -> Callable[[Method], Method]:
    """Register a function as an attribution method with this name."""

    def enter(function: Method) -> Method:
        if name in _found:
            raise ValueError(f"two attribution methods are called {name!r}")
        _found[name] = function
        return function

    return enter


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
