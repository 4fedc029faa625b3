"""``python -m xai`` with a small analysis for tests. It runs all parts with few repetitions."""

from __future__ import annotations

import functools
import sys
from typing import Any

import xai.__main__
import xai.analysis
import xai.attribution
from xai.causal import CausalSettings
from xai.faithfulness import FaithfulnessSettings

OPTIONS: dict[str, Any] = {"ig_steps": 2, "shap_samples": 1, "shap_regions": 4}
SETTINGS: dict[str, Any] = {
    "step_ig_steps": 2,
    "groups": 3,
    "pairs": 2,
    "causal": CausalSettings(grid=2, k=2, repeats=1),
    "faithfulness": FaithfulnessSettings(4, 3, 3, 1, 2),
}


def main() -> int:
    """As the program does."""
    xai.attribution.AttributionOptions = functools.partial(xai.attribution.AttributionOptions, **OPTIONS)
    xai.analysis.AnalysisSettings = functools.partial(xai.analysis.AnalysisSettings, **SETTINGS)
    return xai.__main__.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
