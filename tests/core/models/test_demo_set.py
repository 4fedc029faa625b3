from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from core.classes import CLASSES
from core.errors import CheckpointError
from core.generation.events import ImageSaved, Notice
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.io import folder_lock as folder_lock_module
from core.io.atomic_files import sha256_of
from core.io.folder_lock import folder_lock
from core.models import demo_set
from core.models.checkpoints import class_status
from core.models.demo_set import bundled_names, unpack_demo_set, unpack_where_empty
from core.output.color_adjustment import load_color_statistics
from core.output.image_file import read_pixels
from core.paths import CLASSIFIER_FILE, CONDITIONED_FILE, DEMO_SET


def test_it_gives_seven_usable_classes(tmp_path: Path) -> None:
    written = unpack_demo_set(tmp_path)
    assert sorted(file.name for file in written) == sorted(bundled_names())
    assert (tmp_path / CONDITIONED_FILE).is_file()
    for name in CLASSES:
        status = class_status(tmp_path, name)
        assert status.problem is None
        assert status.checkpoint is not None
        assert status.checkpoint.is_demo
        assert status.checkpoint.provenance["class"] == name
        assert "HAM10000" in status.checkpoint.provenance["data"]
    assert load_color_statistics(tmp_path) == {}  # its colours are not adjusted


def test_it_is_small_enough_to_be_bundled() -> None:
    sizes = {file.name: file.stat().st_size for file in DEMO_SET.iterdir()}
    assert sizes.pop(CLASSIFIER_FILE, 0) <= 23 * 2**20
    assert sum(sizes.values()) < 40 * 2**20


def test_unpacking_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """An image names its checkpoint's sha256: two machines must unpack the same files."""
    for name in ("a", "b"):
        unpack_demo_set(tmp_path / name)
    for class_name in CLASSES:
        file = f"unet_{class_name}_best.pth"
        assert sha256_of(tmp_path / "a" / file) == sha256_of(tmp_path / "b" / file)


def test_two_that_unpack_at_once_write_each_file_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from core.models.demo_set import unpack_demo_set\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(*(file.name for file in unpack_demo_set(Path(sys.argv[1]))))"
    )
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code, str(tmp_path / "new")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:  # both are told before either is waited for
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        written = [name for process in both for name in process.communicate()[0].split()]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(written) == sorted(bundled_names())


def test_what_another_writes_meanwhile_stays(tmp_path: Path) -> None:
    """It waits for the owner of the folder, and looks again at what is there."""
    mine = tmp_path / "unet_MEL_best.pth"
    with ThreadPoolExecutor(1) as thread:
        with folder_lock(tmp_path):
            written = thread.submit(unpack_demo_set, tmp_path)
            assert not wait([written], 1).done
            assert not list(tmp_path.glob("*.pth"))
            mine.write_bytes(b"mine")
        assert mine not in written.result()
    assert mine.read_bytes() == b"mine"


def test_models_that_another_is_unpacking_are_waited_for(tmp_path: Path) -> None:
    (tmp_path / "unet_MEL_best.pth").write_bytes(b"the first of seven")
    with ThreadPoolExecutor(1) as thread, folder_lock(tmp_path):
        written = thread.submit(unpack_where_empty, tmp_path)
        assert not wait([written], 1).done
    assert written.result() == []


def test_a_folder_that_another_does_not_let_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock_module, "WAIT_S", 0.1)
    with folder_lock(tmp_path), pytest.raises(CheckpointError, match="is in use by another process"):
        unpack_demo_set(tmp_path)


def test_a_whole_folder_is_neither_waited_for_nor_written(tmp_path: Path) -> None:
    for name in bundled_names():
        (tmp_path / name).write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    assert unpack_demo_set(tmp_path) == []
    assert sorted(tmp_path.iterdir()) == before


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    mine = tmp_path / "unet_MEL_best.pth"
    mine.write_bytes(b"mine")
    assert unpack_where_empty(tmp_path) == []
    assert mine not in unpack_demo_set(tmp_path)
    assert mine.read_bytes() == b"mine"


def test_a_bundled_classifier_comes_along_and_never_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, mine, fresh = tmp_path / "bundle", tmp_path / "mine", tmp_path / "fresh"
    shutil.copytree(DEMO_SET, bundle)
    (bundle / CLASSIFIER_FILE).write_bytes(b"bundled")
    monkeypatch.setattr(demo_set, "DEMO_SET", bundle)
    mine.mkdir()
    (mine / CLASSIFIER_FILE).write_bytes(b"mine")
    assert fresh / CLASSIFIER_FILE in unpack_demo_set(fresh)
    assert (fresh / CLASSIFIER_FILE).read_bytes() == b"bundled"
    assert mine / CLASSIFIER_FILE not in unpack_demo_set(mine)
    assert (mine / CLASSIFIER_FILE).read_bytes() == b"mine"


@pytest.mark.parametrize("whole_files", [0, 1, 5])
def test_an_unpacking_that_was_cut_short_is_completed_by_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_files: int
) -> None:
    real, written = demo_set.write_whole, 0

    def until_full(path: Path, data: bytes) -> None:
        nonlocal written
        if written == whole_files:
            raise OSError(errno.ENOSPC, "No space left on device")
        written += 1
        real(path, data)

    monkeypatch.setattr(demo_set, "write_whole", until_full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        unpack_where_empty(tmp_path)
    assert len(list(tmp_path.glob("*.pth"))) == whole_files
    monkeypatch.setattr(demo_set, "write_whole", real)
    assert len(unpack_where_empty(tmp_path)) == len(bundled_names()) - whole_files
    assert unpack_where_empty(tmp_path) == []
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".isicgui.lock"]


def test_what_a_killed_process_left_is_cleared_when_the_set_is_completed(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import core.io.atomic_files as files, core.models.demo_set as demo\n"
        "real, written = files.os.fsync, []\n"
        "def killed(number):\n"
        "    written.append(number)\n"
        "    os._exit(9) if len(written) == 3 else real(number)\n"
        "files.os.fsync = killed\n"
        "demo.unpack_where_empty(Path(sys.argv[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert len(list(tmp_path.glob("*.part"))) == 1
    assert len(list(tmp_path.glob("*.pth"))) == 2
    assert len(unpack_where_empty(tmp_path)) == len(bundled_names()) - 2
    assert not list(tmp_path.glob("*.part"))


def test_a_mistyped_folder_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="--demo --dest"):
        unpack_where_empty(tmp_path / "chekpoints")
    assert not (tmp_path / "chekpoints").exists()


def test_the_default_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_set, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    assert len(unpack_where_empty(Path("checkpoints"))) == len(bundled_names())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be unpacked"):
        unpack_demo_set(tmp_path / "file")


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", 15), ("ddim", 8), ("dpmpp", 15), ("unipc", 15)])
def test_from_an_empty_folder_to_an_image(tmp_path: Path, sampler: str, steps: int) -> None:
    """The whole way with the bundled model and every sampler: told what it is, and an image that looks like skin.

    A sampler that blows up, or whose schedule does not fit, gives noise, saturated blotches or an empty field.
    """
    (tmp_path / "checkpoints").mkdir()
    job = GenerationJob(
        {"NV": 1}, checkpoints=tmp_path / "checkpoints", output=tmp_path / "o", steps=steps, sampler=sampler
    )
    events = list(run(job))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert "demonstration weights" in notices[0]
    (saved,) = [event for event in events if isinstance(event, ImageSaved)]
    pixels = read_pixels(saved.path).astype(float)
    assert pixels.shape == (256, 256, 3)
    red, green, blue = np.median(pixels, axis=(0, 1))
    assert red > green > 60  # skin and brown lesions alike are redder than green
    assert red > blue
    assert 5 < pixels.std(axis=(0, 1)).mean() < 60
    neighbours = np.abs(np.diff(pixels, axis=1)).mean()
    assert neighbours < 12  # smooth, where noise would differ by 80
