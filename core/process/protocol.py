"""What a headless process tells, from bytes in any pieces to messages, within bounds; see ``core.process.runner``."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

Message: TypeAlias = "dict[str, Any]"
MOST_TEXTS: Final = 1000
_LONGEST_LINE: Final = 1 << 20
_TEXTS: Final = ("said", "notice", "warning")


class Messages:
    """Turns a process's output, in whatever pieces it comes, into messages, within bounds.

    However much comes: a line of more than 1 MiB is left out, of progress that came together only the last counts,
    and after a thousand texts the rest is left out.

    Attributes:
        error: the text of the last ``error``; why the process will end as it does.
    """

    def __init__(self) -> None:
        self.error: str | None = None
        self._rest = b""
        self._too_long = False
        self._texts = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete."""
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
        """What is left when no more comes: a last line without its end."""
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
        message: Message = value if is_event else {"event": "said", "text": text}
        if message["event"] == "error":
            self.error = str(message.get("text"))
            return []
        return self._bounded(message)

    def _bounded(self, message: Message) -> list[Message]:
        if message["event"] not in _TEXTS:
            return [message]
        self._texts += 1
        if self._texts == MOST_TEXTS + 1:
            return [{"event": "warning", "text": f"It says more than {MOST_TEXTS} lines; the rest is left out."}]
        return [message] if self._texts <= MOST_TEXTS else []


def why_it_ended(code: int | None, messages: Messages, errors: bytes) -> str:
    """Why a process went wrong, as the end of a sentence: what it said itself, else its code and last words.

    Args:
        code: its exit code; None or negative when it was killed or crashed.
        messages: what it told.
        errors: the end of its stderr.
    """
    if messages.error is not None:
        return messages.error.rstrip(".")
    how = "crashed or was killed" if code is None or code < 0 else f"ended with code {code}"
    last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"its process {how}" + (f": {last.rstrip('.')}" if last else "")


def over_time(limit_s: float) -> str:
    """Why a process was stopped at its time limit, as the end of a sentence."""
    return f"it took longer than {limit_s:.0f} s and was stopped"
