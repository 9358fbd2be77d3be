"""A server on this machine that does, in the order it is told, what servers do to their clients.

Example::

    with Server() as server:
        server.add("/file", Reply(b"data", cut=2), Reply(b"data"))   # the last one repeats
        requests.get(server.url("/file"))
        assert [request.path for request in server.requests] == ["/file"]
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Reply:
    """One answer.

    Args:
        body: The whole file, of which a range may be sent.
        status: The status; 200 becomes 206 or 416 where a range is asked for and ``ranges`` says so.
        headers: Sent as they are; a ``Content-Length`` or ``Content-Type`` here replaces the own one; None
            leaves a header out.
        ranges: What becomes of ``Range``: ``honoured``; ``ignored`` (200); ``earlier`` (206 that starts
            ``early`` bytes before what was asked for); ``refused`` (416 with the size); ``refused_silently``
            (416 without it); ``unplaced`` (206 without ``Content-Range``).
        early: Bytes; more than there are before means from the start.
        cut: After so many bytes of what is to be sent, nothing more comes.
        ending: How a cut body ends: ``close``; ``reset`` of the connection; ``silence`` until the client
            or the server goes away.
        pace: Bytes per second, at most.
        chunked: Send in chunks, without a ``Content-Length``.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    ranges: Literal["honoured", "ignored", "earlier", "refused", "refused_silently", "unplaced"] = "honoured"
    early: int = 1 << 62
    cut: int | None = None
    ending: Literal["close", "reset", "silence"] = "close"
    pace: float | None = None
    chunked: bool = False


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str | None] | None = None) -> Reply:
    """Return a JSON document as an answer."""
    return Reply(
        json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})}, "ignored"
    )


def page(
    status: int = 200, text: str = "Please wait", headers: Mapping[str, str | None] | None = None
) -> Reply:
    """Return a web page as an answer."""
    body = f"<!DOCTYPE html>\n<html><body>{text}</body></html>".encode()
    return Reply(body, status, {"Content-Type": "text/html; charset=utf-8", **(headers or {})}, "ignored")


def redirect(location: str, status: int = 302) -> Reply:
    """Return an answer that sends the client elsewhere."""
    return Reply(b"", status, {"Location": location})


@dataclass(eq=False)
class Request:
    """A request that came, and how many bytes of a body were sent for it so far."""

    path: str
    query: str
    headers: dict[str, str]
    served: int = 0

    @property
    def range(self) -> str | None:
        """Return the header ``Range``, if there was one."""
        return self.headers.get("Range")


class Server:
    """Answers on 127.0.0.1 from threads of its own while the ``with`` block runs.

    Args:
        tls: With it, the server speaks https.

    Attributes:
        requests: Every request, in the order they came; paths are decoded.
        on_served: Called with a request after each piece of its body was sent.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.on_served: Callable[[Request], None] = lambda request: None
        self.closing = threading.Event()
        self._replies: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._thread = threading.Thread(
            target=partial(self._http.serve_forever, poll_interval=0.01), daemon=True
        )

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    def add(self, path: str, *replies: Reply) -> str:
        """Answer a path (decoded, without its query) by these replies in turn; return its URL."""
        self._replies[path] = list(replies)
        return self.url(path)

    def url(self, path: str) -> str:
        """Return the URL of a decoded path."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}{quote(path)}"

    @property
    def served(self) -> int:
        """Return how many bytes of bodies were sent in all."""
        return sum(request.served for request in self.requests)

    def received(self, request: Request) -> Reply:
        """Note a request and return the answer to it."""
        with self._lock:
            self.requests.append(request)
            replies = self._replies.get(request.path)
            if replies is None:
                return json_reply({"status": 404, "message": "The requested URL was not found."}, 404)
            return replies.pop(0) if len(replies) > 1 else replies[0]


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def handle(self) -> None:
        with suppress(OSError):  # the client has hung up
            super().handle()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        request = Request(unquote(address.path), address.query, dict(self.headers))
        reply = self.owner.received(request)
        self._answer(request, reply)

    def do_HEAD(self) -> None:
        raise AssertionError("nobody should ask with HEAD first")

    def _answer(self, request: Request, reply: Reply) -> None:
        status, start, headers = _placed(reply, request.range)
        body = b"" if status == 416 else memoryview(reply.body)[start:]
        self.send_response(status)
        own = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body)), **headers}
        if reply.chunked:
            own |= {"Content-Length": None, "Transfer-Encoding": "chunked"}
        own |= reply.headers
        for name, value in own.items():
            if value is not None:
                self.send_header(name, value)
        if own["Content-Length"] is None and not reply.chunked:
            self.close_connection = True
        self.end_headers()
        self._send(request, reply, body[: reply.cut])
        if reply.cut is not None:
            self._end(reply.ending)
        elif reply.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, request: Request, reply: Reply, body: bytes | memoryview) -> None:
        if reply.pace is not None:  # what is sent and not yet received must be little
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK)
        started, step = (
            time.monotonic(),
            _CHUNK if reply.pace is None else min(_CHUNK, int(reply.pace / 50) + 1),
        )
        for place in range(0, len(body), step):
            piece = body[place : place + step]
            if reply.chunked:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            request.served += len(piece)
            self.owner.on_served(request)
            if reply.pace is not None:
                ahead = (place + len(piece)) / reply.pace - (time.monotonic() - started)
                self.owner.closing.wait(max(ahead, 0))

    def _end(self, ending: str) -> None:
        self.close_connection = True
        if ending == "silence":
            self.connection.settimeout(0.05)
            while not self.owner.closing.is_set() and _listens(self.connection):
                pass
        elif ending == "reset":  # closing with a linger time of zero sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _listens(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True


def _placed(reply: Reply, asked: str | None) -> tuple[int, int, dict[str, str | None]]:
    """Return status, first byte and headers for what was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-", asked or "")
    if found is None or reply.status != 200 or reply.ranges == "ignored":
        return reply.status, 0, {}
    start, size = int(found[1]), len(reply.body)
    if reply.ranges == "refused_silently":
        return 416, 0, {}
    if reply.ranges == "refused" or start >= size:
        return 416, 0, {"Content-Range": f"bytes */{size}"}
    if reply.ranges == "earlier":
        start = max(0, start - reply.early)
    if reply.ranges == "unplaced":
        return 206, start, {}
    return 206, start, {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
