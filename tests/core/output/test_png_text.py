"""The text chunk of any file, however damaged or large: its text, nothing, or one kind of error."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from core.output.image_file import ImageFileError, read_parameters, read_pixels, write_image
from core.output.png_text import LARGEST_TEXT, read_png_text
from tests.core.examples import noise, parameters

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + HEADER + b"".join(chunks) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def read(tmp_path: Path, data: bytes) -> str | None:
    (tmp_path / "a.png").write_bytes(data)
    return read_png_text(tmp_path / "a.png", "isicgui")


def test_each_kind_of_text_chunk_is_read(tmp_path: Path) -> None:
    packed = zlib.compress("grün".encode("latin-1"))
    assert read(tmp_path, png(chunk(b"tEXt", b"other\0x"), chunk(b"tEXt", b"isicgui\0{}"))) == "{}"
    assert read(tmp_path, png(chunk(b"zTXt", b"isicgui\0\0" + packed))) == "grün"
    assert read(tmp_path, png(chunk(b"iTXt", b"isicgui\0\0\0de\0\0" + "grün".encode()))) == "grün"
    assert read(tmp_path, png(chunk(b"iTXt", b"isicgui\0\1\0\0\0" + zlib.compress(b"{}")))) == "{}"


def test_what_pillow_writes_is_read(tmp_path: Path) -> None:
    for zipped in (False, True):
        text = PngImagePlugin.PngInfo()
        text.add_text("isicgui", "{}" * 100, zip=zipped)
        Image.fromarray(noise()).save(tmp_path / "a.png", pnginfo=text)
        assert read_png_text(tmp_path / "a.png", "isicgui") == "{}" * 100


@pytest.mark.parametrize("data", [b"", b"GIF89a", SIGNATURE[:5], png(), png(chunk(b"tEXt", b"isicgui2\0{}"))])
def test_files_without_the_text_have_none(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, data) is None


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE,
        SIGNATURE + HEADER[:-2],
        png(chunk(b"tEXt", b"isicgui\0" + b"x" * (LARGEST_TEXT + 1))),
        png(chunk(b"zTXt", b"isicgui\0\0" + zlib.compress(b"[" * 50_000_000))),
        png(chunk(b"zTXt", b"isicgui\0\0" + zlib.compress(b"{}")[:-3])),
        png(chunk(b"zTXt", b"isicgui\0\0no zlib")),
        png(chunk(b"zTXt", b"isicgui\0\7" + zlib.compress(b"{}"))),
        png(chunk(b"zTXt", b"isicgui\0")),
        png(chunk(b"iTXt", b"isicgui\0\0")),
        png(chunk(b"iTXt", b"isicgui\0\0\0\0\0\xff\xfe")),
        png(chunk(b"tEXt", b"isicgui\0{}"), chunk(b"tEXt", b"isicgui\0[]")),
        png(chunk(b"tEXt", b"isicgui\0{}")[:-1] + b"?"),
        png(*[chunk(b"tEXt", b"x\0y")] * 1001),
        SIGNATURE + HEADER + struct.pack(">I", 0xFFFFFFFF) + b"tEXtisicgui\0",
        SIGNATURE + HEADER + struct.pack(">I", 0xFFFFFFFF) + b"junk",
    ],
)
def test_damage_and_size_are_one_kind_of_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(tmp_path, data)
    with pytest.raises(ImageFileError, match=r"a\.png"):
        read_parameters(tmp_path / "a.png")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_image_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Bounded fuzzing over the bytes of an image of this program: bits flipped, parts cut out or put in."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.png"
        write_image(file, noise(), parameters())
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            length = data.draw(st.sampled_from([0, 1, 4, 100]))
            content[place : place + length] = data.draw(st.binary(max_size=8))
        file.write_bytes(content)
        try:
            assert read_parameters(file) == parameters()
        except ImageFileError as error:
            assert str(file) in str(error)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
def test_a_fifo_a_folder_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "device.png").symlink_to("/dev/zero")
    refused = []

    def look() -> None:
        for name in ("fifo.png", "folder.png", "device.png"):
            for reader in (read_parameters, read_pixels):
                with pytest.raises(ImageFileError, match=f"{name} is not a readable image"):
                    reader(tmp_path / name)
                refused.append(name)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(20)
    assert len(refused) == 6
