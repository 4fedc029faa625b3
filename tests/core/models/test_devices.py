from __future__ import annotations

import pytest
import torch

from core.errors import DeviceError
from core.models.devices import default_batch_size, is_out_of_memory, resolve_device, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "cpu:1", "mps", "", "cuda:-1"])
def test_a_device_that_is_not_here_is_named(name: str) -> None:
    with pytest.raises(DeviceError, match=f"'{name}'"):
        resolve_device(name)


def test_the_processor_is_always_there() -> None:
    assert resolve_device("cpu") == CPU


def test_fp16_is_not_emulated_on_a_processor() -> None:
    with pytest.raises(DeviceError, match="fp16"):
        resolve_precision("fp16", CPU)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({"avx512_f": True}, "fp32"), ({}, "fp32")],
)
def test_bf16_is_chosen_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto", CPU) == precision
    assert resolve_precision("fp32", CPU) == "fp32"


def test_large_images_go_in_small_batches() -> None:
    assert default_batch_size(CPU, 128) >= default_batch_size(CPU, 256) == 1


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("unable to mmap 9 bytes from file <a.pth>: Cannot allocate memory (12)"), True),
        (RuntimeError("could not create a map on file <a.pth>; error code: <1455>"), True),
        (RuntimeError("unable to mmap 9 bytes from file <a.pth>: Permission denied (13)"), False),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_running_out_is_told_from_defects(error: BaseException, memory: bool) -> None:
    assert is_out_of_memory(error) is memory


def test_the_processors_own_words_are_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**62, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)
