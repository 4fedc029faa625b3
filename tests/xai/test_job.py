from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import ArgumentError, IsicGuiError
from core.paths import PROJECT_ROOT
from tests.xai.conftest import REAL_IMAGE
from xai.job import ANALYSIS, DEFAULT_EVERY, OVERLAY, ExplanationJob, every_of, result_folder

JOB = ExplanationJob(ANALYSIS, Path("/a b/ü.png"), Path("/c"), Path("/o"), every=7, target="BCC", device="cpu", seed=3)


def test_a_job_survives_its_file(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_bytes(JOB.encoded())
    assert ExplanationJob.load(file) == JOB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "isicgui.job/1"}, '"format" is not "isicgui.xai/1"'),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"kind": "poem"}, "no kind of explanation 'poem'"),
        ({"target": "SCC"}, "target 'SCC' is not a class"),
        ({"every": 0}, "'every' 0 is not a whole number"),
        ({"every": True}, "'every' True is not"),
        ({"every": "5"}, "'every' '5' is not"),
        ({"threads": 0}, "number of threads 0 is not"),
        ({"seed": -1}, "seed -1 is not"),
        ({"device": 3}, "Device 3 is not"),
        ({"image": ""}, "image '' is not a path"),
        ({"output": 5}, "output 5 is not a path"),
    ],
)
def test_a_wrong_job_is_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        ExplanationJob.from_json({**JOB.to_json(), **change}, "job.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["kind", "image", "checkpoints", "output"])
def test_a_missing_field_is_named(name: str) -> None:
    values = JOB.to_json()
    del values[name]
    with pytest.raises(ArgumentError, match=f"job.json lacks the field '{name}'"):
        ExplanationJob.from_json(values, "job.json")


@pytest.mark.parametrize(("content", "message"), [(b"{", "not JSON"), (b"\xff", "not JSON"), (None, "cannot be read")])
def test_a_file_that_is_not_a_job_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "job.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        ExplanationJob.load(file)


def test_the_job_overrides_the_environment_which_overrides_the_default() -> None:
    asked = ExplanationJob(OVERLAY, Path("i"), Path("c"), Path("o"))
    assert every_of(JOB, {"XAI_SAVE_EVERY_N": "20"}) == 7
    assert every_of(asked, {"XAI_SAVE_EVERY_N": "20"}) == 20
    assert every_of(asked, {}) == every_of(asked, {"XAI_SAVE_EVERY_N": ""}) == DEFAULT_EVERY
    for wrong in ("0", "-5", "ten", "1001", "5.0", "²"):
        with pytest.raises(ArgumentError, match=f"XAI_SAVE_EVERY_N is '{wrong}'"):
            every_of(asked, {"XAI_SAVE_EVERY_N": wrong})


def test_results_follow_the_image_not_its_name(tmp_path: Path) -> None:
    for folder in ("one/MEL", "other/MEL", "plain"):
        (tmp_path / folder).mkdir(parents=True)
    image = Path(shutil.copy(REAL_IMAGE, tmp_path / "one" / "MEL" / "a.png"))
    same = Path(shutil.copy(REAL_IMAGE, tmp_path / "plain" / "a.png"))
    other = tmp_path / "other" / "MEL" / "a.png"
    other.write_bytes(REAL_IMAGE.read_bytes() + b"\0")
    names = [result_folder(tmp_path, path).name for path in (image, other, same)]
    assert names[0].startswith("MEL_a_")
    assert names[2] == names[0].removeprefix("MEL_")
    assert len(set(names)) == 3
    with pytest.raises(IsicGuiError, match="cannot be read"):
        result_folder(tmp_path, tmp_path / "gone.png")


def test_a_job_can_be_written_without_torch() -> None:
    program = "import sys, xai.job, gui.explanation_results, cli.analyse; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_job_file_is_readable_utf_8() -> None:
    assert json.loads(JOB.encoded().decode("utf-8"))["image"] == "/a b/ü.png"
    assert "ü".encode() in JOB.encoded()


@pytest.mark.skipif(os.name == "nt", reason="names of Windows are Unicode")
def test_a_job_with_names_that_are_not_utf8_survives_its_file(tmp_path: Path) -> None:
    image = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
    job = ExplanationJob(OVERLAY, image, image.parent, image.parent / os.fsdecode(b"\xc3"))
    (tmp_path / "job.json").write_bytes(job.encoded())
    assert ExplanationJob.load(tmp_path / "job.json") == job
