"""The command line of ``python -m classification``. Options that were not given are absent: the jobs have defaults."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from classification.tasks import BACKBONES, CONTRASTS, TASKS
from core.process.exit_codes import VERBOSE_HELP

GROUPINGS: Final = ("skin_type", "skin_tone", "sex", "age")
_RULES: Final = "equal | youden | half | sensitivity:0.95 | specificity:0.90"


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="python -m classification",
        description="Train, evaluate, explain and audit classifiers of skin lesions. Research software, not a medical "
        "device. Needs requirements-train.txt.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (description, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=description, argument_default=argparse.SUPPRESS)
        add(command)
        command.add_argument("--json", action="store_true", default=False, help="one JSON object a line on stdout")
        command.add_argument("--verbose", action="store_true", default=False, help=VERBOSE_HELP)
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--backbone", choices=BACKBONES, help="(default: resnet18)")
    parser.add_argument("--task", choices=TASKS, help="seven classes, or one question (default: isic7)")
    _contrast(parser, "melanoma")
    parser.add_argument("--no-imagenet", action="store_false", dest="imagenet", help="begin with random weights")
    parser.add_argument("--synthetic", type=Path, help="generated images, added to the training part alone")
    parser.add_argument("--teacher", type=Path, help="a classifier whose answers are learnt as well (distillation)")
    parser.add_argument(
        "--test-unseen-by-generator",
        action="store_true",
        help="test on nothing but the lesions that the training of the generator leaves out",
    )
    _training(parser)
    parser.add_argument("--export", type=Path, help="write classifier.pth for the explanations (resnet18, isic7)")


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", type=Path, dest="start", required=True, help="the classifier to begin with")
    _data(parser)
    parser.add_argument("--reweigh", choices=GROUPINGS, help="draw so that the label does not depend on this group")
    _training(parser)
    parser.set_defaults(learning_rate=3e-4, passes=(15,), mixup=0.0)


def _training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, help="folder of the run (default: under runs/classification)")
    parser.add_argument("--split", type=Path, help="the split: read, or written where there is none")
    parser.add_argument(
        "--size", type=_integers, dest="sizes", help="image sizes in order, as in 112,224 (default: 224)"
    )
    parser.add_argument("--passes", type=_integers, help="passes over the images at each size, as in 40,20")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--dropout", type=float, help="before the head")
    parser.add_argument("--label-smoothing", type=float)
    parser.add_argument("--mixup", type=float, help="0 mixes no images")
    parser.add_argument("--average", type=float, help="decay of the running average of the weights")
    parser.add_argument("--sampling", help="sqrt | balanced | none: how far rare classes are drawn more often")
    parser.add_argument("--augmentation", help="usual | strong: strong adds blur, noise, distortion and CLAHE")
    parser.add_argument("--patience", type=int, help="passes without a higher validation AUROC before it stops")
    parser.add_argument("--seed", type=int)
    _machine(parser)
    parser.add_argument("--gpus", type=int, help="how many, where the device is one")
    parser.add_argument("--precision", help="auto | fp32 | bf16 | fp16")
    parser.add_argument("--workers", type=int, help="processes that augment images")
    parser.add_argument("--save-every", type=float, dest="save_every_s", help="seconds between two saves")
    parser.add_argument("--resume", action="store_true", default=False, help="go on with the run in the output folder")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run, or a classifier.pth")
    _data(parser)
    parser.add_argument("--output", type=Path, help="folder of the results (default: evaluation beside the checkpoint)")
    _judging(parser)


def _add_fidelity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run, or a classifier.pth")
    _data(parser)
    parser.add_argument("--output", type=Path, help="folder of the results (default: fidelity beside the checkpoint)")
    parser.add_argument("--images", type=int, help="how many of the part (default: 100)")
    parser.add_argument("--show", type=_names, dest="chosen", help="image ids that are shown in any case")
    parser.add_argument("--ig-steps", type=int, help="of Integrated Gradients (default: 32)")
    _judging(parser)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("fitzpatrick17k",))
    parser.add_argument("--csv", type=Path, dest="table", required=True, help="fitzpatrick17k.csv")
    parser.add_argument("--images", type=Path, required=True, help="folder of <md5hash>.jpg")
    parser.add_argument("--output", type=Path, help="folder of the prepared table (default: runs/fitzpatrick17k)")
    _contrast(parser, "melanoma")
    parser.add_argument("--download", action="store_true", help="fetch missing images from the table's addresses")
    parser.add_argument("--test", type=float, help="share of each skin type's images that test (default: 0.35)")
    parser.add_argument("--validation", type=float, help="share that chooses (default: 0.15)")
    parser.add_argument("--seed", type=int)


def _add_fairness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=_named,
        action="append",
        dest="classifiers",
        required=True,
        metavar="NAME=CHECKPOINT",
        help="a classifier; give it again for one to be compared with the first",
    )
    _data(parser)
    parser.add_argument("--output", type=Path, help="folder of the results (default: runs/classification/fairness)")
    parser.add_argument("--groups", type=_names, dest="groupings", help=f"as in {','.join(GROUPINGS[1:])}")
    parser.add_argument("--minimum", type=int, help='lesions of an outcome below which a group is "too few"')
    _judging(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="best.pt of a run (resnet18, isic7, 224 px)")
    parser.add_argument("--output", type=Path, required=True, help="the file, as in checkpoints/classifier.pth")
    parser.add_argument(
        "--demonstration", action="store_true", default=False, help="mark the weights as the bundled ones"
    )


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("ham10000", "fairness"))
    _data(parser)
    parser.add_argument("--csv", type=Path, dest="table", help="fitzpatrick17k.csv (fairness)")
    parser.add_argument("--images", type=Path, help="folder of <md5hash>.jpg (fairness)")
    parser.add_argument("--from", type=Path, dest="before", help="fine-tune and audit this classifier (fairness)")
    parser.add_argument("--output", type=Path, dest="runs", help="folder of all runs (default: runs/classification)")
    parser.add_argument("--backbones", type=_names, help="(default: the four ResNets; fairness: resnet18)")
    parser.add_argument("--tasks", type=_names, help="(default: isic7,binary)")
    parser.add_argument("--seeds", type=_integers, help="one run each, as in 0,1,2 (default: 0)")
    _contrast(parser, "melanoma; for fairness: malignant")
    parser.add_argument("--size", type=_integers, dest="sizes")
    parser.add_argument("--passes", type=_integers)
    parser.add_argument("--finetune-passes", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--teacher", type=Path, help="for the runs of the task that it was trained on")
    parser.add_argument("--patience", type=int)
    parser.add_argument("--no-imagenet", action="store_false", dest="imagenet")
    parser.add_argument("--tta", action="store_true", dest="augmented", help="average over the eight symmetries")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--resamples", type=int)
    _machine(parser)


def _add_document(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, dest="runs", help="folder of all runs (default: runs/classification)")
    parser.add_argument("--file", type=Path, help="the document to fill (default: docs/classification.md)")


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="a folder of images and their tables, or what prepare wrote"
    )


def _contrast(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--contrast", choices=tuple(CONTRASTS), help=f"the yes-or-no question (default: {default})")


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", type=Path, help="the split (default: the classifier's own)")
    parser.add_argument("--part", help="the part that judges (default: test)")
    _contrast(parser, "that of the data, else that of the classifier")
    parser.add_argument("--threshold", help=f"chosen on the validation part: {_RULES} (default: equal)")
    parser.add_argument("--tta", action="store_true", dest="augmented", help="average over the eight symmetries")
    parser.add_argument("--resamples", type=int, help="of the bootstrap (default: 2000)")
    parser.add_argument("--seed", type=int)
    _machine(parser)


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="auto | cpu | cuda | cuda:N (default: auto)")
    parser.add_argument("--cache", type=Path, help="where decoded images are kept (default: runs/cache)")


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers, as in 112,224") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(text: str) -> tuple[str, Path]:
    name, separator, file = text.partition("=")
    if not (name and separator and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CHECKPOINT, as in before=runs/a/best.pt")
    return name, Path(file)


_COMMANDS: Final[dict[str, tuple[str, Callable[[argparse.ArgumentParser], Any]]]] = {
    "train": ("train a classifier", _add_train),
    "finetune": ("go on with a trained classifier on other data", _add_finetune),
    "evaluate": ("scores with intervals, curves, a report", _add_evaluate),
    "fidelity": ("whether explanations mark what the classifier uses", _add_fidelity),
    "prepare": ("filter and split Fitzpatrick17k", _add_prepare),
    "fairness": ("groups side by side, gaps, mitigations", _add_fairness),
    "export": ("classifier.pth for the explanations, of a finished run", _add_export),
    "study": ("every run of a table, one after the other; what is finished is kept", _add_study),
    "document": ("fill the tables of docs/classification.md from the results", _add_document),
}
