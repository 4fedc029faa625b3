"""Examples of published archives, and functions that download them."""

import hashlib
import io
import json
import zipfile
from contextlib import closing
from pathlib import Path

from core.download import DownloadJob, fetch_models, parse_source
from core.download.retry import Patience
from core.generation.events import Event
from tests.conftest import tiny_unet, write_checkpoint

QUICK = Patience(attempts=6, base_s=0.001, cap_s=0.01, gain_bytes=30_000, most_attempts=60)


def make_checkpoint(seed: int) -> bytes:
    """A UNet of 16 px as a file: the same size in bytes for every seed, large enough to be broken off."""
    stream = io.BytesIO()
    model = tiny_unet(seed, block_out_channels=(16, 32), attention_head_dim=8)
    write_checkpoint(stream, model, config=dict(model.config))
    return stream.getvalue()


def zip_of(files: dict[str, bytes], folder: str = "checkpoints/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(folder + name, data)
    return stream.getvalue()


def manifest_of(files: dict[str, bytes], **left_out: bool) -> bytes:
    entries = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    ]
    return json.dumps(
        {"files": [{key: value for key, value in entry.items() if key not in left_out} for entry in entries]}
    ).encode()


def run(source: str, folder: Path, *classes: str, **settings: object) -> list[Event]:
    """Carry out a download to its end."""
    with closing(fetch_models(job_of(source, folder, *classes, **settings))) as events:
        return list(events)


def job_of(source: str, folder: Path, *classes: str, **settings: object) -> DownloadJob:
    return DownloadJob(parse_source(source), folder, classes, **{"patience": QUICK, **settings})


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder that count: neither the manifest nor what downloads keep for themselves."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.name != "manifest.json"
    }
