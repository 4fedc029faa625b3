"""What a file in a checkpoints folder may be, and whether it is that."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Final

from core.classes import CLASSES
from core.download.http import is_web_page
from core.errors import CheckpointError
from core.io.json_text import parse_json
from core.paths import DEMO_SET

_UNET: Final = re.compile(r"unet_([A-Z]+)_best\.pth")
_COMPANIONS: Final = {".pth", ".json", ".txt", ".md", ".csv"}
_PAPERS: Final = ("LICENSE", "README", "NOTICE")


def class_of(name: str) -> str | None:
    """The class whose checkpoint has this name; None for any other file."""
    found = _UNET.fullmatch(name)
    return found[1] if found and found[1] in CLASSES else None


def belongs(name: str) -> bool:
    """Whether a file of this name has a place in a checkpoints folder: weights, tables and documents."""
    if _UNET.fullmatch(name):
        return class_of(name) is not None
    return PurePath(name).suffix.lower() in _COMPANIONS or name.upper().startswith(_PAPERS)


def check_content(path: Path, name: str) -> None:
    """Open a file, executing nothing in it, and check that it is what its name says.

    Raises:
        CheckpointError: it is not; the sentence names it by ``name``, wherever it lies for now.
        JobFailedError: memory does not suffice to tell.
    """
    try:
        _check(path, name)
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(str(path), name)) from error


def opens(path: Path) -> bool:
    """Whether a file is what its name says.

    Raises:
        JobFailedError: memory does not suffice to tell.
    """
    try:
        check_content(path, path.name)
    except CheckpointError:
        return False
    return True


def is_demonstration(path: Path) -> bool:
    """Whether a file that opens is of the bundled set: any other model may take its place.

    Raises:
        CheckpointError: a checkpoint that cannot be read.
        JobFailedError: memory does not suffice to read it.
    """
    if class_of(path.name):
        from core.models.checkpoints import read_checkpoint  # noqa: PLC0415

        return read_checkpoint(path).is_demo
    bundled = DEMO_SET / path.name
    return bundled.is_file() and bundled.read_bytes() == path.read_bytes()


def _check(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        if is_web_page(stream.read(4096)):
            raise CheckpointError(f"{path} is a web page.")
    if class_of(name):
        from core.models.checkpoints import read_checkpoint  # noqa: PLC0415 - loads torch, which a run without news need not

        read_checkpoint(path)
    elif name.endswith(".pth"):
        _check_weights(path)
    elif name.endswith(".json"):
        _check_json(path)


def _check_weights(path: Path) -> None:
    """Any other weights, such as a classifier's: tensors and plain values, whatever their architecture."""
    from core.models.checkpoints import load_file_safely  # noqa: PLC0415 - loads torch

    content = load_file_safely(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the weights of a model.")


def _check_json(path: Path) -> None:
    try:
        parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}).") from error
