"""The command line: exit codes, messages, output."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli.application import build_parser, main
from cli.generate import job_from
from core.generation.job import GenerationJob
from core.output.image_file import read_parameters, read_pixels
from core.paths import PROJECT_ROOT
from core.presets import FAST, PRESETS, STANDARD, Preset


@pytest.fixture
def arguments(tiny_checkpoints: Path, tmp_path: Path) -> list[str]:
    """Of a job that takes a moment."""
    return [
        *("generate", "--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "o")),
        *("--steps", "2", "--device", "cpu", "--precision", "fp32"),
    ]


def program(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT_ROOT / "main.py"), *arguments]


def test_it_generates(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--classes", "MEL=2,NV=1"]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"3 images in .*o \(MEL 2, NV 1\) in [\d.]+ s\.\n", out)
    assert "3/3 images" in err
    assert "left" in err
    assert len(pd.read_csv(tmp_path / "o" / "synthetic_dataset.csv")) == 3


def test_json_prints_one_event_per_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--classes", "MEL=1", "--json"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == (
        ["job_started", "class_started", "denoising_step", "denoising_step", "image_saved", "job_finished"]
    )
    assert events[2]["numbers"] == [1]
    assert events[4]["parameters"]["seed"] == 2133561722
    assert err == ""


def test_json_reports_errors_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--classes", "VASC=1", "--json"]) == 2
    out, err = capsys.readouterr()
    event = json.loads(out)
    assert (event["event"], event["exit_code"]) == ("error", 2)
    assert "unet_VASC_best.pth" in event["text"]
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--classes", "SCC=1"], "'SCC'"),
        (["--classes", "MEL=none"], "'none'"),
        (["--classes", "MEL=0"], "'0'"),
        ([], "--classes"),
        (["--classes", "MEL=1", "--steps", "0"], "steps 0"),
        (["--classes", "MEL=1", "--sampler", "euler"], "'euler'"),
        (["--classes", "MEL=1", "--reuse", "0"], "reuse 0"),
        (["--classes", "MEL=1", "--reuse", "11"], "reuse 11"),
        (["--classes", "MEL=1", "--preset", "turbo"], "'turbo'"),
        (["--classes", "MEL=1", "--precision", "int8"], "'int8'"),
        (["--classes", "MEL=1", "--device", "cuda:99"], "'cuda:99'"),
        (["--classes", "MEL=1", "--batch-size", "many"], "'many'"),
        (["--classes", "MEL=1", "--seed", "-1"], "seed -1"),
        (["--classes", "MEL=1", "--explain-every", "0"], "--explain-every 0"),
        (["--classes", "MEL=1", "--analyse-every", "101"], "interval of full analyses 101"),
        (["--classes", "MEL=1", "--job", "/nowhere.json"], "/nowhere.json"),
        (["--classes", "MEL=1", "--checkpoints", "/nowhere"], "/nowhere"),
        (["--classes", "MEL=1", "--output", __file__], "test_application.py"),
        (["--classes", "MEL=1", "--save-job", "/nowhere/job.json"], "/nowhere/job.json"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert main([*arguments, *extra]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == err.splitlines()[-1:]
    assert not (tmp_path / "o").exists()


def test_a_job_file_runs_the_same_job(arguments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    assert main([*arguments, "--classes", "MEL=1", "--sampler", "ddim", "--save-job", str(file)]) == 0
    assert GenerationJob.load(file).sampler == "ddim"
    assert main(["generate", "--job", str(file)]) == 0
    assert main(["generate", "--job", str(file), "--classes", "NV=1"]) == 0  # options override the job file
    frame = pd.read_csv(tmp_path / "o" / "synthetic_dataset.csv")
    assert list(frame["path"]) == ["MEL/ISIC_0000001.png", "MEL/ISIC_0000002.png", "NV/ISIC_0000001.png"]
    assert set(frame["sampler"]) == {"ddim"}


def job_of(*extra: str) -> GenerationJob:
    return job_from(build_parser().parse_args(["generate", "--classes", "MEL=1", *extra]))


def test_a_preset_sets_the_omitted_options(tmp_path: Path) -> None:
    def how(*extra: str) -> Preset:
        job = job_of(*extra)
        return Preset(job.sampler, job.steps, job.reuse)

    fast = PRESETS[FAST]
    assert how() == how("--preset", "standard") == PRESETS[STANDARD]
    assert how("--preset", "fast") == fast
    assert how("--steps", "7", "--preset", "fast") == replace(fast, steps=7)
    assert how("--preset", "fast", "--sampler", "ddim", "--reuse", "3") == replace(fast, sampler="ddim", reuse=3)
    file = tmp_path / "job.json"
    job_of("--steps", "9", "--reuse", "4", "--seed", "1").save(file)
    assert how("--job", str(file)) == Preset(PRESETS[STANDARD].sampler, 9, 4)
    assert how("--job", str(file), "--preset", "fast") == fast
    assert job_of("--job", str(file), "--preset", "fast").base_seed == 1


def test_a_random_seed_is_reported_and_recorded(
    arguments: list[str], tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "job.json"
    assert main([*arguments, "--classes", "MEL=1", "--seed", "random", "--save-job", str(file), "--json"]) == 0
    started = json.loads(capsys.readouterr().out.splitlines()[0])
    image = tmp_path / "o" / "MEL" / "ISIC_0000001.png"
    drawn = read_parameters(image).base_seed
    assert started["base_seed"] == drawn == GenerationJob.load(file).base_seed
    assert drawn not in {job_of("--seed", "random").base_seed for _ in range(5)}
    assert main(["reproduce", str(image), "--checkpoints", str(tiny_checkpoints)]) == 0
    assert main(["generate", "--job", str(file), "--output", str(tmp_path / "again")]) == 0
    assert f"base seed {drawn}" in capsys.readouterr().err
    assert np.array_equal(read_pixels(tmp_path / "again" / "MEL" / image.name), read_pixels(image))


def test_a_seed_that_is_no_number_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--classes", "MEL=1", "--seed", "lucky"])
    assert "'lucky' is neither a whole number nor random" in capsys.readouterr().err


def test_a_job_with_reuse_runs_and_is_reproduced(
    arguments: list[str], tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, image = tmp_path / "job.json", tmp_path / "o" / "MEL" / "ISIC_0000001.png"
    options = ["--classes", "MEL=1", "--preset", "fast", "--steps", "4", "--reuse", "2"]
    assert main([*arguments, *options, "--save-job", str(file)]) == 0
    assert f"4 steps of {PRESETS[FAST].sampler} with reuse 2" in capsys.readouterr().err
    assert GenerationJob.load(file).reuse == read_parameters(image).reuse == 2
    assert main(["reproduce", str(image), "--checkpoints", str(tiny_checkpoints)]) == 0


def test_reproduce_accepts_generated_images(
    arguments: list[str], tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*arguments, "--classes", "MEL=2"])
    images = sorted(str(file) for file in (tmp_path / "o").rglob("*.png"))
    capsys.readouterr()
    assert main(["reproduce", *images, "--checkpoints", str(tiny_checkpoints)]) == 0
    assert "2 of 2 images reproduced." in capsys.readouterr().out
    (tiny_checkpoints / "unet_MEL_best.pth").write_bytes((tiny_checkpoints / "unet_NV_best.pth").read_bytes())
    assert main(["reproduce", *images, "--checkpoints", str(tiny_checkpoints), "--json"]) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["equal"] for result in results] == [False, False]
    assert "another checkpoint" in results[0]["error"]
    assert main(["reproduce", str(tmp_path / "nothing.png")]) == 2


def test_models_lists_every_class(tiny_checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny_checkpoints / "unet_BKL_best.pth").write_bytes(b"nonsense")
    assert main(["models", "--checkpoints", str(tiny_checkpoints), "--json"]) == 0
    found = {entry["class"]: entry for entry in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [name for name, entry in found.items() if entry["usable"]] == ["MEL", "NV", "DF"]
    assert found["MEL"]["architecture"]["block_out_channels"] == [8, 16]
    assert len(found["MEL"]["sha256"]) == 64
    assert found["AKIEC"]["problem"] == "no file"
    assert "unet_BKL_best.pth" in found["BKL"]["problem"]
    assert main(["models", "--checkpoints", str(tiny_checkpoints)]) == 0
    assert "3 of 7 classes" in capsys.readouterr().out
    assert main(["models", "--checkpoints", "/nowhere"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_only_complete_images(arguments: list[str], tmp_path: Path, number: signal.Signals) -> None:
    command = program(*arguments, "--classes", "MEL=9999", "--batch-size", "2", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "image_saved":
                break
        process.send_signal(number)
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 130
    assert rest[-1]["event"] == "job_finished"
    assert rest[-1]["stopped"]
    frame = pd.read_csv(tmp_path / "o" / "synthetic_dataset.csv")
    files = sorted(file.name for file in (tmp_path / "o" / "MEL").iterdir())
    assert files == list(frame["filename"])
    assert len(files) == rest[-1]["saved"]


def test_a_console_that_cannot_print_a_path_does_no_harm(arguments: list[str], tmp_path: Path) -> None:
    arguments[arguments.index(str(tmp_path / "o"))] = str(tmp_path / "выход")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(program(*arguments, "--classes", "MEL=1"), env=environment, capture_output=True, check=True)
    assert b"1 image in" in done.stdout
    assert (tmp_path / "выход" / "MEL" / "ISIC_0000001.png").is_file()


def test_help_loads_neither_torch_nor_qt() -> None:
    code = (
        "import sys\nfrom cli.application import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'diffusers', 'PyQt5', 'numpy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL)


def test_it_starts_from_anywhere(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        program("--version"), cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("ISICGUI ")


def test_every_option_is_explained() -> None:
    commands: Any = build_parser()._subparsers
    for parser in commands._group_actions[0].choices.values():
        for action in parser._actions:
            assert action.help or action.dest == "images", action
