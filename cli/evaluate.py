"""``main.py evaluate`` and ``main.py compare``: measure generated sets in a process of its own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from core.classes import CLASSES
from core.control import Control, obey_signals
from core.errors import ArgumentError
from core.headless import Message, headless_command, headless_environment, run_headless
from evaluation.job import FEATURES, ComparisonJob, EvaluationJob


def evaluate(options: argparse.Namespace) -> int:
    """Measure the set that the options name; returns the exit code."""
    settings = settings_from(options)
    job = EvaluationJob(images=options.images, real=options.real, output=options.output, **settings)
    _require_folders(options.images, options.real)
    return _run(job.to_json(), as_json=options.json)


def compare(options: argparse.Namespace) -> int:
    """Tabulate the sets that the options name; returns the exit code."""
    if len(options.sets) < 2:
        raise ArgumentError("A comparison needs at least two sets; name them.")
    settings = settings_from(options)
    _require_folders(*options.sets, *([options.real] if options.real else []))
    # Checked here as the sets' own jobs will be, so that wrong values are found before anything is computed.
    EvaluationJob(images=options.sets[0], real=options.real or options.sets[0], output=options.output, **settings)
    plain = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in settings.items()}
    plain |= {"real": str(options.real.resolve())} if options.real else {}
    return _run(ComparisonJob(tuple(options.sets), options.output, plain).to_json(), as_json=options.json)


def settings_from(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of ``EvaluationJob`` that were given.

    Raises:
        ArgumentError: an unknown class or network.
    """
    given = {name: value for name, value in vars(options).items() if value is not None}
    names = ("quick", "utility", "fail_on_copies", "size", "checkpoints", "cache", "device", "seed")
    settings = {name: given[name] for name in names if name in given}
    if "classes" in given:
        settings["classes"] = _listed(given["classes"].upper(), CLASSES)
    if "features" in given:
        settings["features"] = _listed(given["features"].lower(), FEATURES)
    return settings


def _listed(text: str, everything: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    return everything if names == ("ALL",) else names


def _require_folders(*folders: Path) -> None:
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise ArgumentError(f"There is no folder {missing[0]}.")


def _run(job: Mapping[str, Any], *, as_json: bool) -> int:
    from cli.application import DONE, INTERRUPTED

    control = Control()
    finished: Message | None = None
    view = _Lines() if as_json else _Bar()
    messages = run_headless(
        headless_command("evaluation"),
        json.dumps(job, ensure_ascii=False).encode(),
        environment=headless_environment({}),
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


class _Lines:
    """Every message as one line of JSON on stdout."""

    def show(self, message: Message) -> None:
        print(json.dumps(message, ensure_ascii=False), flush=True)

    def close(self) -> None:
        """Nothing is kept open."""


class _Bar:
    """A bar on stderr, what is said above it, and at the end the answers on stdout."""

    def __init__(self) -> None:
        self._bar = tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}")

    def show(self, message: Message) -> None:
        event, text = message["event"], message.get("text")
        if event == "progress":
            self._bar.set_description_str(str(message["doing"]))
            self._bar.update(message["done"] / message["total"] - self._bar.n)
        elif event == "finished":
            self._bar.update(1.0 - self._bar.n)
            self._bar.close()
            for sentence in message["summary"]:
                print(sentence)
            print(f"Report: {message['main']}")
        elif isinstance(text, str) and event != "error":  # an error is told at the end, by the program itself
            tqdm.write(f"{event}: {text}" if event == "warning" else text, file=self._bar.fp)

    def close(self) -> None:
        self._bar.close()
