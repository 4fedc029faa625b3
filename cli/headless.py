"""Show a headless process in the terminal: a progress bar and a summary, or its messages as JSON lines."""

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
    """Run a job in a separate process and show its messages; return the exit code.

    Args:
        command: command from ``core.process.runner.headless_command``.
        job: content of the job file.
        summarise: returns the summary lines for the message ``finished``.
        as_json: print every message as one line of JSON on stdout instead.
        title: title of the progress bar until the process reports its activity.
        environment: additional environment variables of the process.
        time_limit_s: time limit in seconds; None for no limit.

    Raises:
        ArgumentError, JobFailedError: see ``run_headless``.
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
    """Print every message as one line of JSON on stdout."""

    def show(self, message: Message) -> None:
        print(json.dumps(message), flush=True)

    def close(self) -> None:
        """Do nothing: no resource is open."""


class _Bar:
    """Show a progress bar on stderr, messages above it, and the summary on stdout."""

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
