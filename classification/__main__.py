"""Command line of the classifiers: ``python -m classification COMMAND``, see ``--help``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from classification.arguments import build_parser
from core.errors import ArgumentError
from core.io.plain_text import printable
from core.process.exit_codes import DONE, FAILED, report, run_command
from core.process.streams import lasting_streams

if TYPE_CHECKING:
    from core.generation.events import Event

RUNS: Final = Path("runs/classification")
_TRAINING_PACKAGES: Final = {"lightning", "torchmetrics", "sklearn", "albumentations", "cv2", "fairlearn", "scipy"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    kept = "interrupted; what was saved is kept, and --resume goes on with it"
    with lasting_streams():
        options = build_parser().parse_args(arguments)
        return run_command(
            lambda: _run(options),
            name=f"classification {options.command}",
            as_json=options.json,
            verbose=options.verbose,
            when_interrupted=kept,
            result_is_output=False,
        )


def _run(options: argparse.Namespace) -> int:
    try:
        _COMMANDS[options.command](options)
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING_PACKAGES:
            raise
        text = f"{error.name} is not installed: pip install -r requirements-train.txt."
        return report(text, FAILED, as_json=options.json)
    return DONE


def _given(options: argparse.Namespace, kind: type, **values: Any) -> dict[str, Any]:
    """Those options that are fields of a job, over what the command itself decides."""
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {**values, **{name: value for name, value in vars(options).items() if name in known}}


def _teller(options: argparse.Namespace) -> Any:
    from classification.events import as_text
    from core.generation.event_log import log_event

    def tell(event: Event) -> None:
        log_event(event)
        print(json.dumps(event.to_json()) if options.json else printable(as_text(event)), flush=True)

    return tell


def _train(options: argparse.Namespace) -> None:
    from classification.training.job import TrainingJob, run_name
    from classification.training.runner import train

    values = _given(options, TrainingJob)
    if "output" not in values:
        values["output"] = RUNS / run_name(values)
    train(TrainingJob(**values), resume=options.resume, tell=_teller(options))


def _finetune(options: argparse.Namespace) -> None:
    from classification.model_file import load_classifier
    from classification.training.job import TrainingJob
    from classification.training.runner import train

    values = _given(options, TrainingJob, output=RUNS / "finetuned")
    if "sizes" not in values:
        values["sizes"] = (load_classifier(options.start).image_size,)
    train(TrainingJob(**values), resume=options.resume, tell=_teller(options))


def _evaluate(options: argparse.Namespace) -> None:
    from classification.evaluation.runner import EvaluationJob, evaluate

    beside = options.checkpoint.parent / "evaluation"
    evaluate(EvaluationJob(**_given(options, EvaluationJob, output=beside)), _teller(options))


def _fidelity(options: argparse.Namespace) -> None:
    from classification.evaluation.runner import EvaluationJob
    from classification.faithfulness.measurement import FidelityJob, measure_fidelity

    beside = options.checkpoint.parent / "fidelity"
    evaluation = EvaluationJob(**_given(options, EvaluationJob, output=beside))
    measure_fidelity(FidelityJob(**_given(options, FidelityJob, evaluation=evaluation)), _teller(options))


def _prepare(options: argparse.Namespace) -> None:
    from classification.data.fitzpatrick import PrepareJob, prepare

    prepare(PrepareJob(**_given(options, PrepareJob, output=Path("runs/fitzpatrick17k"))), _teller(options))


def _fairness(options: argparse.Namespace) -> None:
    from classification.fairness.audit import AuditJob, audit

    names = [name for name, _ in options.classifiers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ArgumentError(f"Two classifiers are named {twice!r}; give each --model a name of its own.")
    values = _given(options, AuditJob, output=RUNS / "fairness")
    audit(AuditJob(**{**values, "classifiers": dict(options.classifiers)}), _teller(options))


def _export(options: argparse.Namespace) -> None:
    from classification.events import Written
    from classification.model_file import export_classifier, load_classifier

    export_classifier(load_classifier(options.checkpoint), options.output, demonstration=options.demonstration)
    _teller(options)(Written(options.output))


def _study(options: argparse.Namespace) -> None:
    from classification.study import StudyJob, study_fairness, study_ham10000

    job = StudyJob(**_given(options, StudyJob, runs=RUNS))
    run = study_ham10000 if options.what == "ham10000" else study_fairness
    run(job, _teller(options))


def _document(options: argparse.Namespace) -> None:
    from classification.document import fill_document

    file = getattr(options, "file", Path("docs/classification.md"))
    fill_document(file, getattr(options, "runs", RUNS), _teller(options))


_COMMANDS: Final = {
    "train": _train,
    "finetune": _finetune,
    "evaluate": _evaluate,
    "fidelity": _fidelity,
    "prepare": _prepare,
    "fairness": _fairness,
    "export": _export,
    "study": _study,
    "document": _document,
}


if __name__ == "__main__":
    sys.exit(main())
