"""Command line of the training tools: ``python -m diffusion train|...``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.torchvision_operators import declare_missing_operators

PRESETS = {
    # (size, batch, steps, first and last learning rate, guidance)
    "demo": (
        (32, 64, 1500, 5e-4, 5e-4, 0.0),
        (64, 32, 2000, 4e-4, 4e-4, 0.0),
        (128, 8, 200, 4e-4, 4e-4, 0.0),
        (128, 8, 1300, 4e-4, 2e-5, 0.6),
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m diffusion``."""
    parser = argparse.ArgumentParser(prog="python -m diffusion", description="Train diffusion models.")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a class-conditional model on real images")
    train.add_argument("--data", type=Path, required=True, help="a folder in HAM10000's form")
    train.add_argument("--output", type=Path, default=Path("runs/demo"), help="where state and curves are kept")
    train.add_argument("--preset", choices=PRESETS, default="demo")
    train.add_argument("--resume", action="store_true", help="go on from the state in the output folder")
    train.add_argument("--from", type=Path, dest="start", help="begin with the weights of this demonstration set")
    train.add_argument("--compile", action="store_true", help="torch.compile (needs a C++ compiler)")
    train.add_argument("--prediction", choices=["epsilon", "v_prediction"], default="v_prediction")
    train.add_argument("--until", type=int, help="stop after this step")
    export = commands.add_parser("export", help="write a training state as a demonstration set")
    export.add_argument("state", type=Path, help="the state.pt of a run")
    export.add_argument("--output", type=Path, required=True)
    colors = commands.add_parser("color-statistics", help="measure the colours of real images per class")
    colors.add_argument("--data", type=Path, required=True, help="a folder in HAM10000's form")
    colors.add_argument("--output", type=Path, required=True, help="the color_statistics.json to write")
    colors.add_argument("--size", type=int, default=128)
    colors.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where decoded images are kept")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    declare_missing_operators()
    if options.command == "export":
        from diffusion.export import export_demo_set

        export_demo_set(options.state, options.output)
    elif options.command == "color-statistics":
        from diffusion.export import write_color_statistics

        write_color_statistics(options.data, options.output, options.size, options.cache)
    else:
        _train(options)
    return 0


def _train(options: argparse.Namespace) -> None:
    from diffusion.train import Stage, Trainer, TrainingConfig

    config = TrainingConfig(
        stages=tuple(Stage(*stage) for stage in PRESETS[options.preset]),
        prediction_type=options.prediction,
        compile=options.compile,
    )
    trainer = Trainer(config, options.data, options.output)
    if options.start:
        trainer.start_from(options.start)
    if options.resume:
        trainer.resume(trainer.state_file)
    trainer.run(options.until)


if __name__ == "__main__":
    sys.exit(main())
