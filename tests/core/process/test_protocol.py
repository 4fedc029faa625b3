from __future__ import annotations

import json

import pytest

from core.process.protocol import Messages, why_it_ended


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_messages_come_through_in_any_pieces(piece: int) -> None:
    data = 'plain «ü»\n\n{"event": "a", "x": 1}\r\n[1]\n{"no": 1}\n{"event": 3}\n{"event": "b"}'.encode()
    messages = Messages()
    found = [m for start in range(0, len(data), piece) for m in messages.feed(data[start : start + piece])]
    found += messages.end()
    said = [{"event": "said", "text": text} for text in ("[1]", '{"no": 1}', '{"event": 3}')]
    assert found == [{"event": "said", "text": "plain «ü»"}, {"event": "a", "x": 1}, *said, {"event": "b"}]


def test_of_progress_that_came_together_the_last_counts() -> None:
    lines = [{"event": "progress", "done": number, "total": 9} for number in range(5)]
    lines.insert(2, {"event": "overlay", "path": "o.png"})
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert [message["event"] for message in Messages().feed(data)] == ["overlay", "progress"]


@pytest.mark.parametrize(
    ("code", "told", "errors", "reason"),
    [
        (1, b'{"event": "error", "text": "There is no class."}\n', b"Traceback", "There is no class"),
        (3, b"", "…\nValueError: boom.\n".encode(), "its process ended with code 3: ValueError: boom"),
        (-9, b"", b"", "its process crashed or was killed"),
        (None, b"", b"", "its process crashed or was killed"),
    ],
)
def test_why_a_process_ended(code: int | None, told: bytes, errors: bytes, reason: str) -> None:
    messages = Messages()
    assert messages.feed(told) == []
    assert why_it_ended(code, messages, errors) == reason
