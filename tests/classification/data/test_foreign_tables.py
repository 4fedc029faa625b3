"""The tables of melanoma-fair-xai, ISIC 2019, ISIC 2020 and PAD-UFES-20, made here as those projects write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from classification.data.collection import open_collection
from classification.data.groups import groups_of
from classification.data.split_column import TEST, TRAINING, VALIDATION
from classification.data.splits import images_of, parts_of
from core.errors import ArgumentError


def folder_of(folder: Path, table: str, names: Sequence[str]) -> Path:
    (folder / "images").mkdir(parents=True)
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / "images" / f"{name}.jpg")
    (folder / "table.csv").write_text(table)
    return folder


def labels(folder: Path) -> dict[str, str]:
    return {image.image_id: image.class_name for image in open_collection(folder).images}


def test_a_table_of_melanoma_and_nevus_needs_neither_dx_nor_lesion_id(tmp_path: Path) -> None:
    rows = ["a,1,train", "b,0,train", "c,1,val", "d,0,val", "e,1.0,test", "f,0,none"]
    folder = folder_of(tmp_path, "image_id,benign_malignant,split\n" + "\n".join(rows), "abcdef")
    found = open_collection(folder)
    assert {image.image_id: image.class_name for image in found.images} == {
        **{"a": "MEL", "b": "NV"},
        **{"c": "MEL", "d": "NV", "e": "MEL"},
    }
    assert found.parts == {"a": TRAINING, "b": TRAINING, "c": VALIDATION, "d": VALIDATION, "e": TEST}
    assert found.contrast is None  # they answer the question "melanoma" and the question "malignant"
    assert "no table names lesions" in found.describe()
    assert "the split column decides the parts (test 1, training 2, validation 2)" in found.describe()
    assert "1 images are in no part" in found.describe()


def test_the_test_images_of_each_skin_type_keep_their_parts(tmp_path: Path) -> None:
    names = [f"i{number:02}" for number in range(20)]
    rows = [f"{name},{1 + index % 6},{index % 2},train" for index, name in enumerate(names[:14])]
    rows += [f"{name},{index % 6 + 1}.0,{index % 2},test{index % 6 + 1}" for index, name in enumerate(names[14:])]
    header = "image_id,fitzpatrick_scale,benign_malignant,split\n"
    found = open_collection(folder_of(tmp_path, header + "\n".join(rows), names))
    judged = images_of(found, found.parts, TEST)
    assert [found.parts[image.image_id] for image in judged] == [f"test{number}" for number in range(1, 7)]
    assert groups_of(judged, "skin_type") == ["I", "II", "III", "IV", "V", "VI"]
    chosen = images_of(found, found.parts, VALIDATION)  # drawn from the training part, of either class
    assert {image.class_name for image in chosen} == {"MEL", "NV"}
    assert len(images_of(found, found.parts, TRAINING)) + len(chosen) == 14
    assert found.parts == open_collection(tmp_path).parts


def test_a_split_column_decides_over_a_drawn_split(tmp_path: Path) -> None:
    rows = ["L1,a,mel,train", "L1,b,mel,train", "L2,c,nv,Validation", "L3,d,nv,test"]
    folder = folder_of(tmp_path / "data", "lesion_id,image_id,dx,split\n" + "\n".join(rows), "abcd")
    found = open_collection(folder)
    assert parts_of(found, tmp_path / "split.csv", 0)["c"] == VALIDATION
    assert not (tmp_path / "split.csv").exists()
    with pytest.raises(ArgumentError, match="--test-unseen-by-generator cannot choose them"):
        parts_of(found, tmp_path / "split.csv", 0, test_unseen_by_generator=True)


def test_a_split_column_that_leaks_is_refused(tmp_path: Path) -> None:
    rows = "L1,a,mel,train\nL1,b,mel,test\nL2,c,nv,train\n"
    with pytest.raises(ArgumentError, match=r"table\.csv puts the lesion L1 into training and test"):
        open_collection(folder_of(tmp_path, "lesion_id,image_id,dx,split\n" + rows, "abc"))


def test_a_split_column_without_a_known_word_is_passed_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "lesion_id,image_id,dx,split\nL1,a,mel,none\nL2,b,nv,\n", "ab")
    assert (len(open_collection(folder).images), open_collection(folder).parts) == (2, {})


def test_benign_and_malignant_in_words_are_labels_if_no_diagnosis_is_known(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "image_id,benign_malignant\na,malignant\nb,Benign\nc,indeterminate\n", "abc")
    found = open_collection(folder)
    assert labels(folder) == {"a": "MALIGNANT", "b": "BENIGN"}
    assert found.contrast == "malignant"
    assert "diagnoses outside the seven classes are left out ('indeterminate' 1)" in found.describe()


def test_isic_2019_is_read(tmp_path: Path) -> None:
    header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\n"
    rows = ["a,1,0,0,0,0,0,0,0,0", 'b,0,0,0,"1,0",0,0,0,0,0', "c,0,0,0,0,0,0,0,1,0"]
    assert labels(folder_of(tmp_path, header + "\n".join(rows), "abc")) == {"a": "MEL", "b": "AKIEC"}


def test_isic_2020_is_read(tmp_path: Path) -> None:
    header = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target\n"
    rows = [
        "ISIC_1,IP_1,male,45.0,head/neck,unknown,benign,0",
        "ISIC_2,IP_2,female,50.0,torso,melanoma,malignant,1",
        "ISIC_3,IP_2,female,50.0,torso,nevus,benign,0",
    ]
    folder = folder_of(tmp_path, header + "\n".join(rows), ["ISIC_1", "ISIC_2", "ISIC_3"])
    assert labels(folder) == {"ISIC_2": "MEL", "ISIC_3": "NV"}
    assert "('unknown' 1)" in open_collection(folder).describe()
    assert groups_of(open_collection(folder).images, "age") == ["45 to 59", "45 to 59"]


def test_pad_ufes_20_is_read(tmp_path: Path) -> None:
    header = "patient_id,lesion_id,age,gender,fitspatrick,region,diagnostic,img_id\n"
    codes = ("ACK", "BCC", "MEL", "NEV", "SEK", "SCC")
    rows = [f"PAT_{n},{900 + n // 2},{50 + n},FEMALE,{n}.0,NOSE,{code},PAT_{n}.png" for n, code in enumerate(codes, 1)]
    folder = folder_of(tmp_path, header + "\n".join(rows), [f"PAT_{number}" for number in range(1, 7)])
    found = open_collection(folder)
    assert [image.class_name for image in found.images] == ["AKIEC", "BCC", "MEL", "NV", "BKL"]
    assert [image.lesion_id for image in found.images][:3] == ["900", "901", "901"]
    assert groups_of(found.images, "sex") == ["female"] * 5
    assert groups_of(found.images, "skin_type") == ["I", "II", "III", "IV", "V"]


@pytest.mark.parametrize("cells", ["{};{};{};{}", '{},{},{},"{}"'])
def test_ages_with_decimal_commas_are_read(tmp_path: Path, cells: str) -> None:
    rows = [("lesion_id", "image_id", "dx", "age"), ("L1", "a", "mel", "44,5"), ("L2", "b", "nv", "61,0")]
    folder = folder_of(tmp_path, "\n".join(cells.format(*row) for row in rows), "ab")
    assert groups_of(open_collection(folder).images, "age") == ["30 to 44", "60 to 74"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image_id,benign_malignant,split\n", "lists 0 images"),
        ("image_id,benign_malignant\na,maybe\n", "gives a the label 'maybe'"),
        ("image_id,benign_malignant\nz,1\n", "lists 1 images, and none of them"),
        ("img_id,diagnostic\na.png,XXX\n", "gives a the label 'XXX'"),
        ("image_name,target\na,1\n", "image_name and diagnosis"),
        ("isic_id,sex\na,male\n", "gives a the label ''"),
        ("image_id,benign_malignant\n\0\1", "cannot be read"),
    ],
)
def test_a_damaged_table_is_named_in_one_sentence(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as error:
        open_collection(folder_of(tmp_path, table, "ab"))
    assert "\n" not in str(error.value)
