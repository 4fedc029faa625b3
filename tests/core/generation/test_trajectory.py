from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import core.generation.runner
from core.generation.denoising import to_pixels
from core.generation.events import ImageSaved, Warned
from core.generation.job import SAMPLERS, GenerationJob
from core.generation.reproduction import prepare_repetition
from core.generation.runner import run
from core.generation.trajectory import TrajectoryFileError, read_trajectory, trajectory_file, write_trajectory
from core.models.checkpoints import ModelCache
from core.output.color_adjustment import adjust
from core.output.image_file import read_parameters, read_pixels
from tests.conftest import latent_content
from tests.core.examples import noise


def record(checkpoints: Path, output: Path, **changes: Any) -> list[Any]:
    settings = {"steps": 4, "device": "cpu", "precision": "fp32", "batch_size": 2, "record_trajectory": True}
    return list(run(GenerationJob({"MEL": 2}, checkpoints, output, **{**settings, **changes})))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_recorded_trajectory_ends_in_the_image_and_is_what_makes_it_again(
    tiny_checkpoints: Path, tmp_path: Path, sampler: str
) -> None:
    statistics = '{"MEL": {"rgb": {"mean": [200, 100, 50], "std": [20, 20, 20]}}}'
    (tiny_checkpoints / "color_statistics.json").write_text(statistics)
    record(tiny_checkpoints, tmp_path / "o", sampler=sampler)
    image = tmp_path / "o" / "MEL" / "ISIC_0000002.png"
    made = read_parameters(image)
    trajectory = read_trajectory(trajectory_file(image), made.seed)
    assert made.color_adjustment is not None
    assert np.array_equal(adjust(trajectory.estimates[-1], made.color_adjustment), read_pixels(image))
    repetition = prepare_repetition(image, tiny_checkpoints, ModelCache())
    again = [(step.timestep, to_pixels(step.estimate)[0]) for step in repetition.steps()]
    assert [timestep for timestep, _ in again] == list(trajectory.timesteps)
    difference = np.abs(trajectory.estimates.astype(int) - np.stack([estimate for _, estimate in again]))
    assert difference.max() <= 1


def test_the_output_folder_is_still_an_image_folder(tiny_checkpoints: Path, tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    record(tiny_checkpoints, tmp_path / "o")
    assert len(list((tmp_path / "o" / "MEL").glob("*.npz"))) == 2
    names = [Path(path).name for path, _ in ImageFolder(str(tmp_path / "o")).samples]
    assert names == ["ISIC_0000001.png", "ISIC_0000002.png"]


def test_nothing_is_recorded_unless_asked_for(tiny_checkpoints: Path, tmp_path: Path) -> None:
    record(tiny_checkpoints, tmp_path / "o", record_trajectory=False)
    assert sorted(path.suffix for path in (tmp_path / "o" / "MEL").iterdir()) == [".png", ".png"]


def test_only_images_to_be_analysed_are_recorded_where_that_is_asked_for(
    tiny_checkpoints: Path, tmp_path: Path
) -> None:
    def recorded() -> list[str]:
        record(tiny_checkpoints, tmp_path / "o", record_trajectory=False, analyse_every=3)
        return sorted(path.name[-17:-15] for path in (tmp_path / "o" / "MEL").glob("*.npz"))

    assert recorded() == ["01"]  # the folder ends with fewer images than three
    assert recorded() == ["01", "03"]
    assert recorded() == ["01", "03", "06"]
    for number in (3, 6):  # the first and the second image of their batches
        image = tmp_path / "o" / "MEL" / f"ISIC_{number:07d}.png"
        trajectory = read_trajectory(trajectory_file(image), read_parameters(image).seed)
        assert np.array_equal(trajectory.estimates[-1], read_pixels(image))


def test_no_image_waits_for_decoding_each_step_on_a_processor(tiny_checkpoints: Path, tmp_path: Path) -> None:
    torch.save(latent_content(), tiny_checkpoints / "unet_MEL_best.pth")
    for settings, recorded in (({"record_trajectory": False, "analyse_every": 1}, 0), ({}, 2)):
        record(tiny_checkpoints, tmp_path / str(recorded), **settings)
        assert len(list((tmp_path / str(recorded) / "MEL").glob("*.npz"))) == recorded


def test_recording_changes_no_image(tiny_checkpoints: Path, tmp_path: Path) -> None:
    record(tiny_checkpoints, tmp_path / "with")
    record(tiny_checkpoints, tmp_path / "without", record_trajectory=False)
    images = [read_pixels(tmp_path / folder / "MEL" / "ISIC_0000002.png") for folder in ("with", "without")]
    assert np.array_equal(*images)


def test_the_steps_of_a_batch_are_bounded_in_memory(
    tiny_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.generation.runner, "_TRAJECTORY_BYTES", 4 * 16 * 16 * 3)  # four steps of one image

    def sizes(**changes: Any) -> set[int]:
        events = record(tiny_checkpoints, tmp_path / "o", **changes)
        return {len(event.numbers) for event in events if hasattr(event, "numbers")}

    assert sizes() == sizes(record_trajectory=False, analyse_every=1) == {1}
    assert sizes(record_trajectory=False, analyse_every=2) == {2}


def test_an_image_retried_in_fp32_keeps_the_steps_that_made_it(
    tiny_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = iter([False])
    monkeypatch.setattr(core.generation.runner, "usable", lambda images: [next(first, True) for _ in images])
    record(tiny_checkpoints, tmp_path / "o", precision="bf16")
    image = tmp_path / "o" / "MEL" / "ISIC_0000001.png"
    made = read_parameters(image)
    assert made.precision == "fp32"
    assert np.array_equal(read_trajectory(trajectory_file(image), made.seed).estimates[-1], read_pixels(image))


def test_a_trajectory_that_cannot_be_written_is_a_warning(
    tiny_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(core.generation.runner, "write_trajectory", refuse)
    events = record(tiny_checkpoints, tmp_path / "o")
    assert sum(isinstance(event, ImageSaved) for event in events) == 2
    assert "No space left on device" in next(event.text for event in events if isinstance(event, Warned))


GOOD: dict[str, Any] = {
    "format": np.array("isicgui.trajectory/1"),
    "seed": np.array(7),
    "timesteps": np.zeros(2, np.int32),
    "estimates": np.zeros((2, 8, 8, 3), np.uint8),
}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"PK\x03\x04 half"), "damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:-200]), "damaged"),
        (lambda file: np.savez(file, format=np.array("other"), estimates=1, timesteps=1, seed=7), "form"),
        (lambda file: np.savez(file, x=1), "damaged"),
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.unlink() or file.mkdir(), "Is a directory"),
        (lambda file: np.savez(file, **{**GOOD, "estimates": np.zeros((2, 8, 8), np.uint8)}), "form"),
        (lambda file: np.savez(file, **{**GOOD, "estimates": np.zeros((2, 8, 4, 3), np.uint8)}), "form"),
        (lambda file: np.savez(file, **{**GOOD, "timesteps": np.zeros(2, "<U4")}), "form"),
        (lambda file: np.savez(file, **{**GOOD, "seed": np.array([7, 7])}), "form"),
    ],
)
def test_what_is_no_trajectory_is_named(tmp_path: Path, spoil: Any, message: str) -> None:
    file = tmp_path / "ISIC_0000001.trajectory.npz"
    write_trajectory(file, [noise(1), noise(2)], [500, 0], 7)
    assert read_trajectory(file, 7).timesteps == (500, 0)
    spoil(file)
    with pytest.raises(TrajectoryFileError, match=message):
        read_trajectory(file, 7)


def test_a_trajectory_of_another_image_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ISIC_0000001.trajectory.npz"
    write_trajectory(file, [noise(1)], [0], 7)
    with pytest.raises(TrajectoryFileError, match="seed 7, not 8"):
        read_trajectory(file, 8)


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    file = tmp_path / "ISIC_0000001.trajectory.npz"
    np.savez(file, format=np.array("x"), estimates=np.array([torch.nn.Identity()], dtype=object), timesteps=1, seed=7)
    with pytest.raises(TrajectoryFileError, match="holds objects"):
        read_trajectory(file, 7)
