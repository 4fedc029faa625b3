"""``main.py analyse``: the full analysis of one image in a separate process, with a progress bar or JSON lines."""

from __future__ import annotations

import argparse
import os

from cli.headless import run_shown
from core.errors import ArgumentError
from core.paths import CHECKPOINTS, XAI_RESULTS
from core.process.protocol import Message
from core.process.runner import headless_command
from xai.job import ANALYSIS, EVERY_VARIABLE, TARGETS, ExplanationJob, every_of


def analyse(options: argparse.Namespace) -> int:
    """Analyse the image named in the options; return the exit code."""
    job = job_from(options)
    return run_shown(
        headless_command("xai"),
        job.encoded(),
        summarise=_summary,
        as_json=options.json,
        title=job.image.name,
        environment={EVERY_VARIABLE: str(every_of(job, os.environ))},
        time_limit_s=options.time_limit,
    )


def job_from(options: argparse.Namespace) -> ExplanationJob:
    """Return the job described by the options.

    Raises:
        ArgumentError: the image does not exist, or a value is out of range.
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


def _summary(finished: Message) -> list[str]:
    likely = sorted(finished["probabilities"].items(), key=lambda entry: -entry[1])[:3]
    return [
        f"Explained {finished['target']['class']}; " + ", ".join(f"{name} {value:.1%}" for name, value in likely),
        f"Report: {finished['main']}",
    ]
