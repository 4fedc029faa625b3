from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.classes import CLASSES
from core.errors import ArgumentError
from evaluation.features.image_listing import digests_of, read_real, read_set, refuse_same, refuse_same_content
from evaluation.features.provenance import read_provenance
from tests.conftest import REAL_IMAGES
from tests.core.examples import parameters, write_png_with_text
from tests.evaluation.examples import lesion, write_real, write_set


def test_the_table_of_ham10000_names_the_lesions() -> None:
    real = read_real(REAL_IMAGES, ["MEL", "DF"])
    assert real.has_lesions
    assert [(image.path.name, image.class_name, image.lesion_id) for image in real.images] == [
        ("ISIC_0024310.jpg", "MEL", "HAM_0003350"),
        ("ISIC_0024315.jpg", "MEL", "HAM_0007538"),
        ("ISIC_0024323.jpg", "MEL", "HAM_0002493"),
        ("ISIC_0024330.jpg", "DF", "HAM_0006188"),
        ("ISIC_0024396.jpg", "DF", "HAM_0002450"),
    ]


def test_class_folders_use_the_lesions_of_a_table_next_to_them(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "r", {"NV": [lesion(1), lesion(2)], "MEL": [lesion(3)]})
    plain = read_real(folder, ["MEL", "NV"])
    assert not plain.has_lesions
    assert [image.lesion_id for image in plain.images] == ["MEL/ISIC_0000001", "NV/ISIC_0000001", "NV/ISIC_0000002"]
    assert not any(image.is_named for image in plain.images)
    (folder / "lesions.csv").write_text("\ufefflesion_id,image_id\nA,ISIC_0000001\n", encoding="utf-8")
    listed = read_real(folder, ["NV"])
    assert listed.has_lesions
    assert [(image.lesion_id, image.is_named) for image in listed.images] == [("A", True), ("NV/ISIC_0000002", False)]


def test_images_without_a_lesion_name_are_separate_lesions(tmp_path: Path) -> None:
    """They are not one lesion with an empty name."""
    folder = write_real(tmp_path / "r", {"MEL": [lesion(1), lesion(2)], "NV": [lesion(3)]})
    rows = "lesion_id,image_id,dx\n,mel_0000,mel\n,mel_0001,mel\nHAM_1,nv_0000,nv\n"
    (folder / "metadata.csv").write_text(rows)
    real = read_real(folder, ["MEL", "NV"])
    assert [(image.lesion_id, image.is_named) for image in real.images] == [
        ("MEL/mel_0000", False),
        ("MEL/mel_0001", False),
        ("HAM_1", True),
    ]
    (folder / "metadata.csv").write_text(rows.replace("nv_0000", "nv_0000.PNG"))  # some tables contain the suffix
    assert read_real(folder, ["NV"]).images == real.images[2:]
    (folder / "metadata.csv").write_text(rows.replace("HAM_1", ""))
    assert not read_real(folder, ["MEL", "NV"]).has_lesions


def test_the_published_ham10000_is_read_without_renaming_files(tmp_path: Path) -> None:
    folder = write_real(tmp_path / "r", {"MEL": [lesion(1)], "NV": [lesion(3)]})
    (folder / "images").rename(folder / "HAM10000_images_part_1")
    (folder / "metadata.csv").rename(folder / "HAM10000_metadata")
    real = read_real(folder, ["NV"])
    assert [(image.path.parent.name, image.class_name) for image in real.images] == [("HAM10000_images_part_1", "NV")]
    write_set(folder, {"NV": [lesion(4)]})  # class folders have priority if there is no images/
    assert [image.path.parent.name for image in read_real(folder, ["NV"]).images] == ["NV"]


def test_a_table_lists_an_image_once_and_names_its_class_in_any_spelling(tmp_path: Path) -> None:
    folder = write_real(tmp_path / "r", {"MEL": [lesion(1), lesion(2)]})
    rows = "A,mel_0000,Melanoma\nA,mel_0000,nv\nB,mel_0001,scc\n"
    (folder / "metadata.csv").write_text("lesion_id,image_id,dx\n" + rows)
    assert [(image.path.stem, image.class_name) for image in read_real(folder, ["MEL", "NV"]).images] == [
        ("mel_0000", "MEL")
    ]


@pytest.mark.full_data
def test_the_whole_data_is_read() -> None:
    real = read_real(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256", CLASSES)
    assert (len(real.images), len({image.lesion_id for image in real.images})) == (8010, 6288)


def test_only_class_folders_belong_to_a_set(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "s", {"NV": [lesion(1)], "BKL": [lesion(2)], "HEALTHY": [lesion(3)]})
    (folder / "NV" / "notes.txt").write_text("no image")
    assert [image.class_name for image in read_set(folder, [])] == ["NV", "BKL"]
    assert [image.class_name for image in read_set(folder, ["BKL", "DF"])] == ["BKL"]


@pytest.mark.parametrize("name", [".", "none", "x.csv"])
def test_a_folder_without_images_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.csv").write_text("lesion_id,image_id,dx\n1,2,mel\n")
    folder = tmp_path / name
    with pytest.raises(ArgumentError, match=str(folder)):
        read_set(folder, [])
    with pytest.raises(ArgumentError, match=str(folder)):
        read_real(folder, ["MEL"])


def test_the_reason_for_finding_no_real_image_is_reported(tmp_path: Path) -> None:
    folder = write_real(tmp_path / "r", {"NV": [lesion(1)]})
    with pytest.raises(ArgumentError, match=r"contains real images, but none of these classes: MEL, DF\."):
        read_real(folder, ["MEL", "DF"])
    (folder / "images" / "nv_0000.png").unlink()
    with pytest.raises(ArgumentError, match=r"metadata.csv lists 1 images, and none of them is in "):
        read_real(folder, ["MEL"])
    write_set(folder, {"NV": [lesion(2)]})
    with pytest.raises(ArgumentError, match="none of these classes: MEL"):
        read_real(folder, ["MEL"])
    (tmp_path / "none").mkdir()
    with pytest.raises(
        ArgumentError, match="neither folders with these names nor a table with lesion_id, image_id, dx"
    ):
        read_real(tmp_path / "none", ["MEL"])


def test_only_photographs_are_listed_in_class_folders(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "r", {"NV": [lesion(1)]})
    for name in ("ISIC_0000001_segmentation.png", "ISIC_0000001_mask.png", "._ISIC_0000001.png"):
        (folder / "NV" / name).write_bytes((folder / "NV" / "ISIC_0000001.png").read_bytes())
    for images in (read_real(folder, ["NV"]).images, read_set(folder, [])):
        assert [image.path.name for image in images] == ["ISIC_0000001.png"]


def test_a_table_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ArgumentError, match="table.csv cannot be read"):
        read_real(tmp_path, ["MEL"])


def test_one_folder_cannot_be_both_sides(tmp_path: Path) -> None:
    (tmp_path / "set" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for real in ("set", "set/real", "link", "."):
        with pytest.raises(ArgumentError, match="are the same folder"):
            refuse_same(tmp_path / "set", tmp_path / real)
    refuse_same(tmp_path / "set", tmp_path / "other")


def test_real_images_that_are_marked_as_synthetic_are_refused(tmp_path: Path) -> None:
    from core.output.image_file import write_image

    (tmp_path / "MEL").mkdir()
    write_image(tmp_path / "MEL" / "ISIC_0000001.png", lesion(1), parameters())
    with pytest.raises(ArgumentError, match="is marked as synthetic"):
        read_real(tmp_path, ["MEL"])


def test_the_real_images_under_another_name_are_refused(tmp_path: Path) -> None:
    pixels = [lesion(seed) for seed in range(4)]
    real = read_set(write_set(tmp_path / "r", {"MEL": pixels}), [])
    generated = read_set(write_set(tmp_path / "s", {"MEL": [*pixels[:2], np.rot90(pixels[3])]}), [])
    with pytest.raises(ArgumentError, match="2 of the 3 images"):
        refuse_same_content(digests_of(generated), digests_of(real))
    refuse_same_content(digests_of(generated[1:]), digests_of(real))  # exactly half is accepted as a set with copies


@pytest.mark.timeout(60)
def test_images_of_other_programs_count_as_silent_and_no_fifo_is_opened(tmp_path: Path) -> None:
    base = parameters().to_json()
    (tmp_path / "MEL" / "ISIC_0000001.png").mkdir(parents=True)
    changes: list[dict[str, object]] = [{"steps": None}, {"checkpoint_sha256": 5}, {"seed": "x"}, {"sampler": []}]
    for number, change in enumerate(changes, 2):
        write_png_with_text(tmp_path / "MEL" / f"ISIC_000000{number}.png", json.dumps({**base, **change}))
    write_png_with_text(tmp_path / "MEL" / "ISIC_0000008.png", "[" * 60_000)
    write_png_with_text(tmp_path / "MEL" / "ISIC_0000009.png", json.dumps(base))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "MEL" / "fifo.png")
        (tmp_path / "MEL" / "device.png").symlink_to("/dev/zero")
    images = read_set(tmp_path, ["MEL"])
    assert [image.path.name for image in images] == [f"ISIC_000000{number}.png" for number in (2, 3, 4, 5, 8, 9)]
    provenance = read_provenance(images)
    assert (provenance.images, provenance.silent) == (1, 5)
    assert provenance.values["sampler"] == {"ddpm": 1}


def test_the_tables_of_other_collections_are_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("PAT_1_1_1", "PAT_1_2_2", "PAT_2_3_3"):
        Image.new("RGB", (4, 4)).save(tmp_path / "images" / f"{name}.png")
    rows = ["1,MEL,PAT_1_1_1.png", "2,NEV,PAT_1_2_2.png", "3,SCC,PAT_2_3_3.png"]
    (tmp_path / "metadata.csv").write_text("\n".join(["lesion_id,diagnostic,img_id", *rows]))
    found = read_real(tmp_path, CLASSES)
    assert [(image.class_name, image.lesion_id) for image in found.images] == [("MEL", "1"), ("NV", "2")]
