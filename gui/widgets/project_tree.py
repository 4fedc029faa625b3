"""The tree of the project: generated images, explanations, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QTreeWidget, QTreeWidgetItem

from core.models.model_lookup import checkpoint_file
from gui.checkpoint_folder import Availability
from gui.output_listing import OutputListing
from gui.theme import themed_icon
from gui.widgets.controls import named, plain_tool_tip

_PATH = Qt.UserRole
_KIND = Qt.UserRole + 1


class ProjectTree(QTreeWidget):
    """A tree with three branches. A class folder shows its images; other entries open in the default program.

    Signals:
        class_chosen: a class folder was clicked (class name).
        opened: a file or folder was double-clicked (path).
    """

    class_chosen = pyqtSignal(str)
    opened = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        named(
            self,
            "projectTree",
            "Generated images, explanations and checkpoints. Double-click an entry to open it.",
            "Project",
        )
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self._branches = {name: self._branch(name) for name in ("Generated images", "XAI results", "Checkpoints")}
        self._branches["Generated images"].setExpanded(True)
        self.itemClicked.connect(self._on_clicked)
        self.itemActivated.connect(self._on_activated)

    def _branch(self, text: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self, [text])
        item.setData(0, _KIND, "branch")
        return item

    def show_listing(self, listing: OutputListing, results: Path) -> None:
        """Show the output folder and the explanations folder."""
        images = [(listing.output / name, f"{name} ({len(names):,})") for name, names in listing.images.items()]
        self._fill("Generated images", listing.output, images, "class", "mdi6.folder-outline")
        files = [(path, path.name) for path in listing.results]
        self._fill("XAI results", results, files, "file", "mdi6.chart-box-outline")

    def show_count(self, class_name: str, count: int) -> None:
        """Update the number of images of a class folder."""
        branch = self._branches["Generated images"]
        for row in range(branch.childCount()):
            item = branch.child(row)
            if item.data(0, _PATH).name == class_name:
                item.setText(0, f"{class_name} ({count:,})")

    def show_checkpoints(self, folder: Path, classes: Mapping[str, Availability]) -> None:
        """Show the usable checkpoints."""
        files = [checkpoint_file(folder, name) for name, found in classes.items() if found.usable]
        present = [(file, file.name) for file in files if file.is_file()]
        self._fill("Checkpoints", folder, present, "file", "mdi6.database-outline")

    def _fill(self, branch: str, folder: Path, entries: list[tuple[Path, str]], kind: str, icon: str) -> None:
        item = self._branches[branch]
        item.setData(0, _PATH, folder)
        item.setToolTip(0, plain_tool_tip(str(folder)))
        item.takeChildren()
        drawn = themed_icon(icon)
        for path, text in entries:
            child = QTreeWidgetItem(item, [text])
            child.setIcon(0, drawn)
            child.setData(0, _PATH, path)
            child.setData(0, _KIND, kind)
            child.setToolTip(0, plain_tool_tip(str(path)))
        item.setText(0, branch if entries else f"{branch} (none)")

    def _on_clicked(self, item: QTreeWidgetItem) -> None:
        if item.data(0, _KIND) == "class":
            self.class_chosen.emit(item.data(0, _PATH).name)

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        path = item.data(0, _PATH)
        if path is not None and item.data(0, _KIND) != "class":
            self.opened.emit(path)
        self._on_clicked(item)
