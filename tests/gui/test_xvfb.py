"""A real window on a real X display, used with the mouse. Its screenshot is compared by structure, not by pixels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.models.demo_set import unpack_demo_set
from core.paths import PROJECT_ROOT
from tests.xai.networks import write_classifier
from xai.job import result_folder

pytestmark = pytest.mark.skipif(
    not (shutil.which("xvfb-run") and shutil.which("xdotool")), reason="needs xvfb and xdotool"
)
SIDE = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the images of the eight steps, the screenshot, and the positions of the widgets."""
    made = tmp_path_factory.mktemp("eight_steps")
    write_classifier(made / "checkpoints")
    unpack_demo_set(made / "checkpoints")  # the folder for the first dialog; a fresh clone does not have it
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb", "XDG_RUNTIME_DIR": str(made)}
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1280x760x24"]
    done = subprocess.run(
        [*screen, sys.executable, "-m", "tests.gui.eight_steps", str(made)],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def screen(folder: Path) -> Image.Image:
    with Image.open(folder / "screen.png") as picture:
        return picture.convert("RGB")


@pytest.fixture(scope="module")
def places(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads((folder / "places.json").read_text())
    return found


def region(screen: Image.Image, place: list[int]) -> Image.Image:
    left, top, width, height = place
    return screen.crop((left, top, left + width, top + height))


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Return the correlation of the coarse brightness of two images; 1 for the same structure."""
    first, second = (np.asarray(p.convert("L").resize((SIDE, SIDE)), dtype=float).ravel() for p in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


def centred_square(picture: Image.Image) -> Image.Image:
    """Return the middle of a widget without its frame."""
    side = min(picture.size) - 4
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def test_the_eight_steps_generate_the_images(folder: Path) -> None:
    images = sorted(path.relative_to(folder / "dataset").as_posix() for path in (folder / "dataset").glob("*/*.png"))
    assert images[0] == "MEL/ISIC_0000001.png"
    assert len(images) >= 4


def test_every_widget_is_on_the_screen_and_none_overlap(places: dict[str, list[int]]) -> None:
    left, top, width, height = places["window"]
    names = ("startButton", "stopButton", "previewLabel", "progressBar", "projectTree", "imageFileList", "logConsole")
    for name in names:
        x, y, w, h = places[name]
        assert left <= x and top <= y and x + w <= left + width and y + h <= top + height, name
        for other in names:
            a, b, c, d = places[other]
            assert name == other or x + w <= a or a + c <= x or y + h <= b or b + d <= y, (name, other)


def test_the_preview_shows_the_chosen_image(screen: Image.Image, places: dict[str, list[int]], folder: Path) -> None:
    """Accept the image with or without its overlay at 60%, which may not exist yet."""
    shown = centred_square(region(screen, places["previewLabel"]))
    file = folder / "dataset" / "MEL" / "ISIC_0000001.png"
    overlay = result_folder(folder / "xai_results", file) / "image_map.png"
    with Image.open(file) as image:
        candidates = [image.convert("RGB")]
    if overlay.exists():
        with Image.open(overlay) as over:
            candidates.append(Image.blend(candidates[0].resize(over.size), over.convert("RGB"), 0.6))
    assert max(likeness(shown, candidate) for candidate in candidates) > 0.9


def test_the_list_shows_its_thumbnail(screen: Image.Image, places: dict[str, list[int]], folder: Path) -> None:
    left, top, width, _ = places["firstImage"]
    with Image.open(folder / "dataset" / "MEL" / "ISIC_0000001.png") as image:
        around = (
            likeness(region(screen, [left + (width - 72) // 2 + right, top + down, 72, 72]), image)
            for right in range(-3, 4)
            for down in range(8)
        )
        assert max(around) > 0.8


def test_start_is_the_most_prominent_button(screen: Image.Image, places: dict[str, list[int]]) -> None:
    filled = {
        name: np.asarray(region(screen, places[name])).mean(axis=(0, 1)) for name in ("startButton", "stopButton")
    }
    assert filled["startButton"][2] > filled["startButton"][0] + 60  # blue
    assert filled["stopButton"].min() > 180  # light


def test_the_log_has_text(screen: Image.Image, places: dict[str, list[int]]) -> None:
    dark = np.asarray(region(screen, places["logConsole"]).convert("L")) < 128
    assert 0.005 < dark.mean() < 0.3
