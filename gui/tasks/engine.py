"""Loading torch beside the window, and the models in memory that jobs share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt5.QtCore import pyqtSignal

from core.presets import AUTO
from gui.tasks.quiet_import import load_core
from gui.tasks.task import Task

if TYPE_CHECKING:
    from core.models.checkpoints import ModelCache
    from core.models.devices import Device


@dataclass(frozen=True)
class EngineFacts:
    """What this machine offers; known as soon as torch is loaded.

    Attributes:
        devices: the processor, then every CUDA device.
        auto_device: what ``auto`` stands for.
        auto_precisions: what ``auto`` stands for on each device.
        torch_version: as torch says it.
    """

    devices: tuple[Device, ...]
    auto_device: str
    auto_precisions: dict[str, str]
    torch_version: str


class LoadEngine(Task):
    """Import torch and the core that needs it, then look at the devices.

    Signals:
        loaded: ``EngineFacts``.
    """

    loaded = pyqtSignal(object)

    def work(self) -> None:
        """Import; the first time takes seconds."""
        load_core()
        import torch  # noqa: PLC0415 - loaded by now

        from core.models.devices import available_devices, resolve_device, resolve_precision  # noqa: PLC0415

        devices = tuple(available_devices())
        precisions = {device.name: resolve_precision(AUTO, torch.device(device.name)) for device in devices}
        self.loaded.emit(EngineFacts(devices, str(resolve_device(AUTO)), precisions, torch.__version__))


class SharedModels:
    """The models in memory. Made on the thread that first needs it; used by one task at a time."""

    def __init__(self) -> None:
        self._cache: ModelCache | None = None

    def cache(self) -> ModelCache:
        """The cache; the first call loads torch."""
        if self._cache is None:
            from core.models.checkpoints import ModelCache  # noqa: PLC0415

            self._cache = ModelCache()
        return self._cache
