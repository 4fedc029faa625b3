"""``python -m diffusion train``: from a folder of real images to a folder of checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from core import __version__
from core.download.manifest import MANIFEST
from core.errors import ArgumentError
from core.generation.control import Control, Decision, obey_signals
from core.io.folder_lock import LOCK_NAME
from core.io.plain_text import printable
from core.io.side_files import SideFiles
from core.models.devices import resolve_precision
from core.paths import STATISTICS_FILE
from diffusion.autoencoder.files import load_autoencoder
from diffusion.data import Found
from diffusion.export import enter_in_manifest, list_in_manifest, write_color_statistics
from diffusion.learner import Learner, Places
from diffusion.plan import Run, folder_of, plan
from diffusion.resume import resume, start_from
from diffusion.run_folder import check_no_run, check_writable, own_run_folder
from diffusion.state import STATE_FILE, read_state
from diffusion.tables import read_images
from diffusion.train import Trainer
from diffusion.weights import HAM10000, read_weights, weights_of, write_checkpoints, write_demo_set


def train(options: argparse.Namespace) -> bool:
    """Train every network that the options ask for, one after the other.

    Returns:
        Whether all of them are finished; false after Ctrl-C or SIGTERM.

    Raises:
        ArgumentError: the options, the data folder or the output folder do not allow it; nothing was written.
        CheckpointError: the state or weights to begin with cannot be used.
        JobFailedError: the loss is not finite or the disk is full; the last whole states are good.
    """
    if options.until is not None and options.until < 1:
        raise ArgumentError(f"--until {options.until} is no step; the first one is 1.")
    accelerator = Accelerator(cpu=options.device == "cpu" or not torch.cuda.is_available(), mixed_precision="no")
    if accelerator.device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    say = tqdm.write if accelerator.is_main_process else _say_nothing
    found = read_images(options.data)
    runs = plan(options, found, resolve_precision(options.precision, accelerator.device))
    for line in found.report():
        say(printable(line))
    _check_folders(options, runs)
    control, published = Control(), set[Path]()
    try:
        with obey_signals(control):
            for run in runs:
                trainer = _train_one(run, options, found, accelerator, control, published)
                if control.decision is not Decision.GO_ON:
                    say(f"Stopped after step {trainer.step}; go on with --resume. The state: {trainer.places.state}")
                    return False
        if options.until and not trainer.finished:
            say(f"Step {trainer.step} is done, as --until said; go on with --resume.")
        elif accelerator.is_main_process:
            say(f"Done: {_finish(runs, options, published)}.")
    finally:
        accelerator.end_training()
    return True


def _say_nothing(_text: str) -> None:
    pass


def _check_folders(options: argparse.Namespace, runs: list[Run]) -> None:
    if options.resume not in (None, "last") and len(runs) > 1:
        raise ArgumentError(
            f"--resume {options.resume} names one state, and {len(runs)} networks are to be trained; "
            "write --resume alone, or name one class with --classes."
        )
    check_writable(checkpoints_of(options), "--checkpoints" if options.checkpoints else "--output")
    check_writable(cache_of(options), "--cache" if options.cache else "--output")
    for run in runs:
        check_writable(folder_of(options.output, run), "--output")
        if not options.resume:
            check_no_run(folder_of(options.output, run))


def _train_one(
    run: Run,
    options: argparse.Namespace,
    found: Found,
    accelerator: Accelerator,
    control: Control,
    published: set[Path],
) -> Trainer:
    """Train one network to its end, or until it must stop; ``published`` gets the files that it has finished."""
    places = Places(folder_of(options.output, run), cache_of(options))
    checkpoints = checkpoints_of(options)
    side_files = SideFiles(tqdm.write)

    def publish(trainer: Learner) -> None:
        written = write_checkpoints(weights_of(trainer.state()), checkpoints, run.classes)
        published.update(written)
        with side_files.continue_without(checkpoints / MANIFEST):
            enter_in_manifest(checkpoints, written)

    # The state is read by its owner alone: another run might replace it on its way out.
    with own_run_folder(places.output, accelerator, goes_on=bool(options.resume)):
        trainer = Trainer(
            run.config,
            run.images,
            places,
            accelerator,
            publish=None if run.is_demo_set else publish,
            tensorboard=options.tensorboard,
            data=_provenance(run, found, options),
            autoencoder=run.autoencoder,
        )
        _begin(trainer, options, run, accelerator)
        trainer.run(control, options.until)
    return trainer


def _begin(trainer: Trainer, options: argparse.Namespace, run: Run, accelerator: Accelerator) -> None:
    """Go on from a state where there is one and that is wanted, or begin with the weights that were named."""
    say = tqdm.write if accelerator.is_main_process else _say_nothing
    file = trainer.places.state if options.resume in (None, "last") else Path(options.resume)
    if options.resume and (file.is_file() or options.resume != "last"):
        changes = resume(trainer, read_state(file), str(file))
        say(f"going on from step {trainer.step} of {file}" + "".join(f"; {change}" for change in changes))
    elif options.start:
        start_from(trainer, read_weights(options.start), str(options.start), next(iter(run.classes), None))
        say(f"beginning with the weights of {options.start}")


def _provenance(run: Run, found: Found, options: argparse.Namespace) -> dict[str, Any]:
    """What the weights say of their images. A published file must not tell how its maker's disk is laid out."""
    described = HAM10000 if found.form.startswith("HAM10000") else {"data": found.form}
    classes: dict[str, Any] = {"classes": run.classes} if run.classes else {}
    if run.autoencoder:
        classes["autoencoder"] = load_autoencoder(options.latent)[1]
    return {**described, **classes, "images": len(run.images), "made_by": f"ISICGUI {__version__}"}


def checkpoints_of(options: argparse.Namespace) -> Path:
    """Where the finished files go."""
    return Path(options.checkpoints or options.output / "checkpoints")


def cache_of(options: argparse.Namespace) -> Path:
    """Where the decoded images are kept."""
    return Path(options.cache or options.output / "cache")


def _finish(runs: list[Run], options: argparse.Namespace, published: set[Path]) -> str:
    """Write what belongs beside the weights; says where everything is."""
    folder, cache = checkpoints_of(options), cache_of(options)
    images = [image for run in runs if run.classes for image in run.images]
    if images:
        size = runs[0].config.stages[-1].size
        write_color_statistics(images, folder / STATISTICS_FILE, size, cache)
    for run in runs:
        if run.is_demo_set:
            write_demo_set(weights_of(read_state(folder_of(options.output, run) / STATE_FILE)), folder)
    finished = [*sorted(published), *([folder / STATISTICS_FILE] if images else [])]
    if finished and not runs[0].is_demo_set:
        list_in_manifest(folder, finished)  # the weights again: it may have been held open when they were written
    names = sorted(file.name for file in folder.iterdir() if file.name != LOCK_NAME)
    return f"{folder} holds {', '.join(names)}"
