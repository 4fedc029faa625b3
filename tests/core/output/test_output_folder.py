from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.classes import CLASSES
from core.errors import OutputFolderError
from core.output.output_folder import open_output_folder
from tests.core.examples import noise, parameters, write_png_with_text


def save(folder: Path, class_name: str, how_many: int = 1) -> list[int]:
    with open_output_folder(folder) as output:
        numbers = [output.next_number(class_name) for _ in range(how_many)]
        for number in numbers:
            output.save(noise(number), parameters(class_name=class_name, isic_number=number))
    return numbers


def test_numbers_go_on_from_job_to_job(tmp_path: Path) -> None:
    assert save(tmp_path / "o", "MEL", 2) == [1, 2]
    assert save(tmp_path / "o", "NV") == [1]
    assert save(tmp_path / "o", "MEL") == [3]
    frame = pd.read_csv(tmp_path / "o" / "synthetic_dataset.csv")
    assert list(frame["path"]) == ["MEL/ISIC_0000001.png", "MEL/ISIC_0000002.png", "NV/ISIC_0000001.png"] + [
        "MEL/ISIC_0000003.png"
    ]
    assert all((tmp_path / "o" / path).is_file() for path in frame["path"])


def test_the_number_of_a_deleted_image_is_not_used_again(tmp_path: Path) -> None:
    save(tmp_path, "MEL", 3)
    (tmp_path / "MEL" / "ISIC_0000003.png").unlink()
    assert save(tmp_path, "MEL") == [4]


def test_an_image_costs_no_look_at_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is listed and no table is read once the job has begun; the table only ever grows at its end."""
    save(tmp_path, "MEL", 3)
    with open_output_folder(tmp_path) as output, monkeypatch.context() as patch:
        for name in ("scandir", "listdir"):
            patch.setattr(os, name, lambda *_: pytest.fail("a folder was listed"))
        patch.setattr(Path, "read_bytes", lambda *_: pytest.fail("a file was read"))
        identity, before = output.table.file.stat().st_ino, output.table.file.stat().st_size
        number = output.next_number("MEL")
        output.save(noise(), parameters(isic_number=number))
        after = output.table.file.stat()
    assert (number, after.st_ino) == (4, identity)
    assert after.st_size > before


@settings(max_examples=30, deadline=None)
@given(there=st.sets(st.integers(1, 9_999_999), max_size=5), how_many=st.integers(1, 4))
def test_numbers_rise_above_whatever_is_there(there: set[int], how_many: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "DF").mkdir()
        for number in there:
            (folder / "DF" / f"ISIC_{number:07d}.png").write_bytes(b"somebody else's")
        with open_output_folder(folder) as output:
            numbers = [output.next_number("DF") for _ in range(how_many)]
        first = max(there, default=0) + 1
        assert numbers == list(range(first, first + how_many))


def test_a_row_that_was_never_written_comes_back(tmp_path: Path) -> None:
    save(tmp_path, "MEL", 3)
    table = tmp_path / "synthetic_dataset.csv"
    before = table.read_text()
    table.write_text("".join(before.splitlines(keepends=True)[:2]))
    save(tmp_path, "NV")
    frame = pd.read_csv(table)
    assert sorted(frame["path"]) == [f"MEL/ISIC_000000{n}.png" for n in (1, 2, 3)] + ["NV/ISIC_0000001.png"]


def test_an_image_that_lies_elsewhere_than_it_says_has_no_row_to_restore(tmp_path: Path) -> None:
    save(tmp_path, "MEL", 3)
    table = tmp_path / "synthetic_dataset.csv"
    before = table.read_text()
    (tmp_path / "NV").mkdir()
    (tmp_path / "MEL" / "ISIC_0000002.png").rename(tmp_path / "NV" / "ISIC_0000002.png")  # moved
    (tmp_path / "MEL" / "ISIC_0000003.png").rename(tmp_path / "MEL" / "ISIC_0000007.png")  # renamed
    copy = tmp_path / "DF" / "ISIC_0000005.png"
    copy.parent.mkdir()
    copy.write_bytes((tmp_path / "MEL" / "ISIC_0000001.png").read_bytes())
    for _ in range(2):
        with open_output_folder(tmp_path):
            pass
        assert table.read_text() == before
    assert [save(tmp_path, name) for name in ("MEL", "NV", "DF")] == [[8], [3], [6]]
    assert len(pd.read_csv(table)) == 6


def test_what_a_killed_job_left_is_cleared_away(tmp_path: Path) -> None:
    save(tmp_path, "MEL")
    part = tmp_path / "MEL" / "ISIC_0000002.png.4711.part"
    part.write_bytes(b"half an image")
    assert save(tmp_path, "MEL") == [2]
    assert not part.exists()


def test_only_class_folders_with_images_are_there(tmp_path: Path) -> None:
    """torchvision's ImageFolder takes every folder for a class and refuses an empty one."""
    from torchvision.datasets import ImageFolder

    for name in CLASSES:
        save(tmp_path, name)
    dataset = ImageFolder(str(tmp_path))
    assert sorted(dataset.classes) == sorted(CLASSES)
    assert len(dataset) == 7


def test_a_failed_image_leaves_no_empty_class_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with open_output_folder(tmp_path) as output, pytest.raises(OSError, match="space"):
        output.save(noise(), parameters(isic_number=output.next_number("MEL")))
    assert sorted(os.listdir(tmp_path)) in ([".isicgui.lock"], [])


def test_a_second_job_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from core.output.output_folder import open_output_folder\n"
        "with open_output_folder(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(OutputFolderError, match="Another job"), open_output_folder(tmp_path):
            pass
        other.communicate("")
    assert save(tmp_path, "MEL") == [1]


def test_a_lock_of_a_killed_job_does_not_hold(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from core.output.output_folder import open_output_folder\n"
        "with open_output_folder(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert save(tmp_path, "MEL") == [1]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputFolderError, match="file"), open_output_folder(folder):
            pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["ä" * 300, "a" * 5000])
def test_a_path_that_is_too_long_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputFolderError, match="cannot be made"), open_output_folder(tmp_path / name):
        pass


def test_long_and_foreign_paths_work(tmp_path: Path) -> None:
    folder = tmp_path / "выход 皮肤" / ("ü" * 100) / ("n" * 200)
    assert save(folder, "MEL") == [1]
    assert save(folder, "MEL") == [2]
    assert len(pd.read_csv(folder / "synthetic_dataset.csv")) == 2


def test_images_of_strangers_neither_stop_a_job_nor_get_a_row(tmp_path: Path) -> None:
    folder = tmp_path / "MEL"
    folder.mkdir()
    base = parameters().to_json()
    write_png_with_text(folder / "ISIC_0000001.png", json.dumps({**base, "isic_number": 1.0}))
    color = {"mean": [10**400] * 3, "std": [1, 1, 1]}
    write_png_with_text(folder / "ISIC_0000002.png", json.dumps({**base, "isic_number": 2, "color_adjustment": color}))
    write_png_with_text(folder / "ISIC_0000003.png", "[" * 60_000)
    (folder / "ISIC_0000004.png").mkdir()
    (folder / "ISIC_0000005.png.9.part").mkdir()
    (folder / f"ISIC_{'9' * 200}.png").write_bytes(b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "ISIC_0000005.png")
    write_png_with_text(folder / "ISIC_0000006.png", json.dumps({**base, "isic_number": 6}))
    assert save(tmp_path, "MEL") == [7]
    assert list(pd.read_csv(tmp_path / "synthetic_dataset.csv")["isic_number"]) == [6, 7]
    assert (folder / "ISIC_0000005.png.9.part").is_dir()


def test_a_stray_quote_does_not_make_each_job_append_rows_again(tmp_path: Path) -> None:
    save(tmp_path, "MEL", 3)
    file = tmp_path / "synthetic_dataset.csv"
    file.write_text(file.read_text().replace(",MEL,1,", ',"MEL,1,', 1))
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(OutputFolderError, match="Line 2 "):
            save(tmp_path, "MEL")
    assert file.read_bytes() == before
    assert len(list((tmp_path / "MEL").iterdir())) == 3


def test_a_table_that_is_a_folder_or_a_fifo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "synthetic_dataset.csv").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    folders = [tmp_path / "a"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "b" / "synthetic_dataset.csv")
        folders.append(tmp_path / "b")
    for folder in folders:
        with pytest.raises(OutputFolderError, match="cannot be read"):
            save(folder, "MEL")
