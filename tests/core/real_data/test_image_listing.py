from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from core.errors import ArgumentError
from core.real_data.image_listing import (
    COLUMNS,
    Listing,
    check_readable,
    find_tables,
    image_files,
    image_name,
    is_photograph,
    lesions_of,
    list_images,
    tables_with,
)
from tests.conftest import REAL_IMAGES

HEADER = "lesion_id,image_id,dx,age"


def write_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


def write_table(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def listing_of(folder: Path) -> Listing:
    tables = find_tables(folder)
    return list_images(folder, tables, tables_with(tables, COLUMNS))


def names_of(folder: Path) -> list[str]:
    return [image.path.relative_to(folder).as_posix() for image in listing_of(folder).images]


def test_real_images_are_listed_with_their_rows() -> None:
    listing = listing_of(REAL_IMAGES)
    assert (len(listing.images), listing.missing, listing.twice) == (16, (), ())
    first = listing.images[0]
    assert first.path == REAL_IMAGES / "images" / "ISIC_0024306.jpg"
    assert (first.name, first.lesion_id, first.row["dx"], first.row["age"]) == (
        "ISIC_0024306",
        "HAM_0000550",
        "nv",
        "45.0",
    )


def test_an_image_is_found_by_its_name_whatever_the_ending(tmp_path: Path) -> None:
    files = ("A.JPG", "B.jpeg", "C.PNG", "D.bmp", "E.TIFF", "F.webp", "deep/G.jpg", "mask_H.png")
    write_images(tmp_path / "images", *files)
    rows = ("A", "B.jpg", " C.png ", "D", "E", "F", "part/G.JPG", "mask_H")
    write_table(tmp_path / "metadata.csv", HEADER, *(f"L,{name},nv,40" for name in rows))
    assert names_of(tmp_path) == [f"images/{file}" for file in files]


def test_of_two_files_the_photograph_counts(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "A.jpg", "A.png", "0/A.jpg", "lesion_masks/B.png")
    write_table(tmp_path / "metadata.csv", HEADER, "L,A,nv,40", "L,B,nv,40")
    assert names_of(tmp_path) == ["images/A.jpg"]
    assert listing_of(tmp_path).missing == ("B",)


def test_what_the_folder_of_images_lacks_is_looked_for_elsewhere(tmp_path: Path) -> None:
    write_images(
        tmp_path, "images/deep/A.jpg", "A.jpg", "HAM10000_images_part_2/B.jpg", "old/more/B.jpg", "masks/C.png"
    )
    write_table(tmp_path / "metadata.csv", HEADER, "L,A,nv,40", "L,B,nv,40", "L,C,nv,40")
    assert names_of(tmp_path) == ["images/deep/A.jpg", "HAM10000_images_part_2/B.jpg"]
    assert listing_of(tmp_path).missing == ("C",)


def test_linked_folders_are_entered_and_those_that_lead_back_are_not(tmp_path: Path) -> None:
    write_images(tmp_path / "disk", "A.jpg")
    write_images(tmp_path / "data", "deep/B.jpg", "._B.jpg")
    (tmp_path / "data" / "images").symlink_to(tmp_path / "disk")
    (tmp_path / "data" / "deep" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    files = image_files(tmp_path / "data")
    assert [file.relative_to(tmp_path / "data").as_posix() for file in files] == ["deep/B.jpg", "images/A.jpg"]


@pytest.mark.parametrize(
    ("words", "name"),
    [("A.b", "A.b"), ("part/A", "A"), ("part\\A", "A"), ("C:\\x\\A.JPG", "A"), ("part/A.png", "A"), ("", "")],
)
def test_a_name_is_without_folder_and_ending(words: str, name: str) -> None:
    assert image_name(words) == name


def test_photographs_are_told_by_their_names() -> None:
    names = ("A.JPG", "A.txt", "._A.jpg", "A_mask.png", "A_segmentation.png", "A_superpixels.png")
    assert [name for name in names if is_photograph(name)] == ["A.JPG"]


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("HAM10000_metadata", "\t"),
        ("HAM10000_metadata.tab", "\t"),
        ("HAM10000_metadata.txt", ","),
        ("below/ham10000_metadata", ","),
        ("list.CSV", ";"),
        ("list.tsv", "\t"),
        ("list.TAB", "\t"),
    ],
)
def test_tables_are_known_by_any_usual_name(tmp_path: Path, name: str, mark: str) -> None:
    write_images(tmp_path, "A.jpg")
    write_table(tmp_path / name, HEADER.replace(",", mark), mark.join(('"L"', "A", "nv", "40")))
    write_table(tmp_path / "notes.txt", HEADER)
    write_table(tmp_path / "HAM10000_metadata.csv.part", HEADER)
    assert list(find_tables(tmp_path)) == [tmp_path / name]
    assert [(image.lesion_id, image.row["dx"]) for image in listing_of(tmp_path).images] == [("L", "nv")]


def test_without_a_folder_of_images_they_may_be_anywhere(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg", "HAM10000_images_part_1/B.jpg", "HAM10000_segmentations/C.png")
    write_table(tmp_path / "HAM10000_metadata", HEADER, "L,A,nv,40", "L,B,nv,40", "L,C,nv,40")
    assert names_of(tmp_path) == ["A.jpg", "HAM10000_images_part_1/B.jpg"]


def test_several_tables_are_one_list_and_the_first_row_of_an_image_counts(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg", "B.jpg", "C.jpg")
    write_table(tmp_path / "a" / "more.csv", HEADER, "L9,A,mel,1", "L3,C,df,3")
    write_table(tmp_path / "metadata.csv", HEADER, "L1,A,nv,1", "L2,B,nv,2", "", ",,,", "L1,A.jpg,mel,1", "L4,X,nv,4")
    write_table(tmp_path / "notes.csv", "image_id,remark", "A,none")
    (tmp_path / "other.csv").mkdir()
    listing = listing_of(tmp_path)
    assert [table.name for table in listing.tables] == ["metadata.csv", "more.csv"]
    assert [(image.name, image.lesion_id, image.row["dx"]) for image in listing.images] == [
        ("A", "L1", "nv"),
        ("B", "L2", "nv"),
        ("C", "L3", "df"),
    ]
    assert (listing.missing, listing.twice) == (("X",), ("A", "A"))


def test_rows_that_lack_values_are_kept(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg", "B.jpg")
    write_table(tmp_path / "metadata.csv", "image_id,dx,lesion_id", "A", "B,mel,", ",nv,L1", ",mel,L2")
    listing = listing_of(tmp_path)
    assert [(image.name, image.lesion_id, image.row["dx"]) for image in listing.images] == [
        ("A", "", ""),
        ("B", "", "mel"),
    ]
    assert (listing.missing, listing.twice) == (("a row without a name",), ())


def test_another_table_may_name_the_lesions(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg", "B.jpg", "C.jpg")
    write_table(tmp_path / "metadata.csv", HEADER, "L1,A,nv,1", ",B,nv,2", ",C,nv,2")
    write_table(tmp_path / "groups.csv", "image,lesion_id", "A,other", "B.jpg,L2", "C,")
    assert lesions_of(find_tables(tmp_path)) == {"A": "L1", "B": "L2"}
    assert [image.lesion_id for image in listing_of(tmp_path).images] == ["L1", "L2", ""]


def test_the_column_of_names_may_be_another(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg")
    write_table(tmp_path / "metadata.csv", "isic_id,diagnosis", "A,nevus")
    tables = find_tables(tmp_path)
    assert tables_with(tables, COLUMNS) == []
    (file,) = tables_with(tables, COLUMNS, {"isic_id"})
    assert [image.name for image in list_images(tmp_path, tables, [file], "isic_id").images] == ["A"]


def test_a_file_that_is_no_table_is_passed_over_and_named_on_request(tmp_path: Path) -> None:
    write_images(tmp_path, "A.jpg")
    write_table(tmp_path / "metadata.csv", HEADER, "L1,A,nv,1")
    check_readable(find_tables(tmp_path))
    (tmp_path / "._metadata.csv").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    assert names_of(tmp_path) == ["A.jpg"]
    with pytest.raises(ArgumentError, match=r"\._metadata.csv cannot be read"):
        check_readable(find_tables(tmp_path))


def test_tables_of_which_no_image_is_there_are_refused_in_a_sentence(tmp_path: Path) -> None:
    write_table(tmp_path / "metadata.csv", HEADER, "L1,A,nv,1", "L1,A,nv,1", "L1,B,nv,1")
    with pytest.raises(ArgumentError, match=r"metadata.csv lists 2 images, and none of them is in "):
        listing_of(tmp_path).check_any()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert find_tables(tmp_path / "none") == {}
    assert image_files(tmp_path / "none") == []


@pytest.mark.full_data
def test_the_whole_data_is_listed() -> None:
    listing = listing_of(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256")
    assert (len(listing.images), listing.missing, listing.twice) == (8010, (), ())
    assert len({image.lesion_id for image in listing.images}) == 6288
