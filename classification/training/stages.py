"""The image sizes of a training run."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True)
class Stages:
    """The image size of each step. Early steps use small images, which are learnt from at a fraction of the cost.

    Attributes:
        sizes: image sizes in order, in pixels.
        steps: number of steps at each size.
    """

    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(self.steps))

    @property
    def total(self) -> int:
        """Number of steps of the whole run."""
        return self._ends[-1]

    def size(self, step: int) -> int:
        """Image size of a step; beyond the end, that of the last stage."""
        return self.sizes[min(bisect_right(self._ends, step), len(self.sizes) - 1)]

    def pixels_left(self, step: int) -> int:
        """Remaining work: pixels of one image per step, summed from this step to the end."""
        left = (min(steps, max(0, end - step)) for steps, end in zip(self.steps, self._ends, strict=True))
        return sum(steps * size**2 for steps, size in zip(left, self.sizes, strict=True))
