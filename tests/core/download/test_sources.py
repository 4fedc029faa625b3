"""Valid and invalid sources."""

import pytest

from core.download.local import FolderSource, ZipSource
from core.download.remote import DriveSource, ManifestSource, WebZipSource
from core.download.sources import known_sources, parse_source
from core.errors import ArgumentError

ID = "1kTIHp98AuvLmee5LahH-hZQqXQik_B1U"


@pytest.mark.parametrize(
    "text", [None, "published", f"gdrive:{ID}", f"https://drive.google.com/file/d/{ID}/view?usp=x"]
)
def test_the_published_archive(text):
    assert parse_source(text) == DriveSource(ID)


def test_addresses():
    assert parse_source("https://a.example/x/models.zip") == WebZipSource("https://a.example/x/models.zip")
    assert parse_source("https://a.example/manifest.json").label == "https://a.example/manifest.json"
    assert isinstance(parse_source("https://u:p@a.example/manifest.json?k=1"), ManifestSource)
    assert parse_source("https://u:p@a.example/manifest.json?k=1").label == "https://a.example/manifest.json"


def test_places_on_this_computer(tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    (tmp_path / "m.zip").write_bytes(b"")
    assert parse_source(str(tmp_path)) == FolderSource(tmp_path.resolve())
    assert parse_source(str(tmp_path / "manifest.json")) == FolderSource(tmp_path.resolve())
    assert parse_source(str(tmp_path / "m.zip")) == ZipSource(tmp_path.resolve() / "m.zip")


def test_a_repository():
    assert parse_source("hf:lab/set@v2").label == "hf:lab/set@v2"
    assert parse_source("hf:lab/set").label == "hf:lab/set"


@pytest.mark.parametrize(
    "text",
    [
        "http://a.example/m.zip",
        "http://127.0.0.1.a.example/m.zip",
        "https://a.example/page",
        "https://[bad/x.zip",
        "https://a.example:port/x.zip",
        "ftp://a/m.zip",
        "nowhere",
    ],
)
def test_what_is_refused(text):
    with pytest.raises(ArgumentError):
        parse_source(text)


def test_known_sources_are_whole():
    assert known_sources()[0].is_default
    assert all(source.about for source in known_sources())
