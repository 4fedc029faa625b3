"""Right column: the tree, the class folders, the thumbnails, and the chosen image."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QPoint, Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.output_listing import OutputListing
from gui.tasks.browsing import Thumbnails
from gui.theme import themed_icon
from gui.widgets.controls import heading_line, named, tool_button
from gui.widgets.image_details import ImageDetails
from gui.widgets.image_list_model import ImageListModel
from gui.widgets.project_tree import ProjectTree
from gui.widgets.thumbnail_view import ThumbnailView

_ACTIONS = (
    ("open", "Open in the system's viewer", "mdi6.open-in-new"),
    ("reproduce", "Reproduce this image", "mdi6.content-duplicate"),
    ("explain", "Explain this image", "mdi6.eye-outline"),
    ("analyse", "Analyse this image, with a report", "mdi6.text-box-search-outline"),
    ("report", "Open its report", "mdi6.file-chart-outline"),
    ("use_settings", "Use its settings", "mdi6.tune-variant"),
    ("show_file", "Show in file manager", "mdi6.folder-open-outline"),
)
_EVALUATE_TIP = "Compare the set in the output folder with real images: resemblance, copies, usefulness (Ctrl+E)."


class Browser(QWidget):
    """Browse the output folder.

    Signals:
        chosen: an image was clicked (path).
        wanted: name of a requested action (see ``_ACTIONS``), and path of the image.
        refresh: the user requests a new reading of the folders.
        evaluate: the user requests an evaluation of the set in the output folder.
    """

    chosen = pyqtSignal(object)
    wanted = pyqtSignal(str, object)
    refresh = pyqtSignal()
    evaluate = pyqtSignal()

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.tree = ProjectTree()
        self.folders = named(QListWidget(), "classFolderList", "Class folders of the output folder.", "Class folders")
        self.images = named(ThumbnailView(), "imageFileList", "Images of the class. Right-click for more.", "Images")
        self.details = ImageDetails()
        self.model = ImageListModel(thumbnails, self)
        self._evaluate = tool_button("evaluateButton", "mdi6.chart-box-outline", _EVALUATE_TIP, "Evaluate this set…")
        self._evaluate.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self._refresh = tool_button("refreshButton", "mdi6.refresh", "Read the folders again (Ctrl+Shift+R).")
        self._listing = OutputListing(Path())
        self._class_name = ""
        self._folder_items: dict[str, QListWidgetItem] = {}
        self._set_up_images()
        self._lay_out()
        self._connect()

    def _set_up_images(self) -> None:
        self.images.setModel(self.model)
        self.images.setContextMenuPolicy(Qt.CustomContextMenu)

    def _lay_out(self) -> None:
        top = QSplitter(Qt.Horizontal)
        top.addWidget(self.tree)
        top.addWidget(self.folders)
        top.setSizes([250, 140])
        self.splitter = QSplitter(Qt.Vertical)
        self.splitter.setObjectName("browserSplitter")
        for widget, stretch in ((top, 2), (self.images, 4), (self.details, 2)):
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(self.splitter.count() - 1, stretch)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(10)
        self.splitter.setSizes([95, 125, 230])
        line = heading_line("Browse", self._evaluate, self._refresh)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.splitter, 1)

    def _connect(self) -> None:
        self._refresh.clicked.connect(self.refresh)
        self._evaluate.clicked.connect(self.evaluate)
        self.tree.class_chosen.connect(self.show_class)
        self.tree.opened.connect(lambda path: self.wanted.emit("open", path))
        self.folders.currentItemChanged.connect(self._on_folder)
        self.images.selectionModel().currentChanged.connect(self._on_image)
        self.details.explain.connect(lambda path: self.wanted.emit("explain", path))
        self.images.clicked.connect(lambda index: self.chosen.emit(self.model.path(index)))
        self.images.activated.connect(lambda index: self.wanted.emit("open", self.model.path(index)))
        self.images.customContextMenuRequested.connect(self._show_menu)

    def show_listing(self, listing: OutputListing, results: Path) -> None:
        """Show a new listing; keep the chosen class."""
        self._listing = listing
        self.tree.show_listing(listing, results)
        self.folders.blockSignals(True)
        self.folders.clear()
        self._folder_items.clear()
        for name in listing.images:
            self._add_folder(name)
        self.folders.blockSignals(False)
        self.show_class(self._class_name if self._class_name in listing.images else next(iter(listing.images), ""))

    def _add_folder(self, class_name: str) -> None:
        item = QListWidgetItem(themed_icon("mdi6.folder-outline"), "")
        item.setData(Qt.UserRole, class_name)
        item.setText(f"{class_name} ({len(self._listing.images[class_name]):,})")
        self.folders.addItem(item)
        self._folder_items[class_name] = item

    def add_image(self, path: Path) -> None:
        """Add a new image to the counts, and to the thumbnails if its class is shown."""
        names = self._listing.images.get(path.parent.name)
        if names is None or path.parent.parent != self._listing.output:
            self.refresh.emit()  # the first image of a class, so its folder is new
            return
        names.append(path.name)
        self.model.append(path)
        self.tree.show_count(path.parent.name, len(names))
        if (item := self._folder_items.get(path.parent.name)) is not None:
            item.setText(f"{path.parent.name} ({len(names):,})")

    def show_class(self, class_name: str) -> None:
        """Show the images of a class."""
        self._class_name = class_name
        names = self._listing.images.get(class_name, [])
        self.model.show_folder(self._listing.output / class_name, names)
        if (item := self._folder_items.get(class_name)) is not None:
            self.folders.blockSignals(True)
            self.folders.setCurrentItem(item)
            self.folders.blockSignals(False)

    def _on_folder(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.show_class(str(item.data(Qt.UserRole)))

    def _on_image(self) -> None:
        index = self.images.currentIndex()
        if index.isValid():
            self.chosen.emit(self.model.path(index))

    def _show_menu(self, position: QPoint) -> None:
        index = self.images.indexAt(position)
        if index.isValid():
            menu = self.menu_for(self.model.path(index))
            menu.popup(self.images.viewport().mapToGlobal(position))

    def menu_for(self, path: Path) -> QMenu:
        """Return the context menu of an image."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for name, text, icon in _ACTIONS:
            action = menu.addAction(themed_icon(icon), text)
            action.setObjectName(f"{name}Action")
            action.triggered.connect(lambda _, name=name: self.wanted.emit(name, path))
        return menu
