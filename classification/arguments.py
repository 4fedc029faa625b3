"""Arguments of ``python -m classification``. Options that are not given are absent: the jobs have the defaults."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from classification.tasks import BACKBONES, CONTRASTS, TASKS

GROUPINGS: Final = ("skin_type", "skin_tone", "sex", "age")
DOCUMENT: Final = "docs/measurements/classification.md"
_RULES: Final = "equal | youden | half | sensitivity:0.95 | specificity:0.90"


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m classification",
        description="Train, evaluate, explain and audit classifiers of skin lesions. Research software, not a medical "
        "device. Needs requirements-train.txt.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (description, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=description, argument_default=argparse.SUPPRESS)
        add(command)
        command.add_argument("--json", action="store_true", default=False, help="print one JSON object per line")
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--backbone", choices=BACKBONES, help="(default: resnet18)")
    parser.add_argument("--task", choices=TASKS, help="seven classes, or one question (default: isic7)")
    _contrast(parser, "melanoma")
    parser.add_argument("--no-imagenet", action="store_false", dest="imagenet", help="start with random weights")
    parser.add_argument("--synthetic", type=Path, help="generated images to add to the training part")
    parser.add_argument("--teacher", type=Path, help="classifier whose predictions are learnt too (distillation)")
    parser.add_argument(
        "--test-unseen-by-generator",
        action="store_true",
        help="test only on the lesions that were left out of the training of the generator",
    )
    _training(parser)
    parser.add_argument("--export", type=Path, help="write classifier.pth for the explanations (resnet18, isic7)")


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", type=Path, dest="start", required=True, help="the classifier to start from")
    _data(parser)
    parser.add_argument("--reweigh", choices=GROUPINGS, help="draw so that the label does not depend on this group")
    _training(parser)
    parser.set_defaults(learning_rate=3e-4, epochs=(15,), mixup=0.0)


def _training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, help="folder of the run (default: under runs/classification)")
    parser.add_argument("--split", type=Path, help="split file; it is written if it does not exist")
    parser.add_argument(
        "--size", type=_integers, dest="sizes", help="image sizes in order, for example 112,224 (default: 224)"
    )
    _epochs(parser, "--epochs", "--passes", type=_integers, help="epochs at each image size, for example 40,20")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--dropout", type=float, help="dropout before the head")
    parser.add_argument("--label-smoothing", type=float)
    parser.add_argument("--mixup", type=float, help="strength of mixup; 0 turns it off")
    parser.add_argument("--average", type=float, help="decay of the running average of the weights")
    parser.add_argument("--sampling", help="sqrt | balanced | none: how much more often rare classes are drawn")
    parser.add_argument("--augmentation", help="usual | strong: strong adds blur, noise, distortion and CLAHE")
    parser.add_argument("--patience", type=int, help="stop after this number of epochs without a higher AUROC")
    parser.add_argument("--seed", type=int)
    _machine(parser)
    parser.add_argument("--gpus", type=int, help="number of GPUs, if the device is a GPU")
    parser.add_argument("--precision", help="auto | fp32 | bf16 | fp16")
    parser.add_argument("--workers", type=int, help="number of processes that augment images")
    parser.add_argument("--save-every", type=float, dest="save_every_s", help="seconds between saved states")
    parser.add_argument("--resume", action="store_true", default=False, help="continue the run in the output folder")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run, or classifier.pth")
    _data(parser)
    parser.add_argument(
        "--output", type=Path, help="folder of the results (default: evaluation, next to the checkpoint)"
    )
    _judging(parser)


def _add_fidelity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run, or classifier.pth")
    _data(parser)
    parser.add_argument("--output", type=Path, help="folder of the results (default: fidelity, next to the checkpoint)")
    parser.add_argument("--images", type=int, help="number of images to measure (default: 100)")
    parser.add_argument("--show", type=_names, dest="chosen", help="ids of images to show in the report")
    parser.add_argument("--ig-steps", type=int, help="steps of Integrated Gradients (default: 32)")
    _judging(parser)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("fitzpatrick17k",))
    parser.add_argument("--csv", type=Path, dest="table", required=True, help="fitzpatrick17k.csv")
    parser.add_argument("--images", type=Path, required=True, help="folder with <md5hash>.jpg")
    parser.add_argument("--output", type=Path, help="folder for the prepared table (default: runs/fitzpatrick17k)")
    _contrast(parser, "melanoma")
    parser.add_argument("--download", action="store_true", help="download missing images from the table's addresses")
    parser.add_argument("--test", type=float, help="share of each skin type for the test part (default: 0.35)")
    parser.add_argument("--validation", type=float, help="share of each skin type for validation (default: 0.15)")
    parser.add_argument("--seed", type=int)


def _add_fairness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=_named,
        action="append",
        dest="classifiers",
        required=True,
        metavar="NAME=CHECKPOINT",
        help="a classifier; repeat the option to compare several with the first one",
    )
    _data(parser)
    parser.add_argument("--output", type=Path, help="folder of the results (default: runs/classification/fairness)")
    parser.add_argument(
        "--groups", type=_names, dest="groupings", help=f"groupings, for example {','.join(GROUPINGS[1:])}"
    )
    parser.add_argument("--minimum", type=int, help='report groups with fewer lesions of an outcome as "too few"')
    _judging(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run (resnet18, isic7, 224 px)")
    parser.add_argument(
        "--output", type=Path, required=True, help="file to write, for example checkpoints/classifier.pth"
    )
    parser.add_argument(
        "--demonstration", action="store_true", default=False, help="mark the weights as the bundled demonstration"
    )


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("ham10000", "fairness"))
    _data(parser)
    parser.add_argument("--csv", type=Path, dest="table", help="fitzpatrick17k.csv (fairness)")
    parser.add_argument("--images", type=Path, help="folder with <md5hash>.jpg (fairness)")
    parser.add_argument("--from", type=Path, dest="before", help="fine-tune and audit this classifier (fairness)")
    parser.add_argument("--output", type=Path, dest="runs", help="folder of all runs (default: runs/classification)")
    parser.add_argument("--backbones", type=_names, help="(default: the four ResNets; fairness: resnet18)")
    parser.add_argument("--tasks", type=_names, help="(default: isic7,binary)")
    parser.add_argument("--seeds", type=_integers, help="one run per seed, for example 0,1,2 (default: 0)")
    _contrast(parser, "melanoma; for fairness: malignant")
    parser.add_argument("--size", type=_integers, dest="sizes")
    _epochs(parser, "--epochs", "--passes", type=_integers, help="epochs at each image size")
    _epochs(parser, "--finetune-epochs", "--finetune-passes", type=int, help="epochs of the fine-tuning")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--teacher", type=Path, help="teacher for the runs of the same task")
    parser.add_argument("--patience", type=int)
    parser.add_argument("--no-imagenet", action="store_false", dest="imagenet")
    parser.add_argument("--tta", action="store_true", dest="augmented", help="average over the eight symmetries")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--resamples", type=int)
    _machine(parser)


def _add_document(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, dest="runs", help="folder of all runs (default: runs/classification)")
    parser.add_argument("--file", type=Path, help=f"document to fill (default: {DOCUMENT})")


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="a folder of images and their tables, or the output of prepare"
    )


def _contrast(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--contrast", choices=tuple(CONTRASTS), help=f"the yes-or-no question (default: {default})")


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", type=Path, help="split file (default: that of the classifier's run)")
    parser.add_argument("--part", help="part of the split to evaluate on (default: test)")
    _contrast(parser, "that of the data, else that of the classifier")
    parser.add_argument("--threshold", help=f"chosen on the validation part: {_RULES} (default: equal)")
    parser.add_argument("--tta", action="store_true", dest="augmented", help="average over the eight symmetries")
    parser.add_argument("--resamples", type=int, help="resamples of the bootstrap (default: 2000)")
    parser.add_argument("--seed", type=int)
    _machine(parser)


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="auto | cpu | cuda | cuda:N (default: auto)")
    parser.add_argument("--cache", type=Path, help="folder for decoded images (default: runs/cache)")


def _epochs(parser: argparse.ArgumentParser, name: str, former: str, **settings: Any) -> None:
    """Add an option and its former name, which still works but is not documented."""
    destination = name.removeprefix("--").replace("-", "_")
    parser.add_argument(name, dest=destination, **settings)
    parser.add_argument(former, dest=destination, **{**settings, "help": argparse.SUPPRESS})


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of integers, for example 112,224") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(text: str) -> tuple[str, Path]:
    name, separator, file = text.partition("=")
    if not (name and separator and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CHECKPOINT, for example before=runs/a/best.pt")
    return name, Path(file)


_COMMANDS: Final[dict[str, tuple[str, Callable[[argparse.ArgumentParser], Any]]]] = {
    "train": ("train a classifier", _add_train),
    "finetune": ("continue to train a classifier on other data", _add_finetune),
    "evaluate": ("compute scores with intervals, curves and a report", _add_evaluate),
    "fidelity": ("measure whether explanations mark the pixels that the classifier uses", _add_fidelity),
    "prepare": ("filter and split Fitzpatrick17k", _add_prepare),
    "fairness": ("compare groups and measure gaps and mitigations", _add_fairness),
    "export": ("write classifier.pth for the explanations from a finished run", _add_export),
    "study": ("run all trainings and evaluations of a table; finished runs are kept", _add_study),
    "document": (f"fill the tables of {DOCUMENT} from the results", _add_document),
}
