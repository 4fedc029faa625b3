"""``main.py analyse``: the full analysis of one image in a process of its own, with a progress bar or JSON lines."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from tqdm import tqdm

from core.control import Control, obey_signals
from core.errors import ArgumentError
from core.headless import headless_command, headless_environment, run_headless
from core.messages import Message
from core.paths import CHECKPOINTS, XAI_RESULTS
from xai.job import ANALYSIS, EVERY_VARIABLE, TARGETS, ExplanationJob, every_of


def analyse(options: argparse.Namespace) -> int:
    """Analyse the image that the options name; returns the exit code."""
    from cli.application import DONE, INTERRUPTED

    job = job_from(options)
    every = every_of(job, os.environ)
    control = Control()
    finished: Message | None = None
    view = _Lines() if options.json else _Bar(job.image)
    messages = run_headless(
        headless_command("xai"),
        job.encoded(),
        environment=headless_environment({EVERY_VARIABLE: str(every)}),
        time_limit_s=options.time_limit,
        control=control,
    )
    with obey_signals(control):
        try:
            for message in messages:
                view.show(message)
                finished = message if message["event"] == "finished" else finished
        finally:
            view.close()
    return DONE if finished else INTERRUPTED


def job_from(options: argparse.Namespace) -> ExplanationJob:
    """The job that the options describe.

    Raises:
        ArgumentError: the image is not there, or a value out of range.
    """
    if not options.image.is_file():
        raise ArgumentError(f"There is no image {options.image}.")
    if options.time_limit is not None and not options.time_limit > 0:
        raise ArgumentError(f"The time limit {options.time_limit:g} is not a number of seconds above 0.")
    target = options.target.strip()
    return ExplanationJob(
        ANALYSIS,
        options.image.resolve(),
        (options.checkpoints or CHECKPOINTS).resolve(),
        (options.output or XAI_RESULTS).resolve(),
        options.every,
        target.lower() if target.lower() in TARGETS else target.upper(),
        options.device,
        options.seed,
    )


class _Lines:
    """Every message as one line of JSON on stdout."""

    def show(self, message: Message) -> None:
        print(json.dumps(message, ensure_ascii=False), flush=True)

    def close(self) -> None:
        """Nothing is kept open."""


class _Bar:
    """A bar on stderr, what is said above it, and at the end where the report lies on stdout."""

    def __init__(self, image: Path) -> None:
        self._bar = tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}", desc=image.name)

    def show(self, message: Message) -> None:
        event, text = message["event"], message.get("text")
        if event == "progress":
            self._bar.set_description_str(str(message["doing"]))
            self._bar.update(message["done"] / message["total"] - self._bar.n)
        elif event == "finished":
            self._bar.update(1.0 - self._bar.n)
            self._bar.close()
            self._summarise(message)
        elif isinstance(text, str):
            tqdm.write(f"{event}: {text}" if event in ("warning", "error") else text, file=self._bar.fp)

    def close(self) -> None:
        self._bar.close()

    def _summarise(self, message: dict[str, Any]) -> None:
        likely = sorted(message["probabilities"].items(), key=lambda entry: -entry[1])[:3]
        print(f"Explained {message['target']['class']}; " + ", ".join(f"{name} {value:.1%}" for name, value in likely))
        print(f"Report: {message['main']}")
