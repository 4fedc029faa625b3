from __future__ import annotations

import argparse
import csv
import errno
import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cli import application
from core.classes import CLASSES
from core.download.manifest import Manifest, read_manifest, write_manifest
from core.generation.events import ImageSaved
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.io.folder_lock import LOCK_NAME
from core.models.checkpoints import class_status, read_checkpoint
from core.models.condition_embedding import build_unet
from core.models.demo_set import unpack_demo_set
from core.models.guided_checkpoints import CONDITIONED_FILE
from core.output.color_adjustment import load_color_statistics
from core.paths import PROJECT_ROOT
from diffusion import plan
from diffusion.__main__ import main
from diffusion.config import PRESETS, Stage
from diffusion.state import read_state
from diffusion.weights import read_weights
from tests.conftest import REAL_IMAGES
from tests.diffusion.examples import class_folders, make_networks_tiny

QUICK = ["--device", "cpu", "--precision", "fp32", "--batch-size", "4", "--validate-every", "2", "--grid-every", "4"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_networks_tiny(monkeypatch)


def train(data: Path, output: Path, *options: object) -> int:
    return main(["train", "--data", str(data), "--output", str(output), *QUICK, *map(str, options)])


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.name != LOCK_NAME}


def test_a_strangers_folder_becomes_a_usable_checkpoints_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = class_folders(tmp_path / "data", melanoma=12, NV=10, DF=3), tmp_path / "run"
    assert train(data, output, "--classes", "ALL", "--size", 16, "--steps", 4) == 0
    shown = capsys.readouterr()
    assert "class folders, 25 images of 25 lesions (MEL 12, NV 10, DF 3)" in shown.out
    assert "DF has 3 images" in shown.out
    assert "images/s" in shown.out
    checkpoints = output / "checkpoints"
    assert names_in(checkpoints) == {
        "unet_MEL_best.pth",
        "unet_NV_best.pth",
        "color_statistics.json",
        "manifest.json",
    }
    listed = json.loads((checkpoints / "manifest.json").read_text())["files"]
    status = class_status(checkpoints, "MEL")
    assert status.checkpoint is not None
    assert {"name": status.file.name, "sha256": status.sha256}.items() <= listed[1].items()
    provenance = status.checkpoint.provenance
    assert (provenance["data"], provenance["images"], provenance["classes"]) == ("class folders", 12, ["MEL"])
    assert str(tmp_path) not in json.dumps(provenance)
    assert set(load_color_statistics(checkpoints)) == {"MEL", "NV"}
    job = GenerationJob({"MEL": 1, "NV": 1}, checkpoints=checkpoints, output=tmp_path / "o", steps=3, precision="fp32")
    assert sum(isinstance(event, ImageSaved) for event in run(job)) == 2
    for name in ("MEL", "NV"):
        assert {"state.pt", "loss.csv", "loss.png", "grids"} <= names_in(output / name)
        with Image.open(output / name / "grids" / "step_0000004.png") as grid:
            assert grid.size == (6 * 16, 4 * 16)
            assert np.asarray(grid).std() > 1
        with (output / name / "loss.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["step"] for row in rows] == ["2", "4"]
        assert all(float(row["images_per_second"]) > 0 and float(row["memory_mib"]) > 10 for row in rows)


def test_a_run_is_not_written_over_but_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped within the first class of two; the same command with --resume ends both as one run would have."""
    data = class_folders(tmp_path / "data", MEL=10, NV=10)
    options = ["--classes", "MEL,NV", "--size", 16, "--steps", 4]
    assert train(data, tmp_path / "a", *options) == 0
    assert train(data, tmp_path / "b", *options, "--until", 3) == 0
    assert train(data, tmp_path / "b", *options) == 2
    assert "holds a training run; go on with it by --resume" in capsys.readouterr().err
    assert train(data, tmp_path / "b", *options, "--resume") == 0
    assert "going on from step 3" in capsys.readouterr().out
    for name in ("MEL", "NV"):
        one, other = (read_state(tmp_path / place / name / "state.pt") for place in "ab")
        assert one["step"] == other["step"] == 4
        shadows = (one["average"]["shadow"], other["average"]["shadow"])
        assert all(torch.equal(shadows[0][key], shadows[1][key]) for key in shadows[0])
    assert train(data, tmp_path / "b", *options, "--resume", tmp_path / "b" / "MEL" / "state.pt") == 2
    assert "names one state, and 2 networks" in capsys.readouterr().err


def test_one_network_of_all_classes_becomes_seven_exactly(tmp_path: Path) -> None:
    data, output = class_folders(tmp_path / "data", **dict.fromkeys(CLASSES, 10)), tmp_path / "run"
    assert train(data, output, "--conditional", "--size", 16, "--steps", 4, "--learning-rate", 1e-2) == 0
    checkpoints = output / "checkpoints"
    assert {f"unet_{name}_best.pth" for name in CLASSES} < names_in(checkpoints)
    conditional = read_weights(output / "state.pt")
    model = build_unet(conditional.config)
    model.load_state_dict(conditional.state_dict)
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert main(["export", str(output / "state.pt"), "--output", str(tmp_path / "again")]) == 0
    for index, name in enumerate(CLASSES):
        folded = read_checkpoint(tmp_path / "again" / f"unet_{name}_best.pth").build()
        with torch.inference_mode():
            expected = model.eval()(noise, 500, class_labels=torch.tensor([index, index])).sample
            assert (folded(noise, 500).sample - expected).abs().max() <= 1e-5


def test_a_checkpoint_becomes_a_state_to_go_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, output = class_folders(tmp_path / "data", MEL=10), tmp_path / "run"
    options = ["--classes", "MEL", "--size", 16, "--steps", 2, "--learning-rate", 1e-2]
    assert train(data, output, *options) == 0
    checkpoint = output / "checkpoints" / "unet_MEL_best.pth"
    assert main(["export", str(checkpoint), "--to-state", "--output", str(tmp_path / "back" / "MEL")]) == 0
    state = read_state(tmp_path / "back" / "MEL" / "state.pt")
    known = read_checkpoint(checkpoint).state_dict
    assert all(torch.equal(state["model"][name], known[name]) for name in known)
    assert train(data, tmp_path / "back", *options, "--resume") == 0
    assert "going on from step 0" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "back" / "MEL" / "state.pt"), "--output", str(tmp_path / "again")]) == 0
    assert class_status(tmp_path / "again", "MEL").problem is None


def test_metadata_from_table_to_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Begun at 16 px, grown to 32, and images made under a condition: a folder, PNGs and a table with every field."""
    output = tmp_path / "run"
    assert train(REAL_IMAGES, output, "--condition", "metadata", "--size", 32, "--steps", 4) == 0
    state = read_state(output / "state.pt")
    assert [stage["size"] for stage in state["training_config"]["stages"]] == [16, 32]
    assert state["config"]["sample_size"] == 32
    assert (output / "checkpoints" / CONDITIONED_FILE).is_file()
    asked = ["--melanocytic", "yes", "--sex", "female", "--age", "55", "--site", "back", "--guidance", "2"]
    where = ["--output", str(tmp_path / "o"), "--checkpoints", str(output / "checkpoints"), "--steps", "3"]
    assert application.main(["generate", "--classes", "ANY=2", *asked, *where, "--device", "cpu"]) == 0
    with Image.open(tmp_path / "o" / "MELANOCYTIC" / "ISIC_0000002.png") as image:
        assert image.size == (32, 32)
        assert json.loads(image.info["isicgui"])["condition"]["site"] == "back"
    with (tmp_path / "o" / "synthetic_dataset.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["melanocytic"], row["sex"], row["age"], row["site"]) for row in rows] == [
        ("yes", "female", "55", "back")
    ] * 2
    capsys.readouterr()
    assert application.main(["generate", "--classes", "ANY=1", "--sex", "unknown", *where, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "job_finished"
    assert (tmp_path / "o" / "UNSPECIFIED" / "ISIC_0000001.png").is_file()


def test_the_demonstration_set_is_made_by_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = (Stage(8, 4, 2, 1e-3, 1e-3), Stage(16, 4, 2, 1e-3, 1e-3, 0.6))
    monkeypatch.setitem(plan.PRESETS, "demo", replace(PRESETS["demo"], stages=stages))
    data, demo = class_folders(tmp_path / "data", **dict.fromkeys(CLASSES, 10)), tmp_path / "demo"
    assert (
        main(
            [
                "train",
                "--data",
                str(data),
                "--preset",
                "demo",
                "--output",
                str(tmp_path / "run"),
                "--precision",
                "fp32",
                "--checkpoints",
                str(demo),
            ]
        )
        == 0
    )
    assert names_in(demo) == {"unet.safetensors", "unet.json", "color_statistics.json"}
    monkeypatch.setattr("core.models.demo_set.DEMO_SET", demo)
    unpack_demo_set(tmp_path / "checkpoints")
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "unet_VASC_best.pth")
    assert checkpoint.scheduler["prediction_type"] == "v_prediction"
    assert checkpoint.provenance["step"] == 4
    shadow = read_weights(tmp_path / "run" / "state.pt").state_dict
    folded = shadow["time_embedding.linear_2.bias"] + shadow["class_embedding.weight"][CLASSES.index("VASC")]
    assert torch.allclose(checkpoint.state_dict["time_embedding.linear_2.bias"], folded, atol=1e-3)


def test_colours_are_measured(tmp_path: Path) -> None:
    options = ["--output", str(tmp_path), "--cache", str(tmp_path / "cache"), "--size", "32"]
    assert main(["color-statistics", "--data", str(REAL_IMAGES), *options]) == 0
    statistics = load_color_statistics(tmp_path)
    assert set(statistics) == set(CLASSES)
    red, green, blue = statistics["NV"].mean
    assert red > green > 60
    assert red > blue


def test_a_file_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = class_folders(tmp_path / "data", MEL=10)
    assert train(data, tmp_path / "run", "--size", 16, "--steps", 2, "--prediction", "v_prediction") == 0
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "run" / "MEL" / "state.pt"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["form"] == "isicgui.training/1"
    assert (facts["step"], facts["steps"], facts["image_size"]) == (2, 2, 16)
    assert (facts["predicts"], facts["conditioned_on"]) == ("v_prediction", "only the timestep")
    assert main(["inspect", str(tmp_path / "run" / "checkpoints" / "unet_MEL_best.pth")]) == 0
    text = capsys.readouterr().out
    assert "form: isicgui.unet/1" in text
    assert "network: UNet2DModel 8-16" in text
    assert main(["inspect", "core/demo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["conditioned_on"] == "class, metadata and skin tone"
    assert main(["inspect", str(data / "MEL" / "photo_MEL_0.jpg")]) == 2
    assert "damaged or" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--classes", "SCC"], "no class 'SCC'"),
        (["--classes", "MEL,MEL"], "named twice"),
        (["--classes", "DF"], "DF has 0 images"),
        (["--size", "15"], "size 15"),
        (["--architecture", "demo", "--size", "0"], "size 0"),
        (["--architecture", "demo", "--size", "-8"], "size -8"),
        (["--cache", "README.md"], "README.md cannot be written (Not a directory); choose another with --cache"),
        (["--checkpoints", "README.md/in"], "another with --checkpoints"),
        (["--architecture", "huge"], "'huge'"),
        (["--preset", "demo", "--size", "64"], "--size cannot be changed"),
        (["--condition", "metadata", "--size", "32"], "tells sex, age or site of 0 images"),
        (["--precision", "fp16"], "fp16"),
        (["--accumulate", "3"], "multiple of 3"),
        (["--steps", "0"], "steps"),
        (["--until", "0"], "--until 0"),
        (["--half-size", "1"], "half the size, 1.0"),
        (["--preset", "demo", "--half-size", "0"], "--half-size cannot be changed"),
        (["--resume", "nowhere.pt", "--classes", "MEL"], "no training state nowhere.pt"),
        (["--start", "nowhere.pth"], "no checkpoint nowhere.pth"),
        (["--start", "README.md"], "README.md was refused"),
        (["--start", "core/demo", "--prediction", "v_prediction"], "of another architecture"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    data = class_folders(tmp_path / "data", MEL=10)
    command = ["train", "--data", str(data), "--output", str(tmp_path / "run"), "--batch-size", "4", "--size", "16"]
    if "--size" in options or "--preset" in options:
        command = command[:-2]
    if "--preset" in options:
        command = command[:-2]
    assert main([*command, *options]) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [0, -8])
def test_a_size_of_no_pixels_is_refused_for_metadata(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    assert train(REAL_IMAGES, tmp_path / "run", "--condition", "metadata", "--size", size) == 2
    assert f"The size {size} is not one of demo's" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [0, -1])
def test_colours_of_images_of_no_pixels_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    options = ["--output", str(tmp_path / "o"), "--cache", str(tmp_path / "cache"), "--size", str(size)]
    assert main(["color-statistics", "--data", str(REAL_IMAGES), *options]) == 2
    assert f"size {size}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_tensorboard_its_option_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    data = class_folders(tmp_path / "data", MEL=10)
    assert train(data, tmp_path / "run", "--size", 16, "--tensorboard") == 2
    assert "requirements-train.txt" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_manifest_that_cannot_be_written_is_named_and_costs_no_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = class_folders(tmp_path / "data", MEL=10), tmp_path / "run"
    manifest = output / "checkpoints" / "manifest.json"
    manifest.mkdir(parents=True)
    assert train(data, output, "--size", 16, "--steps", 4, "--learning-rate", 1e-2) == 1
    shown = capsys.readouterr()
    assert shown.out.count(f"{manifest} cannot be written") == 1
    assert f"error: {manifest} cannot be written" in shown.err
    assert read_state(output / "MEL" / "state.pt")["step"] == 4
    assert class_status(output / "checkpoints", "MEL").problem is None
    assert main(["export", str(output / "MEL" / "state.pt"), "--output", str(manifest.parent)]) == 1
    assert f"error: {manifest} cannot be written" in capsys.readouterr().err


def test_what_is_trained_side_by_side_is_listed_together(tmp_path: Path) -> None:
    """Two processes finish files of one folder over and over; neither forgets what the other has entered."""
    code = (
        "import sys; from pathlib import Path\n"
        "from core.paths import STATISTICS_FILE\n"
        "from diffusion.export import list_in_manifest, write_color_statistics\n"
        "from diffusion.tables import read_images\n"
        "folder, name, images = Path(sys.argv[1]), sys.argv[2], read_images(Path(sys.argv[3])).images\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for number in range(30):\n"
        "    (folder / f'{name}_{number}.pth').write_bytes(b'weights')\n"
        "    list_in_manifest(folder, [folder / f'{name}_{number}.pth'])\n"
        "own = [image for image in images if image.class_name == name]\n"
        "write_color_statistics(own, folder / STATISTICS_FILE, 16, folder / 'cache')\n"
    )
    data = class_folders(tmp_path / "data", MEL=10, NV=10)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code, str(folder), name, str(data)],
                    cwd=PROJECT_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for name in ("MEL", "NV")
        ]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in both:
            process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert set(read_manifest(folder).files) == {
        f"{name}_{number}.pth" for name in ("MEL", "NV") for number in range(30)
    }
    assert set(load_color_statistics(folder)) == {"MEL", "NV"}


def test_what_a_held_manifest_missed_is_listed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Path] = []

    def held_at_first(folder: Path, manifest: Manifest) -> None:
        tries.append(folder)
        if len(tries) <= 2:
            raise PermissionError(errno.EACCES, "Permission denied")
        write_manifest(folder, manifest)

    monkeypatch.setattr("core.download.manifest.write_manifest", held_at_first)
    data, output = class_folders(tmp_path / "data", MEL=10, NV=10), tmp_path / "run"
    assert train(data, output, "--size", 16, "--steps", 2) == 0
    assert set(read_manifest(output / "checkpoints").files) == {
        "unet_MEL_best.pth",
        "unet_NV_best.pth",
        "color_statistics.json",
    }


@pytest.mark.parametrize(
    ("steps", "options", "expected"),
    [
        (10, {}, [(16, 7), (32, 3)]),
        (10, {"half_size": 0.25}, [(16, 2), (32, 8)]),
        (10, {"half_size": 0.0}, [(32, 10)]),
        (2, {"half_size": 0.99}, [(16, 1), (32, 1)]),
        (1, {}, [(32, 1)]),
        (10, {"architecture": "default", "size": 128}, [(128, 10)]),
    ],
)
def test_a_network_that_grows_begins_at_half_the_size(
    steps: int, options: dict[str, Any], expected: list[tuple[int, int]]
) -> None:
    settings = plan.configure(argparse.Namespace(**{"steps": steps, "size": 32, **options}), "metadata", "fp32")
    assert [(stage.size, stage.steps) for stage in settings.stages] == expected


def test_help_and_wrong_words_need_no_torch() -> None:
    """A person who asks how to write a command does not wait for a deep-learning library."""
    script = """
import contextlib, sys
from cli import application
from diffusion.__main__ import main
for command in ("train", "export", "inspect", "color-statistics"):
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: python -m diffusion") == 4


def test_what_cannot_be_generated_under_metadata_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    where = ["--checkpoints", str(tmp_path / "models"), "--output", str(tmp_path / "o")]
    assert application.main(["generate", "--classes", "ANY=1", "--site", "elbow", *where]) == 2
    assert "'elbow'" in capsys.readouterr().err
    assert application.main(["generate", "--classes", "ANY=1", *where]) == 2
    assert "'ANY'" in capsys.readouterr().err  # no field is known, so the class must be
    assert application.main(["generate", "--classes", "ANY=1", "--sex", "male", *where]) == 2
    error = capsys.readouterr().err
    assert "train one with --condition metadata" in error
    assert "step/s" not in error  # no progress bar for a job that never started
    assert not (tmp_path / "o").exists()
