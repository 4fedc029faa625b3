from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from core.classes import CLASSES
from core.errors import ArgumentError
from core.models.conditions import Condition
from diffusion.data import DataError
from diffusion.tables import read_images
from diffusion.vocabulary import PLACES, site_of
from tests.conftest import REAL_IMAGES
from tests.diffusion.examples import class_folders

PHOTOGRAPHS = sorted((REAL_IMAGES / "images").glob("*.jpg"))
with (REAL_IMAGES / "metadata.csv").open(newline="") as _stream:
    ROWS = {row["image_id"]: row for row in csv.DictReader(_stream)}


def write(file: Path, header: str, *rows: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def copy_photographs(folder: Path, count: int = 16) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(file, folder)).stem for file in PHOTOGRAPHS[:count]]


def test_ham10000_is_read_with_its_metadata() -> None:
    found = read_images(REAL_IMAGES)
    assert found.form == "HAM10000 (metadata.csv)"
    assert found.counts() == {"MEL": 3, "NV": 3, "BCC": 2, "AKIEC": 2, "BKL": 2, "DF": 2, "VASC": 2}
    by_name = {image.path.stem: image for image in found.images}
    melanoma, nevus, carcinoma = (by_name[name] for name in ("ISIC_0024310", "ISIC_0024308", "ISIC_0024332"))
    assert (melanoma.class_name, melanoma.lesion_id) == ("MEL", "HAM_0003350")
    assert melanoma.condition == Condition(melanocytic=True, sex="male", age=60, site="chest", class_name="MEL")
    assert nevus.condition.site == "torso"  # which HAM10000 calls trunk
    assert carcinoma.condition == Condition(melanocytic=False, sex="male", age=60, class_name="BCC")


def test_the_published_ham10000_has_its_images_in_two_folders(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path / "all")
    for name, part in zip(names, [1] * 8 + [2] * 8, strict=True):
        target = tmp_path / f"HAM10000_images_part_{part}"
        target.mkdir(exist_ok=True)
        (tmp_path / "all" / f"{name}.jpg").rename(target / f"{name}.jpg")
    shutil.copy(REAL_IMAGES / "metadata.csv", tmp_path / "HAM10000_metadata")  # the Dataverse gives it no suffix
    (tmp_path / "HAM10000_segmentations_lesion_tschandl").mkdir()
    shutil.copy(PHOTOGRAPHS[0], tmp_path / "HAM10000_segmentations_lesion_tschandl" / f"{names[0]}.png")
    found = read_images(tmp_path)
    assert len(found.images) == 16
    assert all("part_" in str(image.path) for image in found.images)


def test_the_challenge_of_2018_is_read_from_one_column_a_class(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path / "ISIC2018_Task3_Training_Input")
    truths = [",".join(f"{float(code == ROWS[name]['dx'].upper())}" for code in CLASSES) for name in names]
    table = tmp_path / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    rows = [f"{name},{truth}" for name, truth in zip(names, truths, strict=True)]
    write(table, "image," + ",".join(CLASSES), *rows, "ISIC_9999999,0,0,0,0,0,0,0")
    groups = "image,lesion_id,diagnosis_confirm_type"
    write(
        tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv", groups, f"{names[0]},HAM_1,x", f"{names[1]},HAM_1,x"
    )
    found = read_images(tmp_path)
    assert found.form.startswith("ISIC 2018 task 3")
    assert found.counts() == {"MEL": 3, "NV": 3, "BCC": 2, "AKIEC": 2, "BKL": 2, "DF": 2, "VASC": 2}
    assert [image.lesion_id for image in found.images[:3]] == ["HAM_1", "HAM_1", names[2]]
    assert found.images[0].condition == Condition(melanocytic=True, class_name="NV")
    assert found.skipped == {"listed, but the image is missing": ["ISIC_9999999"]}


def test_an_export_of_the_isic_archive_is_read(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path, 5)
    header = "isic_id,attribution,age_approx,anatom_site_general,diagnosis_1,diagnosis_3,melanocytic,sex,lesion_id"
    write(
        tmp_path / "metadata.csv",
        header,
        f'{names[0]},"Hospital, Town",45,anterior torso,Benign,"Nevus, NOS, Compound",true,female,IL_1',
        f"{names[1]},X,70,head/neck,Malignant,Melanoma Invasive,True,male,IL_2",
        f"{names[2]},X,,palms/soles,Malignant,Squamous cell carcinoma in situ,,,",
        f"{names[3]},X,85,posterior torso,Malignant,Mastocytosis,False,male,IL_4",
        f"{names[4]},X,30,,Benign",
    )
    found = read_images(tmp_path)
    assert found.form == "ISIC archive (metadata.csv)"
    nevus, melanoma, in_situ, other, short = found.images
    assert (nevus.class_name, nevus.lesion_id) == ("NV", "IL_1")
    assert nevus.condition == Condition(melanocytic=True, sex="female", age=45, site="torso", class_name="NV")
    assert (melanoma.class_name, melanoma.condition.site) == ("MEL", "head/neck")
    assert (in_situ.class_name, in_situ.lesion_id) == ("AKIEC", names[2])
    assert in_situ.condition == Condition(melanocytic=False, class_name="AKIEC")  # palms and soles: unknown
    assert (other.class_name, other.condition.site, other.condition.melanocytic) == (None, "back", False)
    assert short.class_name is None  # a row that ends early lacks values, and "benign" is no diagnosis
    assert [reason for reason in found.skipped if "Mastocytosis" in reason]


def test_class_folders_are_read_at_any_depth_and_by_any_name(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", MEL=2, nevus=3)
    class_folders(tmp_path / "test", **{"Basal cell carcinoma": 1, "Unsure": 1, "MEL_masks": 1})
    found = read_images(tmp_path)
    assert found.form == "class folders"
    assert found.counts() == {"MEL": 2, "NV": 3, "BCC": 1}
    assert found.skipped == {"no folder above it is named after a class": ["test/Unsure/photo_Unsure_0.jpg"]}


def test_class_folders_hold_photographs_only(tmp_path: Path) -> None:
    class_folders(tmp_path, MEL=1)
    for name in ("photo_MEL_0_segmentation.png", "photo_MEL_0_mask.png", "._photo_MEL_0.jpg"):
        shutil.copy(tmp_path / "MEL" / "photo_MEL_0.jpg", tmp_path / "MEL" / name)
    found = read_images(tmp_path)
    assert [image.path.name for image in found.images] == ["photo_MEL_0.jpg"]
    assert not found.skipped


def test_a_table_without_the_column_of_images_is_named_with_what_is_expected(tmp_path: Path) -> None:
    write(tmp_path / "mine.csv", "lesion_id,dx,age", "HAM_1,nv,40")
    with pytest.raises(DataError, match=r"mine.csv has the columns lesion_id, dx, age; .*image_id"):
        read_images(tmp_path)


def test_folders_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no data folder"):
        read_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match="neither a table of images nor a class folder"):
        read_images(tmp_path)
    class_folders(tmp_path, MEL=1)
    (tmp_path / "synthetic_dataset.csv").write_text("")
    with pytest.raises(DataError, match="synthetic images of this program"):
        read_images(tmp_path)


def test_a_table_of_which_no_image_is_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "metadata.csv", "lesion_id,image_id,dx", "HAM_1,ISIC_1,nv")
    with pytest.raises(ArgumentError, match="lists 1 images, and none of them"):
        read_images(tmp_path)


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(ArgumentError, match=r"metadata.csv cannot be read"):
        read_images(tmp_path)
    class_folders(tmp_path, MEL=1)
    assert read_images(tmp_path).form == "class folders"


def test_class_folders_take_lesions_from_a_table_beside_them(tmp_path: Path) -> None:
    class_folders(tmp_path, MEL=2)
    write(tmp_path / "lesions.csv", "lesion_id,image_id", "HAM_1,photo_MEL_0")
    assert [image.lesion_id for image in read_images(tmp_path).images] == ["HAM_1", "photo_MEL_1"]


def test_images_listed_twice_count_once(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path, 1)
    write(tmp_path / "metadata.csv", "lesion_id,image_id,dx", f"HAM_1,{names[0]},nv", f"HAM_1,{names[0]}.jpg,nv")
    found = read_images(tmp_path)
    assert len(found.images) == 1
    assert found.skipped == {"listed twice": names}


def test_every_word_for_a_site_means_a_site() -> None:
    assert site_of("Posterior torso") == "back"
    assert [site_of(word) for word in ("acral", "genital", "unknown", "")] == [None] * 4
    assert len(PLACES) > 7


def test_isic_2020_and_pad_ufes_20_are_read_with_their_metadata(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path / "2020", 2) and copy_photographs(tmp_path / "pad", 2)
    header = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
    write(tmp_path / "2020" / "train.csv", header, f'{names[0]},IP_1,male,"45,0",head/neck,unknown,benign,0')
    found = read_images(tmp_path / "2020")
    assert found.form == "ISIC 2020 (train.csv)"
    assert found.skipped == {"not used for classes: 'unknown' is none of the seven": [names[0]]}
    assert found.images[0].condition == Condition(sex="male", age=45, site="head/neck")
    header = "patient_id,lesion_id,age,gender,region,diagnostic,img_id"
    write(tmp_path / "pad" / "metadata.csv", header, f"P1,9,61,FEMALE,FOREARM,ACK,{names[0]}.jpg")
    (image,) = read_images(tmp_path / "pad").images
    assert (image.class_name, image.lesion_id) == ("AKIEC", "9")
    assert image.condition == Condition(
        melanocytic=False, sex="female", age=61, site="upper extremity", class_name="AKIEC"
    )


def test_metadata_without_a_diagnosis_is_enough_for_conditions(tmp_path: Path) -> None:
    names = copy_photographs(tmp_path, 3)
    rows = [f"{names[0]},True,female,55,back", f"{names[1]},False,,,", f"{names[2]},,male,,anterior torso"]
    write(tmp_path / "ham10000_metadata.csv", "isic_id,melanocytic,sex,age_approx,anatom_site_general", *rows)
    found = read_images(tmp_path)
    assert found.counts() == {}
    assert [image.condition for image in found.images] == [
        Condition(melanocytic=True, sex="female", age=55, site="back"),
        Condition(melanocytic=False),
        Condition(sex="male", site="torso"),
    ]
