"""One file over a bad line."""

import hashlib
import json
from contextlib import closing

import pytest

from core.download.events import DownloadResumed, Progress, Waiting
from core.download.fetch import Network, Wanted, fetch
from core.download.http import open_session
from core.download.retry import Patience
from core.errors import DownloadError
from tests.core.download.examples import QUICK
from tests.core.download.server import Reply

DATA = bytes(range(256)) * 1000


@pytest.fixture
def network():
    with open_session() as session:
        yield Network(session, QUICK)


@pytest.fixture
def wanted(server):
    server.files["/f.bin"] = DATA
    return Wanted("f.bin", "f", lambda _: f"{server.url}/f.bin")


def drain(wanted, target, network):
    with closing(fetch(wanted, target, network)) as events:
        return list(events)


def test_resumes_where_the_connection_broke(server, wanted, network, tmp_path):
    server.drops = [100_000, 90_000]
    events = drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA
    assert sum(isinstance(event, DownloadResumed) for event in events) == 2
    asked = [headers.get("Range") for _, headers in server.requests]
    assert asked[0] is None
    assert all(value and value.startswith("bytes=") for value in asked[1:])
    assert server.requests[1][1]["If-Range"] == server.validators(DATA)["ETag"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.bin"]


def test_resumes_after_the_process_was_killed(server, wanted, network, tmp_path):
    server.block_s = 0.001
    with closing(fetch(wanted, tmp_path / "f.bin", network)) as events:
        for event in events:
            if isinstance(event, Progress) and event.done > 100_000:
                break
    server.block_s = 0
    have = (tmp_path / "f.bin.part").stat().st_size
    assert not (tmp_path / "f.bin").exists()
    drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA
    assert server.requests[-1][1]["Range"] == f"bytes={have}-"


@pytest.mark.parametrize("validator", ["none", "weak"])
def test_starts_again_if_the_version_of_the_file_is_unknown(server, wanted, network, tmp_path, validator):
    server.validator, server.drops = validator, [100_000]
    drain(wanted, tmp_path / "f.bin", network)
    assert [headers.get("Range") for _, headers in server.requests] == [None, None]
    assert (tmp_path / "f.bin").read_bytes() == DATA


@pytest.mark.parametrize("validator", ["etag", "date", "weak", "none"])
@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("repeats", [True, False])
def test_a_file_that_changes_between_two_ranges_is_never_spliced(
    server, wanted, network, tmp_path, validator, honours, repeats
):
    server.newer = {"/f.bin": DATA[::-1]}
    server.validator, server.honours_if_range, server.repeats_validator = validator, honours, repeats
    server.drops, server.changes = [100_000], 1
    drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA[::-1]


def test_a_known_size_is_used_if_the_server_gives_no_length(server, wanted, network, tmp_path):
    server.says_length, server.drops = False, [100_000]
    known = Wanted("f.bin", "f", wanted.locate, bytes=len(DATA))
    events = drain(known, tmp_path / "f.bin", network)
    assert any(isinstance(event, DownloadResumed) for event in events)
    assert (tmp_path / "f.bin").read_bytes() == DATA


def test_a_checksum_lets_a_server_without_validators_be_resumed(server, wanted, network, tmp_path):
    server.validator, server.drops = "none", [100_000]
    known = Wanted("f.bin", "f", wanted.locate, sha256=hashlib.sha256(DATA).hexdigest())
    assert any(isinstance(event, DownloadResumed) for event in drain(known, tmp_path / "f.bin", network))
    assert (tmp_path / "f.bin").read_bytes() == DATA


def test_the_last_byte_had_arrived_before_the_process_died(server, wanted, network, tmp_path):
    drain(wanted, tmp_path / "other.bin", network)
    (tmp_path / "f.bin.part").write_bytes(DATA)
    note = {"identity": "f", "etag": '"a"', "last_modified": "", "total": len(DATA)}
    (tmp_path / "f.bin.part.json").write_text(json.dumps(note))
    before = len(server.requests)
    drain(wanted, tmp_path / "f.bin", network)
    assert len(server.requests) == before
    assert (tmp_path / "f.bin").read_bytes() == DATA


def test_a_damaged_version_file_or_a_part_of_another_file_is_deleted(server, wanted, network, tmp_path):
    (tmp_path / "f.bin.part").write_bytes(b"x" * 1000)
    note = {"identity": "something else", "etag": server.validators(DATA)["ETag"]}
    (tmp_path / "f.bin.part.json").write_text(json.dumps(note))
    drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA
    (tmp_path / "g.bin.part").write_bytes(b"x" * 1000)
    (tmp_path / "g.bin.part.json").write_text("{half a no")
    drain(wanted, tmp_path / "g.bin", network)
    assert (tmp_path / "g.bin").read_bytes() == DATA


def test_gives_up_after_patience_and_keeps_what_arrived(server, wanted, network, tmp_path):
    server.drops = [40_000] + [0] * 20
    with pytest.raises(DownloadError, match=r"kept.*run the same command again"):
        drain(wanted, tmp_path / "f.bin", network)
    assert len(server.requests) == 6
    assert (tmp_path / "f.bin.part").stat().st_size > 0
    assert not (tmp_path / "f.bin").exists()


def test_waits_as_long_as_the_server_asks_but_not_longer_than_the_cap(server, wanted, network, tmp_path):
    server.replies = [Reply(429, headers={"Retry-After": "3600"}), Reply(503, headers={"Retry-After": "0"})]
    patient = Network(network.session, Patience(base_s=0.001, cap_s=0.05))
    waits = [event for event in drain(wanted, tmp_path / "f.bin", patient) if isinstance(event, Waiting)]
    assert max(wait.seconds for wait in waits) <= 0.1
    assert "429" in waits[0].reason


def test_retry_after_may_be_a_date(server, wanted, network, tmp_path):
    server.replies = [Reply(503, headers={"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"})]
    drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "words"), [(403, "24 hours"), (404, "does not exist"), (418, "instead of the file")]
)
def test_an_answer_that_will_not_change_is_not_asked_for_again(server, wanted, network, tmp_path, status, words):
    server.replies = [Reply(status)]
    with pytest.raises(DownloadError, match=words):
        drain(wanted, tmp_path / "f.bin", network)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["text/html", "application/zip"])
def test_a_web_page_is_named_and_leaves_the_part_alone(server, wanted, network, tmp_path, kind):
    server.drops = [100_000]
    server.replies = []
    network_once = Network(network.session, Patience(attempts=1))
    with pytest.raises(DownloadError, match=r"was interrupted|closed"):
        drain(wanted, tmp_path / "f.bin", network_once)
    kept = (tmp_path / "f.bin.part").read_bytes()
    server.replies = [Reply(200, b"<html><title>Hotel &amp; Bar</title></html>", {"Content-Type": kind})]
    with pytest.raises(DownloadError, match=r'web page \("Hotel & Bar"\).*--demo'):
        drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin.part").read_bytes() == kept
    drain(wanted, tmp_path / "f.bin", network)
    assert (tmp_path / "f.bin").read_bytes() == DATA


def test_size_and_checksum_are_held_against_what_was_announced(server, wanted, network, tmp_path):
    wrong_size = Wanted("f.bin", "f", wanted.locate, bytes=len(DATA) + 1)
    with pytest.raises(DownloadError, match=f"{len(DATA)} bytes, but {len(DATA) + 1}"):
        drain(wrong_size, tmp_path / "f.bin", network)
    wrong_sum = Wanted("f.bin", "f", wanted.locate, sha256="0" * 64)
    with pytest.raises(DownloadError, match="SHA-256"):
        drain(wrong_sum, tmp_path / "f.bin", network)
    assert list(tmp_path.iterdir()) == []


def test_an_encoded_answer_is_refused(server, wanted, network, tmp_path):
    server.replies = [Reply(200, b"\x1f\x8b", {"Content-Encoding": "br"})]
    with pytest.raises(DownloadError, match="br-encoded"):
        drain(wanted, tmp_path / "f.bin", network)


def test_a_redirect_to_plain_http_is_refused(server, wanted, network, tmp_path):
    server.replies = [Reply(302, headers={"Location": "http://models.invalid/f.bin"})]
    with pytest.raises(DownloadError, match=r"models.invalid.*without encryption"):
        drain(wanted, tmp_path / "f.bin", network)


def test_an_unverifiable_certificate_is_never_accepted(server, wanted, network, tmp_path):
    """The server speaks no TLS: the handshake fails, and that is final."""
    secure = Wanted("f.bin", "f", lambda _: server.url.replace("http://", "https://") + "/f.bin")
    with pytest.raises(DownloadError, match="certificate"):
        drain(secure, tmp_path / "f.bin", network)
    assert server.requests == []


def test_a_server_that_is_not_there(network, tmp_path):
    gone = Wanted("f.bin", "f", lambda _: "http://127.0.0.1:9/f.bin")
    with pytest.raises(DownloadError, match=r"cannot be reached.*--demo"):
        drain(gone, tmp_path / "f.bin", network)


def test_a_proxy_of_the_environment_is_used(server, wanted, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with open_session() as session, pytest.raises(DownloadError, match="HTTPS_PROXY"):
        through = Wanted("f.bin", "f", lambda _: "https://models.invalid/f.bin")
        drain(through, tmp_path / "f.bin", Network(session, QUICK))


def test_room_on_the_disk_is_looked_at_first(server, wanted, network, tmp_path, monkeypatch):
    monkeypatch.setattr("core.download.disk_space._MARGIN_BYTES", 10**18)
    margin = r"and 1,000,000,000,000 MB are kept free for other programs, but only [\d,]+ MB are free: .*--dest"
    with pytest.raises(DownloadError, match=margin):
        drain(wanted, tmp_path / "f.bin", network)
    assert not (tmp_path / "f.bin.part").exists()


def test_progress_reports_speed_and_remaining_time(server, wanted, network, tmp_path):
    server.block_s = 0.03
    last = [event for event in drain(wanted, tmp_path / "f.bin", network) if isinstance(event, Progress)][-1]
    assert (last.done, last.total, last.seconds_left) == (len(DATA), len(DATA), 0)
    assert 50_000 < last.bytes_per_s < 5_000_000
