"""A cache of computed features, keyed by the content of the image, the network and the image size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.io.atomic_files import whole_file


class FeatureCache:
    """Features of one network at one image size, in one file.

    The cache is optional: an unreadable file counts as empty, and a file that cannot be written is skipped.
    """

    def __init__(self, folder: Path, network: str, fingerprint: str, size: int) -> None:
        self._file = folder / f"{network}-{fingerprint[:16]}-{size}px.npz"
        self._known: dict[str, np.ndarray] = self._read()

    def missing(self, digests: Iterable[str]) -> set[str]:
        """The digests (SHA-256 of the image file) without cached features."""
        return set(digests) - set(self._known)

    def get(self, digest: str) -> np.ndarray:
        """Cached features float32 (D,) of an image.

        Raises:
            KeyError: the image is not cached.
        """
        return self._known[digest]

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Add features and save them, with those that another process has saved since."""
        self._known = {**self._read(), **self._known, **found}
        content = io.BytesIO()
        np.savez(content, digests=np.array(list(self._known)), features=np.stack(list(self._known.values())))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._file, replace=True) as stream:
                stream.write(content.getvalue())
        except OSError:
            return  # without the cache the next run takes longer; this result is complete

    def _read(self) -> dict[str, np.ndarray]:
        try:
            with self._file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
                return dict(zip(content["digests"].tolist(), content["features"], strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return {}
