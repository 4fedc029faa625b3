"""A cache of computed features, keyed by the content of the image, the network and the image size."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.io.array_file import ArrayFileError, read_arrays
from core.io.atomic_files import whole_file


class FeatureCache:
    """Features of one network at one image size, in one file.

    The cache is optional: an unreadable file counts as empty, and a file that cannot be written is skipped.
    """

    def __init__(self, folder: Path, network: str, fingerprint: str, size: int, width: int | None = None) -> None:
        """Open the file of a network.

        Args:
            folder: folder of the file.
            network, fingerprint: names of the network and of its weights.
            size: height and width of the images, in pixels.
            width: number of features of an image; a file with another number counts as empty.
        """
        self._width = width
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
            found = read_arrays(self._file, ("digests", "features"))
        except ArrayFileError:
            return {}
        digests, features = found["digests"], found["features"]
        fits = digests.ndim == 1 and digests.dtype.kind == "U" and features.ndim == 2 and features.dtype == np.float32
        if not fits or len(digests) != len(features) or self._width not in {None, features.shape[1]}:
            return {}
        return dict(zip(digests.tolist(), features, strict=True))
