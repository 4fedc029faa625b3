"""The errors that a user can meet. Each message is one sentence or two: the offending value, and what to do.

IsicGuiError
├── ArgumentError         the request cannot be carried out as asked; nothing was written (exit code 2)
│   ├── DeviceError       a device or precision that this machine does not have
│   └── OutputFolderError the output folder cannot be used: a file, not writable, locked, a foreign CSV
├── CheckpointError       a checkpoint is missing, damaged, foreign or refused
├── ClassifierError       there is no classifier to explain, or its file is damaged, foreign or refused
├── DownloadError         the models could not be fetched; what has arrived is kept, to go on from (exit code 1)
└── JobFailedError        the job broke off; what was made is kept (exit code 1)
"""

from __future__ import annotations


class IsicGuiError(Exception):
    """Base of all errors that are meant for the user's eyes."""


class ArgumentError(IsicGuiError):
    """The request cannot be carried out as asked; nothing has been written."""


class DeviceError(ArgumentError):
    """A device or precision that this machine does not have."""


class OutputFolderError(ArgumentError):
    """The output folder cannot be used."""


class CheckpointError(IsicGuiError):
    """A checkpoint is missing, damaged, foreign or refused."""


class ClassifierError(IsicGuiError):
    """There is no classifier to explain, or its file is damaged, foreign or refused."""


class DownloadError(IsicGuiError):
    """The models could not be fetched; what has arrived is kept, and the next attempt goes on from there."""


class JobFailedError(IsicGuiError):
    """The job broke off; what was made before is kept."""
