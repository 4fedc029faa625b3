"""All questions and message boxes of the window. Message boxes do not block the event loop."""

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
    """The user's decision about the running job when the window is closed."""

    STOP_NOW = "stop now"
    AFTER_IMAGE = "after this image"
    STAY = "stay"


def show_error(parent: QWidget, text: str) -> None:
    """Show an error message, unless the same message is already visible."""
    for box in parent.findChildren(QMessageBox):
        if box.isVisible() and box.text() == text:
            return
    _open(_box(parent, _ERROR, "ISICGUI could not do that", text))


def show_information(parent: QWidget, title: str, text: str) -> None:
    """Show the result of an action of the user."""
    _open(_box(parent, _INFORMATION, title, text))


def ask_close(parent: QWidget, done: int, total: int) -> CloseChoice:
    """Ask what to do with the running job when the window is closed."""
    box = _box(parent, _QUESTION, "A job is running", f"{done} of {total} images are done. Stop the job?")
    box.setInformativeText("Finished images are kept. The next start of the program offers to generate the rest.")
    stop = box.addButton("Stop now and close", QMessageBox.DestructiveRole)
    after = box.addButton("Close after this image", QMessageBox.AcceptRole)
    stay = box.addButton("Continue generating", QMessageBox.RejectRole)
    _fit(box, stay)
    box.exec_()
    if box.clickedButton() is stop:
        return CloseChoice.STOP_NOW
    return CloseChoice.AFTER_IMAGE if box.clickedButton() is after else CloseChoice.STAY


def ask_stop_now(parent: QWidget) -> bool:
    """Ask whether a window that will close after this image should close now."""
    details = "The unfinished image is discarded. Finished images are kept."
    stop, stay = "Stop now and close", "Wait for this image"
    return _ask_stop(parent, "Closing after this image", "Stop now instead?", details, stop, stay)


def ask_stop_evaluation(parent: QWidget) -> bool:
    """Ask whether closing the window may stop the running evaluation."""
    details = "Its results so far are lost. You would have to start it again."
    text, stop, stay = "An evaluation is running. Stop it?", "Stop it and close", "Continue evaluating"
    return _ask_stop(parent, "An evaluation is running", text, details, stop, stay)


def ask_stop_explanations(parent: QWidget, number: int) -> bool:
    """Ask whether closing the window may stop the running explanation and discard the waiting ones."""
    text = f"Not yet explained: {counted_images(number)}. Stop?"
    details = "Finished explanations are kept. You would have to start the others again."
    return _ask_stop(parent, "An explanation is running", text, details, "Stop and close", "Continue explaining")


def _ask_stop(parent: QWidget, title: str, text: str, details: str, stop_text: str, stay_text: str) -> bool:
    box = _box(parent, _QUESTION, title, text)
    box.setInformativeText(details)
    stop = box.addButton(stop_text, QMessageBox.DestructiveRole)
    stay = box.addButton(stay_text, QMessageBox.RejectRole)
    _fit(box, stay)
    box.exec_()
    return box.clickedButton() is stop


def choose_folder(parent: QWidget, title: str, start: str) -> Path | None:
    """Let the user choose a folder; return None if the user cancels."""
    chosen = QFileDialog.getExistingDirectory(parent, title, start)
    return Path(chosen) if chosen else None


def show_about(parent: QWidget) -> None:
    """Show the name, version, purpose and licence of the program."""
    text = (
        f"<h3>ISIC Synthetic Data Generator {__version__}</h3>"
        "<p>Generates labelled, reproducible synthetic dermoscopic images with diffusion models.</p>"
        f"<p><b>{RESEARCH_USE}</b> None of its output is a diagnosis.</p>"
        "<p>Free software under the GPL, version 3 or later. The demonstration weights are CC BY-NC 4.0. "
        "The program sends no data.</p>"
    )
    box = _box(parent, None, "About ISICGUI", text)
    box.setTextFormat(Qt.RichText)
    _open(box)


def _box(parent: QWidget, icon: tuple[str, str] | None, title: str, text: str) -> QMessageBox:
    box = QMessageBox(QMessageBox.NoIcon, title, text, QMessageBox.NoButton, parent)
    if icon is not None:  # the built-in icons of the style have a low resolution
        box.setIconPixmap(themed_icon(*icon).pixmap(_ICON_SIZE, _ICON_SIZE))
    box.setTextFormat(Qt.PlainText)  # a path must not be read as HTML
    box.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
    return box


def _fit(box: QMessageBox, stay: QPushButton) -> None:
    """Fit the buttons to their texts, and make ``stay`` the button for Enter and Escape."""
    for button in box.buttons():  # the style would make all buttons too narrow
        button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 40)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)


def _open(box: QMessageBox) -> None:
    box.addButton(QMessageBox.Ok)
    box.setAttribute(Qt.WA_DeleteOnClose)
    box.open()  # window-modal and not blocking: the events of a running job are still shown
