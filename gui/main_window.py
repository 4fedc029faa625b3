"""The main window: creates the widgets and services, and connects them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PyQt5.QtCore import QSettings, QSize, QTimer
from PyQt5.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PyQt5.QtWidgets import QApplication, QMainWindow

from core.generation.events import Notice
from core.paths import XAI_RESULTS
from core.presets import AUTO
from core.process.bug_report import bug_details
from gui.browsing_presenter import BrowsingPresenter
from gui.closing import Closing
from gui.dialogs import RESEARCH_USE, choose_folder, show_error, show_information
from gui.displayed_overlay import DisplayedOverlay
from gui.downloads import Downloads
from gui.evaluation_job import EvaluationRequest
from gui.evaluations import Evaluations
from gui.explanation_controller import Explaining
from gui.explanations import Explanations
from gui.forecast import Forecast
from gui.image_actions import ImageActions
from gui.job_actions import JobActions
from gui.job_controller import JobController
from gui.job_explanations import JobExplanations
from gui.job_presenter import JobPresenter
from gui.journal import JOURNAL_FOLDER, Journal
from gui.layout import Layout
from gui.menus import Menus, WindowCommands
from gui.models_presenter import ModelsPresenter
from gui.settings import Settings, load_settings, save_settings
from gui.tasks.browsing import Thumbnails
from gui.tasks.engine import EngineFacts, LoadEngine, SharedModels
from gui.tasks.generation import ImageReport
from gui.tasks.task import TaskKeeper
from gui.theme import apply_theme
from gui.widgets.controls import plain_tool_tip
from gui.widgets.image_list_model import THUMBNAIL

_SIZE = (1280, 720)


class MainWindow(QMainWindow):
    """The desktop application.

    Args:
        store: storage of settings and geometry; the journal of the running job is in the same folder. Default: the
            settings of the current user.
        results: folder of all explanations.
    """

    def __init__(self, store: QSettings | None = None, results: Path = XAI_RESULTS) -> None:
        super().__init__()
        self._store = store or QSettings(QSettings.IniFormat, QSettings.UserScope, "ISICGUI", "ISICGUI")
        self.settings = load_settings(self._store)
        apply_theme(self.settings.theme)
        self.setWindowTitle(f"ISIC Synthetic Data Generator. {RESEARCH_USE}")
        self.setAcceptDrops(True)
        self.keeper = TaskKeeper(self)
        self.parts = Layout(self, Thumbnails(self.keeper, THUMBNAIL * 2, self))
        self._make_services(results)
        self._connect_parts()
        self._connect_services()
        self.menus = self._make_menus()
        self._engine_requested = False
        self._restore()

    def _make_services(self, results: Path) -> None:
        parts, shared = self.parts, SharedModels()
        journal = Journal(Path(self._store.fileName()).with_name(JOURNAL_FOLDER))
        self.controller = JobController(self.keeper, shared, journal, self)
        self.models = ModelsPresenter(self.keeper, self)
        self.browsing = BrowsingPresenter(parts.browser, self.keeper, results)
        self.explanations = Explanations(self)
        self.evaluations = Evaluations(self)
        self.forecast = Forecast(self.settings.speeds)
        self.downloads = Downloads(self, self.keeper)
        self.jobs = JobActions(self.controller, parts, self.forecast, self.collect, self.settings.last_job)
        self.images = ImageActions(self, parts, self.models, self.keeper, shared, self.controller)
        self._presenter = JobPresenter(self.controller, parts.centre, parts.log)
        self._explaining = Explaining(self.explanations, self.controller, parts, self.collect, results)
        overlay_job = self._explaining.overlay_job
        self._job_explanations = JobExplanations(self.explanations, self.controller, parts, self.collect, overlay_job)
        self._displayed = DisplayedOverlay(self.explanations, self.controller, parts, overlay_job)
        self._closing = Closing(self, self.controller, self.explanations, self.evaluations, self.keeper)

    def _make_menus(self) -> Menus:
        commands = WindowCommands(
            select_models=self.select_models,
            download_models=self.download_models,
            select_output=self.select_output,
            open_output=self.open_output,
            evaluate_set=self.evaluate_set,
            refresh=self.browsing.refresh,
            choose_theme=self.choose_theme,
            copy_details=self.copy_details,
        )
        theme = self.settings.theme
        return Menus(self, self.parts, commands, jobs=self.jobs, controller=self.controller, theme=theme)

    def _connect_parts(self) -> None:
        parts = self.parts
        parts.top.select_models.connect(self.select_models)
        parts.top.select_output.connect(self.select_output)
        parts.top.options_toggled.connect(parts.options.setVisible)
        parts.top.xai_button.toggled.connect(parts.centre.show_overlay_controls)
        for part in (parts.top, parts.options, parts.classes, parts.conditions, parts.sources):
            part.changed.connect(self.jobs.show_forecast)
        parts.top.changed.connect(self._show_device)
        parts.centre.live_changed.connect(self.controller.show_preview)
        parts.centre.preview.clicked.connect(self.browsing.open)
        parts.browser.evaluate.connect(self.evaluate_set)
        parts.models_notice.add_button(
            "downloadModelsButton", "Download models…", "Download trained models (Ctrl+D).", self.download_models
        )

    def _connect_services(self) -> None:
        log = self.parts.log
        logging = (self.models, self.explanations, self.evaluations, self._explaining, self.jobs, self.downloads)
        for source in (*logging, self.images, self._job_explanations, self._displayed):
            source.logged.connect(log.add)
        for failing in (self.browsing, self.images, self._explaining):
            failing.failed.connect(self.show_error)
        self.jobs.refused.connect(self.show_error)
        self.jobs.begun.connect(lambda _: self._explaining.begin())
        self.jobs.begun.connect(self._job_explanations.begin)
        self.jobs.begun.connect(lambda _: save_settings(self._store, self.collect()))  # a crash must not lose them
        self.controller.failed.connect(self._on_failed)
        self.controller.reported.connect(self._on_report)
        self.controller.ended.connect(self._on_ended)
        self.controller.changed.connect(lambda _: self.browsing.watcher.hold(self.controller.active))
        self.models.changed.connect(self._show_models)
        self.models.noticed.connect(self._notice_models)
        self.browsing.shown.connect(self.images.show)
        self.browsing.shown.connect(lambda facts: self._explaining.look_at(facts.path))
        self.browsing.shown.connect(self._displayed.show)
        self._displayed.displayed.connect(self.browsing.show_image)
        self.browsing.reproduce.connect(self.images.reproduce)
        self.browsing.use_settings.connect(self.images.use_settings)
        self.browsing.explain.connect(self._explaining.explain)
        self.browsing.analyse.connect(self._explaining.analyse)
        self._explaining.explained.connect(self.browsing.show_explained)
        self.browsing.free_changed.connect(self._on_free)
        self.downloads.installed.connect(self.use_models)
        self.evaluations.begun.connect(self._on_evaluation)
        self.evaluations.opened.connect(self.browsing.open)
        self._closing.waiting.connect(self._show_closing)

    def _restore(self) -> None:
        """Show the stored settings before the first event, so that the window is usable immediately."""
        self.models.look_at(Path(self.settings.checkpoints))
        self.parts.fill(self.settings)
        self.resize(QSize(*_SIZE).boundedTo(QApplication.primaryScreen().availableSize()))
        if geometry := self._store.value("window/geometry"):
            self.restoreGeometry(geometry)
        for splitter in self.parts.splitters:
            if state := self._store.value(f"window/{splitter.objectName()}"):
                splitter.restoreState(state)
        self.browsing.follow(Path(self.settings.output))
        self.jobs.show_forecast()
        self.jobs.offer_unfinished()
        self._show_device()
        self._show_output()

    def collect(self) -> Settings:
        """Return the current settings of all widgets."""
        return self.jobs.remembered(self.parts.collect(self.settings))

    def choose_theme(self, name: str) -> None:
        """Switch to another theme."""
        self.settings = replace(self.settings, theme=name)
        apply_theme(name)
        self.parts.log.show_again()
        self.browsing.refresh()  # redraws the icons of the tree and the folders
        self._show_models()

    def select_models(self) -> None:
        """Ask for a models folder."""
        if chosen := choose_folder(self, "Select the models folder", self.settings.checkpoints):
            self.use_models(chosen)

    def use_models(self, chosen: Path) -> None:
        """Use a models folder, or report why it cannot be used."""
        if not self.models.choose(chosen):
            self.show_error(
                f"{chosen} has no models: choose a folder with files such as unet_MEL_best.pth, "
                "or one that contains a folder named checkpoints."
            )
            return
        self.settings = replace(self.settings, checkpoints=str(self.models.folder))
        self.models.scan()

    def download_models(self) -> None:
        """Open the download dialog for the current models folder."""
        self.downloads.show(self.models.folder)

    def select_output(self) -> None:
        """Ask for an output folder."""
        if chosen := choose_folder(self, "Select the output folder", self.settings.output):
            self.use_output(chosen)

    def use_output(self, folder: Path) -> None:
        """Generate into a folder, and browse it."""
        self.settings = replace(self.settings, output=str(folder))
        self.parts.log.add("info", f"Output folder {folder}.")
        self.browsing.follow(folder)
        self._show_output()

    def evaluate_set(self) -> None:
        """Open the evaluation dialog for the current output folder."""
        self.evaluations.show(self.collect())

    def open_output(self) -> None:
        """Show the output folder in the file manager."""
        folder = Path(self.settings.output)
        if folder.is_dir():
            self.browsing.open(folder)
        else:
            self.show_error(f"{folder} does not exist yet; it is created with the first image.")

    def copy_details(self) -> None:
        """Copy versions, device and the last log messages to the clipboard, without the folders of any path."""
        QApplication.clipboard().setText(bug_details(self.parts.status.device.text()))
        text = "The details are on the clipboard. Read them before you publish them: they contain file names."
        show_information(self, "Details for a bug report", text)

    def show_error(self, text: str) -> None:
        """Show an error in a message box and in the log."""
        self.parts.log.add("error", text)
        show_error(self, text)

    def _on_failed(self, text: str, details: str) -> None:
        if details:
            self.parts.log.add("error", details)
        self.show_error(text)

    def _on_report(self, report: object) -> None:
        if isinstance(report, ImageReport):
            self.parts.browser.add_image(report.saved.path)
        elif isinstance(report, Notice):  # the demonstration weights have been unpacked
            self.models.look_at(self.models.folder)
            self.models.scan()

    def _on_evaluation(self, request: EvaluationRequest) -> None:
        self.settings = replace(self.settings, real_images=str(request.real))

    def _on_ended(self) -> None:
        self.browsing.refresh()

    def _on_free(self, free: int | None) -> None:
        self.jobs.free_bytes = free
        self.jobs.show_forecast()

    def _show_models(self) -> None:
        models, parts = self.models, self.parts
        self.forecast.classes = models.classes
        parts.classes.show_availability(models.classes)
        parts.sources.show_available(models.conditioned)
        parts.status.show_models(models.folder, models.count_text, models.color_text)
        parts.browser.tree.show_checkpoints(models.folder, models.classes)

    def _notice_models(self, text: str) -> None:
        if text:
            self.parts.models_notice.show_text(text)
        else:
            self.parts.models_notice.hide()

    def _show_device(self) -> None:
        top = self.parts.top
        resolved = self.forecast.auto_device if top.device_name == AUTO else top.device_name
        self.parts.status.show_device(resolved or "", top.device.currentText())

    def _show_output(self) -> None:
        tip = f"Choose the folder for the images (Ctrl+O): {self.settings.output}"
        self.parts.top.output_button.setToolTip(plain_tool_tip(tip))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Load torch after the window has been shown."""
        super().showEvent(event)
        if not self._engine_requested:
            self._engine_requested = True
            self.parts.status.status.setText("Loading PyTorch in the background…")
            QTimer.singleShot(100, self._load_engine)

    def _load_engine(self) -> None:
        task = LoadEngine()
        task.loaded.connect(self._on_engine)
        task.failed.connect(self._on_engine_failed)
        self.keeper.start(task)

    def _on_engine_failed(self, text: str, details: str) -> None:
        self.parts.status.status.setText("PyTorch could not be loaded")
        self._on_failed(text, details)

    def _on_engine(self, facts: EngineFacts) -> None:
        self.forecast.auto_device, self.forecast.auto_precisions = facts.auto_device, facts.auto_precisions
        self.parts.top.show_devices(facts)
        self.parts.status.status.setText(f"Ready, PyTorch {facts.torch_version}")
        self.models.scan()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Accept folders and images."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Use a folder as the models folder; show a file as an image."""
        path = next(Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile())
        event.acceptProposedAction()
        if path.is_dir():
            self.use_models(path)
        else:
            self.browsing.show_image(path)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Close the window now, or as soon as all background work has ended."""
        if not self._closing.may_close():
            event.ignore()
            return
        save_settings(self._store, self.collect())
        self._store.setValue("window/geometry", self.saveGeometry())
        for splitter in self.parts.splitters:
            self._store.setValue(f"window/{splitter.objectName()}", splitter.saveState())
        self._store.sync()
        event.accept()

    def _show_closing(self) -> None:
        self.parts.status.status.setText("Closing: waiting for background work…")
        self.parts.closing_notice.show_text("The window closes as soon as the background work has ended…")
        self.centralWidget().setEnabled(False)
        self.menuBar().setEnabled(False)
