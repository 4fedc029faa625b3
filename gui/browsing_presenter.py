"""Browsing: keep the listing current, show the chosen image, and run the actions of its menu."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, pyqtBoundSignal, pyqtSignal

from gui.desktop import open_path, show_in_file_manager
from gui.explanation_results import read_explained
from gui.output_listing import OutputListing
from gui.output_watcher import OutputWatcher
from gui.tasks.browsing import ImageFacts, ImageTask, ListingTask
from gui.tasks.task import TaskKeeper
from gui.widgets.browser import Browser


class BrowsingPresenter(QObject):
    """Shows one output folder and follows its changes.

    Signals:
        shown: ``ImageFacts`` of the chosen image.
        reproduce, explain, analyse, use_settings: the user requested this action for an image (path).
        failed: a sentence for an error box.
        free_changed: free bytes on the disk of the output folder, or None.
    """

    shown = pyqtSignal(object)
    reproduce = pyqtSignal(object)
    explain = pyqtSignal(object)
    analyse = pyqtSignal(object)
    use_settings = pyqtSignal(object)
    failed = pyqtSignal(str)
    free_changed = pyqtSignal(object)

    def __init__(self, browser: Browser, keeper: TaskKeeper, results: Path) -> None:
        super().__init__(browser)
        self._browser, self._keeper, self._results = browser, keeper, results
        self._output = Path()
        self._listing = self._again = False
        self._reading: Path | None = None
        self._shown: Path | None = None
        self.watcher = OutputWatcher(self)
        self.watcher.changed.connect(self.refresh)
        browser.refresh.connect(self.refresh)
        browser.chosen.connect(self.show_image)
        browser.wanted.connect(self._on_wanted)

    @property
    def _wishes(self) -> dict[str, pyqtBoundSignal]:
        """Return the signals of the actions that other objects run, by action name."""
        return {
            "reproduce": self.reproduce,
            "explain": self.explain,
            "analyse": self.analyse,
            "use_settings": self.use_settings,
        }

    def follow(self, output: Path) -> None:
        """Browse another output folder."""
        self._output = output
        self.refresh()

    def refresh(self) -> None:
        """Read the folders again. If a reading is running, read them once more afterwards."""
        if self._listing:
            self._again = True
            return
        self._listing, self._again = True, False
        task = ListingTask(self._output, self._results)
        task.listed.connect(self._on_listed)
        task.finished.connect(self._on_listing_ended)
        self._keeper.start(task)

    def show_image(self, path: Path) -> None:
        """Read an image, then show it. If several images are requested, only the last one is shown."""
        if path == self._reading:
            return
        self._reading = path
        task = ImageTask(path, self._results)
        task.read.connect(self._on_read)
        self._keeper.start(task)

    def show_explained(self, image: Path) -> None:
        """Show the new explanation of an image in the tree, and in the details if the image is shown there."""
        self.refresh()
        if image == self._shown:
            self.show_image(image)

    def _on_listed(self, listing: OutputListing) -> None:
        if listing.output == self._output:
            self._browser.show_listing(listing, self._results)
            self.watcher.follow(listing, self._results)
            self.free_changed.emit(listing.free)

    def _on_listing_ended(self) -> None:
        self._listing = False
        if self._again:
            self.refresh()

    def _on_read(self, facts: ImageFacts) -> None:
        if facts.path == self._reading:
            self._reading, self._shown = None, facts.path
            self._browser.details.show_facts(facts)
            self.shown.emit(facts)

    def _on_wanted(self, action: str, path: Path) -> None:
        if not path.exists():
            self.failed.emit(f"{path} does not exist any more; press Ctrl+Shift+R to read the folders again.")
            self.refresh()
        elif action == "open":
            self.open(path)
        elif action == "report":
            self._open_report(path)
        elif action == "show_file":
            show_in_file_manager(path)
        else:
            self._wishes[action].emit(path)

    def _open_report(self, image: Path) -> None:
        explained = read_explained(self._results, image)
        if explained is None or explained.report is None:
            self.failed.emit(f"{image.name} has not been analysed yet; choose 'Analyse this image' first.")
        else:
            self.open(explained.report)

    def open(self, path: Path) -> None:
        """Open a file or folder in the default program of the system."""
        if not open_path(path):
            self.failed.emit(f"The system has no program to open {path}; install one, or open the file yourself.")
