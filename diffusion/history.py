"""How a run went: a table and a picture of its losses, both replaced whole, and TensorBoard where it is asked for."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from core.errors import ArgumentError
from core.io.atomic_files import whole_file, write_whole
from core.io.plain_text import encode_csv
from core.io.side_files import SideFiles

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TABLE: Final = "loss.csv"
PICTURE: Final = "loss.png"
BOARD: Final = "tensorboard"


@dataclass(frozen=True)
class Measured:
    """One validation.

    Attributes:
        step: after which it was made.
        size: of the images, in pixels.
        loss: mean over the steps since the last validation.
        held_out_loss: of the averaged weights on held-out images, at noise that never changes.
        images_per_second: over the steps since the last validation, all processes together.
        learning_rate: of the step.
        memory_mib: the most that the device, or on a processor the process, has held.
    """

    step: int
    size: int
    loss: float
    held_out_loss: float
    images_per_second: float
    learning_rate: float = 0.0
    memory_mib: float = 0.0


class History:
    """The validations of a run so far. A run that goes on from an earlier step forgets what came after it."""

    def __init__(self, folder: Path, step: int, tensorboard: bool = False) -> None:
        """Read what is there of a run up to ``step``.

        Raises:
            ArgumentError: TensorBoard is asked for and not installed.
        """
        self.folder = folder
        self.rows = [row for row in _read(folder / TABLE) if row.step <= step]
        self.side_files = SideFiles(tqdm.write)
        self._board = _open_board(folder / BOARD, step) if tensorboard else None

    def add(self, row: Measured) -> None:
        """Take note of a validation, and write table and picture anew; what fails is made good by the next."""
        self.rows.append(row)
        with self.side_files.continue_without(self.folder / TABLE):
            write_whole(self.folder / TABLE, _as_csv(self.rows))
        with self.side_files.continue_without(self.folder / PICTURE):
            _draw(self.rows, self.folder / PICTURE)
        if not self._board:
            return
        with self.side_files.continue_without(self.folder / BOARD):
            for name in ("loss", "held_out_loss", "images_per_second", "learning_rate", "memory_mib"):
                self._board.add_scalar(name, getattr(row, name), row.step)

    def add_grid(self, pixels: np.ndarray, step: int) -> None:
        """Show a grid of images, uint8 (H, W, 3), in TensorBoard too."""
        if not self._board:
            return
        with self.side_files.continue_without(self.folder / BOARD):
            self._board.add_image("averaged weights", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        if not self._board:
            return
        with self.side_files.continue_without(self.folder / BOARD):
            self._board.close()


def _open_board(folder: Path, step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - installed for training alone, and slow
    except ImportError as error:
        raise ArgumentError(
            "--tensorboard needs the package tensorboard; install requirements-train.txt, or leave the option out."
        ) from error
    return SummaryWriter(str(folder), purge_step=step + 1)


def _read(file: Path) -> list[Measured]:
    if not file.is_file():
        return []
    # A spreadsheet program may have saved it since: with a byte-order mark, or in an encoding of its own.
    text = file.read_text(encoding="utf-8-sig", errors="replace").replace("\0", "")
    rows = (_measured(row) for row in csv.DictReader(io.StringIO(text)))
    return [row for row in rows if row is not None]


def _measured(row: dict[str, str]) -> Measured | None:
    """A validation from its row; None where the row is not one."""
    known = {field.name: int if field.type == "int" else float for field in fields(Measured)}
    try:
        return Measured(**{name: known[name](value) for name, value in row.items() if name in known and value})  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a number that is missing, and one that is none
        return None


def _as_csv(rows: list[Measured]) -> bytes:
    columns = [field.name for field in fields(Measured)]
    return encode_csv([columns, *([_short(value) for value in asdict(row).values()] for row in rows)])


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _draw(rows: list[Measured], file: Path) -> None:
    """Both losses over the steps; a line breaks where the image size changes: losses of two sizes do not compare."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, size in enumerate(dict.fromkeys(row.size for row in rows)):
        part = [row for row in rows if row.size == size]
        steps = [row.step for row in part]
        axes.plot(steps, [row.loss for row in part], color=f"C{index}", alpha=0.4, label=f"training, {size} px")
        axes.plot(
            steps, [row.held_out_loss for row in part], "o-", ms=3, color=f"C{index}", label=f"held out, {size} px"
        )
    axes.set(xlabel="step", ylabel="weighted squared error", yscale="log")
    axes.legend()
    with whole_file(file, replace=True) as stream:
        figure.savefig(stream, format="png", dpi=120)
