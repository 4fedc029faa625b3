"""Manifests that strangers wrote: names, sizes and forms that do not fit are one sentence, whatever they are."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.download.manifest import LARGEST_MANIFEST, MANIFEST, decode_manifest, parse_entries, read_manifest
from core.download.retry import Patience
from core.errors import DownloadError
from tests.core.download.examples import contents, manifest_of, run, zip_of
from tests.core.download.server import Reply

NAMES = [
    "../x.pth",
    "/tmp/x.pth",
    "a/../../x.pth",
    "..\\x.pth",
    "C:\\x.pth",
    "x\x00.pth",
    "NUL",
    ".download",
    "x" * 300,
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["remote", "zip", "folder"])
def test_no_name_leaves_the_folder(name, how, server, models, tmp_path):
    listed = json.loads(manifest_of(models))
    listed["files"].append({"name": name, "bytes": 4, "sha256": None})
    data = json.dumps(listed).encode()
    (tmp_path / "inner").mkdir()
    source = tmp_path / "inner" / "m.zip"
    if how == "remote":
        server.files = {f"/{file}": content for file, content in models.items()} | {f"/{MANIFEST}": data}
        server.special = {f"/{name}": lambda _: Reply(200, b"evil")}
        source = f"{server.url}/{MANIFEST}"
    elif how == "zip":
        source.write_bytes(zip_of({**models, MANIFEST: data}))
    else:
        source = tmp_path / "inner"
        for file, content in {**models, MANIFEST: data}.items():
            (source / file).write_bytes(content)
    destination = tmp_path / "inner" / "ck" / "checkpoints"
    if how == "folder":  # what it holds counts, and not what a damaged list says of it
        run(str(source), destination)
        assert contents(destination) == models
    else:
        with pytest.raises(DownloadError, match="only plain file names"):
            run(str(source), destination)
    outside = {path.name for path in (*tmp_path.iterdir(), *(tmp_path / "inner").iterdir()) if path.is_file()}
    assert outside <= {"m.zip", MANIFEST, *models}


@pytest.mark.parametrize("name", ["../../x.txt", "/tmp/x.txt", "a\\..\\..\\x.txt"])
def test_no_member_of_an_archive_leaves_the_folder(name, models, tmp_path):
    (tmp_path / "m.zip").write_bytes(zip_of({**models, name: b"evil"}, folder=""))
    with pytest.raises(DownloadError, match="would be written outside the folder"):
        run(str(tmp_path / "m.zip"), tmp_path / "a" / "ck")
    assert [path.name for path in tmp_path.rglob("x.txt")] == []


@pytest.mark.parametrize("says_length", [True, False])
def test_a_list_without_end_is_not_fetched(server, models, tmp_path, says_length):
    server.files = {f"/{MANIFEST}": b"[{}" + b",{}" * (LARGEST_MANIFEST // 2) + b"]"}
    server.says_length = says_length
    with pytest.raises(DownloadError, match="sends more than 1,048,576 bytes for manifest.json"):
        run(f"{server.url}/{MANIFEST}", tmp_path / "ck")
    assert not list((tmp_path / "ck" / ".download").rglob("*.part"))


def test_a_list_without_end_on_a_disk_is_none(models, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    for name, data in {**models, MANIFEST: b" " * (LARGEST_MANIFEST + 1)}.items():
        (stick / name).write_bytes(data)
    assert read_manifest(stick).files == {}
    run(str(stick), tmp_path / "ck")
    assert contents(tmp_path / "ck") == models


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"files": ' + "[" * 40 + "]" * 40 + "}", "[NaN]", "1" * 5000, "\x00", '"text"', "5"],
)
def test_a_list_that_is_deep_or_no_list_is_refused(server, tmp_path, text):
    server.files = {f"/{MANIFEST}": text.encode()}
    with pytest.raises(DownloadError, match=r"manifest\.json"):
        run(f"{server.url}/{MANIFEST}", tmp_path / "ck", patience=Patience(attempts=1, base_s=0.001, cap_s=0.01))


@pytest.mark.parametrize("url", ["http://[::1", "http://example.org/x", "file:///etc/passwd", "//[", "ftp://x/y"])
def test_an_address_that_cannot_be_used_is_refused(server, models, tmp_path, url):
    listed = json.loads(manifest_of(models))
    listed["files"][0]["url"] = url
    server.files = {f"/{MANIFEST}": json.dumps(listed).encode()}
    with pytest.raises(DownloadError, match="an address without https"):
        run(f"{server.url}/{MANIFEST}", tmp_path / "ck")


def test_the_names_that_a_source_was_to_offer_are_plain_too(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps({"files": [], "sources": {"s": ["../x", 5, None, ["a"], "a.txt"]}}))
    assert read_manifest(tmp_path).offers == {"s": ("a.txt",)}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "bytes", "sha256", "url", "source", "files", "sources", "x"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_JSON)
def test_any_json_is_a_list_or_refused(value: Any) -> None:
    """Bounded fuzzing over manifests, as values and as files."""
    text = json.dumps(value)
    try:
        entries = parse_entries(decode_manifest(text.encode()), "The list")
    except (DownloadError, ValueError) as error:
        assert str(error)
    else:
        assert all(name == entry.name for name, entry in entries.items())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_text(text)
        for names in read_manifest(Path(folder)).offers.values():
            assert all("/" not in name for name in names)
