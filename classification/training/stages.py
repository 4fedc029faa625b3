"""The image sizes of a training run, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True)
class Stages:
    """The image size of each step: small ones first, where much is learnt at a fraction of the cost.

    Attributes:
        sizes: in order, in pixels.
        steps: at each of them.
    """

    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(self.steps))

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self._ends[-1]

    def size(self, step: int) -> int:
        """Image size of a step; that of the last stage beyond the end."""
        return self.sizes[min(bisect_right(self._ends, step), len(self.sizes) - 1)]

    def pixels_left(self, step: int) -> int:
        """Pixels of one image a step, summed over the steps from this one to the end: what there is left to do."""
        left = (min(steps, max(0, end - step)) for steps, end in zip(self.steps, self._ends, strict=True))
        return sum(steps * size**2 for steps, size in zip(left, self.sizes, strict=True))
