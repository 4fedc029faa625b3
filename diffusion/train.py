"""The training loop: one network, on one device or several, resumable to the bit on a CPU."""

from __future__ import annotations

import contextlib

from core.generation.control import Control
from diffusion.growing import grow
from diffusion.history import History
from diffusion.learner import Learner
from diffusion.stage_run import StageRun
from diffusion.stopping import EarlyStopping, is_told_to_stop


class Trainer(Learner):
    """A run: ``run`` continues from the step of the learner."""

    def run(self, control: Control | None = None, until: int | None = None) -> None:
        """Train up to step ``until`` (all stages when None), or until the validation loss no longer falls.

        The whole state is saved on the way, at the end, and when ``control`` says stop.

        Raises:
            JobFailedError: the loss is not finite, or the disk is full; the last whole state is good.
        """
        control = control or Control()
        last = min(self.config.total_steps(), until or self.config.total_steps())
        history = History(self.places.output, self.step, self.tensorboard and self.accelerator.is_main_process)
        self.places.output.mkdir(parents=True, exist_ok=True)  # not before: what is refused until here leaves nothing
        with contextlib.closing(history):
            while self.step < last and not self.finished and not is_told_to_stop(control):
                first, stage = self.config.stage_at(self.step)
                self._grow_for(self.step)
                StageRun(self, first, stage, min(last, first + stage.steps), history, control).run()
                if self.stopping.exhausted and stage != self.config.stages[-1]:
                    self.step = first + stage.steps  # this size has nothing more to teach
                if self.step == first + stage.steps and not self.finished:
                    self.stopping = EarlyStopping(self.config.patience, self.config.min_delta)
        self.save()

    def _grow_for(self, step: int) -> None:
        """Go on with the larger network around the averaged weights of the present one, where the step needs it."""
        unet = dict(self.config.unet_at(step))
        if self.unet != unet:
            self.begin_with(unet, grow(self.average.shadow, unet, self.scheduler, self.config.seed))
