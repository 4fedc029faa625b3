"""Parse the arguments, run one command, and convert errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core import __version__
from core.classes import CLASSES
from core.generation.job import GenerationJob
from core.generation.seeds import fresh_base_seed
from core.models.conditions import SEXES, SITES, TONES, UNKNOWN
from core.paths import PROJECT_ROOT, is_checkout
from core.presets import MAX_ANALYSIS_INTERVAL, MAX_REUSE, MAX_STEPS, PRECISIONS, PRESETS, SAMPLERS, STANDARD
from core.process.exit_codes import run_command

_COMMANDS_THAT_PRINT: Final = ("models", "reproduce")


def main(arguments: Sequence[str]) -> int:
    """Run the program; return the exit code."""
    options = build_parser().parse_args(arguments)
    return run_command(
        lambda: _run(options),
        name=options.command,
        verbose=getattr(options, "verbose", False),
        as_json=getattr(options, "json", False),
        result_is_output=options.command in _COMMANDS_THAT_PRINT,
    )


def _run(options: argparse.Namespace) -> int:
    if options.command == "generate":
        from cli.generate import generate

        return generate(options)
    if options.command == "reproduce":
        from cli.reproduce import reproduce

        return reproduce(options)
    if options.command == "explain":
        from cli.explain import explain

        return explain(options)
    if options.command == "analyse":
        from cli.analyse import analyse

        return analyse(options)
    if options.command in ("evaluate", "compare"):
        from cli import evaluate as evaluation

        return evaluation.compare(options) if options.command == "compare" else evaluation.evaluate(options)
    from cli import convert, models

    return convert.convert(options) if options.command == "convert" else models.list_models(options)


def build_parser() -> argparse.ArgumentParser:
    """Create the parser of ``main.py``. Omitted options have no attribute, so that a job file can supply them."""
    parser = argparse.ArgumentParser(
        prog="main.py" if is_checkout(PROJECT_ROOT) else "isicgui",
        description="Generate labelled synthetic dermoscopic images with diffusion models. "
        "Research software, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"ISICGUI {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_generate(commands.add_parser("generate", help="generate images", argument_default=argparse.SUPPRESS))
    _add_reproduce(
        commands.add_parser("reproduce", help="generate images again from their stored parameters, and compare")
    )
    _add_explain(commands.add_parser("explain", help="show where a classifier looks in images of any source"))
    _add_analyse(commands.add_parser("analyse", help="analyse one image and its denoising steps, with a report"))
    _add_evaluate(commands.add_parser("evaluate", help="compare a generated set with real images, with a report"))
    _add_compare(commands.add_parser("compare", help="compare several generated sets in one table"))
    _add_convert(commands.add_parser("convert", help="write a generated set in the form of another program"))
    _add_models(commands.add_parser("models", help="list the checkpoints and check whether they can be used"))
    return parser


def _add_generate(parser: argparse.ArgumentParser) -> None:
    defaults = GenerationJob({"MEL": 1})
    parser.add_argument("--classes", help=f"images per class: MEL=4,NV=2 or ALL=3 (classes: {', '.join(CLASSES)})")
    parser.add_argument("--output", type=Path, help="folder for images and table (default: output)")
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    presets = "; ".join(f"{name}: {preset.steps} steps of {preset.sampler}" for name, preset in PRESETS.items())
    parser.add_argument("--preset", help=f"{presets} (default: {STANDARD}); the next three options override it")
    parser.add_argument("--steps", type=int, help=f"denoising steps, 1 to {MAX_STEPS} (default: {defaults.steps})")
    parser.add_argument("--sampler", help=f"{' | '.join(SAMPLERS)} (default: {defaults.sampler})")
    parser.add_argument(
        "--reuse",
        type=int,
        metavar="N",
        help=f"compute the deep features of the network only in every N-th step, 1 to {MAX_REUSE}: faster, but "
        f"changes the images (default: {defaults.reuse})",
    )
    parser.add_argument(
        "--seed",
        type=_base_seed,
        dest="base_seed",
        metavar="N|random",
        help=f"base seed; random draws one and reports it (default: {defaults.base_seed})",
    )
    parser.add_argument("--device", help="auto | cpu | cuda:N (default: auto)")
    parser.add_argument(
        "--precision",
        help=f"{' | '.join(PRECISIONS)} (default: auto, which is bf16 if the device supports it natively)",
    )
    parser.add_argument("--batch-size", help="auto | N images per batch (default: auto)")
    parser.add_argument("--no-color", action="store_false", dest="color_adjustment", help="do not adjust the colours")
    parser.add_argument(
        "--record-trajectory", action="store_true", help="save the estimate of every step with each image"
    )
    parser.add_argument(
        "--explain-every",
        type=int,
        metavar="N",
        help="compute an overlay for every N-th number of a class, while other images are generated",
    )
    parser.add_argument(
        "--analyse-every",
        type=int,
        metavar="N",
        help=f"run the full analysis of every N-th number of a class, 1 to {MAX_ANALYSIS_INTERVAL}, while other images "
        "are generated (default: no analyses)",
    )
    parser.add_argument(
        "--explanations", type=Path, help="folder for these overlays and analyses (default: xai_results)"
    )
    parser.add_argument("--masks", type=Path, metavar="DIR", help="folder for lesion masks (default: <output>_masks)")
    _add_conditions(parser.add_argument_group("metadata (needs unet_metadata_best.pth; also allows --classes ANY=N)"))
    parser.add_argument("--job", type=Path, help="read the job from this file; other options override it")
    parser.add_argument("--save-job", type=Path, help="also write the job to this file")
    parser.add_argument("--json", action="store_true", help="print one JSON event per line on stdout")


def _add_conditions(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--melanocytic", help=f"yes | no | {UNKNOWN} (default of each: {UNKNOWN})")
    group.add_argument("--sex", help=f"{' | '.join(SEXES)} | {UNKNOWN}")
    group.add_argument("--age", help=f"years | {UNKNOWN}")
    group.add_argument("--site", help=f"{' | '.join(SITES)} | {UNKNOWN}")
    group.add_argument("--tone", help=f"skin tone: {' | '.join(TONES)} | {UNKNOWN}")
    group.add_argument(
        "--guidance", type=float, help="guidance scale; 1: as in the training data, higher: exaggerated (default: 2)"
    )


def _base_seed(text: str) -> int:
    """A number, or ``random`` for a fresh one."""
    if text.strip().lower() == "random":
        return fresh_base_seed()
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor random") from error


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE.png")
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    parser.add_argument("--device", help="auto | cpu | cuda:N (default: the device type stored in the image)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--output", type=Path, help="folder for the results (default: xai_results)")
    parser.add_argument(
        "--methods", default="ig,shap", help="ig, shap, gradcam, separated by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--target", default="predicted", help="explained class: a class, predicted or label (default: %(default)s)"
    )
    parser.add_argument("--baseline", help="blurred | black | mean_skin: image without information (default: blurred)")
    parser.add_argument("--ig-steps", type=int, help="points on the path of Integrated Gradients (default: 32)")
    parser.add_argument("--shap-samples", type=int, help="coalitions that SHAP evaluates (default: 256)")
    parser.add_argument("--seed", type=int, help="seed of all random draws (default: 0)")
    parser.add_argument("--checkpoints", type=Path, help="folder of classifier.pth (default: checkpoints)")
    parser.add_argument("--device", default="auto", help="auto | cpu | cuda:N (default: auto)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="precision of the classifier (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")


def _add_analyse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="an image of any source")
    parser.add_argument("--every", type=int, help="keep every N-th denoising step (default: XAI_SAVE_EVERY_N, else 5)")
    parser.add_argument("--output", type=Path, help="folder for the results (default: xai_results)")
    parser.add_argument(
        "--target", default="predicted", help="explained class: a class, predicted or label (default: %(default)s)"
    )
    parser.add_argument("--checkpoints", type=Path, help="folder of classifier and models (default: checkpoints)")
    parser.add_argument("--device", default="auto", help="auto | cpu | cuda:N for the classifier (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random draws (default: %(default)s)")
    parser.add_argument("--time-limit", type=float, metavar="S", help="time limit in seconds (default: none)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=Path, metavar="SET", help="a generated set: folders named after the classes")
    parser.add_argument("--real", type=Path, required=True, help="real images: class folders, or a HAM10000 folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for report, JSON and dataset card")
    parser.add_argument(
        "--fail-on-copies", action="store_true", default=None, help="return exit code 1 if copies are found"
    )
    _add_measuring(parser)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="generated sets, or outputs of evaluate")
    parser.add_argument("--real", type=Path, help="real images, for sets that are not evaluated yet")
    parser.add_argument("--output", type=Path, required=True, help="folder for the tables")
    _add_measuring(parser)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes", help=f"classes to measure, separated by commas (default: all; {', '.join(CLASSES)})"
    )
    parser.add_argument("--quick", action="store_true", default=None, help="fewer real images and repetitions")
    parser.add_argument(
        "--utility",
        nargs="?",
        const="features",
        choices=("features", "network"),
        help="train classifiers with and without the set: on frozen features (default), or a whole network (hours)",
    )
    parser.add_argument(
        "--features", help="imagenet, classifier, inception, separated by commas (default: the available ones)"
    )
    parser.add_argument(
        "--size", type=int, help="image size for the comparison in pixels (default: the smaller size of both)"
    )
    parser.add_argument("--checkpoints", type=Path, help="folder of classifier.pth (default: checkpoints)")
    parser.add_argument("--cache", type=Path, help="folder for stored features (default: runs/evaluation_cache)")
    parser.add_argument("--device", help="auto | cpu | cuda:N (default: auto)")
    parser.add_argument("--seed", type=int, help="seed of all random draws (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=Path, metavar="SET", help="a generated set: an output folder of this program")
    parser.add_argument(
        "--export",
        choices=("synt-isic",),
        required=True,
        help="synt-isic: its folders, a JSON file next to each image, and the one-hot table of ISIC 2018 task 3",
    )
    parser.add_argument("--output", type=Path, required=True, help="an empty folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoints", type=Path, help="folder of unet_<CLASS>_best.pth (default: checkpoints)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")
