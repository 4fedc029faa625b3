"""Load torch in the background, and keep the models in memory that jobs share."""

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
    """Devices and defaults of this machine; known after torch has been loaded.

    Attributes:
        devices: the processor, then every CUDA device.
        auto_device: the device that ``auto`` selects.
        auto_precisions: the precision that ``auto`` selects, per device.
        torch_version: version of torch.
    """

    devices: tuple[Device, ...]
    auto_device: str
    auto_precisions: dict[str, str]
    torch_version: str


class LoadEngine(Task):
    """Import torch and the parts of the core that need it, then list the devices.

    Signals:
        loaded: ``EngineFacts``.
    """

    loaded = pyqtSignal(object)

    def work(self) -> None:
        """Import torch. The first call takes seconds."""
        load_core()
        import torch  # noqa: PLC0415 - already loaded

        from core.models.devices import available_devices, resolve_device, resolve_precision  # noqa: PLC0415

        devices = tuple(available_devices())
        precisions = {device.name: resolve_precision(AUTO, torch.device(device.name)) for device in devices}
        self.loaded.emit(EngineFacts(devices, str(resolve_device(AUTO)), precisions, torch.__version__))


class SharedModels:
    """The models in memory. The cache is created by the first thread that needs it; one task at a time uses it."""

    def __init__(self) -> None:
        self._cache: ModelCache | None = None

    def cache(self) -> ModelCache:
        """Return the cache. The first call loads torch."""
        if self._cache is None:
            from core.models.checkpoints import ModelCache  # noqa: PLC0415

            self._cache = ModelCache()
        return self._cache
