"""Command line of the training tools: ``python -m diffusion train|autoencoder|export|inspect|color-statistics``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.errors import ArgumentError
from core.io.plain_text import printable
from core.presets import PRECISIONS
from core.process.exit_codes import DONE, FAILED, INTERRUPTED, VERBOSE_HELP, report, run_command
from core.process.streams import lasting_streams

_TRAINING_PACKAGES: Final = {"accelerate", "tensorboard"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with lasting_streams():
        options = build_parser().parse_args(arguments)
        as_json = getattr(options, "json", False)
        return run_command(
            lambda: _run(options, as_json=as_json),
            name=f"diffusion {options.command}",
            as_json=as_json,
            verbose=getattr(options, "verbose", False),
            result_is_output=options.command == "inspect",
        )


def _run(options: argparse.Namespace, *, as_json: bool) -> int:
    try:
        return _COMMANDS[options.command](options)
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING_PACKAGES:
            raise
        text = f"{error.name} is not installed: pip install -r requirements-train.txt."
        return report(text, FAILED, as_json=as_json)


def _train(options: argparse.Namespace) -> int:
    from diffusion.training_command import train

    return DONE if train(options) else INTERRUPTED


def _export(options: argparse.Namespace) -> int:
    from diffusion.export import export, state_from
    from diffusion.plan import parse_classes

    if (options.output is None) == (options.diffusers is None):
        raise ArgumentError("Name one folder to write to: --output for this program, --diffusers for diffusers.")
    if options.diffusers:
        return _export_diffusers(options)
    if options.to_state:
        print(printable(str(state_from(options.source, options.output))))
        return DONE
    classes = parse_classes(options.classes) if options.classes else None
    for file in export(options.source, options.output, classes, options.demo_set):
        print(printable(str(file)))
    return DONE


def _export_diffusers(options: argparse.Namespace) -> int:
    from diffusion.diffusers_export import export_diffusers
    from diffusion.plan import parse_classes

    classes = parse_classes(options.classes) if options.classes else None
    folders, problems = export_diffusers(options.source, options.diffusers, classes)
    for folder in folders:
        print(folder)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return DONE


def _inspect(options: argparse.Namespace) -> int:
    from diffusion.describe import as_text, describe

    facts = describe(options.file)
    print(json.dumps(facts, default=str) if options.json else as_text(facts))
    return DONE


def _color_statistics(options: argparse.Namespace) -> int:
    from core.paths import STATISTICS_FILE
    from diffusion.export import write_color_statistics
    from diffusion.tables import read_images

    file = options.output if options.output.suffix == ".json" else options.output / STATISTICS_FILE
    table = write_color_statistics(read_images(options.data).images, file, options.size, options.cache)
    print(printable(f"{file}: {', '.join(table)}"))
    return DONE


def _autoencoder(options: argparse.Namespace) -> int:
    from diffusion.autoencoder import command

    if options.autoencoder_command == "evaluate":
        command.evaluate_file(options)
        return DONE
    return DONE if command.train(options) else INTERRUPTED


_COMMANDS: Final = {
    "train": _train,
    "autoencoder": _autoencoder,
    "export": _export,
    "inspect": _inspect,
    "color-statistics": _color_statistics,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m diffusion``."""
    parser = argparse.ArgumentParser(prog="python -m diffusion", description="Train diffusion models.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train models on real images", argument_default=argparse.SUPPRESS))
    _add_autoencoder(commands.add_parser("autoencoder", help="train or evaluate the autoencoder of a latent model"))
    _add_export(commands.add_parser("export", help="turn a training state into checkpoints, or one into a state"))
    inspect = commands.add_parser("inspect", help="tell what a checkpoint or a training state is")
    inspect.add_argument("file", type=Path, help="a checkpoint, a training state, or a folder with a demonstration set")
    inspect.add_argument("--json", action="store_true", help="one JSON object on stdout")
    colors = commands.add_parser("color-statistics", help="measure the colours of real images per class")
    colors.add_argument("--data", type=Path, required=True, help="a folder of real images")
    colors.add_argument("--output", type=Path, default=Path("color_statistics.json"), help="the file to write")
    colors.add_argument("--size", type=int, default=128, help="pixels (default: 128)")
    colors.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where decoded images are kept")
    for name in ("train", "export", "inspect", "color-statistics"):
        commands.choices[name].add_argument("--verbose", action="store_true", help=VERBOSE_HELP)
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="a folder of real images, of any form")
    parser.add_argument("--output", type=Path, default=Path("runs/training"), help="for states, curves and checkpoints")
    parser.add_argument("--checkpoints", type=Path, default=None, help="finished files (default: OUTPUT/checkpoints)")
    parser.add_argument("--cache", type=Path, default=None, help="for decoded images (default: OUTPUT/cache)")
    what = parser.add_argument_group("what to train").add_mutually_exclusive_group()
    what.add_argument(
        "--preset",
        choices=["demo", "demo-more"],
        help="a named run: the bundled demonstration set, or more training of one (with --start)",
    )
    what.add_argument("--conditional", action="store_true", help="one network of all classes, exported one by one")
    what.add_argument("--condition", choices=["metadata"], help="one network that is told metadata")
    what.add_argument(
        "--latent",
        type=Path,
        metavar="FILE",
        help="one network of all conditions, on the latents of FILE",
    )
    parser.add_argument("--classes", help="MEL,NV or ALL (default: ALL that have enough images)")
    parser.add_argument("--architecture", help="default | small | demo (default: default; for metadata: demo)")
    parser.add_argument("--size", type=int, help="pixels (default: 128; for metadata: 256)")
    parser.add_argument("--start", type=Path, default=None, help="begin with the weights of this file or folder")
    parser.add_argument(
        "--resume", nargs="?", const="last", default=None, metavar="last|FILE", help="go on from a state"
    )
    parser.add_argument("--until", type=int, default=None, help="stop after this step")
    _add_training_settings(parser.add_argument_group("how to train"))
    device = parser.add_argument_group("on what")
    device.add_argument("--device", choices=["auto", "cpu"], default="auto", help="default: auto")
    device.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto: bf16 where it is native")
    device.add_argument("--compile", action="store_true", help="torch.compile (needs a C++ compiler)")
    device.add_argument("--gradient-checkpointing", action="store_true", help="less memory, slower")
    device.add_argument("--accumulate", type=int, help="work through each batch in so many parts (default: 1)")
    shown = parser.add_argument_group("what it shows")
    shown.add_argument("--save-every", type=int, help="steps between whole states (default: 500)")
    shown.add_argument("--validate-every", type=int, help="steps between validations (default: 500)")
    shown.add_argument("--grid-every", type=int, help="steps between grids of images, 0 for none (default: 2000)")
    shown.add_argument("--tensorboard", action="store_true", default=False, help="event files as well")


def _add_training_settings(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--steps", type=int, help="at most (default: 50000)")
    group.add_argument("--batch-size", type=int, help="images a step, over all processes (default: 16)")
    group.add_argument("--learning-rate", type=float, help="after the warm-up (default: 1e-4)")
    group.add_argument("--warm-up", type=int, help="steps (default: 500, at most a tenth of the run)")
    group.add_argument(
        "--half-size",
        type=float,
        metavar="SHARE",
        help="of the steps of a network that grows, first, at half the size (default: 0.7)",
    )
    group.add_argument("--guided-steps", type=int, help="with --latent: last steps that learn guidance (a fifth)")
    group.add_argument("--guidance", type=float, help="with --latent: w of these steps, 0 to below 1 (default: 0.5)")
    group.add_argument("--alignment", type=float, help="with --latent: weight of the image features (default: 0.5)")
    group.add_argument("--prediction", choices=["epsilon", "v_prediction"], help="default: epsilon")
    group.add_argument("--ema-decay", type=float, help="of the averaged weights (default: 0.9995)")
    group.add_argument("--no-jitter", action="store_false", dest="jitter", help="leave colours as they are")
    group.add_argument("--patience", type=int, help="validations without progress; 0 to go on (default: 15)")
    group.add_argument("--seed", type=int, help="of first weights and batches (default: 0)")


def _add_autoencoder(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="autoencoder_command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train on real images, with their lesion masks if there are any")
    train.add_argument("--data", type=Path, required=True, help="a folder of real images, of any form")
    train.add_argument(
        "--output", type=Path, default=Path("runs/autoencoder"), help="for the state and autoencoder.pth"
    )
    train.add_argument("--cache", type=Path, default=None, help="for decoded images (default: OUTPUT/cache)")
    train.add_argument("--size", type=int, help="pixels: 64, 128, 256 or 512 (default: 256)")
    train.add_argument("--latent-size", type=int, help="height and width of the latents (default: 16)")
    train.add_argument("--latent-channels", type=int, help="channels of the latents (default: 16)")
    train.add_argument("--crop", type=int, help="height and width of the training crops (default: 128)")
    train.add_argument("--batch-size", type=int, help="crops per step (default: 8)")
    train.add_argument("--steps", type=int, help="steps that train encoder and decoder (default: 4300)")
    train.add_argument("--sharpening-steps", type=int, help="further steps of the decoder alone (default: 2500)")
    train.add_argument("--learning-rate", type=float, help="after the warm-up (default: 5e-4)")
    train.add_argument("--seed", type=int, help="of the first weights and the batches (default: 0)")
    train.add_argument("--save-every", type=int, help="steps between whole states (default: 250)")
    train.add_argument("--validate-every", type=int, help="steps between validations (default: 500)")
    train.add_argument("--resume", action="store_true", help="continue from the state in OUTPUT")
    train.add_argument("--until", type=int, help="stop after this step")
    train.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto: bf16 if it is native")
    evaluate = commands.add_parser("evaluate", help="compare reconstructions of held-out images with the images")
    evaluate.add_argument("autoencoder", type=Path, help="an autoencoder.pth, or a latent checkpoint")
    evaluate.add_argument("--data", type=Path, required=True, help="a folder of real images, of any form")
    evaluate.add_argument("--size", type=int, default=256, help="pixels (default: %(default)s)")
    evaluate.add_argument("--images", type=int, default=None, help="at most so many (default: all that are held out)")
    evaluate.add_argument("--cache", type=Path, default=Path("runs/cache"), help="for decoded images")
    evaluate.add_argument("--json", action="store_true", help="one JSON object on stdout")
    for command in (train, evaluate):
        command.add_argument("--verbose", action="store_true", help=VERBOSE_HELP)
        command.add_argument("--device", default="auto", help="auto | cpu | cuda:N (default: auto)")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        help="a training state (state.pt); with --to-state or --diffusers a checkpoint; with --diffusers also a folder",
    )
    parser.add_argument("--output", type=Path, help="the checkpoints folder to write to")
    parser.add_argument(
        "--diffusers", type=Path, metavar="DIR", help="write a DDPMPipeline per class into DIR, in place of --output"
    )
    parser.add_argument("--classes", help="MEL,NV or ALL (default: those that the state knows)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--demo-set", action="store_true", help="one fp16 file of all classes, as the bundled set is")
    form.add_argument("--to-state", action="store_true", help="the way back: a state to go on from with --resume")


if __name__ == "__main__":
    sys.exit(main())
