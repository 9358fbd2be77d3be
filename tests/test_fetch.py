"""Transfers, from servers on this machine that do everything a server can do wrong."""

import errno
import gzip
import os
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from stirdata import __version__, fetch
from stirdata.errors import SourceError, SourceUnavailableError, TargetError

CONTENT = gzip.compress(bytes(range(256)) * 4000, mtime=0)
LIMIT = 10_000_000


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; keeps the requests."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        getattr(self, self.path.strip("/"))()

    def send(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.send(CONTENT, Content_Length=len(CONTENT))

    def without_length(self):
        self.send(CONTENT)

    def encoded(self):
        self.send(CONTENT, Content_Length=len(CONTENT), Content_Encoding="gzip")

    def absent(self):
        self.send(b"no such file", 404, Content_Length=12)

    def broken(self):
        self.send(b"", 500, Content_Length=0)

    def other(self):
        self.send(b"something else", Content_Length=14)

    def cut(self):
        self.send(CONTENT[:-100], Content_Length=len(CONTENT))

    def empty(self):
        self.send(b"", Content_Length=0)

    def strange_length(self):
        self.send(CONTENT, Content_Length="many")

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(bytes(1 << 20))
        except OSError:  # the client has hung up, as it should
            pass

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """Serve in a thread; the server has ``asked`` and ``url(name)``."""
    handler = type("OwnHandler", (Handler,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.asked = handler.asked
        http.url = lambda name: f"http://127.0.0.1:{http.server_port}/{name}"
        thread = threading.Thread(target=partial(http.serve_forever, poll_interval=0.01))
        thread.start()
        yield http
        http.shutdown()
        thread.join(10)


def check(path):
    """Accept nothing but the right content."""
    if path.read_bytes() != CONTENT:
        raise SourceError("the file is another one", where=path)


@pytest.fixture
def get(server, tmp_path):
    """Fetch from the named paths of the server into ``cache/file.gz``."""

    def run(*names, limit=LIMIT):
        urls = [server.url(name) for name in names]
        fetch.fetch(urls, tmp_path / "cache" / "file.gz", check=check, limit=limit, quiet=True)

    return run


@pytest.mark.parametrize("name", ["good", "without_length", "strange_length", "encoded"])
def test_file_arrives_as_it_is(get, name, tmp_path, content_of):
    get(name)
    assert content_of(tmp_path) == {"cache": None, "cache/file.gz": CONTENT}


def test_says_who_asks(get, server):
    get("good")
    ((path, headers),) = server.asked
    assert path == "/good"
    assert headers["User-Agent"] == f"stirdata/{__version__}"


def test_file_that_is_there_is_kept_without_a_connection(get, server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.gz").write_bytes(CONTENT)
    get("good")
    assert server.asked == []


def test_wrong_file_that_is_there_is_replaced(get, tmp_path, content_of):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.gz").write_bytes(b"damaged")
    get("good")
    assert content_of(tmp_path) == {"cache": None, "cache/file.gz": CONTENT}


FAULTS = {
    "absent": "404",
    "broken": "500",
    "other": "the file is another one",
    "empty": "the file is another one",
    "cut": "100 more expected",
}


@pytest.mark.parametrize(("name", "reason"), FAULTS.items())
def test_fault_of_a_mirror_is_told_and_leaves_nothing(get, server, tmp_path, name, reason, content_of):
    with pytest.raises(SourceUnavailableError, match=r"file\.gz could not be downloaded") as caught:
        get(name)
    assert caught.value.where == tmp_path / "cache" / "file.gz"
    assert caught.value.got.startswith(f"{server.url(name)}: ")
    assert reason in caught.value.got
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("name", FAULTS)
def test_next_mirror_helps_out(get, server, tmp_path, name, content_of):
    get(name, "good", "absent")
    assert [path for path, _ in server.asked] == [f"/{name}", "/good"]
    assert content_of(tmp_path) == {"cache": None, "cache/file.gz": CONTENT}


def test_reason_of_every_mirror_is_told(get, server):
    with pytest.raises(SourceUnavailableError) as caught:
        get("absent", "other")
    first, second = (line.strip() for line in caught.value.got.splitlines())
    assert first.startswith(f"{server.url('absent')}: 404")
    assert second == f"{server.url('other')}: the file is another one"


def test_nobody_listens(tmp_path, content_of):
    target = tmp_path / "a" / "file"
    with pytest.raises(SourceUnavailableError) as caught:
        fetch.fetch(["http://127.0.0.1:9/file"], target, check=check, limit=LIMIT, quiet=True)
    assert caught.value.got.startswith("http://127.0.0.1:9/file: ")
    assert caught.value.got.endswith("Connection refused")
    assert content_of(tmp_path) == {}


def test_more_than_the_limit_is_not_taken(get, tmp_path, content_of):
    with pytest.raises(SourceUnavailableError) as caught:
        get("endless", limit=3_000_000)
    assert "sent more than the expected 3000000 bytes" in caught.value.got
    assert content_of(tmp_path) == {}


def test_silent_mirror_is_given_up(monkeypatch, tmp_path, content_of):
    monkeypatch.setattr(fetch, "_TIMEOUT_SECONDS", (0.2, 0.2))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as deaf:  # accepts, never answers
        url = f"http://127.0.0.1:{deaf.server_port}/good"
        with pytest.raises(SourceUnavailableError) as caught:
            fetch.fetch([url], tmp_path / "file", check=check, limit=LIMIT, quiet=True)
    assert "timed out" in caught.value.got.lower()
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_full_disk(get, tmp_path, content_of, monkeypatch, step):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.gz").write_bytes(b"damaged")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opened = Path.open

    def refused(*arguments):
        raise full

    class Full(BytesIO):
        write = refused

    with monkeypatch.context() as patched:
        if step == "fsync":
            patched.setattr(os, "fsync", refused)
        else:
            patched.setattr(Path, "open", lambda path, mode: Full() if mode == "wb" else opened(path, mode))
        with pytest.raises(TargetError, match="the output cannot be written") as caught:
            get("good")
    assert caught.value.where == tmp_path / "cache" / "file.gz"
    assert caught.value.got == "No space left on device"
    assert content_of(tmp_path) == {"cache": None, "cache/file.gz": b"damaged"}
