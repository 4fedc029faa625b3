"""A web server on this computer that can simulate errors."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Reply:
    """A response that is sent once instead of the file."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """The served files and the simulated errors; tests change them while the server runs.

    Attributes:
        replies: responses that are sent first, one per request.
        drops: number of bytes after which the connection of each next request breaks.
        length_lies: added to the announced length of each next request.
        changes: number of requests after which ``files`` become ``newer``.
        block_s: pause after each 16 KB.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    newer: dict[str, bytes] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    length_lies: list[int] = field(default_factory=list)
    changes: int | None = None
    ranges: bool = True
    validator: str = "etag"
    honours_if_range: bool = True
    repeats_validator: bool = True
    says_length: bool = True
    block_s: float = 0.0
    special: dict[str, Callable[[str], Reply]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    def validators(self, content: bytes) -> dict[str, str]:
        tag = hashlib.md5(content).hexdigest()
        second = int(tag[:2], 16) % 60
        return {
            "etag": {"ETag": f'"{tag}"'},
            "weak": {"ETag": f'W/"{tag}"'},
            "date": {"Last-Modified": f"Sat, 01 Jan 2000 00:00:{second:02} GMT"},
            "none": {},
        }[self.validator]

    def cure(self) -> None:
        """Behave from now on."""
        self.replies, self.drops, self.length_lies, self.changes = [], [], [], None
        self.ranges = self.honours_if_range = self.repeats_validator = self.says_length = True
        self.validator = "etag"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_HttpServer"

    def do_GET(self):
        shop = self.server.shop
        path = urlsplit(self.path).path
        shop.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        if shop.changes is not None and len(shop.requests) > shop.changes:
            shop.files, shop.changes = shop.newer, None
        if shop.replies:
            self._reply(shop.replies.pop(0))
        elif path in shop.special:
            self._reply(shop.special[path](self.path))
        elif path in shop.files:
            self._file(shop, shop.files[path])
        else:
            self._reply(Reply(404))

    def _reply(self, reply: Reply):
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def _file(self, shop: Server, content: bytes):
        validators = shop.validators(content)
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = 0
        if wanted and shop.ranges and (not shop.honours_if_range or not condition or condition in validators.values()):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self._reply(Reply(416, headers={"Content-Range": f"bytes */{len(content)}"}))
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in validators.items() if shop.repeats_validator or not start else ():
            self.send_header(name, value)
        lie = shop.length_lies.pop(0) if shop.length_lies else 0
        if shop.says_length:
            self.send_header("Content-Length", str(max(0, len(content) - start + lie)))
        self.send_header("Connection", "close")
        self.end_headers()
        end = min(len(content), start + shop.drops.pop(0)) if shop.drops else len(content)
        self._send(shop, content[start:end])

    def _send(self, shop: Server, content: bytes):
        for at in range(0, len(content), 16384):
            self.wfile.write(content[at : at + 16384])
            shop.sent += len(content[at : at + 16384])
            if shop.block_s and self.server.closing.wait(shop.block_s):
                return

    def log_message(self, *_):
        pass


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = False  # closing joins them, so no socket is left to the garbage collector

    def __init__(self, shop: Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.shop, self.closing = shop, threading.Event()

    def handle_error(self, request, client_address):
        """A client that hangs up is nothing to report."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server that runs for the length of the block."""
    shop = Server()
    with _HttpServer(shop) as http:
        shop.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield shop
        http.closing.set()
        http.shutdown()
        thread.join()
