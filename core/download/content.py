"""Check the content of the files in a checkpoints folder."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Final

from core.classes import CLASSES
from core.download.http import is_web_page
from core.errors import CheckpointError
from core.io.json_text import parse_json
from core.paths import CONDITIONED_FILE, DEMO_SET

_UNET: Final = re.compile(r"unet_([A-Z]+)_best\.pth")
_COMPANIONS: Final = {".pth", ".json", ".txt", ".md", ".csv"}
_PAPERS: Final = ("LICENSE", "README", "NOTICE")


def class_of(name: str) -> str | None:
    """Return the class whose checkpoint has this name; None for any other file."""
    found = _UNET.fullmatch(name)
    return found[1] if found and found[1] in CLASSES else None


def belongs(name: str) -> bool:
    """Check whether a checkpoints folder may contain a file of this name: weights, tables and documents."""
    if _UNET.fullmatch(name):
        return class_of(name) is not None
    return PurePath(name).suffix.lower() in _COMPANIONS or name.upper().startswith(_PAPERS)


def check_content(path: Path, name: str) -> None:
    """Open a file without executing anything in it, and check that its content matches its name.

    Raises:
        CheckpointError: the content does not match. The message uses ``name``, not the temporary path.
        JobFailedError: there is not enough memory to read the file.
    """
    try:
        _check(path, name)
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(str(path), name)) from error


def opens(path: Path) -> bool:
    """Check whether the content of a file matches its name.

    Raises:
        JobFailedError: there is not enough memory to read the file.
    """
    try:
        check_content(path, path.name)
    except CheckpointError:
        return False
    return True


def is_demonstration(path: Path) -> bool:
    """Check whether a valid file belongs to the bundled set and may therefore be replaced by any other model.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        JobFailedError: there is not enough memory to read the file.
    """
    if class_of(path.name):
        from core.models.checkpoints import read_checkpoint  # noqa: PLC0415

        return read_checkpoint(path).is_demo
    if path.name == CONDITIONED_FILE:
        from core.models.guided_checkpoints import read_conditioned  # noqa: PLC0415

        return read_conditioned(path).is_demo
    bundled = DEMO_SET / path.name
    return bundled.is_file() and bundled.read_bytes() == path.read_bytes()


def _check(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        if is_web_page(stream.read(4096)):
            raise CheckpointError(f"{path} is a web page.")
    if class_of(name):
        from core.models.checkpoints import read_checkpoint  # noqa: PLC0415 - loads torch, not needed if nothing has changed

        read_checkpoint(path)
    elif name.endswith(".pth"):
        _check_weights(path)
    elif name.endswith(".json"):
        _check_json(path)


def _check_weights(path: Path) -> None:
    """Check other weights, such as those of a classifier: tensors and plain values, of any architecture."""
    from core.models.checkpoints import load_file_safely  # noqa: PLC0415 - loads torch

    content = load_file_safely(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} contains a {type(content).__name__}, not the weights of a model.")


def _check_json(path: Path) -> None:
    try:
        parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}).") from error
