from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.io.array_file import ArrayFileError, read_arrays

ARRAYS = {
    "name": np.array("text"),
    "numbers": np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), np.uint8),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "none": np.zeros((0, 4)),
}


def packed(compressed: bool = True) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **ARRAYS)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_come_back_as_they_were(tmp_path: Path, compressed: bool) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(packed(compressed))
    found = read_arrays(file, ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def flipped(data: bytes) -> bytes:
    start = data.index(b"numbers.npy") + 40
    return data[:start] + bytes(255 - byte for byte in data[start : start + 100]) + data[start + 100 :]


def in_the_directory(offset: int, value: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed, at = bytearray(data), 0
        while (at := changed.find(b"PK\1\2", at)) >= 0:
            changed[at + offset] = value
            at += 4
        return bytes(changed)

    return change


def with_header(header: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
            for name in old.namelist():
                new.writestr(name, header if name == "numbers.npy" else old.read(name))
        return stream.getvalue()

    return change


def header_of(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "not a zip"),
    "cut short": (lambda data: data[:-100], "not a zip"),
    "flipped bits": (flipped, "rror|short|CRC"),
    "encrypted": (in_the_directory(8, 1), "encrypted or packed in an unknown way"),
    "packed in an unknown way": (in_the_directory(10, 99), "encrypted or packed in an unknown way"),
    "a shape of 3 PB": (with_header(header_of((10**6, 10**3, 10**6, 3))), "its shape is"),
    "a shape of 10^40": (with_header(header_of((10**20, 10**20))), "its shape is"),
    "a negative shape": (with_header(header_of((-4, 3)) + b"x" * 12), "shape"),
    "objects": (with_header(header_of((1,), "|O") + b"x" * 8), "holds objects"),
    "no header": (with_header(b"nonsense that is no header"), "no array"),
    "a header of code": (
        with_header(b"\x93NUMPY\1\0" + b"\x20\0" + b"__import__('os').abort()".ljust(32)),
        "malformed",
    ),
    "a header nested deeply": (with_header(b"\x93NUMPY\1\0" + b"\xff\x0f" + b"(" * 4095), "nested|recursion|s_push"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_damage_is_one_reason(tmp_path: Path, kind: str) -> None:
    spoil, reason = DAMAGE[kind]
    file = tmp_path / "a.npz"
    file.write_bytes(spoil(packed()))
    with pytest.raises(ArrayFileError, match=reason) as error:
        read_arrays(file, ["numbers"])
    assert "\n" not in str(error.value)


def test_what_is_missing_or_too_large_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(packed())
    with pytest.raises(ArrayFileError, match=r"no item named 'other\.npy'"):
        read_arrays(file, ["other"])
    with pytest.raises(ArrayFileError, match="more than 1,000"):
        read_arrays(file, ["numbers"], most_bytes=1000)
    with pytest.raises(ArrayFileError, match="No such file"):
        read_arrays(tmp_path / "b.npz", [])
    with pytest.raises(ArrayFileError, match="Is a directory"):
        read_arrays(tmp_path, [])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_is_a_traceback_or_wrong_numbers(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(packed(data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "a.npz"
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    try:
        found = read_arrays(file, ARRAYS)
    except ArrayFileError:
        return
    assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())
