from __future__ import annotations

import json

import pytest

from core.process.protocol import Messages, why_it_ended


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_messages_are_parsed_from_chunks_of_any_size(piece: int) -> None:
    data = 'plain «ü»\n\n{"event": "a", "x": 1}\r\n[1]\n{"no": 1}\n{"event": 3}\n{"event": "b"}'.encode()
    messages = Messages()
    found = [m for start in range(0, len(data), piece) for m in messages.feed(data[start : start + piece])]
    found += messages.end()
    logged = [{"event": "log", "text": text} for text in ("[1]", '{"no": 1}', '{"event": 3}')]
    assert found == [{"event": "log", "text": "plain «ü»"}, {"event": "a", "x": 1}, *logged, {"event": "b"}]


def test_the_event_name_of_earlier_versions_is_read() -> None:
    assert Messages().feed(b'{"event": "said", "text": "plain"}\n') == [{"event": "log", "text": "plain"}]


def test_only_the_last_of_several_progress_messages_is_kept() -> None:
    lines = [{"event": "progress", "done": number, "total": 9} for number in range(5)]
    lines.insert(2, {"event": "overlay", "path": "o.png"})
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert [message["event"] for message in Messages().feed(data)] == ["overlay", "progress"]


@pytest.mark.parametrize(
    ("code", "received", "errors", "reason"),
    [
        (1, b'{"event": "error", "text": "There is no class."}\n', b"Traceback", "There is no class"),
        (3, b"", "…\nValueError: boom.\n".encode(), "its process ended with code 3: ValueError: boom"),
        (-9, b"", b"", "its process crashed or was killed"),
        (None, b"", b"", "its process crashed or was killed"),
    ],
)
def test_why_a_process_ended(code: int | None, received: bytes, errors: bytes, reason: str) -> None:
    messages = Messages()
    assert messages.feed(received) == []
    assert why_it_ended(code, messages, errors) == reason
