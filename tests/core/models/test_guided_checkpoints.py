from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from core.errors import ArgumentError, CheckpointError, JobFailedError, OutputFolderError
from core.generation.events import ImageSaved
from core.generation.job import GenerationJob
from core.generation.reproduction import reproduce
from core.generation.runner import run
from core.models.checkpoints import ModelCache
from core.models.class_folding import fold_condition
from core.models.condition_embedding import build_unet
from core.models.conditions import Condition
from core.models.guided_checkpoints import CONDITIONED_FILE, load_conditioned, read_conditioned
from core.output.dataset_table import CONDITION_COLUMNS
from core.output.image_file import read_parameters, read_pixels
from tests.conftest import (
    CONDITIONED_UNET,
    conditioned_unet,
    tiny_unet,
    write_checkpoint,
    write_conditioned,
)

CPU = torch.device("cpu")
MELANOMA = Condition(melanocytic=True, sex="female", age=55, site="back")
CONDITIONS = [
    Condition(),
    MELANOMA,
    Condition(melanocytic=False, sex="male"),
    Condition(sex="male"),
    Condition(sex="female"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_conditioned(tmp_path_factory.mktemp("conditioned"))


def job(folder: Path, output: Path, **changes: Any) -> GenerationJob:
    values: dict[str, Any] = {"condition": MELANOMA, "counts": {"MELANOCYTIC": 2}, "guidance": 2.0, **changes}
    return GenerationJob(checkpoints=folder, output=output, steps=4, precision="fp32", device="cpu", **values)


def test_a_folded_condition_is_the_conditioned_model_under_it() -> None:
    model = conditioned_unet()
    noise = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 10, 500, 999])
    answers = []
    for condition in CONDITIONS:
        weights, config = fold_condition(model.state_dict(), CONDITIONED_UNET, condition)
        folded = tiny_unet(4)
        folded.load_state_dict(weights)
        assert not config.get("class_embed_type")
        with torch.inference_mode():
            expected = model(noise, timesteps, class_labels=torch.tensor([condition.vector()] * 4)).sample
            found = folded(noise, timesteps).sample
        assert (found - expected).abs().max() <= 1e-5
        answers.append(found)
    # Unknown is neither male (zero) nor female, and no two conditions are the same.
    assert all((one - other).abs().max() > 1e-3 for i, one in enumerate(answers) for other in answers[:i])


def test_a_fresh_condition_has_no_effect() -> None:
    model = build_unet(CONDITIONED_UNET)
    assert not model.class_embedding(torch.tensor([condition.vector() for condition in CONDITIONS])).any()


def test_guidance_draws_away_from_no_condition(folder: Path) -> None:
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def answer(condition: Condition, guidance: float) -> torch.Tensor:
        model: Any = load_conditioned(folder / CONDITIONED_FILE, condition, guidance, CPU, "fp32").model
        with torch.inference_mode():
            return model(noise, 500, return_dict=False)[0]

    without, under = answer(Condition(), 1), answer(MELANOMA, 1)
    assert torch.allclose(answer(MELANOMA, 3), without + 3 * (under - without), atol=1e-4)
    assert torch.allclose(answer(MELANOMA, 0), without, atol=1e-5)
    assert (under - without).abs().max() > 1e-3


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_model_in_memory_leaves_its_file_alone(tmp_path: Path, guidance: float) -> None:
    file = write_conditioned(tmp_path) / CONDITIONED_FILE
    loaded: Any = load_conditioned(file, MELANOMA, guidance, CPU, "fp32")
    assert str(file) not in {region.path for region in psutil.Process().memory_maps()}
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = loaded.model(noise, 500, return_dict=False)[0]
        with file.open("r+b") as stream:
            stream.write(bytes(file.stat().st_size))
        assert torch.equal(loaded.model(noise, 500, return_dict=False)[0], before)


def test_images_and_table_say_under_which_condition_they_were_made(folder: Path, tmp_path: Path) -> None:
    saved = [event for event in run(job(folder, tmp_path / "o")) if isinstance(event, ImageSaved)]
    assert [event.path.relative_to(tmp_path / "o").as_posix() for event in saved] == [
        "MELANOCYTIC/ISIC_0000001.png",
        "MELANOCYTIC/ISIC_0000002.png",
    ]
    parameters = read_parameters(saved[0].path)
    assert (parameters.condition, parameters.guidance) == (MELANOMA, 2.0)
    with (tmp_path / "o" / "synthetic_dataset.csv").open(newline="") as stream:
        first, _second = csv.DictReader(stream)
    assert tuple(first) == CONDITION_COLUMNS
    told = [first[name] for name in ("class", "melanocytic", "sex", "age", "age_group", "site", "guidance")]
    assert told == ["MELANOCYTIC", "yes", "female", "55", "40-65", "back", "2.0"]


def test_later_images_are_those_of_one_run_and_can_be_made_again(folder: Path, tmp_path: Path) -> None:
    list(run(job(folder, tmp_path / "together", counts={"MELANOCYTIC": 2})))
    for _ in range(2):
        list(run(job(folder, tmp_path / "apart", counts={"MELANOCYTIC": 1})))
    images = [tmp_path / place / "MELANOCYTIC" / "ISIC_0000002.png" for place in ("together", "apart")]
    one, other = (read_pixels(image).astype(int) for image in images)
    assert abs(one - other).max() <= 1
    assert one.std() > 1
    assert reproduce(images[0], folder, ModelCache()).equal


def test_a_folder_holds_one_kind_of_images(folder: Path, tmp_path: Path) -> None:
    list(run(job(folder, tmp_path / "o", counts={"MELANOCYTIC": 1})))
    write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet())
    with pytest.raises(OutputFolderError, match="other columns"):
        list(run(GenerationJob({"MEL": 1}, checkpoints=tmp_path, output=tmp_path / "o", steps=1)))


def test_the_images_are_counted_under_the_label_of_the_condition(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="under MELANOCYTIC, not 'UNSPECIFIED'"):
        job(folder, tmp_path, counts={"UNSPECIFIED": 1})
    with pytest.raises(ArgumentError, match="does not know the field class"):
        list(run(job(folder, tmp_path, counts={"MEL": 1})))
    with pytest.raises(ArgumentError, match="guidance -1"):
        job(folder, tmp_path, guidance=-1)
    whole = job(folder, tmp_path)
    assert GenerationJob.from_json(whole.to_json(), "the file") == whole


def test_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        read_conditioned(tmp_path / CONDITIONED_FILE)
    other = write_checkpoint(tmp_path / CONDITIONED_FILE, tiny_unet())
    with pytest.raises(CheckpointError, match="not a metadata-conditioned model"):
        read_conditioned(other)
    content = torch.load(folder / CONDITIONED_FILE, weights_only=True)
    content["state_dict"]["class_embedding.linear_1.weight"] = torch.zeros(128, 20)
    torch.save(content, tmp_path / "twenty.pth")
    with pytest.raises(CheckpointError, match="12 numbers"):
        read_conditioned(tmp_path / "twenty.pth")
    assert not list(tmp_path.glob("o*"))


def test_too_little_memory_for_a_condition_is_not_taken_for_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fold(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr("core.models.guided_checkpoints.fold_condition", fold)
    with pytest.raises(JobFailedError, match=f"not enough memory on cpu for the checkpoint {CONDITIONED_FILE}"):
        read_conditioned(folder / CONDITIONED_FILE)
