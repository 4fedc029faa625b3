"""Fetching checkpoints: one generator of events that the command line and the window both read.

``parse_source`` understands what a user may name as a source, ``fetch_models`` brings it into a folder. Nothing
here shows progress, prints or asks: who reads the events does.
"""

from core.download.demo import unpack_demo
from core.download.install import DownloadJob, fetch_models
from core.download.sources import known_sources, parse_source
from core.download.status import folder_status

__all__ = ["DownloadJob", "fetch_models", "folder_status", "known_sources", "parse_source", "unpack_demo"]
