"""The public API: the documented examples, what an import loads, and the errors."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isicgui
from core.paths import PROJECT_ROOT
from tests.evaluation.examples import lesion, write_real
from tests.xai.networks import write_classifier

EXAMPLES = re.findall(r"^```python\n(.*?)^```", (PROJECT_ROOT / "docs" / "python.md").read_text("utf-8"), re.M | re.S)


def test_the_documented_examples_run(tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_checkpoints.parent
    write_classifier(tiny_checkpoints)
    write_real(folder / "HAM10000", {name: [lesion(seed, name) for seed in range(12)] for name in ("MEL", "NV")})
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    printed = []
    for example in EXAMPLES:
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            exec(compile(example, "docs/python.md", "exec"), names)  # noqa: S102 - our own documentation
        printed.append(stream.getvalue().splitlines())
    generate, explain, evaluate = printed
    assert len(generate) == 16
    assert generate[0].startswith("MEL 1 ")
    assert names["generated"].failures == ()
    assert names["generated"].seconds > 0
    assert explain[0].split()[0] in isicgui.CLASSES
    assert sum(names["explained"].probabilities.values()) == pytest.approx(1)
    assert names["attribution"].shape == (224, 224)
    assert np.isfinite(names["attribution"]).all()
    result = names["result"]
    assert evaluate[: len(result.summary)] == list(result.summary)
    assert result.figures
    assert all(file.is_file() for file in (result.report, result.data, result.card, names["explained"].overlay))


def test_the_import_loads_no_torch() -> None:
    code = "import sys, isicgui; assert not {'torch', 'diffusers', 'torchvision', 'PyQt5'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True)


def test_events_reach_the_caller(tiny_checkpoints: Path, tmp_path: Path) -> None:
    events: list[Any] = []
    made = isicgui.generate(
        {"DF": 1}, tmp_path / "out", checkpoints=tiny_checkpoints, steps=2, device="cpu", on_event=events.append
    )
    assert [type(event).__name__ for event in events].count("DenoisingStep") == 2
    assert [image.path for image in made.images] == [tmp_path / "out" / "DF" / "ISIC_0000001.png"]


def test_wrong_values_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(isicgui.IsicGuiError, match="XYZ"):
        isicgui.generate({"XYZ": 1}, tmp_path / "out")
    with pytest.raises(isicgui.IsicGuiError, match=r"missing\.png"):
        isicgui.explain([tmp_path / "missing.png"], tmp_path / "out")
    with pytest.raises(isicgui.IsicGuiError, match="nowhere"):
        isicgui.explain([__file__], tmp_path / "out", checkpoints=tmp_path / "nowhere")
    with pytest.raises(isicgui.IsicGuiError, match="sometimes"):
        isicgui.evaluate(tmp_path, tmp_path, tmp_path / "out", utility="sometimes")
    assert not (tmp_path / "out").exists()
