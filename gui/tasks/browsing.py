"""Read folders and images in the background: listings, thumbnails, and image parameters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtGui import QImage

from core.output.image_file import ImageFileError, ImageParameters, read_parameters
from gui.explanation_results import Explained, read_explained
from gui.output_listing import list_output
from gui.pictures import read_picture
from gui.tasks.task import Task, TaskKeeper


class ListingTask(Task):
    """List folders.

    Signals:
        listed: an ``OutputListing``.
    """

    listed = pyqtSignal(object)

    def __init__(self, output: Path, results: Path) -> None:
        super().__init__()
        self._output, self._results = output, results

    def work(self) -> None:
        """List the folders."""
        self.listed.emit(list_output(self._output, self._results))


@dataclass(frozen=True)
class ImageFacts:
    """An image file: pixels, parameters (or why they are unknown), explanation and overlay."""

    path: Path
    picture: QImage
    parameters: ImageParameters | None
    problem: str = ""
    explained: Explained | None = None
    overlay: QImage = field(default_factory=QImage)


class ImageTask(Task):
    """Read one image.

    Signals:
        read: ``ImageFacts``.
    """

    read = pyqtSignal(object)

    def __init__(self, path: Path, results: Path) -> None:
        super().__init__()
        self._path, self._results = path, results

    def work(self) -> None:
        """Read the image, its parameters and its explanation."""
        parameters, problem = None, ""
        try:
            parameters = read_parameters(self._path)
        except ImageFileError as error:
            problem = str(error)
        explained = read_explained(self._results, self._path)
        overlay = read_picture(explained.overlay) if explained else QImage()
        self.read.emit(ImageFacts(self._path, read_picture(self._path), parameters, problem, explained, overlay))


class _ThumbnailTask(Task):
    made = pyqtSignal(str, QImage)

    def __init__(self, take: Callable[[], str | None], size: int) -> None:
        super().__init__()
        self._take, self._size = take, size

    def work(self) -> None:
        while not self.isInterruptionRequested() and (path := self._take()) is not None:
            self.made.emit(path, read_picture(Path(path), self._size))


class Thumbnails(QObject):
    """Creates thumbnails on request. The latest request is first, because the user is viewing that image.

    Signals:
        made: path and thumbnail; a null QImage if the file cannot be read.
    """

    made = pyqtSignal(str, QImage)

    def __init__(self, keeper: TaskKeeper, size: int, parent: QObject) -> None:
        super().__init__(parent)
        self._keeper, self._size = keeper, size
        self._lock = threading.Lock()
        self._wanted: dict[str, None] = {}
        self._working = False

    def request(self, path: str) -> None:
        """Request a thumbnail."""
        with self._lock:
            self._wanted.pop(path, None)
            self._wanted[path] = None
        self._work()

    def forget(self) -> None:
        """Discard all waiting requests, because another folder is shown."""
        with self._lock:
            self._wanted.clear()

    def _take(self) -> str | None:
        with self._lock:
            return self._wanted.popitem()[0] if self._wanted else None

    def _work(self) -> None:
        if not self._working:
            self._working = True
            task = _ThumbnailTask(self._take, self._size)
            task.made.connect(self.made)
            task.finished.connect(self._on_finished)
            self._keeper.start(task)

    def _on_finished(self) -> None:
        self._working = False
        with self._lock:
            more = bool(self._wanted)
        if more:  # a request arrived when the task was ending
            self._work()
