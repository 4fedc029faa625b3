"""Callbacks of a training run: save states, keep the best weights, report progress."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from classification.events import Emit, Note, Trained, Validated
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
_REPORT_EVERY_S: Final = 20.0


def unwritable(file: Path, error: OSError) -> JobFailedError:
    """The error for a file of a run that cannot be written, for example on a full disk."""
    kept = "the previous one is intact" if file.is_file() else "there is no previous one"
    again = "continue with --resume" if file.with_name(STATE).is_file() else "start again"
    return JobFailedError(f"{file} cannot be written ({error.strerror or error}); {kept}. Make room, then {again}.")


class SaveState(Checkpoint):
    """Save the state of a run at intervals and after the validation of each epoch, atomically.

    Args:
        file: file to write.
        every_s: seconds between two saves within an epoch; at most this much work is lost by an interruption.
    """

    def __init__(self, file: Path, every_s: float) -> None:
        self._file, self._every_s, self._last = file, every_s, time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Save if it is due. All processes take the same decision, because they save together."""
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return  # Lightning would consider the epoch finished and skip its validation
        due = time.monotonic() - self._last >= self._every_s
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Save after the validation of an epoch: Lightning calls checkpoint callbacks last."""
        self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        part = self._file.with_suffix(".part")
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                os.replace(part, self._file)  # noqa: PTH105 - replaces an existing file, also on Windows
        except OSError as error:
            part.unlink(missing_ok=True)
            raise unwritable(self._file, error) from error
        self._last = time.monotonic()


class KeepBest(Callback):
    """Keep the averaged weights with the highest validation AUROC at the last image size.

    Args:
        write: writes the weights; called with the step, the AUROC and the balanced accuracy.
        stages: image sizes; the comparison restarts at each larger size, because the last size is the one used later.
    """

    def __init__(self, write: Callable[[Learner, dict[str, float]], None], stages: Stages) -> None:
        self._write, self._stages = write, stages
        self.best, self._size = -math.inf, 0

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare, and write the weights if they are the best."""
        auroc, size = float(trainer.callback_metrics[AUROC]), self._stages.size(trainer.global_step - 1)
        if auroc > self.best or size > self._size:
            self.best, self._size = auroc, size
            found = {"step": trainer.global_step, AUROC: auroc}
            found[BALANCED_ACCURACY] = float(trainer.callback_metrics[BALANCED_ACCURACY])
            if trainer.is_global_zero and isinstance(pl_module, Learner):
                self._write(pl_module, found)

    def state_dict(self) -> dict[str, Any]:
        """The best AUROC so far and its image size."""
        return {"best": self.best, "size": self._size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the best AUROC so far."""
        self.best, self._size = state_dict["best"], state_dict["size"]


class StopWhenStale(EarlyStopping):
    """Early stopping that starts at the last image size, because the learning rate does not fall before it.

    Args:
        patience: number of epochs without a higher validation AUROC.
        first_epoch: first epoch that counts.
    """

    def __init__(self, patience: int, first_epoch: int) -> None:
        super().__init__(AUROC, mode="max", patience=patience, check_finite=False)
        self._first_epoch = first_epoch

    def _should_skip_check(self, trainer: lightning.Trainer) -> bool:
        return super()._should_skip_check(trainer) or trainer.current_epoch < self._first_epoch

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """A stopped run remains stopped when it is resumed, unless the patience was increased."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore everything except the patience, which may change on resume."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class Progress(Callback):
    """Report the speed and the results, and write the curve of the run as a CSV.

    Args:
        curve: the CSV, with one row per epoch.
        stages: image sizes of the run.
        batch_size: images per step.
        keeper: knows the best result.
        emit: receives the events.
    """

    def __init__(
        self,
        curve: Path,
        stages: Stages,
        batch_size: int,
        keeper: KeepBest,
        emit: Emit,
    ) -> None:
        self._curve, self._stages, self._batch_size = curve, stages, batch_size
        self._keeper, self._emit = keeper, emit
        self._side_files = SideFiles(lambda text: emit(Note(text)))
        self._rows: list[list[str]] = []
        self._epoch_loss: list[float] = []
        self._since, self._counted, self._losses, self._rate = time.monotonic(), 0, 0.0, 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the mean loss of an epoch."""
        self._epoch_loss = []

    def on_train_batch_start(self, *_: Any) -> None:
        """Start the clock with the first step, so that the time between epochs does not count."""
        if not self._counted:
            self._since = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, _: Any, outputs: Any, *__: Any) -> None:
        """Count a step, and report at intervals."""
        loss = float(outputs["loss"])
        self._epoch_loss.append(loss)
        self._losses += loss
        self._counted += 1
        seconds = time.monotonic() - self._since
        last_of_epoch = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if seconds >= _REPORT_EVERY_S or last_of_epoch:
            step, mean = trainer.global_step, self._losses / self._counted
            size = self._stages.size(step - 1)
            self._rate = self._counted * self._batch_size / max(seconds, 1e-9)
            left = (
                self._stages.pixels_left(step) / size**2 * self._batch_size / self._rate
            )  # at a constant cost per pixel
            self._emit(Trained(step, self._stages.total, size, mean, self._rate, left))
            self._counted, self._losses = 0, 0.0

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Report and write the validation result of the epoch."""
        metrics, step = trainer.callback_metrics, trainer.global_step
        auroc, balanced = float(metrics[AUROC]), float(metrics[BALANCED_ACCURACY])
        size = self._stages.size(step - 1)
        self._emit(Validated(step, size, auroc, balanced, auroc == self._keeper.best))
        loss = sum(self._epoch_loss) / max(1, len(self._epoch_loss))
        self._rows.append([str(step), str(size), f"{loss:.5f}", f"{self._rate:.2f}", f"{auroc:.5f}", f"{balanced:.5f}"])
        if trainer.is_global_zero:
            with self._side_files.continue_without(self._curve):  # its rows are in the state
                write_whole(self._curve, encode_csv([_COLUMNS, *self._rows]))

    def state_dict(self) -> dict[str, Any]:
        """The curve so far."""
        return {"rows": self._rows, "epoch_loss": self._epoch_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the curve so far; states of earlier versions name the loss ``pass_loss``."""
        self._rows = state_dict["rows"]
        self._epoch_loss = state_dict["epoch_loss"] if "epoch_loss" in state_dict else state_dict["pass_loss"]
