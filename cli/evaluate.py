"""``main.py evaluate`` and ``main.py compare``: measure generated sets in a separate process."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.headless import run_shown
from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.json_text import encode_json
from core.process.protocol import Message
from core.process.runner import headless_command
from evaluation.job import FEATURES, ComparisonJob, EvaluationJob


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate the set named in the options; return the exit code."""
    settings = settings_from(options)
    job = EvaluationJob(images=options.images, real=options.real, output=options.output, **settings)
    _require_folders(options.images, options.real)
    return _run(job.to_json(), as_json=options.json)


def compare(options: argparse.Namespace) -> int:
    """Compare the sets named in the options; return the exit code."""
    if len(options.sets) < 2:
        raise ArgumentError("A comparison needs at least two sets; name them.")
    settings = settings_from(options)
    _require_folders(*options.sets, *([options.real] if options.real else []))
    # Check the settings as in the jobs of the sets, to report wrong values before the computation starts.
    EvaluationJob(images=options.sets[0], real=options.real or options.sets[0], output=options.output, **settings)
    plain = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in settings.items()}
    plain |= {"real": str(options.real.resolve())} if options.real else {}
    return _run(ComparisonJob(tuple(options.sets), options.output, plain).to_json(), as_json=options.json)


def settings_from(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of ``EvaluationJob`` given on the command line.

    Raises:
        ArgumentError: a class or a network is unknown.
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
    encoded = encode_json(job)
    return run_shown(headless_command("evaluation"), encoded, summarise=_summary, as_json=as_json)


def _summary(finished: Message) -> list[str]:
    return [*finished["summary"], f"Report: {finished['main']}"]
