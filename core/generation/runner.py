"""Run a generation job: one generator of events from the first check to the last image."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import diffusers
import numpy as np
import torch

from core import __version__
from core.errors import ArgumentError, CheckpointError, JobFailedError
from core.generation.control import Control, Decision
from core.generation.deep_cache import check_reuse
from core.generation.denoising import denoise, to_pixels, usable
from core.generation.event_log import log_event
from core.generation.events import (
    ClassStarted,
    DenoisingStep,
    Event,
    ImageFailed,
    ImageSaved,
    JobFinished,
    JobStarted,
    Notice,
    Paused,
    Resumed,
    Warned,
)
from core.generation.explanation_cadence import wants_explanation
from core.generation.job import GenerationJob
from core.generation.samplers import Sampler
from core.generation.seeds import image_seed
from core.generation.trajectory import trajectory_file, write_trajectory
from core.models.checkpoints import Checkpoint, LoadedModel, ModelCache, read_checkpoint, readable_classes
from core.models.demo_set import unpack_where_empty
from core.models.devices import (
    default_batch_size,
    empty_cache,
    enough_memory,
    is_out_of_memory,
    no_memory,
    release_after_out_of_memory,
    resolve_device,
    resolve_precision,
)
from core.models.guided_checkpoints import CONDITIONED_FILE, load_conditioned, read_conditioned
from core.models.model_lookup import checkpoint_file
from core.output.color_adjustment import ColorStatistics, adjust, load_color_statistics
from core.output.dataset_table import OF_CLASSES, OF_CONDITIONS
from core.output.image_file import ImageParameters
from core.output.output_folder import OutputFolder, open_output_folder

_TRAJECTORY_BYTES: Final = 2**29  # what the recorded steps of one batch may take in memory


def run(
    job: GenerationJob, control: Control | None = None, cache: ModelCache | None = None
) -> Generator[Event, None, None]:
    """Generate the images of a job.

    Everything that can be checked is checked before anything is written. Closing the generator stops the job
    as ``stop_now`` does: images that are being denoised are given up, everything finished stays.

    Args:
        job: what to generate.
        control: asked at every denoising step; without one the job runs to its end.
        cache: models to use again from an earlier job.

    Raises:
        ArgumentError: the job cannot be carried out on this machine or with this output folder.
        CheckpointError: a checkpoint is missing, damaged or refused.
        JobFailedError: the disk is full, or memory does not suffice for a model or one image; what was made is kept.
    """
    device = resolve_device(job.device)
    precision = resolve_precision(job.precision, device)
    if job.condition is None and unpack_where_empty(job.checkpoints):
        yield Notice(
            f"{job.checkpoints} had no model, so the bundled demonstration weights were unpacked there: "
            "small models of all seven classes for trying the program out, not for research."
        )
    _check_models(job)
    colors = load_color_statistics(job.checkpoints) if job.color_adjustment else {}
    models = ModelCache() if cache is None else cache  # an empty cache is false
    layout = OF_CONDITIONS if job.condition else OF_CLASSES
    with open_output_folder(job.output, layout, job.masks) as output:
        running = _Run(job, control or Control(), models, output, colors, device, precision)
        with contextlib.closing(running.events()) as events:
            for event in events:
                log_event(event)
                yield event


def _check_models(job: GenerationJob) -> None:
    """Read every checkpoint of the job and try its schedule, so that nothing is written when one is wanting."""
    if job.condition:
        for name in job.counts:
            _check_model(job, read_conditioned(job.checkpoints / CONDITIONED_FILE, job.condition_of(name)))
        return
    missing = [name for name in job.counts if not checkpoint_file(job.checkpoints, name).is_file()]
    if missing:
        there = ", ".join(readable_classes(job.checkpoints)) or "none"
        raise CheckpointError(
            f"{job.checkpoints} has no {checkpoint_file(job.checkpoints, missing[0]).name}, so {missing[0]} cannot be "
            f"generated; the classes that can be are {there}."
        )
    for name in job.counts:
        _check_model(job, read_checkpoint(checkpoint_file(job.checkpoints, name)))


def _check_model(job: GenerationJob, checkpoint: Checkpoint) -> None:
    Sampler(job.sampler, checkpoint.scheduler, job.steps)  # refuses more steps than the schedule has
    check_reuse(checkpoint.path.name, checkpoint.config, job.reuse)
    if job.masks is not None and not checkpoint.has_masks:
        raise ArgumentError(f"{checkpoint.path} makes no lesion masks; leave out --masks, or use a model that does.")


@dataclass(frozen=True)
class _Denoised:
    """The finished images of a batch, (B, 3, S, S) in [-1, 1], and their lesion masks, (B, S, S), if there are any.

    ``estimates`` has those of every step, uint8 (S, S, 3), by the index of each image that is recorded.
    """

    images: torch.Tensor
    masks: torch.Tensor | None
    estimates: dict[int, list[np.ndarray]]
    timesteps: Sequence[int]

    def of(self, index: int) -> _Denoised:
        """One image of the batch, as a batch of one."""
        own = slice(index, index + 1)
        masks = None if self.masks is None else self.masks[own]
        recorded = {0: self.estimates[index]} if index in self.estimates else {}
        return _Denoised(self.images[own], masks, recorded, self.timesteps)


@dataclass
class _Run:
    """The state of one run: what is done, what failed, and how large a batch may be."""

    job: GenerationJob
    control: Control
    cache: ModelCache
    output: OutputFolder
    colors: dict[str, ColorStatistics]
    device: torch.device
    precision: str
    batch_limit: int | None = None
    saved: int = 0
    failed: int = 0
    table_warned: bool = False

    def events(self) -> Generator[Event, None, None]:
        job, started = self.job, time.monotonic()
        first = {name: self.output.highest_number(name) + 1 for name in job.counts}
        how = (job.steps, job.sampler, job.reuse, str(self.device), self.precision)
        yield JobStarted(job.total, *how, job.output, job.base_seed, first)
        if self.output.upgraded:
            yield Notice(f"The table of SYNT_ISIC is continued with more columns; {self.output.upgraded} keeps it.")
        for class_name, count in job.counts.items():
            yield from self._class(class_name, count)
            if self._stopping():
                break
        self._write_waiting_rows()
        stopped = self.saved + self.failed < job.total
        yield JobFinished(self.saved, self.failed, stopped, time.monotonic() - started)

    def _class(self, class_name: str, count: int) -> Iterator[Event]:
        loaded = self._load(class_name, self.precision)
        size = self.job.batch_size or default_batch_size(self.device, int(loaded.checkpoint.config["sample_size"]))
        size = min(size, self.batch_limit or size, self._most_recorded(loaded))
        yield ClassStarted(class_name, count, loaded.checkpoint.path.name, loaded.sha256, min(size, count))
        remaining = count
        while remaining and not self._stopping():
            batch = min(remaining, size, self.batch_limit or size)
            numbers = [self.output.next_number(class_name) for _ in range(batch)]
            yield from self._batch(class_name, numbers, loaded)
            remaining -= batch

    def _most_recorded(self, loaded: LoadedModel) -> int:
        """How many images may be denoised together so that their recorded steps fit the memory meant for them."""
        every = self._recording_interval(loaded)
        if every is None:
            return self.job.total
        return max(1, every * _TRAJECTORY_BYTES // (3 * loaded.checkpoint.image_size**2 * self.job.steps))

    def _recording_interval(self, loaded: LoadedModel) -> int | None:
        """The interval of the numbers whose trajectory is kept.

        An analysis needs it, but no image may wait for that: decoding the latents of each step is slow on a processor,
        so the analysis repeats the denoising there.
        """
        if self.job.record_trajectory:
            return 1
        slow = loaded.decoder is not None and self.device.type == "cpu"
        return None if slow else self.job.analyse_every

    def _records(self, class_name: str, number: int, loaded: LoadedModel) -> bool:
        every = self._recording_interval(loaded)
        return every is not None and wants_explanation(number, self.job.counts[class_name], every)

    def _batch(self, class_name: str, numbers: Sequence[int], loaded: LoadedModel) -> Iterator[Event]:
        """Denoise and save; when memory runs out, in halves from then on."""
        try:
            made = yield from self._denoise(class_name, numbers, loaded)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(numbers) == 1:
                raise no_memory(self.device, "one image") from error
        else:
            if made is not None:
                with enough_memory(self.device, "one image"):  # a second try in fp32 takes more than the first
                    yield from self._save(class_name, numbers, made, loaded)
            empty_cache(self.device)
            return
        # Outside the except block: the traceback, and the tensors that it holds, are gone by now.
        release_after_out_of_memory(self.device)
        half = (len(numbers) + 1) // 2
        self.batch_limit = half
        yield Warned(f"Memory ran out with {len(numbers)} images at a time; going on with {half}.")
        for part in (numbers[:half], numbers[half:]):
            if not self._stopping():
                yield from self._batch(class_name, part, loaded)

    def _denoise(
        self, class_name: str, numbers: Sequence[int], loaded: LoadedModel
    ) -> Generator[Event, None, _Denoised | None]:
        """Yield the steps of a batch; returns the finished images, or None after a request to stop now."""
        seeds = [image_seed(class_name, number, self.job.base_seed) for number in numbers]
        sampler = Sampler(self.job.sampler, loaded.checkpoint.scheduler, self.job.steps)
        estimates: dict[int, list[np.ndarray]] = {
            index: [] for index, number in enumerate(numbers) if self._records(class_name, number, loaded)
        }
        for step in denoise(loaded.model, sampler, seeds, self.device, self.job.reuse, loaded.decoder):
            for index, recorded in estimates.items():
                recorded.append(to_pixels(step.estimate[index : index + 1])[0])
            yield DenoisingStep(class_name, tuple(numbers), step.index, len(sampler.timesteps), step.timestep, step)
            yield from self._obey_pause()
            if self.control.decision is Decision.STOP_NOW:
                return None
        return _Denoised(step.images, step.masks, estimates, sampler.timesteps)

    def _obey_pause(self) -> Iterator[Event]:
        if self.control.decision is Decision.PAUSE:
            empty_cache(self.device)  # people pause to lend the device to another program
            yield Paused()
            self.control.wait_while_paused()
            yield Resumed()

    def _save(self, class_name: str, numbers: Sequence[int], made: _Denoised, loaded: LoadedModel) -> Iterator[Event]:
        for index, (number, good) in enumerate(zip(numbers, usable(made.images), strict=True)):
            precision, finished = self.precision, made.of(index)
            if not good:
                retried = yield from self._retry_in_fp32(class_name, number)
                if retried is None:
                    continue
                precision, finished = "fp32", retried
            parameters = self._parameters(class_name, number, precision, loaded, finished.masks is not None)
            yield from self._write(finished, parameters)

    def _retry_in_fp32(self, class_name: str, number: int) -> Generator[Event, None, _Denoised | None]:
        """Once more in fp32 for an image that came out as NaN or constant; None when that fails too."""
        if self.precision != "fp32":
            yield Warned(f"Image {number} of {class_name} came out empty in {self.precision}; trying it in fp32.")
            made = yield from self._denoise(class_name, [number], self._load(class_name, "fp32"))
            if made is None or usable(made.images)[0]:  # stopped on request, or a complete image
                return made
        self.failed += 1
        seed = image_seed(class_name, number, self.job.base_seed)
        reason = "the model gave no image: its values are not finite or all alike"
        yield ImageFailed(class_name, number, seed, reason, self.saved + self.failed, self.job.total)
        return None

    def _write(self, made: _Denoised, parameters: ImageParameters) -> Iterator[Event]:
        pixels = to_pixels(made.images)[0]
        if parameters.color_adjustment is not None:
            pixels = adjust(pixels, parameters.color_adjustment)
        mask = None if made.masks is None else made.masks[0].cpu().numpy()
        try:
            path = self.output.save(pixels, parameters, mask)
        except OSError as error:
            raise JobFailedError(
                f"Image {parameters.isic_number} of {parameters.class_name} could not be written to "
                f"{self.output.folder} ({error.strerror}); the {self.saved} images before it are in place."
            ) from error
        self.saved += 1
        if made.estimates:
            yield from self._record(trajectory_file(path), made, parameters.seed)
        yield ImageSaved(path, parameters, self.saved + self.failed, self.job.total)
        if self.output.table.pending and not self.table_warned:
            self.table_warned = True
            yield Warned(
                f"{self.output.table.file} cannot be written now; is it open in another program? "
                "Its rows are kept and tried again with every image."
            )

    def _record(self, file: Path, made: _Denoised, seed: int) -> Iterator[Event]:
        try:
            write_trajectory(file, made.estimates[0], made.timesteps, seed)
        except OSError as error:
            yield Warned(f"{file} could not be written ({error.strerror}); what explains the image makes it again.")

    def _write_waiting_rows(self) -> None:
        try:
            self.output.table.append([])
        except OSError as error:
            raise JobFailedError(
                f"{len(self.output.table.pending)} rows could not be written to {self.output.table.file} "
                f"({error.strerror}); close the program that has it open: the next job adds them from the images."
            ) from error

    def _load(self, class_name: str, precision: str) -> LoadedModel:
        job = self.job
        try:
            if job.condition:
                file = job.checkpoints / CONDITIONED_FILE
                return load_conditioned(file, job.condition_of(class_name), job.guidance, self.device, precision)
            return self.cache.get(checkpoint_file(job.checkpoints, class_name), self.device, precision)
        except CheckpointError as error:  # whole when the job was checked, gone or replaced since
            raise JobFailedError(f"{error} The {self.saved} images before it are in place.") from error

    def _parameters(
        self, class_name: str, number: int, precision: str, loaded: LoadedModel, lesion_mask: bool
    ) -> ImageParameters:
        return ImageParameters(
            class_name=class_name,
            isic_number=number,
            generated_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            seed=image_seed(class_name, number, self.job.base_seed),
            base_seed=self.job.base_seed,
            sampler=self.job.sampler,
            steps=self.job.steps,
            reuse=self.job.reuse,
            precision=precision,
            device=str(self.device),
            checkpoint=loaded.checkpoint.path.name,
            checkpoint_sha256=loaded.sha256,
            demonstration=loaded.checkpoint.is_demo,
            image_size=loaded.checkpoint.image_size,
            color_adjustment=self.colors.get(class_name),
            isicgui_version=__version__,
            torch_version=torch.__version__,
            diffusers_version=diffusers.__version__,
            condition=self.job.condition_of(class_name) if self.job.condition else None,
            guidance=self.job.guidance if self.job.condition else None,
            lesion_mask=lesion_mask,
        )

    def _stopping(self) -> bool:
        return self.control.decision in (Decision.STOP_AFTER_IMAGE, Decision.STOP_NOW)
