"""The command line: arguments, exit codes, output."""

import json
import subprocess
import sys

import pytest

import download_models
from core.classes import CLASSES
from core.paths import PROJECT_ROOT


@pytest.fixture
def stick(tiny_checkpoints_once):
    """A folder with models of MEL, NV and DF, as on a USB drive."""
    return str(tiny_checkpoints_once)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--classes", "MEL,XYZ"], "no class XYZ"),
        (["--source", "http://a.example/m.zip"], "only https"),
        (["--source", "no-such-place"], "is not a valid source"),
        (["--demo", "--classes", "MEL"], "leave out --classes"),
    ],
)
def test_wrong_arguments_write_nothing(arguments, words, tmp_path, capsys):
    assert download_models.main([*arguments, "--dest", str(tmp_path / "models")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_contradictory_arguments(tmp_path):
    with pytest.raises(SystemExit) as stopped:
        download_models.main(["--demo", "--verify"])
    assert stopped.value.code == 2


def test_fetch_list_verify(stick, tmp_path, capsys):
    dest = ["--dest", str(tmp_path / "models")]
    assert download_models.main(["--source", stick, "--classes", "mel,df", *dest]) == 0
    shown = capsys.readouterr()
    assert "unet_DF_best.pth: installed" in shown.out
    assert "Done: 2 files downloaded, 0 kept" in shown.out
    assert "copy unet_MEL_best.pth" in shown.err
    assert download_models.main(["--verify", *dest]) == 0
    assert "unet_MEL_best.pth: whole" in capsys.readouterr().out
    assert download_models.main(["--verify", "--classes", "NV", *dest]) == 1
    assert "unet_NV_best.pth is not in" in capsys.readouterr().err
    assert download_models.main(["--list", *dest]) == 0
    listed = capsys.readouterr().out
    assert "unet_NV_best.pth: missing" in listed
    assert "gdrive:1kTIHp98AuvLmee5LahH-hZQqXQik_B1U" in listed


def test_verify_finds_damage_and_leaves_it(stick, tmp_path, capsys):
    download_models.main(["--source", stick, "--dest", str(tmp_path)])
    file = tmp_path / "unet_MEL_best.pth"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    assert download_models.main(["--verify", "--dest", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "unet_MEL_best.pth: damaged" in shown.out
    assert "cannot be trusted" in shown.err
    assert sorted(tmp_path.rglob("*")) == before


def test_verify_of_an_empty_folder(tmp_path, capsys):
    assert download_models.main(["--verify", "--dest", str(tmp_path)]) == 1
    assert "is not in" in capsys.readouterr().err


def test_json_is_one_event_a_line(stick, tmp_path, capsys):
    assert download_models.main(["--json", "--source", stick, "--dest", str(tmp_path)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "planned"
    assert kinds[-1] == "download_finished"
    assert {"progress", "installed"} <= set(kinds)
    assert download_models.main(["--json", "--source", stick, "--classes", "VASC", "--dest", str(tmp_path)]) == 1
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (error["event"], error["exit_code"]) == ("error", 1)
    assert "VASC" in error["text"]


def test_help_comes_at_once_and_without_heavy_libraries():
    code = "import sys, download_models as d\ntry: d.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'requests', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in CLASSES)
