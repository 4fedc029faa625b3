"""Run a training or fine-tuning from its settings to the best weights."""

from __future__ import annotations

import json
import logging
import os
import signal
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from classification.data.collection import open_collection
from classification.data.pixel_cache import left_out
from classification.data.splits import write_split
from classification.events import Emit, Note, Written, discard
from classification.field_names import current_names
from classification.model_file import check_exportable, export_classifier, load_classifier, require_writable_file
from classification.tasks import Task
from classification.training.callbacks import CURVE, KeepBest, Progress, SaveState, StopWhenStale
from classification.training.job import AUGMENTATIONS, BEST, JOB, RESULT, SPLIT, STATE, TrainingJob
from classification.training.learner import Learner, Recipe
from classification.training.run_setup import Run, load_teacher
from core.errors import ArgumentError, CheckpointError
from core.io.atomic_files import require_writable, write_whole
from core.io.job_file import read_job_file
from core.models.checkpoint_checks import check_tensors
from core.models.checkpoints import load_file_safely

import lightning  # isort: skip - after the learner, which makes torchvision importable

_PRECISIONS: Final = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_LIGHTNINGS: Final = {"epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers"}
_FREE_ON_RESUME: Final = {"device", "gpus", "precision", "workers", "save_every_s", "patience", "export", "cache"}


def train(job: TrainingJob, *, resume: bool = False, emit: Emit = discard) -> Path:
    """Train to the end, or continue an interrupted run; return the file of the best weights.

    Raises:
        ArgumentError: the job does not fit the data, the machine or the content of the output folder, or a folder
            cannot be written.
        CheckpointError: the initial classifier or the teacher cannot be used.
        JobFailedError: the loss is not a number; the last saved state is kept.
        KeyboardInterrupt: the run was interrupted; the last saved state is kept.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        emit = discard  # only one process reports
    job = _with_start(job)
    if job.export:
        check_exportable(job.backbone, Task(job.task, job.contrast), job.sizes[-1])
    _check_output(job, resume=resume)
    run = Run(job, emit)
    if job.export:
        require_writable_file(job.export)
    require_writable(job.output)
    if not resume:
        write_whole(job.output / JOB, json.dumps(job.to_json(), indent=2).encode())
        write_split(job.output / SPLIT, run.collection.images, run.parts)
    _fit(run, job.output / STATE if resume else None)
    if run.damaged:
        emit(Note(left_out(run.damaged, "images")))
    classifier = load_classifier(job.output / BEST)
    if job.export:
        export_classifier(classifier, job.export)
        emit(Written(job.export))
    result = {"format": "isicgui.training/1", "finished": True, **classifier.describe()}
    write_whole(job.output / RESULT, json.dumps(result, indent=2).encode())
    return job.output / BEST


def _with_start(job: TrainingJob) -> TrainingJob:
    """The job with backbone, task and contrast of the classifier that it starts from."""
    if job.start is None:
        return job
    found = load_classifier(job.start)
    asked = open_collection(job.data).contrast
    task = found.task.asking(asked) if asked and found.task.name == "binary" else found.task
    if asked and task.name == "isic7":
        task = Task("binary", asked)  # the data have only yes and no: a new head on the trained body
    return replace(job, backbone=found.backbone, task=task.name, contrast=task.contrast)


def _check_output(job: TrainingJob, *, resume: bool) -> None:
    file, state = job.output / JOB, job.output / STATE
    if not resume:
        if state.exists() or (job.output / RESULT).exists():
            raise ArgumentError(
                f"{job.output} already contains a run; add --resume to continue it, or name another --output."
            )
        return
    if not (file.is_file() and state.is_file()):
        raise ArgumentError(f"{job.output} contains no interrupted run; omit --resume to start one.")
    written = read_job_file(file)
    if not isinstance(written, dict):
        raise ArgumentError(f"{file} is not the job of a training run; name another --output.")
    # Jobs of earlier versions have no augmentation, because there was only one.
    before, now = {"augmentation": AUGMENTATIONS[0], **current_names(written)}, job.to_json()
    for name in sorted(set(now) - _FREE_ON_RESUME):
        if before.get(name) != now[name]:
            raise ArgumentError(
                f"{job.output} was started with {name} {before.get(name)!r}, not {now[name]!r}; "
                "resume with the same settings, or name another --output."
            )


def _fit(run: Run, state: Path | None) -> None:
    job = run.job
    keeper = KeepBest(run.write_best, run.stages)
    callbacks = [
        keeper,
        StopWhenStale(job.patience, sum(job.epochs[:-1])),
        Progress(job.output / CURVE, run.stages, job.batch_size, keeper, run.emit),
        SaveState(job.output / STATE, job.save_every_s),
    ]
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        trainer = lightning.Trainer(
            callbacks=callbacks,
            max_epochs=sum(job.epochs),
            precision=_PRECISIONS[run.precision],  # type: ignore[arg-type]
            deterministic=True,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            **_placed(run),
        )
        epochs, validation, shares = run.batches(trainer)
        recipe = Recipe(
            run.stages,
            job.learning_rate,
            job.weight_decay,
            label_smoothing=job.label_smoothing,
            mixup=job.mixup,
            average=job.average,
            seed=job.seed,
        )
        network: Any = run.network
        network.to(memory_format=torch.channels_last)
        learner = Learner(network, recipe, shares, load_teacher(job, run.task))
        if state:
            check_resumable(state, learner.state_dict())
        _interruptible(partial(trainer.fit, learner, epochs, validation, ckpt_path=state, weights_only=True))
    finally:
        torch.use_deterministic_algorithms(deterministic)


def check_resumable(file: Path, expected: Mapping[str, Any]) -> None:
    """Refuse a state that Lightning cannot continue from. No code in it is executed.

    Args:
        file: the state.
        expected: names and weights of the learner of this run.

    Raises:
        CheckpointError: damaged, of another program, or of another network.
        JobFailedError: memory does not suffice.
    """
    content = load_file_safely(file, "training state")
    weights = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not set(content) >= _LIGHTNINGS:
        raise CheckpointError(f"{file} is not the state of a training of classifiers; name another --output.")
    check_tensors(file, weights)
    shapes, found = ({name: value.shape for name, value in given.items()} for given in (expected, weights))
    wrong = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
    if wrong:
        raise CheckpointError(f"{file} is of another network: {wrong[0]} does not fit; name another --output.")


def _placed(run: Run) -> dict[str, Any]:
    """Lightning's arguments for the device."""
    if run.device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    if run.job.gpus > 1:
        return {"accelerator": "gpu", "devices": run.job.gpus, "strategy": "ddp"}
    return {"accelerator": "gpu", "devices": [run.device.index or 0]}


def _interruptible(fit: Any) -> None:
    """Restore the KeyboardInterrupt that Lightning turns into an exit."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec", FutureWarning)  # raised by Lightning
            fit()
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # Lightning does not restore the handler
            signal.signal(signal.SIGINT, handler)
