"""What happens beside the steps of a run: states saved, the best kept, progress told."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from classification.events import Note, Tell, Trained, Validated
from classification.training.job import STATE
from classification.training.learner import AUROC, BALANCED_ACCURACY, Learner
from classification.training.stages import Stages
from core.errors import JobFailedError
from core.io.atomic_files import write_whole
from core.io.plain_text import encode_csv
from core.io.side_files import SideFiles

import lightning  # isort: skip - after the learner, which makes torchvision importable
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping  # isort: skip

CURVE: Final = "curve.csv"
_COLUMNS: Final = ("step", "size", "loss", "images_per_second", AUROC, BALANCED_ACCURACY)
_TELL_EVERY_S: Final = 20.0


def unwritable(file: Path, error: OSError) -> JobFailedError:
    """What to say when a file of a run cannot be written, as on a full disk."""
    kept = "the one before it is whole" if file.is_file() else "there is none before it"
    again = "go on with --resume" if file.with_name(STATE).is_file() else "begin again"
    return JobFailedError(f"{file} cannot be written ({error.strerror or error}); {kept}. Make room, then {again}.")


class SaveState(Checkpoint):
    """Write the whole state of a run every so often and after the validation of each pass; the file is whole or the
    one before.

    Args:
        file: where to.
        every_s: seconds between two saves within a pass; what an interruption costs at most.
    """

    def __init__(self, file: Path, every_s: float) -> None:
        self._file, self._every_s, self._last = file, every_s, time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Save when it is time. Every process decides alike, because saving is done together."""
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return  # Lightning would take the pass for finished and never validate it
        due = time.monotonic() - self._last >= self._every_s
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Save after the validation of a pass: Lightning calls checkpoint callbacks last."""
        self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        part = self._file.with_suffix(".part")
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                os.replace(part, self._file)  # noqa: PTH105 - over a file that is there, also on Windows
        except OSError as error:
            part.unlink(missing_ok=True)
            raise unwritable(self._file, error) from error
        self._last = time.monotonic()


class KeepBest(Callback):
    """Keep the averaged weights whenever the validation AUROC is higher than ever before at the same image size.

    Args:
        write: writes them; called with the step, the AUROC and the balanced accuracy.
        stages: a larger size begins anew: the classifier is used at the last one.
    """

    def __init__(self, write: Callable[[Learner, dict[str, float]], None], stages: Stages) -> None:
        self._write, self._stages = write, stages
        self.best, self._size = -math.inf, 0

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare, and write where it is the best."""
        auroc, size = float(trainer.callback_metrics[AUROC]), self._stages.size(trainer.global_step - 1)
        if auroc > self.best or size > self._size:
            self.best, self._size = auroc, size
            found = {"step": trainer.global_step, AUROC: auroc}
            found[BALANCED_ACCURACY] = float(trainer.callback_metrics[BALANCED_ACCURACY])
            if trainer.is_global_zero and isinstance(pl_module, Learner):
                self._write(pl_module, found)

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"best": self.best, "size": self._size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best so far."""
        self.best, self._size = state_dict["best"], state_dict["size"]


class StopWhenStale(EarlyStopping):
    """Early stopping that waits for the last image size, up to which the learning rate has not begun to fall.

    Args:
        patience: passes without a higher validation AUROC.
        first_pass: the first one that counts.
    """

    def __init__(self, patience: int, first_pass: int) -> None:
        super().__init__(AUROC, mode="max", patience=patience, check_finite=False)
        self._first_pass = first_pass

    def _should_skip_check(self, trainer: lightning.Trainer) -> bool:
        return super()._should_skip_check(trainer) or trainer.current_epoch < self._first_pass

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """A run that had stopped stays so when it is resumed, unless it is given more patience."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with everything but the patience, which a resumed run may change."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class Progress(Callback):
    """Tell how fast it goes and what came out, and keep the curve of the run as a CSV.

    Args:
        curve: the CSV, one row a pass.
        stages: of the run.
        batch_size: images of a step.
        keeper: knows what is the best.
        tell: who wants to know.
    """

    def __init__(
        self,
        curve: Path,
        stages: Stages,
        batch_size: int,
        keeper: KeepBest,
        tell: Tell,
    ) -> None:
        self._curve, self._stages, self._batch_size = curve, stages, batch_size
        self._keeper, self._tell = keeper, tell
        self._side_files = SideFiles(lambda text: tell(Note(text)))
        self._rows: list[list[str]] = []
        self._pass_loss: list[float] = []
        self._since, self._counted, self._losses, self._rate = time.monotonic(), 0, 0.0, 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Begin the mean of a pass."""
        self._pass_loss = []

    def on_train_batch_start(self, *_: Any) -> None:
        """Start the clock with the first step: what lies between passes does not count."""
        if not self._counted:
            self._since = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, _: Any, outputs: Any, *__: Any) -> None:
        """Count a step, and tell now and then."""
        loss = float(outputs["loss"])
        self._pass_loss.append(loss)
        self._losses += loss
        self._counted += 1
        seconds = time.monotonic() - self._since
        last_of_pass = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if seconds >= _TELL_EVERY_S or last_of_pass:
            step, mean = trainer.global_step, self._losses / self._counted
            size = self._stages.size(step - 1)
            self._rate = self._counted * self._batch_size / max(seconds, 1e-9)
            left = self._stages.pixels_left(step) / size**2 * self._batch_size / self._rate  # a pixel costs what it did
            self._tell(Trained(step, self._stages.total, size, mean, self._rate, left))
            self._counted, self._losses = 0, 0.0

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Tell and write what the validation of the pass gave."""
        metrics, step = trainer.callback_metrics, trainer.global_step
        auroc, balanced = float(metrics[AUROC]), float(metrics[BALANCED_ACCURACY])
        size = self._stages.size(step - 1)
        self._tell(Validated(step, size, auroc, balanced, auroc == self._keeper.best))
        loss = sum(self._pass_loss) / max(1, len(self._pass_loss))
        self._rows.append([str(step), str(size), f"{loss:.5f}", f"{self._rate:.2f}", f"{auroc:.5f}", f"{balanced:.5f}"])
        if trainer.is_global_zero:
            with self._side_files.continue_without(self._curve):  # its rows are in the state
                write_whole(self._curve, encode_csv([_COLUMNS, *self._rows]))

    def state_dict(self) -> dict[str, Any]:
        """The curve so far."""
        return {"rows": self._rows, "pass_loss": self._pass_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the curve so far."""
        self._rows, self._pass_loss = state_dict["rows"], state_dict["pass_loss"]
