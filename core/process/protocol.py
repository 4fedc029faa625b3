"""Parse the output of a headless process into messages. ``core.process.runner`` describes the protocol."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

Message: TypeAlias = "dict[str, Any]"
MOST_TEXTS: Final = 1000
_LONGEST_LINE: Final = 1 << 20
LOG: Final = "log"
_TEXTS: Final = (LOG, "notice", "warning")
_EARLIER_NAMES: Final = {"said": LOG}  # written by earlier versions


class Messages:
    """Parse the output of a process, received in chunks of any size, into messages.

    The number and size of messages are limited: a line longer than 1 MiB is dropped, only the last of several
    ``progress`` messages in one chunk is kept, and text messages after the first 1,000 are dropped.

    Attributes:
        error: text of the last ``error`` message, which explains why the process failed; None before the first.
    """

    def __init__(self) -> None:
        self.error: str | None = None
        self._rest = b""
        self._too_long = False
        self._texts = 0

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages completed by these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found: list[Message] = []
        for line in lines:
            found += [] if self._too_long else self._read(line)
            self._too_long = False
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._too_long = b"", True
        last = max((index for index, message in enumerate(found) if message["event"] == "progress"), default=None)
        return [message for index, message in enumerate(found) if message["event"] != "progress" or index == last]

    def end(self) -> list[Message]:
        """Return the message in a last line without a line break."""
        return self.feed(b"\n")

    def _read(self, line: bytes) -> list[Message]:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return []
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        is_event = isinstance(value, dict) and isinstance(value.get("event"), str)
        message: Message = value if is_event else {"event": LOG, "text": text}
        message["event"] = _EARLIER_NAMES.get(message["event"], message["event"])
        if message["event"] == "error":
            self.error = str(message.get("text"))
            return []
        return self._bounded(message)

    def _bounded(self, message: Message) -> list[Message]:
        if message["event"] not in _TEXTS:
            return [message]
        self._texts += 1
        if self._texts == MOST_TEXTS + 1:
            text = f"The process sent more than {MOST_TEXTS} text messages; the rest is omitted."
            return [{"event": "warning", "text": text}]
        return [message] if self._texts <= MOST_TEXTS else []


def why_it_ended(code: int | None, messages: Messages, errors: bytes) -> str:
    """Return why a process failed, as the end of a sentence: its own error, or its exit code and last line.

    Args:
        code: exit code; None or negative if the process was killed or crashed.
        messages: parsed output of the process.
        errors: last bytes of its stderr.
    """
    if messages.error is not None:
        return messages.error.rstrip(".")
    how = "crashed or was killed" if code is None or code < 0 else f"ended with code {code}"
    last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"its process {how}" + (f": {last.rstrip('.')}" if last else "")


def over_time(limit_s: float) -> str:
    """Return why a process was stopped at its time limit, as the end of a sentence."""
    return f"it took longer than {limit_s:.0f} s and was stopped"
