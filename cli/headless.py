"""A headless process on the terminal: a bar while it works and a summary at its end, or its messages as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from tqdm import tqdm

from core.generation.control import Control, obey_signals
from core.io.plain_text import printable
from core.process.exit_codes import DONE, INTERRUPTED
from core.process.protocol import Message
from core.process.runner import headless_environment, run_headless

Summary = Callable[[Message], Iterable[str]]


def run_shown(
    command: tuple[str, ...],
    job: bytes,
    *,
    summarise: Summary,
    as_json: bool,
    title: str = "",
    environment: Mapping[str, str] | None = None,
    time_limit_s: float | None = None,
) -> int:
    """Run a job in a process of its own and show what it tells; returns the exit code.

    Args:
        command: as of ``core.process.runner.headless_command``.
        job: the content of the job file.
        summarise: the lines for stdout, from the message ``finished``.
        as_json: every message as one line of JSON on stdout instead.
        title: what the bar is called before the process says what it does.
        environment: variables beside those of every headless process.
        time_limit_s: after which it is stopped; None for no limit.

    Raises:
        ArgumentError, JobFailedError: as of ``run_headless``.
    """
    control = Control()
    finished = False
    view = _Lines() if as_json else _Bar(title, summarise)
    messages = run_headless(
        command,
        job,
        environment=headless_environment(environment or {}),
        time_limit_s=time_limit_s,
        control=control,
    )
    with obey_signals(control):
        try:
            for message in messages:
                view.show(message)
                finished = finished or message["event"] == "finished"
        finally:
            view.close()
    return DONE if finished else INTERRUPTED


class _Lines:
    """Every message as one line of JSON on stdout."""

    def show(self, message: Message) -> None:
        print(json.dumps(message), flush=True)

    def close(self) -> None:
        """Nothing is kept open."""


class _Bar:
    """A bar on stderr, what is said above it, and at the end the summary on stdout."""

    def __init__(self, title: str, summarise: Summary) -> None:
        self._summarise = summarise
        self._bar = tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}", desc=printable(title))

    def show(self, message: Message) -> None:
        event, text = message["event"], message.get("text")
        if event == "progress":
            self._bar.set_description_str(printable(str(message["doing"])))
            self._bar.update(message["done"] / message["total"] - self._bar.n)
        elif event == "finished":
            self._bar.update(1.0 - self._bar.n)
            self._bar.close()
            print(*(printable(line, keep="\n") for line in self._summarise(message)), sep="\n")
        elif isinstance(text, str):
            tqdm.write(printable(f"{event}: {text}" if event == "warning" else text), file=self._bar.fp)

    def close(self) -> None:
        self._bar.close()
