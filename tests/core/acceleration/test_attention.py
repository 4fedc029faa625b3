"""Attention by powers of two is softmax's, wherever its scores can be had without a search for the largest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from core.acceleration import attention
from core.acceleration.attention import attend


def drawn(batch: int, heads: int, pixels: int, width: int, scale: float = 1.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(batch, heads, pixels, width, generator=generator) for _ in range(3))
    return scale * query, scale * key, value


def exactly(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    scores = query.double() @ key.double().mT * query.shape[-1] ** -0.5
    return torch.softmax(scores, -1) @ value.double()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The way that was taken, for each call."""
    taken: list[str] = []

    def noted(name: str, way: Callable[..., torch.Tensor], *parts: torch.Tensor) -> torch.Tensor:
        taken.append(name)
        return way(*parts)

    for name in ("_of_image", "_filled_up"):
        monkeypatch.setattr(attention, name, partial(noted, name, getattr(attention, name)))
    return taken


needs_mkl = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch was built without MKL")


@needs_mkl
@pytest.mark.parametrize(
    ("shape", "scale"),
    [
        ((2, 32, 1024, 8), 1.0),
        ((1, 4, 49, 3), 1.0),
        ((3, 1, 1, 15), 1.0),
        ((1, 32, 1024, 8), 2.0),
        ((1, 2, 16, 8), 4e-3),
    ],
)
def test_the_answer_is_that_of_softmax(shape: tuple[int, ...], scale: float, calls: list[str]) -> None:
    parts = drawn(*shape, scale=scale)
    assert (attend(*parts).double() - exactly(*parts)).abs().max() < 3e-6
    assert calls == ["_of_image"] * shape[0]


@needs_mkl
def test_blocks_of_queries_that_do_not_divide_the_picture(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "_FLOATS", 4 * 100 * 30)  # blocks of 30 queries: three whole ones and ten more
    parts = drawn(1, 4, 100, 8)
    assert (attend(*parts).double() - exactly(*parts)).abs().max() < 3e-6
    assert calls == ["_of_image"]


@needs_mkl
def test_scores_just_below_the_bound_keep_their_digits(calls: list[str]) -> None:
    # Two keys, opposite and as long as may be: one row's scores are the largest there are, the other's the smallest.
    query, key, value = (torch.zeros(1, 1, 2, 8) for _ in range(3))
    length = (95.0 / (8**-0.5 * 1.4427)) ** 0.5
    query[..., 0, 0], query[..., 1, 0] = length, -length
    key[..., :, 0] = length
    value[..., 0, :], value[..., 1, :] = 1e4, 3e4
    found = attend(query, key, value)
    assert calls == ["_of_image"]
    assert torch.allclose(found, torch.full_like(found, 2e4), rtol=1e-6)


@pytest.mark.parametrize("spoilt", [None, float("nan"), float("inf")])
def test_scores_too_large_for_powers_are_left_to_torch(spoilt: float | None, calls: list[str]) -> None:
    parts = drawn(1, 4, 64, 8, scale=20.0)
    if spoilt is not None:
        parts[1][0, 2, 5, 3] = spoilt
    found = attend(*parts)
    assert calls == ["_filled_up"]
    if spoilt is None:
        # Scores of hundreds have fewer digits after the point.
        assert (found.double() - exactly(*parts)).abs().max() < 2e-4
    else:
        assert not found.isfinite().all()
        assert found[0, [0, 1, 3]].isfinite().all()


def test_without_mkl_torch_attends(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    parts = drawn(1, 4, 64, 8)
    assert (attend(*parts).double() - exactly(*parts)).abs().max() < 3e-6
    assert calls == ["_filled_up"]
