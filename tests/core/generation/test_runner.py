from __future__ import annotations

import gc
import resource
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import ArgumentError, CheckpointError, DeviceError, JobFailedError, OutputFolderError
from core.generation import runner
from core.generation.control import Control
from core.generation.events import (
    ClassStarted,
    DenoisingStep,
    Event,
    ImageFailed,
    ImageSaved,
    JobFinished,
    JobStarted,
    Paused,
    Resumed,
    Warned,
)
from core.generation.job import SAMPLERS, GenerationJob
from core.generation.seeds import image_seed
from core.models import checkpoints
from core.output.image_file import read_parameters, read_pixels
from tests.conftest import tiny_unet, write_checkpoint


@pytest.fixture
def make_job(tiny_checkpoints: Path, tmp_path: Path) -> Any:
    def make(counts: dict[str, int], output: str = "o", **settings: Any) -> GenerationJob:
        defaults = {"steps": 3, "device": "cpu", "precision": "fp32", "checkpoints": tiny_checkpoints}
        return GenerationJob(counts, output=tmp_path / output, **{**defaults, **settings})

    return make


def run(job: GenerationJob, control: Control | None = None) -> list[Event]:
    return list(runner.run(job, control))


def of(kind: type, events: Iterable[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def images(folder: Path, class_name: str = "MEL") -> list[np.ndarray]:
    return [read_pixels(file) for file in sorted((folder / class_name).glob("*.png"))]


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> int:
    assert len(one) == len(other) > 0
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(one, other, strict=True))


def test_a_job_tells_its_whole_story(make_job: Any) -> None:
    job = make_job({"NV": 1, "MEL": 2}, batch_size=2)
    events = run(job)
    assert [type(event) for event in events] == (
        [JobStarted, ClassStarted, *[DenoisingStep] * 3, ImageSaved, ImageSaved]
        + [ClassStarted, *[DenoisingStep] * 3, ImageSaved, JobFinished]
    )
    saved = of(ImageSaved, events)
    assert [event.path.relative_to(job.output).as_posix() for event in saved] == [
        "MEL/ISIC_0000001.png",
        "MEL/ISIC_0000002.png",
        "NV/ISIC_0000001.png",
    ]
    assert [(event.done, event.total) for event in saved] == [(1, 3), (2, 3), (3, 3)]
    finished = events[-1]
    assert isinstance(finished, JobFinished)
    assert (finished.saved, finished.failed, finished.stopped) == (3, 0, False)
    steps = of(DenoisingStep, events)
    assert [step.step for step in steps[:3]] == [1, 2, 3]
    assert steps[0].numbers == (1, 2)
    assert steps[0].estimate.shape == (2, 3, 16, 16)
    assert steps[0].estimate.abs().max() <= 1


def test_png_and_row_say_the_same(make_job: Any) -> None:
    job = make_job({"DF": 2}, base_seed=7, sampler="ddim")
    run(job)
    frame = pd.read_csv(job.output / "synthetic_dataset.csv")
    for _, row in frame.iterrows():
        said = read_parameters(job.output / row["path"])
        assert (said.class_name, said.isic_number, said.seed) == (row["class"], row["isic_number"], row["seed"])
        assert (said.sampler, said.steps, said.checkpoint_sha256) == ("ddim", 3, row["checkpoint_sha256"])
        assert row["seed"] == image_seed("DF", row["isic_number"], 7)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_depends_on_its_own_seed_alone(make_job: Any, sampler: str) -> None:
    """Not on the batch size, nor on other classes, nor on how often the program was started."""
    run(make_job({"MEL": 5}, "at once", sampler=sampler, batch_size=5))
    run(make_job({"MEL": 2}, "in parts", sampler=sampler, batch_size=1))
    run(make_job({"NV": 1, "MEL": 3}, "in parts", sampler=sampler, batch_size=2))
    folder = make_job({"MEL": 1}).output.parent
    assert difference(images(folder / "at once"), images(folder / "in parts")) == 0


def test_neighbours_are_different_images(make_job: Any) -> None:
    job = make_job({"MEL": 2, "NV": 1})
    run(job)
    one, other = images(job.output)
    assert np.abs(one.astype(int) - other).mean() > 5


def test_the_global_generator_is_neither_used_nor_moved(make_job: Any) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run(make_job({"MEL": 1}, "a"))
    assert torch.equal(torch.get_rng_state(), before)


def test_models_stay_in_the_cache_that_was_given(make_job: Any) -> None:
    from core.models.checkpoints import ModelCache

    cache = ModelCache()
    for _ in range(2):
        list(runner.run(make_job({"MEL": 1, "NV": 1}), cache=cache))
        assert len(cache) == 2


def test_it_is_what_diffusers_pipeline_makes(make_job: Any, tiny_checkpoints: Path) -> None:
    """The same noise through DDPMPipeline gives the same image."""
    from diffusers import DDPMPipeline, DDPMScheduler

    from core.models.checkpoints import read_checkpoint

    job = make_job({"MEL": 1}, steps=10)
    run(job)
    checkpoint = read_checkpoint(tiny_checkpoints / "unet_MEL_best.pth")
    pipeline = DDPMPipeline(checkpoint.build(), DDPMScheduler(**checkpoint.scheduler))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(image_seed("MEL", 1))
    theirs = pipeline(generator=generator, num_inference_steps=10, output_type="np").images[0]
    ours = images(job.output)[0]
    assert np.abs(ours.astype(int) - np.rint(theirs * 255)).max() <= 1


def test_stopping_now_gives_up_what_is_half_done(make_job: Any) -> None:
    control = Control()
    job = make_job({"MEL": 3}, batch_size=1)
    events = []
    for event in runner.run(job, control):
        events.append(event)
        if isinstance(event, DenoisingStep) and event.numbers == (2,) and event.step == 2:
            control.stop_now()
    assert [event.path.name for event in of(ImageSaved, events)] == ["ISIC_0000001.png"]
    assert events[-1].stopped
    assert len(pd.read_csv(job.output / "synthetic_dataset.csv")) == 1
    run(make_job({"MEL": 2}, batch_size=1))
    run(make_job({"MEL": 3}, "whole"))
    assert difference(images(job.output), images(job.output.parent / "whole")) <= 1


def test_stopping_after_the_image_finishes_it(make_job: Any) -> None:
    control = Control()
    job = make_job({"MEL": 5, "NV": 1}, batch_size=2)
    events = []
    for event in runner.run(job, control):
        events.append(event)
        if isinstance(event, DenoisingStep) and event.step == 1:
            control.stop_after_image()
    assert [event.path.name for event in of(ImageSaved, events)] == ["ISIC_0000001.png", "ISIC_0000002.png"]
    assert events[-1].stopped


def test_a_paused_job_computes_nothing(make_job: Any) -> None:
    """Processor time of the whole process in one second, of which a loop that waits by asking would take most."""
    control, paused = Control(), threading.Event()

    def follow() -> None:
        for event in runner.run(make_job({"MEL": 1}), control):
            if isinstance(event, DenoisingStep) and event.step == 1:
                control.pause()
            elif isinstance(event, Paused):
                paused.set()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert paused.wait(60)
        time.sleep(0.3)  # torch's own threads look for more work a while before they sleep
        before = time.process_time()
        time.sleep(1)
        computed = time.process_time() - before
    finally:
        control.go_on()
        thread.join(60)
    assert computed < 0.05


def test_a_pause_changes_nothing_but_the_time(make_job: Any) -> None:
    control = Control()
    job = make_job({"MEL": 1}, "paused")
    kinds = []
    for event in runner.run(job, control):
        kinds.append(type(event))
        if isinstance(event, DenoisingStep) and event.step == 2:
            control.pause()
        if isinstance(event, Paused):
            control.go_on()
    assert kinds.index(Resumed) == kinds.index(Paused) + 1
    run(make_job({"MEL": 1}, "not"))
    assert difference(images(job.output), images(job.output.parent / "not")) == 0


def test_closing_the_generator_frees_the_folder(make_job: Any) -> None:
    job = make_job({"MEL": 2}, batch_size=1)
    events = runner.run(job)
    for event in events:
        if isinstance(event, ImageSaved):
            break
    events.close()
    assert of(ImageSaved, run(make_job({"MEL": 1})))[0].path.name == "ISIC_0000002.png"


def poison(tiny_checkpoints: Path, name: str, value: float) -> None:
    model = tiny_unet()
    with torch.no_grad():
        model.conv_out.bias.fill_(value)
    write_checkpoint(tiny_checkpoints / f"unet_{name}_best.pth", model)


def test_an_image_of_nan_is_never_written(make_job: Any, tiny_checkpoints: Path) -> None:
    poison(tiny_checkpoints, "MEL", float("nan"))
    job = make_job({"MEL": 2, "NV": 1}, precision="bf16")
    events = run(job)
    assert [(event.class_name, event.isic_number) for event in of(ImageFailed, events)] == [("MEL", 1), ("MEL", 2)]
    assert len(of(Warned, events)) == 2  # each was tried again in fp32 first
    assert not (job.output / "MEL").exists()
    assert list(pd.read_csv(job.output / "synthetic_dataset.csv")["class"]) == ["NV"]
    assert (events[-1].saved, events[-1].failed, events[-1].stopped) == (1, 2, False)


def test_a_constant_image_is_never_written(make_job: Any, tiny_checkpoints: Path) -> None:
    """A model that sees noise of 10,000 everywhere drives every pixel to the lower bound."""
    poison(tiny_checkpoints, "MEL", 10_000.0)
    job = make_job({"MEL": 1}, sampler="ddim", steps=1)
    events = run(job)
    assert len(of(ImageFailed, events)) == 1
    assert not (job.output / "MEL").exists()


def spoilt_in_bf16(monkeypatch: pytest.MonkeyPatch, in_fp32: Exception | None = None) -> None:
    """Let every image come out empty in bf16 and, where an error is given, fail in fp32."""
    real = runner.denoise

    def spoilt(model: Any, *arguments: Any) -> Any:
        for step in real(model, *arguments):
            if model.dtype == torch.bfloat16:
                yield replace(step, state=step.state * float("nan"))
            elif in_fp32:
                raise in_fp32
            else:
                yield step

    monkeypatch.setattr(runner, "denoise", spoilt)


def test_an_image_that_fails_in_bf16_is_made_in_fp32(make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_in_bf16(monkeypatch)
    job = make_job({"MEL": 1}, precision="bf16")
    assert "fp32" in of(Warned, run(job))[0].text
    assert read_parameters(job.output / "MEL" / "ISIC_0000001.png").precision == "fp32"
    monkeypatch.undo()
    run(make_job({"MEL": 1}, "fp32"))
    assert difference(images(job.output), images(job.output.parent / "fp32")) == 0


def memory_for(most: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = runner.denoise

    def limited(model: Any, sampler: Any, seeds: Any, *others: Any) -> Any:
        if len(seeds) > most:
            raise error
        yield from real(model, sampler, seeds, *others)

    monkeypatch.setattr(runner, "denoise", limited)


NO_MEMORY = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory"), MemoryError()]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_out_of_memory_halves_the_batch(make_job: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    memory_for(2, monkeypatch, error)
    job = make_job({"MEL": 7, "NV": 5}, batch_size=7)
    events = run(job)
    assert [event.text for event in of(Warned, events)] == [
        "Memory ran out with 7 images at a time; going on with 4.",
        "Memory ran out with 4 images at a time; going on with 2.",
        "Memory ran out with 3 images at a time; going on with 2.",
    ]
    assert events[-1].saved == 12
    assert max(len(step.numbers) for step in of(DenoisingStep, events)) == 2
    monkeypatch.undo()
    run(make_job({"MEL": 7}, "whole"))
    assert difference(images(job.output), images(job.output.parent / "whole")) <= 1


def test_no_memory_for_one_image_ends_the_job(make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory_for(0, monkeypatch, MemoryError())
    with pytest.raises(JobFailedError, match="not enough memory"):
        run(make_job({"MEL": 2}))


def no_model_in(precision: str, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = checkpoints.speed_up

    def limited(model: Any, asked: str) -> None:
        if asked == precision:
            raise error
        real(model, asked)

    monkeypatch.setattr(checkpoints, "speed_up", limited)


@pytest.mark.parametrize("error", NO_MEMORY)
def test_no_memory_for_a_model_ends_the_job(make_job: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    job = make_job({"MEL": 1, "NV": 1})
    with pytest.raises(JobFailedError, match=r"not enough memory on cpu for the model unet_NV_best\.pth"):
        for event in runner.run(job):
            if isinstance(event, ImageSaved):
                no_model_in("fp32", monkeypatch, error)
    assert len(images(job.output)) == 1


@pytest.mark.parametrize("error", NO_MEMORY)
def test_no_memory_for_a_second_try_in_fp32_ends_the_job(
    make_job: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    spoilt_in_bf16(monkeypatch, in_fp32=error)
    with pytest.raises(JobFailedError, match="not enough memory on cpu for one image"):
        run(make_job({"MEL": 2}, precision="bf16"))
    no_model_in("fp32", monkeypatch, error)
    with pytest.raises(JobFailedError, match="not enough memory on cpu for the model"):
        run(make_job({"MEL": 2}, precision="bf16"))


def test_other_errors_are_not_taken_for_memory(make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    defect = RuntimeError("a defect")
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="a defect"):
        memory_for(0, patch, defect)
        run(make_job({"MEL": 2}))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="a defect"):
        no_model_in("fp32", patch, defect)
        run(make_job({"MEL": 2}))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="a defect"):
        spoilt_in_bf16(patch, in_fp32=defect)
        run(make_job({"MEL": 2}, precision="bf16"))


def test_colours_are_adjusted_and_recorded(make_job: Any, tiny_checkpoints: Path) -> None:
    text = '{"MEL": {"rgb": {"mean": [200, 100, 50], "std": [20, 20, 20]}}}'
    (tiny_checkpoints / "color_statistics.json").write_text(text)
    run(make_job({"MEL": 1, "NV": 1}, "on"))
    run(make_job({"MEL": 1}, "off", color_adjustment=False))
    root = make_job({"MEL": 1}).output.parent
    on, off = images(root / "on")[0], images(root / "off")[0]
    expected = off.mean(axis=(0, 1)) + 0.35 * (np.array([200, 100, 50]) - off.mean(axis=(0, 1)))
    assert np.abs(on.mean(axis=(0, 1)) - expected).max() < 6  # clipping at 0 and 255 moves the mean a little
    said = read_parameters(root / "on" / "MEL" / "ISIC_0000001.png").color_adjustment
    assert said is not None
    assert said.mean == (200, 100, 50)
    assert read_parameters(root / "on" / "NV" / "ISIC_0000001.png").color_adjustment is None
    assert read_parameters(root / "off" / "MEL" / "ISIC_0000001.png").color_adjustment is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"device": "cuda:99"}, DeviceError),
        ({"precision": "fp16"}, DeviceError),
        ({"counts": {"VASC": 1}}, CheckpointError),
        ({"checkpoints": Path("/nowhere/at/all")}, CheckpointError),
        ({"sampler": "dpmpp", "steps": 1000}, ArgumentError),
    ],
)
def test_nothing_is_written_when_the_job_cannot_be_done(make_job: Any, settings: Any, error: type) -> None:
    job = make_job(**{"counts": {"MEL": 1}, **settings})
    with pytest.raises(error):
        run(job)
    assert not job.output.exists()


def test_a_damaged_color_table_is_found_before_anything_is_written(make_job: Any, tiny_checkpoints: Path) -> None:
    (tiny_checkpoints / "color_statistics.json").write_text("{")
    job = make_job({"MEL": 1})
    with pytest.raises(CheckpointError):
        run(job)
    assert not job.output.exists()


def test_two_jobs_on_one_folder_do_not_mix(make_job: Any) -> None:
    first = runner.run(make_job({"MEL": 2}, batch_size=1))
    next(first)
    with pytest.raises(OutputFolderError, match="Another job"):
        run(make_job({"MEL": 1}))
    rest = list(first)
    assert rest[-1].saved == 2  # type: ignore[attr-defined]


def test_a_full_disk_ends_the_job_and_loses_nothing(make_job: Any) -> None:
    """A limit on the size of files stands for the full disk: the kernel refuses the write in the same place."""
    job = make_job({"MEL": 3}, batch_size=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    saved = []
    with pytest.raises(JobFailedError, match="in place"):
        try:
            for event in runner.run(job):
                if isinstance(event, ImageSaved):
                    saved.append(event.path)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(job.output.rglob("ISIC*")) == saved
    assert len(saved) == 1
    run(make_job({"MEL": 1}))
    assert list(pd.read_csv(job.output / "synthetic_dataset.csv")["isic_number"]) == [1, 2]


def test_a_checkpoint_that_vanishes_during_the_job_ends_it_in_a_sentence(make_job: Any, tiny_checkpoints: Path) -> None:
    job = make_job({"MEL": 1, "NV": 1})
    with pytest.raises(JobFailedError, match="unet_NV_best"):
        for event in runner.run(job):
            if isinstance(event, ImageSaved):
                (tiny_checkpoints / "unet_NV_best.pth").unlink()
    assert len(images(job.output)) == 1


def test_a_table_held_open_elsewhere_delays_the_rows_only(make_job: Any) -> None:
    job = make_job({"MEL": 3}, batch_size=1)
    table = job.output / "synthetic_dataset.csv"
    events = []
    for event in runner.run(job):
        events.append(event)
        if isinstance(event, ImageSaved) and event.done == 1:
            table.rename(job.output / "aside")
            table.mkdir()  # cannot be appended to, by root either
        if isinstance(event, Warned):
            table.rmdir()
            (job.output / "aside").rename(table)
    assert "open in another program" in of(Warned, events)[0].text
    assert list(pd.read_csv(table)["isic_number"]) == [1, 2, 3]


def test_rows_that_could_not_be_written_come_with_the_next_job(make_job: Any) -> None:
    job = make_job({"MEL": 2}, batch_size=1)
    table = job.output / "synthetic_dataset.csv"
    with pytest.raises(JobFailedError, match="2 rows"):
        for event in runner.run(job):
            if isinstance(event, JobStarted):
                table.mkdir()
    table.rmdir()
    run(make_job({"MEL": 1}))
    assert list(pd.read_csv(table)["isic_number"]) == [1, 2, 3]


def test_memory_does_not_grow_with_the_number_of_images(make_job: Any) -> None:
    """What a job holds is one batch: as many tensors are alive after forty images as after ten."""

    def tensors() -> int:
        gc.collect()
        return sum(1 for thing in gc.get_objects() if type(thing) is torch.Tensor)

    counts = [
        tensors()
        for event in runner.run(make_job({"MEL": 40}, batch_size=2, steps=1))
        if isinstance(event, ImageSaved) and event.done in (10, 40)
    ]
    assert counts[0] == counts[1]
