"""Parse the arguments, run one command, turn errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core import __version__
from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError, IsicGuiError
from core.job import MAX_STEPS, PRECISIONS, SAMPLERS, GenerationJob

DONE: Final = 0
FAILED: Final = 1
WRONG_ARGUMENTS: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str]) -> int:
    """Run the program; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console without a letter of a path must not end the job
    options = build_parser().parse_args(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ArgumentError, CheckpointError) as error:
        # A checkpoint is only ever found wanting before the first image is written.
        return _report(error, WRONG_ARGUMENTS, as_json=getattr(options, "json", False))
    except IsicGuiError as error:
        return _report(error, FAILED, as_json=getattr(options, "json", False))


def _run(options: argparse.Namespace) -> int:
    if options.command == "generate":
        from cli.generate import generate

        return generate(options)
    if options.command == "reproduce":
        from cli.reproduce import reproduce

        return reproduce(options)
    from cli.models import list_models

    return list_models(options)


def _report(error: IsicGuiError, code: int, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"event": "error", "text": str(error), "exit_code": code}), flush=True)
    print(f"error: {error}", file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``main.py``. Options that were not given are absent, so that a job file can supply them."""
    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Generate labelled synthetic dermoscopic images with diffusion models. "
        "Research software, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"ISICGUI {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_generate(commands.add_parser("generate", help="generate images", argument_default=argparse.SUPPRESS))
    _add_reproduce(commands.add_parser("reproduce", help="make images again from what they say, and compare"))
    _add_models(commands.add_parser("models", help="list the checkpoints and whether they can be used"))
    return parser


def _add_generate(parser: argparse.ArgumentParser) -> None:
    defaults = GenerationJob({"MEL": 1})
    parser.add_argument("--classes", help=f"what to generate: MEL=4,NV=2 or ALL=3 (classes: {', '.join(CLASSES)})")
    parser.add_argument("--output", type=Path, help="folder for images and table (default: output)")
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    parser.add_argument("--steps", type=int, help=f"denoising steps, 1 to {MAX_STEPS} (default: {defaults.steps})")
    parser.add_argument("--sampler", help=f"{' | '.join(SAMPLERS)} (default: {defaults.sampler})")
    parser.add_argument("--seed", type=int, dest="base_seed", help=f"base seed (default: {defaults.base_seed})")
    parser.add_argument("--device", help="auto | cpu | cuda:N (default: auto)")
    parser.add_argument("--precision", help=f"{' | '.join(PRECISIONS)} (default: auto: bf16 where it is native)")
    parser.add_argument("--batch-size", help="auto | N images at a time (default: auto)")
    parser.add_argument(
        "--no-color", action="store_false", dest="color_adjustment", help="leave colours as the model gives them"
    )
    parser.add_argument("--job", type=Path, help="take the job from this file; other options override it")
    parser.add_argument("--save-job", type=Path, help="write the job to this file as well")
    parser.add_argument("--json", action="store_true", help="one JSON event a line on stdout")


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE.png")
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    parser.add_argument("--device", help="auto | cpu | cuda:N (default: the kind that the image names)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
