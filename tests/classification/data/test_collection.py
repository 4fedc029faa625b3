from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from classification.data.collection import check_every_class, labels_of, open_collection, read_listed, read_synthetic
from classification.tasks import Task
from core.classes import CLASSES
from core.errors import ArgumentError
from tests.conftest import REAL_IMAGES

HEADER = "lesion_id,image_id,dx,age,sex\n"


def folder_of(folder: Path, table: str, images: tuple[str, ...] = ("ISIC_1", "ISIC_2")) -> Path:
    (folder / "images").mkdir()
    for name in images:
        Image.new("RGB", (4, 4)).save(folder / "images" / f"{name}.jpg")
    (folder / "metadata.csv").write_text(table)
    return folder


def test_the_real_excerpt_is_read() -> None:
    collection = open_collection(REAL_IMAGES)
    assert len(collection.images) == 16
    assert Counter(image.class_name for image in collection.images) == {
        **{"MEL": 3, "NV": 3},
        **dict.fromkeys(("BCC", "AKIEC", "BKL", "DF", "VASC"), 2),
    }
    first = collection.images[0]
    assert (first.image_id, first.lesion_id, first.class_name) == ("ISIC_0024306", "HAM_0000550", "NV")
    assert (first.facts["age"], first.facts["sex"]) == ("45.0", "male")


def test_missing_images_are_counted(tmp_path: Path) -> None:
    found = read_listed(folder_of(tmp_path, HEADER + "L1,ISIC_1,nv,,\nL2,ISIC_2,mel,,\nL3,ISIC_3,mel,,\n"))
    assert found.missing == ("ISIC_3",)
    assert "1 more are listed but missing" in found.describe()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a,b\n1,2\n", "neither a HAM10000 folder"),
        (HEADER + "L1,ISIC_1,scc,,\n", "gives ISIC_1 the label 'scc'"),
        (HEADER + "L1,ISIC_9,nv,,\n", "none of them"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        open_collection(folder_of(tmp_path, table))


def test_another_table_in_another_encoding_is_ignored(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, HEADER + "L1,ISIC_1,nv,,\nL2,ISIC_2,mel,,\n")
    (folder / "a.csv").write_bytes("größe,länge\n1,2\n".encode("latin-1"))
    (folder / "b.csv").write_bytes(b"\xff\xfe" + "name\nx\n".encode("utf-16-le"))
    assert len(open_collection(folder).images) == 2


def test_a_metadata_table_in_another_encoding_is_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "")
    (folder / "metadata.csv").write_bytes((HEADER + "L1,ISIC_1,nv,,männlich\n").encode("latin-1"))
    assert open_collection(folder).images[0].facts["sex"] == "männlich"


def test_a_metadata_table_that_is_not_text_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "")
    (folder / "metadata.csv").write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(ArgumentError, match=r"metadata\.csv cannot be read.*UTF-8"):
        open_collection(folder)


def test_unused_images_are_reported(tmp_path: Path) -> None:
    rows = "L1,ISIC_1,Melanocytic nevus,,\nL1,ISIC_1.jpg,mel,,\nL2,ISIC_2,scc,,\n"
    collection = open_collection(folder_of(tmp_path, HEADER + rows))
    assert [(image.image_id, image.class_name) for image in collection.images] == [("ISIC_1", "NV")]
    assert collection.describe().endswith(
        "1 images of 1 lesions (NV 1); 1 rows list an image again and are ignored; diagnoses outside the seven classes "
        "are left out ('scc' 1)."
    )


def test_tables_that_are_joined_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, HEADER + "L1,ISIC_1,nv,,\n")
    assert "read as one list" not in read_listed(folder).describe()
    (folder / "more").mkdir()
    (folder / "more" / "list.csv").write_text("lesion_id;image_id;dx\nL2;ISIC_2;mel\n")
    words = read_listed(folder).describe()
    assert words.endswith("(NV 1, MEL 1); the tables metadata.csv and more/list.csv are read as one list.")


def test_an_image_without_a_lesion_name_is_a_separate_lesion(tmp_path: Path) -> None:
    images = open_collection(folder_of(tmp_path, HEADER + ",ISIC_1,nv,,\n,ISIC_2,mel,,\n")).images
    assert [image.lesion_id for image in images] == ["ISIC_1", "ISIC_2"]


def test_generated_images_are_separate_lesions(tmp_path: Path) -> None:
    for name in ("MEL", "DF"):
        (tmp_path / name).mkdir()
        for file in ("ISIC_0000001.png", "._ISIC_0000001.png"):
            Image.new("RGB", (4, 4)).save(tmp_path / name / file)
    found = read_synthetic(tmp_path)
    assert [image.class_name for image in found] == [name for name in CLASSES if name in ("MEL", "DF")]
    assert len({image.lesion_id for image in found}) == 2
    with pytest.raises(ArgumentError, match="no generated images"):
        read_synthetic(tmp_path / "MEL")


@pytest.mark.full_data
def test_the_whole_data_is_read() -> None:
    images = open_collection(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256").images
    assert (len(images), len({image.lesion_id for image in images})) == (8010, 6288)


def test_a_part_without_a_class_is_refused() -> None:
    images = [image for image in open_collection(REAL_IMAGES).images if image.class_name != "DF"]
    assert labels_of(images[:1], Task("binary")) == [0]
    check_every_class(images, Task("binary"), "validation")
    with pytest.raises(ArgumentError, match="validation part.*'DF'"):
        check_every_class(images, Task("isic7"), "validation")
    only_nevi = [image for image in images if image.class_name == "NV"]
    with pytest.raises(ArgumentError, match="'melanoma'"):
        check_every_class(only_nevi, Task("binary"), "training")
