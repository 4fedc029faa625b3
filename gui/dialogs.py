"""Every question and every message box of the window. Messages open without stopping the event loop."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Final

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from core import __version__
from core.generation.wording import counted_images
from gui.theme import themed_icon

RESEARCH_USE: Final = "For research use only. Not a medical device."
_ICON_SIZE: Final = 36
_ERROR: Final = ("mdi6.alert-circle-outline", "error")
_QUESTION: Final = ("mdi6.help-circle-outline", "primary")
_INFORMATION: Final = ("mdi6.information-outline", "primary")


class CloseChoice(enum.Enum):
    """What to do with the running job when the window is to be closed."""

    STOP_NOW = "stop now"
    AFTER_IMAGE = "after this image"
    STAY = "stay"


def show_error(parent: QWidget, text: str) -> None:
    """Say what happened and what to do. An error that is on the screen already is not shown again."""
    for box in parent.findChildren(QMessageBox):
        if box.isVisible() and box.text() == text:
            return
    _open(_box(parent, _ERROR, "ISICGUI could not do that", text))


def show_information(parent: QWidget, title: str, text: str) -> None:
    """Tell the result of something that the user asked for."""
    _open(_box(parent, _INFORMATION, title, text))


def ask_close(parent: QWidget, done: int, total: int) -> CloseChoice:
    """Ask what to do with the running job on closing."""
    box = _box(parent, _QUESTION, "A job is running", f"{done} of {total} images are done. Stop the job?")
    box.setInformativeText("Finished images are kept, and the rest is offered again at the next start.")
    stop = box.addButton("Stop now and close", QMessageBox.DestructiveRole)
    after = box.addButton("Close after this image", QMessageBox.AcceptRole)
    stay = box.addButton("Go on generating", QMessageBox.RejectRole)
    _fit(box, stay)
    box.exec_()
    if box.clickedButton() is stop:
        return CloseChoice.STOP_NOW
    return CloseChoice.AFTER_IMAGE if box.clickedButton() is after else CloseChoice.STAY


def ask_stop_now(parent: QWidget) -> bool:
    """Ask whether a window that closes after this image is to close at once."""
    details = "The image that is being made is given up. Finished images are kept."
    stop, stay = "Stop now and close", "Wait for this image"
    return _ask_stop(parent, "Closing after this image", "Stop now instead?", details, stop, stay)


def ask_stop_evaluation(parent: QWidget) -> bool:
    """Ask whether closing may end the evaluation that is running."""
    details = "What it has measured so far is lost; it would have to begin again."
    text, stop, stay = "An evaluation is running. Stop it?", "Stop it and close", "Go on evaluating"
    return _ask_stop(parent, "An evaluation is running", text, details, stop, stay)


def ask_stop_explanations(parent: QWidget, number: int) -> bool:
    """Ask whether closing may end the explanation that is running, and forget those that wait."""
    text = f"{counted_images(number)} still to be explained. Stop?"
    details = "Explanations that are done are kept; the one that is running would have to begin again."
    return _ask_stop(parent, "An explanation is running", text, details, "Stop and close", "Go on explaining")


def _ask_stop(parent: QWidget, title: str, text: str, details: str, stop_text: str, stay_text: str) -> bool:
    box = _box(parent, _QUESTION, title, text)
    box.setInformativeText(details)
    stop = box.addButton(stop_text, QMessageBox.DestructiveRole)
    stay = box.addButton(stay_text, QMessageBox.RejectRole)
    _fit(box, stay)
    box.exec_()
    return box.clickedButton() is stop


def choose_folder(parent: QWidget, title: str, start: str) -> Path | None:
    """Let the user choose a folder; None when they cancel."""
    chosen = QFileDialog.getExistingDirectory(parent, title, start)
    return Path(chosen) if chosen else None


def show_about(parent: QWidget) -> None:
    """Say what this program is."""
    text = (
        f"<h3>ISIC Synthetic Data Generator {__version__}</h3>"
        "<p>Generates labelled, reproducible synthetic dermoscopic images with diffusion models.</p>"
        f"<p><b>{RESEARCH_USE}</b> Nothing it shows is a diagnosis.</p>"
        "<p>Free software under the GPL, version 3 or later. The demonstration weights are CC BY-NC 4.0. "
        "The program sends nothing anywhere.</p>"
    )
    box = _box(parent, None, "About ISICGUI", text)
    box.setTextFormat(Qt.RichText)
    _open(box)


def _box(parent: QWidget, icon: tuple[str, str] | None, title: str, text: str) -> QMessageBox:
    box = QMessageBox(QMessageBox.NoIcon, title, text, QMessageBox.NoButton, parent)
    if icon is not None:  # the style's own are the coarse ones of another time
        box.setIconPixmap(themed_icon(*icon).pixmap(_ICON_SIZE, _ICON_SIZE))
    box.setTextFormat(Qt.PlainText)  # a path must not be read as HTML
    box.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
    return box


def _fit(box: QMessageBox, stay: QPushButton) -> None:
    """Make the buttons as wide as what they say, and staying the one for Enter and Escape."""
    for button in box.buttons():  # the style would give all of them the width of a short word
        button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 40)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)


def _open(box: QMessageBox) -> None:
    box.addButton(QMessageBox.Ok)
    box.setAttribute(Qt.WA_DeleteOnClose)
    box.open()  # window-modal, and returns at once: the job's events go on being shown
