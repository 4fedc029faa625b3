"""Shared fixtures: tiny real models, and a check that no test leaves a thread, process or temporary file behind."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker for each core: more threads would take it from the others
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, here and in the processes that tests start

import psutil
import pytest
import torch
from hypothesis import settings

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()

# The same examples in every run, so that an unlucky draw does not fail an unrelated change. Set ISICGUI_RANDOM_TESTS
# to draw new examples.
settings.register_profile("fixed", derandomize=True, database=None)
if not os.environ.get("ISICGUI_RANDOM_TESTS"):
    settings.load_profile("fixed")

# What a shell runs in its background ignores Ctrl-C, which the processes of tests about Ctrl-C would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_MOST_WORKERS = 8

REAL_IMAGES = Path(__file__).parent / "data" / "ham10000_excerpt"

TINY_UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "norm_num_groups": 4,
    "attention_head_dim": 8,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}
CONDITIONED_UNET = {**TINY_UNET, "num_class_embeds": None, "class_embed_type": "identity"}
SCHEDULER = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "epsilon"}


def tiny_unet(seed: int = 0, **changes: object) -> Any:
    """A real UNet2DModel of 16 px with random weights."""
    from diffusers import UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return UNet2DModel(**{**TINY_UNET, **changes})


def conditioned_unet() -> Any:
    """A metadata-conditioned network whose condition has an effect, as after training."""
    from core.models.condition_embedding import build_unet

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_unet(CONDITIONED_UNET)
        torch.nn.init.normal_(model.class_embedding.linear_2.weight, std=0.3)
    return model.eval()


def write_conditioned(folder: Path) -> Path:
    """Write that network into a models folder; returns the folder."""
    from core.models.guided_checkpoints import CONDITIONED_FILE, CONDITIONED_FORMAT

    changes = {"format": CONDITIONED_FORMAT, "config": CONDITIONED_UNET}
    write_checkpoint(folder / CONDITIONED_FILE, conditioned_unet(), **changes)
    return folder


LATENT_UNET = {**TINY_UNET, "sample_size": 8, "in_channels": 4, "out_channels": 4}
LATENT_SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "clip_sample_range": 4.0,
}
TINY_AUTOENCODER: dict[str, Any] = {
    "in_channels": 4,
    "latent_channels": 4,
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "encoder_layers_per_block": (1, 1),
    "decoder_layers_per_block": (1, 1),
    "encoder_qkv_multiscales": ((), ()),
    "decoder_qkv_multiscales": ((), ()),
}


def latent_content(seed: int = 0, **changes: object) -> dict[str, Any]:
    """The content of a latent checkpoint of 16 px images with masks: real tiny networks with random weights."""
    from core.models.autoencoders import build_autoencoder

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        autoencoder = build_autoencoder("AutoencoderDC", TINY_AUTOENCODER)
    return {
        "format": "isicgui.latent_unet/1",
        "config": LATENT_UNET,
        "scheduler": LATENT_SCHEDULER,
        "state_dict": tiny_unet(seed, **LATENT_UNET).state_dict(),
        "autoencoder": {
            "class": "AutoencoderDC",
            "config": TINY_AUTOENCODER,
            "state_dict": autoencoder.state_dict(),
            "mean": [0.0] * 4,
            "std": [1.0] * 4,
            "mask_channel": True,
        },
        "provenance": {"made_by": "the tests"},
        **changes,
    }


def latent_conditioned_content() -> dict[str, Any]:
    """The content of a latent checkpoint of all conditions, whose conditions have an effect, as after training."""
    from core.models.condition_embedding import build_unet
    from core.models.conditions import ALL_FIELDS

    config = {**LATENT_UNET, "num_class_embeds": None, "class_embed_type": "identity"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_unet(config, ALL_FIELDS)
        torch.nn.init.normal_(model.class_embedding.linear_2.weight, std=0.3)
    conditions = {name: list(values) for name, values in ALL_FIELDS.items()}
    return latent_content(config=config, state_dict=model.state_dict(), conditions=conditions)


def write_checkpoint(file: Path, model: Any, **changes: object) -> Path:
    """Write a model as a checkpoint of the form isicgui.unet/1."""
    content = {
        "format": "isicgui.unet/1",
        "config": {**TINY_UNET, "sample_size": model.config["sample_size"]},
        "scheduler": SCHEDULER,
        "state_dict": model.state_dict(),
        "provenance": {"made_by": "the tests"},
        **changes,
    }
    torch.save(content, file)
    return file


@pytest.fixture(scope="session")
def tiny_checkpoints_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; tests that change files take ``tiny_checkpoints``."""
    folder = tmp_path_factory.mktemp("tiny") / "checkpoints"
    folder.mkdir()
    for index, name in enumerate(("MEL", "NV", "DF")):
        write_checkpoint(folder / f"unet_{name}_best.pth", tiny_unet(index))
    return folder


@pytest.fixture
def tiny_checkpoints(tiny_checkpoints_once: Path, tmp_path: Path) -> Path:
    """A checkpoints folder of the test's own, with tiny models of MEL, NV and DF."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for file in tiny_checkpoints_once.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: a worker for each core, and no more than the memory of a workstation holds."""
    return min(os.cpu_count() or 1, _MOST_WORKERS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the whole data where ISICGUI_DATA names none; pytest counts it as deselected."""
    if os.environ.get("ISICGUI_DATA"):
        return
    left_out = [item for item in items if item.get_closest_marker("full_data")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Escape what UTF-8 cannot encode in captured output: a pytest-xdist worker that sends it would crash."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True, scope="session")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for temporary files of this run alone, so that nothing of another run is taken for a leak."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("temporary"))
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)  # for the processes that tests start
        gc.freeze()  # what the imports made lives to the end: collections need not look at it again
        yield


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a process or a temporary file of the program's."""
    threads, files = set(threading.enumerate()), _temporary_files()
    processes = set(psutil.Process().children(recursive=True))
    yield

    def left() -> list[str]:
        names = [thread.name for thread in _new_threads(threads)]
        names += [str(process) for process in set(psutil.Process().children(recursive=True)) - processes]
        return names + sorted(_temporary_files() - files)

    if left():  # a thread may need a moment to end; a collection costs too much to make it every time
        gc.collect()
        _wait_until(lambda: not left())
    assert not left(), f"left behind: {left()}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    # tqdm's monitor is one daemon thread for the life of the process.
    return [t for t in threading.enumerate() if t not in before and t.is_alive() and type(t).__name__ != "TMonitor"]


def _temporary_files() -> set[str]:
    # The folder of torch's compiler appears with whichever import needs it first, and is there for every later process.
    names = {path.name for path in Path(tempfile.gettempdir()).glob("*")}
    return {name for name in names if not name.startswith("torchinductor_")}


def _wait_until(condition: Callable[[], bool], seconds: float = 2.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
