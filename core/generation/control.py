"""Pause and stop a running job. Nothing is terminated by force: the job reads the decision at every step."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Iterator
from types import FrameType

from core.signals import handled, stop_signals


class Decision(enum.Enum):
    """The answer to the one question that a job asks at every denoising step."""

    GO_ON = "go on"
    PAUSE = "pause"
    STOP_AFTER_IMAGE = "stop after this image"
    STOP_NOW = "stop now"


class Control:
    """A switch shared between the thread that runs a job and whoever steers it. Every method is thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._decision = Decision.GO_ON

    @property
    def decision(self) -> Decision:
        """What the job is to do at its next step."""
        return self._decision

    def pause(self) -> None:
        """Hold the job at its next step, unless it must stop."""
        self._decide(Decision.PAUSE, unless=(Decision.STOP_AFTER_IMAGE, Decision.STOP_NOW))

    def go_on(self) -> None:
        """End a pause. A job that must stop still stops."""
        self._decide(Decision.GO_ON, unless=(Decision.STOP_AFTER_IMAGE, Decision.STOP_NOW))

    def stop_after_image(self) -> None:
        """Finish the images that are being denoised, then stop."""
        self._decide(Decision.STOP_AFTER_IMAGE, unless=(Decision.STOP_NOW,))

    def stop_now(self) -> None:
        """Give up the images that are being denoised and stop."""
        self._decide(Decision.STOP_NOW, unless=())

    def wait_while_paused(self) -> Decision:
        """Block, using no processor time, until the decision is no longer to pause; returns it."""
        with self._changed:
            self._changed.wait_for(lambda: self._decision is not Decision.PAUSE)
            return self._decision

    def _decide(self, decision: Decision, unless: tuple[Decision, ...]) -> None:
        with self._changed:
            if self._decision not in unless:
                self._decision = decision
                self._changed.notify_all()


@contextlib.contextmanager
def obey_signals(control: Control) -> Iterator[None]:
    """Stop the job now at Ctrl-C, at the SIGTERM of a cluster, and at the SIGHUP of a terminal that closes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        control.stop_now()

    with handled(stop_signals(), stop):
        yield
