"""Features that were computed once, found again by the content of the image, the network and the size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.io.atomic_files import whole_file


class FeatureCache:
    """Features of one network at one picture size, in one file of a folder.

    A cache is a convenience: a file that cannot be read counts as empty, one that cannot be written as not there.
    """

    def __init__(self, folder: Path, network: str, fingerprint: str, size: int) -> None:
        self._file = folder / f"{network}-{fingerprint[:16]}-{size}px.npz"
        self._known: dict[str, np.ndarray] = self._read()

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of the images (SHA-256 of the file) that it knows nothing of."""
        return set(digests) - set(self._known)

    def get(self, digest: str) -> np.ndarray:
        """Features float32 (D,) of an image that it knows."""
        return self._known[digest]

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Keep features, and those that another process has written meanwhile."""
        self._known = {**self._read(), **self._known, **found}
        content = io.BytesIO()
        np.savez(content, digests=np.array(list(self._known)), features=np.stack(list(self._known.values())))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._file, replace=True) as stream:
                stream.write(content.getvalue())
        except OSError:
            return  # a full or read-only disk costs time at the next run, not the result of this one

    def _read(self) -> dict[str, np.ndarray]:
        try:
            with self._file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
                return dict(zip(content["digests"].tolist(), content["features"], strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return {}
