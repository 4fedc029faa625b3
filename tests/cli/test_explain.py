"""``main.py explain``: options, output, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.application import main
from core.paths import PROJECT_ROOT
from tests.conftest import REAL_IMAGES
from tests.xai.networks import write_classifier

IMAGES = [REAL_IMAGES / "images" / f"ISIC_{number}.jpg" for number in ("0024310", "0024323")]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("explain") / "checkpoints")


def arguments(checkpoints: Path, output: Path, *more: object) -> list[str]:
    quick = ("--ig-steps", "2", "--device", "cpu", "--methods", "ig,gradcam")
    return ["explain", "--checkpoints", str(checkpoints), "--output", str(output), *quick, *map(str, more)]


def test_json_reports_each_image_and_a_damaged_one_does_not_stop_the_rest(checkpoints: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("not an image")
    command = arguments(checkpoints, tmp_path / "o", IMAGES[0], broken, IMAGES[1], "--json", "--target", "mel")
    done = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "main.py"), *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    classifier, first, failed, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (classifier["event"], classifier["head_trained"]) == ("classifier", True)
    assert failed == {"event": "image_failed", "path": str(broken), "error": f"{broken} is not a readable image."}
    for image, event in zip(IMAGES, (first, second), strict=True):
        assert (event["event"], event["path"], event["image"]) == ("explained", str(image), image.name)
        assert event["target"]["class"] == "MEL"
        assert sum(event["probabilities"].values()) == pytest.approx(1)
        assert all(Path(file).is_file() for file in event["files"].values())
    assert len(list((tmp_path / "o").iterdir())) == 6


def test_a_second_run_gives_the_same_result(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert main(arguments(checkpoints, tmp_path / name, IMAGES[0], "--seed", "3")) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith(f"✓ {IMAGES[0]}: ")
    assert out[2] == f"1 of 1 images explained in {tmp_path / 'a'}."
    first, second = (np.load(tmp_path / name / "ISIC_0024310_attributions.npz") for name in ("a", "b"))
    with first, second:
        assert all(np.array_equal(first[key], second[key]) for key in ("ig", "gradcam", "combined"))
    overlays = [(tmp_path / name / "ISIC_0024310_overlay.png").read_bytes() for name in ("a", "b")]
    assert overlays[0] == overlays[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([IMAGES[0], "--target", "SCC"], "'SCC'"),
        ([IMAGES[0], "--methods", "ig,lime"], "'lime'"),
        ([IMAGES[0], "--baseline", "white"], "'white'"),
        ([IMAGES[0], "--ig-steps", "0"], "ig_steps is 0"),
        ([IMAGES[0], "--device", "cuda:99"], "'cuda:99'"),
        ([IMAGES[0], "--precision", "fp16"], "fp16"),
        ([IMAGES[0], "--checkpoints", "/nowhere"], "/nowhere"),
        ([IMAGES[0], "--output", __file__], "test_explain.py"),
        (["/nowhere.png"], "/nowhere.png"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_nothing_is_written(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[object], message: str
) -> None:
    assert main(arguments(checkpoints, tmp_path / "o", *more)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err
    assert not list(tmp_path.rglob("*.png"))


def test_a_corrupt_classifier_is_reported_and_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "classifier.pth").write_bytes(b"PK\x03\x04 half a file")
    assert main(arguments(tmp_path, tmp_path / "o", IMAGES[0], "--json")) == 2
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "error"
    assert "classifier.pth is damaged" in event["text"]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode, and no FIFOs")
@pytest.mark.timeout(120)
def test_names_that_are_not_utf8_and_hostile_ones_are_explained_and_a_fifo_is_not(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [b"\xff\xfe.jpg", b"$\\frac{$.jpg", b"a\x1b[2J\n<b>.jpg", b"-=1.jpg"]
    images = [Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)) for name in names]
    for image in images:
        shutil.copy(IMAGES[0], image)
    fifo = tmp_path / "fifo.jpg"
    os.mkfifo(fifo)
    (tmp_path / "folder.jpg").mkdir()
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xff"))
    named = [*map(str, images), str(fifo), str(tmp_path / "folder.jpg")]
    assert main(arguments(checkpoints, output, *named, "--json")) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()][1:]
    assert [event["path"] for event in events] == named
    assert [event["event"] for event in events] == ["explained"] * 4 + ["image_failed"] * 2
    for event in events[:4]:
        facts = json.loads(Path(event["files"]["facts"]).read_bytes())
        assert facts["image"] == Path(event["path"]).name
    assert main(arguments(checkpoints, output, images[0], images[2])) == 0
    shown = capsys.readouterr().out
    assert "\\udcff\\udcfe.jpg" in shown
    assert "a\\x1b[2J\\n<b>.jpg" in shown
