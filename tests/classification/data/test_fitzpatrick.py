from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classification.data import image_download
from classification.data.collection import open_collection
from classification.data.fitzpatrick import PrepareJob, prepare
from classification.data.fitzpatrick_table import class_of
from classification.data.image_download import download_images
from classification.data.perceptual_duplicates import CLOSEST, perceptual_hash, same_photographs
from classification.data.split_column import TEST, TRAINING, VALIDATION
from classification.data.splits import images_of
from core.download.retry import Patience
from core.errors import ArgumentError, JobFailedError, OutputFolderError
from core.generation.events import Event
from tests.classification.conftest import write_damaged_png, write_fitzpatrick
from tests.conftest import REAL_IMAGES
from tests.core.download.server import Reply, Server, serving

HASTE = Patience(attempts=2, unreachable=1, base_s=0.01, cap_s=0.02)


@pytest.fixture
def job(fitzpatrick: Path, tmp_path: Path) -> PrepareJob:
    return PrepareJob(fitzpatrick, fitzpatrick.parent / "images", tmp_path / "out", "malignant")


def copied(job: PrepareJob, tmp_path: Path) -> PrepareJob:
    """The same job with a folder that may be changed."""
    shutil.copytree(job.images, tmp_path / "images")
    table = Path(shutil.copy(job.table, tmp_path))
    return replace(job, table=table, images=tmp_path / "images")


def test_malignant_and_benign_images_are_kept_and_split_by_type(job: PrepareJob) -> None:
    report = prepare(job)
    assert (report["listed"], report["of_the_contrast"], report["kept"]) == (7 * 24, 7 * 16, 7 * 16)
    collection = open_collection(job.output)
    assert collection.contrast == "malignant"
    for skin_type in range(1, 7):
        images = images_of(collection, collection.parts, f"test{skin_type}")
        assert Counter(image.class_name for image in images) == {"MALIGNANT": 3, "BENIGN": 3}
        assert {image.facts["skin_type"] for image in images} == {str(skin_type)}
        with (job.output / f"test{skin_type}.csv").open() as stream:
            assert {row["image_id"] for row in csv.DictReader(stream)} == {image.image_id for image in images}
    unknown = {i.image_id for i in collection.images if i.facts["skin_type"] == "-1"}
    assert {collection.parts[name] for name in unknown} == {TRAINING}
    assert len(images_of(collection, collection.parts, TEST)) == 36
    assert len(images_of(collection, collection.parts, VALIDATION)) == 12


def test_the_split_follows_from_the_seed(job: PrepareJob, tmp_path: Path) -> None:
    prepare(job)
    prepare(replace(job, output=tmp_path / "again"))
    prepare(replace(job, output=tmp_path / "other", seed=1))
    first, again, other = ((tmp_path / name / "images.csv").read_text() for name in ("out", "again", "other"))
    assert first == again != other


@pytest.mark.parametrize(
    ("label", "partition", "melanoma", "malignant"),
    [
        ("superficial spreading melanoma ssm", "malignant", "MEL", "MALIGNANT"),
        ("lentigo maligna", "malignant", "MEL", "MALIGNANT"),
        ("halo nevus", "benign", "NV", "BENIGN"),
        ("naevus comedonicus", "benign", "NV", "BENIGN"),
        ("basal cell carcinoma", "malignant", "", "MALIGNANT"),
        ("eczema", "non-neoplastic", "", ""),
    ],
)
def test_labels_answer_the_question_of_the_contrast(label: str, partition: str, melanoma: str, malignant: str) -> None:
    row = {"label": label, "three_partition_label": partition}
    assert class_of(row, "melanoma") == melanoma
    assert class_of(row, "malignant") == malignant


def test_missing_and_broken_images_are_named_and_left_out(job: PrepareJob, tmp_path: Path) -> None:
    job = copied(job, tmp_path)
    (job.images / "mal301.jpg").unlink()
    (job.images / "ben402.jpg").write_bytes((job.images / "ben402.jpg").read_bytes()[:300])
    write_damaged_png(job.images / "ben403.jpg")
    report = prepare(job)
    assert report["missing"] == ["mal301"]
    assert set(report["broken"]) == {"ben402", "ben403"}
    assert not {"mal301", "ben402", "ben403"} & {image.image_id for image in open_collection(job.output).images}
    assert json.loads((job.output / "prepare_report.json").read_text())["kept"] == 7 * 16 - 3


def test_copies_of_a_photograph_stay_together_and_contradictory_ones_are_left_out(
    job: PrepareJob, tmp_path: Path
) -> None:
    job = copied(job, tmp_path)
    with Image.open(job.images / "mal300.jpg") as image:
        for name in ("mal301", "mal302"):
            image.resize((60, 60)).save(job.images / f"{name}.jpg", quality=60)
    shutil.copy(job.images / "mal400.jpg", job.images / "ben400.jpg")
    report = prepare(job)
    assert report["contradictory_copies"] == ["ben400", "mal400"]
    assert report["photographs_shown_more_than_once"] == 2
    collection = open_collection(job.output)
    same = [image for image in collection.images if image.image_id in ("mal300", "mal301", "mal302")]
    assert len({image.lesion_id for image in same}) == 1
    assert len({collection.parts[image.image_id] for image in same}) == 1


def test_copies_are_distinguished_from_other_photographs() -> None:
    hashes, names = [], sorted((REAL_IMAGES / "images").glob("*.jpg"))
    for file in names:
        with Image.open(file) as image:
            whole = image.convert("RGB")
            stream = io.BytesIO()
            whole.resize((150, 150), Image.Resampling.BILINEAR).save(stream, "JPEG", quality=40)
            hashes += [perceptual_hash(whole), perceptual_hash(Image.open(stream))]
    numbers = same_photographs(hashes)
    assert numbers[::2] == numbers[1::2]
    assert len(set(numbers)) == len(names)
    distances = [(hashes[0] != other).sum() for other in hashes[2::2]]
    assert min(distances) > 2 * CLOSEST


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("md5hash,", "name,"), "not the table of Fitzpatrick17k"),
        ((",halo nevus,benign", ",halo nevus,odd"), "the partition 'odd'"),
        (("mal200,1,", "mal200,9,"), "the skin type '9'"),
        (("mal201,1,", "mal200,1,"), "lists mal200 2 times"),
        (("eczema,non-neoplastic\n", "eczema\n"), r"Line \d+ of .* has too few values"),
    ],
)
def test_a_table_that_does_not_fit_is_named(
    job: PrepareJob, tmp_path: Path, changed: tuple[str, str], message: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(job.table.read_text().replace(*changed))
    with pytest.raises(ArgumentError, match=message):
        prepare(replace(job, table=table))


def test_too_little_is_refused_before_anything_is_written(job: PrepareJob, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="training part would have no image: only 0 images of .* for the contrast"):
        prepare(replace(job, images=tmp_path))
    with pytest.raises(ArgumentError, match="no column url"):
        prepare(replace(job, images=tmp_path, download=True))
    with pytest.raises(ArgumentError, match="contrast 'tone' does not exist"):
        prepare(replace(job, contrast="tone"))
    assert not job.output.exists()


def test_an_unwritable_output_is_found_before_any_image_is_opened(job: PrepareJob) -> None:
    events: list[Event] = []
    job.output.write_text("a file")
    with pytest.raises(OutputFolderError, match="cannot be written"):
        prepare(job, events.append)
    assert events == []
    with pytest.raises(ArgumentError, match="another with --images"):
        download_images({}, job.output)


def test_a_table_that_cannot_be_replaced_is_reported_and_the_folder_is_not_marked_complete(job: PrepareJob) -> None:
    """As on Windows, if a spreadsheet has it open."""
    (job.output / "test6.csv").mkdir(parents=True)
    with pytest.raises(JobFailedError, match=r"test6\.csv cannot be written"):
        prepare(job)
    assert not (job.output / "prepared.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed -1 is out of range"),
        ({"test": 1.5}, "test 1.5 is out of range"),
        ({"validation": float("nan")}, "validation nan is out of range"),
        ({"validation": 0.5, "test": 0.5}, "leave nothing for training"),
    ],
)
def test_a_split_that_cannot_be_drawn_is_refused(job: PrepareJob, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(job, **changes)


def test_a_table_in_another_encoding_is_named(job: PrepareJob, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(job.table.read_bytes().replace(b"eczema", b"ecz\xe9ma"))
    with pytest.raises(ArgumentError, match=r"table\.csv cannot be read.*utf-8"):
        prepare(replace(job, table=table))


def test_an_image_that_no_longer_exists_is_named(job: PrepareJob, tmp_path: Path) -> None:
    job = copied(job, tmp_path)
    prepare(job)
    (job.images / "mal300.jpg").unlink()
    with pytest.raises(ArgumentError, match="mal300.jpg no longer exists"):
        open_collection(job.output)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def png(value: int, side: int = 64) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def test_images_are_downloaded_and_failures_are_named(server: Server, tmp_path: Path) -> None:
    whole = png(1)
    server.files = {"/whole.jpg": whole, "/half.jpg": png(2)[:700], "/page.jpg": b"<!doctype html><title>No"}
    (tmp_path / "there.jpg").write_bytes(b"kept")
    addresses = {
        name: f"{server.url}/{name}" for name in ("whole.jpg", "half.jpg", "page.jpg", "gone.jpg", "there.jpg")
    }
    reasons = download_images({**addresses, "odd.jpg": "ftp://x/y"}, tmp_path, patience=HASTE)
    assert set(reasons) == {"half.jpg", "page.jpg", "gone.jpg", "odd.jpg"}
    assert "not a complete image" in reasons["half.jpg"]
    assert "does not exist (404)" in reasons["gone.jpg"]
    assert "web page" in reasons["page.jpg"]
    assert not any("--source" in reason for reason in reasons.values())
    assert (tmp_path / "whole.jpg").read_bytes() == whole
    assert (tmp_path / "there.jpg").read_bytes() == b"kept"
    assert not [path for path in tmp_path.iterdir() if path.name == "half.jpg"]


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    large = png(3, side=400)
    server.files, server.drops = {"/a.jpg": large}, [70_000]
    assert download_images({"a.jpg": f"{server.url}/a.jpg"}, tmp_path, patience=HASTE) == {}
    assert (tmp_path / "a.jpg").read_bytes() == large
    assert "bytes=65536-" in [headers.get("Range") for _, headers in server.requests]


@pytest.mark.parametrize("status", [503, 501])
def test_a_server_that_never_answers_is_skipped(
    status: int, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_download, "_AT_ONCE", 1)
    server.special = {f"/{number}.jpg": lambda _: Reply(status) for number in range(12)}
    addresses = {f"{number}.jpg": f"{server.url}/{number}.jpg" for number in range(12)}
    reasons = download_images(addresses, tmp_path, patience=HASTE)
    assert len(reasons) == 12
    assert len([reason for reason in reasons.values() if "consecutive failures of 127.0.0.1" in reason]) == 7


def test_a_server_that_answers_is_asked_for_every_image_even_after_many_dead_links(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run consists mostly of the dead links of the first."""
    monkeypatch.setattr(image_download, "_AT_ONCE", 1)
    damaged = write_damaged_png(tmp_path / "damaged.png").read_bytes()
    server.files = {"/page.jpg": b"<!doctype html><title>No", "/half.jpg": png(2)[:700], "/damaged.jpg": damaged}
    server.special = {"/gone.jpg": lambda _: Reply(410), "/refused.jpg": lambda _: Reply(403)}
    dead = ["1.jpg", "2.jpg", "page.jpg", "half.jpg", "damaged.jpg", "gone.jpg", "refused.jpg", "3.jpg"]
    addresses = {name: f"{server.url}/{name}" for name in [*dead, "last.jpg"]}
    for _ in range(2):
        reasons = download_images(addresses, tmp_path / "images", patience=HASTE)
        assert set(reasons) == {*dead, "last.jpg"}
        assert not [reason for reason in reasons.values() if "consecutive failures" in reason]
    server.files["/last.jpg"] = png(1)
    assert set(download_images(addresses, tmp_path / "images", patience=HASTE)) == set(dead)


def test_the_tables_own_addresses_are_used(server: Server, job: PrepareJob, tmp_path: Path) -> None:
    job = copied(job, tmp_path)
    lost = job.images / "mal300.jpg"
    server.files = {"/mal300.jpg": lost.read_bytes()}
    lost.unlink()
    with job.table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with job.table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "url"])
        writer.writeheader()
        writer.writerows({**row, "url": f"{server.url}/{row['md5hash']}.jpg"} for row in rows)
    report = prepare(replace(job, download=True))
    assert (report["kept"], report["missing"], report["not_downloaded"]) == (7 * 16, [], {})


@pytest.mark.parametrize("name", ["../escaped", "/{tmp}/escaped", "a/../../escaped", "..\\escaped", "C:escaped", ".."])
def test_no_image_is_written_or_read_outside_the_folder(
    server: Server, job: PrepareJob, tmp_path: Path, name: str
) -> None:
    job = copied(job, tmp_path)
    name = name.replace("/{tmp}", str(tmp_path))
    server.files = {"/x.jpg": png(1)}
    lines = [f"{line},{server.url}/x.jpg" for line in job.table.read_text().splitlines()]
    lines[0] = job.table.read_text().splitlines()[0] + ",url"
    job.table.write_text("\n".join(lines).replace("mal300,", f"{name},") + "\n")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(ArgumentError, match=r"Line \d+ of .* names the image .*, which is not a plain file name"):
        prepare(replace(job, download=True))
    reasons = download_images({f"{name}.jpg": f"{server.url}/x.jpg"}, job.images, patience=HASTE)
    assert list(reasons.values()) == ["its name is not a plain file name"]
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    assert server.requests == []


@pytest.mark.parametrize("file", ["../../secret.jpg", "/etc/hostname", "", "a\\b.jpg"])
def test_a_prepared_table_names_no_file_outside_the_folder(job: PrepareJob, file: str) -> None:
    prepare(job)
    table = job.output / "images.csv"
    table.write_text(table.read_text().replace("mal300.jpg", file))
    with pytest.raises(ArgumentError, match=r"images\.csv has a row .* not a plain file name"):
        open_collection(job.output)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 5000, '{"format": "isicgui.prepared/1"}', '{"format": "isicgui.prepared/1", "images": 5}'],
)
def test_facts_of_a_prepared_folder_that_cannot_be_used_are_one_sentence(job: PrepareJob, text: str) -> None:
    prepare(job)
    (job.output / "prepared.json").write_text(text)
    with pytest.raises(ArgumentError, match=r"prepared\.json .*run prepare again"):
        open_collection(job.output)


def test_addresses_that_are_none_cost_one_image_each(server: Server, tmp_path: Path) -> None:
    server.files = {"/a.jpg": png(1), "/large.jpg": b"x" * 1000}
    server.special = {"/away.jpg": lambda _: Reply(302, headers={"Location": "http://[::1"})}
    addresses = {
        "bracket.jpg": "https://[::1",
        "long.jpg": f"https://{'a' * 300}/x.jpg",
        "away.jpg": f"{server.url}/away.jpg",
        "control.jpg": "https://a\x1b[2Jb/\n",
        "a.jpg": f"{server.url}/a.jpg",
    }
    reasons = download_images(addresses, tmp_path, patience=HASTE)
    assert set(reasons) == set(addresses) - {"a.jpg"}


def test_an_image_without_end_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_download, "_LARGEST_IMAGE", 500)
    server.files = {"/a.jpg": png(1, side=200)}
    for says_length in (True, False):
        server.says_length = says_length
        (reason,) = download_images({"a.jpg": f"{server.url}/a.jpg"}, tmp_path, patience=HASTE).values()
        assert "more than 500 bytes" in reason
        assert list(tmp_path.iterdir()) == []


@pytest.mark.full_data
def test_the_whole_data_is_prepared(tmp_path: Path) -> None:
    folder = Path(os.environ["ISICGUI_DATA"]) / "fitzpatrick17k_224"
    report = prepare(PrepareJob(folder / "fitzpatrick17k.csv", folder / "images", tmp_path, "malignant"))
    assert (report["listed"], report["of_the_contrast"]) == (2860, 1843)
    assert report["missing"] == []


def test_more_images_make_more_of_every_part(tmp_path: Path) -> None:
    table = write_fitzpatrick(tmp_path / "more", per_cell=20)
    report = prepare(PrepareJob(table, table.parent / "images", tmp_path / "out", "melanoma"))
    assert report["parts"]["test6"] == {"MEL": 7, "NV": 7}
    assert report["labels"] == {"MEL": {"melanoma": 140}, "NV": {"halo nevus": 140}}
