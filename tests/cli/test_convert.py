"""A generated set in the form of SYNT_ISIC."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from cli.application import main
from core.output.image_file import read_parameters
from diffusion.tables import read_images


@pytest.fixture
def generated(tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    arguments = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "set"), "--classes", "MEL=2,DF=1"]
    assert main(["generate", *arguments, "--steps", "2", "--device", "cpu", "--precision", "fp32"]) == 0
    capsys.readouterr()
    return tmp_path / "set"


def test_a_set_is_written_as_synt_isic_leaves_it(generated: Path, tmp_path: Path) -> None:
    output = tmp_path / "theirs"
    assert main(["convert", str(generated), "--export", "synt-isic", "--output", str(output)]) == 0
    images = output / "generated_images"
    assert ImageFolder(images).classes == ["DF", "MEL"]
    table = pd.read_csv(images / "synthetic_dataset.csv")
    assert table.columns.tolist() == ["filename", "class", "isic_number", "source", "generated_at"]
    assert table[["filename", "class"]].to_numpy().tolist()[0] == ["ISIC_0000001.png", "MEL"]
    sidecar = json.loads((images / "MEL" / "ISIC_0000002.json").read_text())
    parameters = read_parameters(generated / "MEL" / "ISIC_0000002.png")
    assert (sidecar["filename"], sidecar["class"]) == ("ISIC_0000002.png", "MEL")
    assert (sidecar["seed"], sidecar["inference_steps"]) == (parameters.seed, 2)
    assert sidecar["scheduler"]["beta_schedule"] == "squaredcos_cap_v2"
    truth = pd.read_csv(output / "ISIC2018_Task3_GroundTruth_synt.csv")
    assert truth.columns.tolist() == ["image", "MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
    assert truth["image"].tolist() == ["ISIC_0034321", "ISIC_0034322", "ISIC_0034323"]
    assert truth[["MEL", "DF"]].to_numpy().tolist() == [[1, 0], [1, 0], [0, 1]]
    flat = output / "ISIC2018_Task3_synt" / "ISIC_0034323.png"
    assert flat.read_bytes() == (generated / "DF" / "ISIC_0000001.png").read_bytes()
    assert read_images(output).counts() == {"MEL": 2, "DF": 1}  # the ground truth is a table that this program reads


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_written(
    generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (generated / "MEL" / "ISIC_0000001.png").write_bytes(b"torn")
    Image.new("RGB", (8, 8)).save(generated / "MEL" / "ISIC_0000009.png")
    assert main(["convert", str(generated), "--export", "synt-isic", "--output", str(tmp_path / "o"), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images"] == 2
    assert "ISIC_0000001.png" in printed.err
    assert "ISIC_0000009.png does not say how it was made" in printed.err


def test_what_cannot_be_converted_is_refused(
    generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for source, output, message in (
        (tmp_path / "none", tmp_path / "o", "There is no set"),
        (tmp_path / "empty", tmp_path / "o", "holds no image of this program"),
        (generated, generated, "holds files; name an empty folder"),
    ):
        assert main(["convert", str(source), "--export", "synt-isic", "--output", str(output)]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
