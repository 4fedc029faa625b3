from __future__ import annotations

import pytest
import torch

from core.acceleration import winograd
from core.acceleration.winograd import WinogradConvolution


@pytest.mark.parametrize("strip", [winograd._FLOATS, 36 * 4 * 32], ids=["in one strip", "in many"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_it_is_a_convolution(
    layout: torch.memory_format, bias: bool, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_FLOATS", strip)
    generator = torch.Generator().manual_seed(0)
    direct = torch.nn.Conv2d(24, 32, 3, padding=1, bias=bias).requires_grad_(False)
    for parameter in direct.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) / 15)
    pictures = torch.randn(3, 24, 12, 16, generator=generator).to(memory_format=layout)
    found = WinogradConvolution(direct)(pictures)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found - direct(pictures)).abs().max() < 1e-4
