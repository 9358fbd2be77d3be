"""One transfer: what arrives, what is kept, what is asked, and what is said about it."""

import hashlib

import pytest
from fetched import CHECKED, CONTENT, HASHES, OTHER, SIZE, ranges, refused
from server import Reply, json_reply, page

from stirdata import __version__
from stirdata.errors import FormatError, ParameterError, SourceError, SourceUnavailableError
from stirdata.transfer import backoff, http_replies
from stirdata.transfer.fetch import Fetched

GOOD = {
    "plain": Reply(CONTENT),
    "without a length": Reply(CONTENT, headers={"Content-Length": None}),
    "strange length": Reply(CONTENT, headers={"Content-Length": None, "X-Content-Length": "many"}),
    "in chunks": Reply(CONTENT, chunked=True),
    "encoded": Reply(CONTENT, headers={"Content-Encoding": "gzip"}),
    "no type": Reply(CONTENT, headers={"Content-Type": None}),
}


@pytest.mark.parametrize("reply", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("size", [SIZE, None])
def test_file_arrives_as_it_is(get, server, target, reply, size, content_of):
    result = get([reply], size=size)
    assert result == Fetched(target, SIZE, HASHES["sha256"], already_there=False, url=server.url("/0"))
    assert content_of(target.parent) == {"file.gz": CONTENT}
    assert ranges(server) == [None]


def test_says_who_asks_and_wants_the_bytes_themselves(get, server):
    get([Reply(CONTENT)])
    headers = server.requests[0].headers
    assert headers["User-Agent"] == f"stirdata/{__version__}"
    assert headers["Accept-Encoding"] == "identity"


def test_nothing_has_to_be_known_of_a_file(get, target):
    assert get([Reply(CONTENT)], hashes=None, size=None).sha256 == HASHES["sha256"]
    assert target.read_bytes() == CONTENT


def test_no_part_is_not_an_empty_file(get, target, content_of):
    (reason,) = refused(get, [Reply(b"", 416)], hashes=None, size=None)
    assert reason == "it sent another part of the file than it was asked for"
    assert content_of(target.parent) == {}


def test_empty_file(get, target):
    get([Reply(b"")], size=None, hashes={"sha256": hashlib.sha256().hexdigest()})
    assert target.read_bytes() == b""


def test_hashes_may_be_in_capitals(get):
    get([Reply(CONTENT)], hashes={"md5": HASHES["md5"].upper()})


@pytest.mark.parametrize("name", ["crc", "shake_128", "MD5"])
def test_unknown_hash(get, server, name):
    with pytest.raises(ParameterError, match="there is no such hash") as caught:
        get([Reply(CONTENT)], hashes={name: "00"})
    assert (caught.value.where, caught.value.got) == ("hashes", name)
    assert server.requests == []


def test_file_that_is_there_is_kept_without_a_connection(get, server, target):
    target.write_bytes(CONTENT)
    expected = Fetched(target, SIZE, HASHES["sha256"], already_there=True, url=None)
    assert get([Reply(CONTENT)]) == expected
    assert server.requests == []


@pytest.mark.parametrize("damaged", [b"", b"damaged", OTHER])
def test_wrong_file_that_is_there_is_replaced(get, target, damaged, content_of):
    target.write_bytes(damaged)
    assert not get([Reply(CONTENT)]).already_there
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_file_beyond_the_limit_that_is_there_is_replaced_unread(get, target, content_of):
    def check(path):
        assert path.stat().st_size <= SIZE

    target.write_bytes(CONTENT + b"?")
    get([Reply(CONTENT)], hashes=None, size=None, check=check, limit=SIZE)
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_wrong_file_that_is_there_stays_if_nothing_better_comes(get, target, content_of):
    target.write_bytes(b"damaged")
    refused(get, [page(403)])
    assert content_of(target.parent) == {"file.gz": b"damaged"}


@pytest.mark.parametrize("error", [SourceError, FormatError])
def test_check_decides(get, target, error, content_of):
    def check(path):
        if path.read_bytes() != CONTENT:
            raise error("it is no such file", where=path)

    assert refused(get, [Reply(OTHER)], check=check, **CHECKED) == ["it is no such file"]
    assert content_of(target.parent) == {}
    get([Reply(CONTENT)], check=check, **CHECKED)
    assert get([Reply(CONTENT)], check=check, **CHECKED).already_there
    target.write_bytes(OTHER)
    assert not get([Reply(CONTENT)], check=check, **CHECKED).already_there


FINAL = {
    "403": (page(403), "403 Forbidden, a web page"),
    "404": (json_reply({"status": 404, "message": "not found"}, 404), "404 Not Found"),
    "410": (json_reply({"status": 410, "message": "deleted"}, 410), "410 Gone"),
    "401": (Reply(b"", 401), "401 Unauthorized"),
    "not modified": (Reply(b"", 304), "304 Not Modified"),
    "moved nowhere": (Reply(b"", 301), "301 Moved Permanently"),
    "web page": (page(), "it sent a web page instead of the file"),
    "web page in disguise": (
        Reply(b"\n <HTML lang=en>" + CONTENT[:-16], headers={"Content-Type": "application/octet-stream"}),
        "it sent a web page instead of the file",
    ),
    "wrong md5": (
        Reply(OTHER),
        f"it has the md5 {hashlib.md5(OTHER).hexdigest()} instead of {HASHES['md5']}",
    ),
    "too short": (Reply(CONTENT[:-1]), f"it has a file of {SIZE - 1} bytes instead of {SIZE}"),
    "too long": (Reply(CONTENT + b"?"), f"it has a file of {SIZE + 1} bytes instead of {SIZE}"),
    "too long, untold": (Reply(CONTENT * 2, chunked=True), f"it sent more than the expected {SIZE} bytes"),
    "empty": (Reply(b""), f"it has a file of 0 bytes instead of {SIZE}"),
    "another part": (
        Reply(CONTENT[5:], 206, {"Content-Range": f"bytes 5-{SIZE - 1}/{SIZE}"}),
        "it sent another part of the file than it was asked for",
    ),
    "no part": (Reply(b"", 416), "it sent another part of the file than it was asked for"),
}


@pytest.mark.parametrize(("reply", "reason"), FINAL.values(), ids=FINAL)
def test_refusal_of_a_mirror_is_told_and_leaves_nothing(
    get, server, target, reply, reason, content_of, waits, said
):
    assert refused(get, [reply]) == [reason]
    assert content_of(target.parent) == {}
    assert len(server.requests) == (2 if "another part" in reason else 1)
    assert (waits, said) == ([], [])


@pytest.mark.parametrize("reply", [reply for reply, _ in FINAL.values()], ids=FINAL)
def test_next_mirror_helps_out(get, server, target, reply, content_of):
    result = get([reply], [Reply(CONTENT)], [Reply(OTHER)])
    assert result.url == server.url("/1")
    assert {request.path for request in server.requests} == {"/0", "/1"}
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_reason_of_every_mirror_is_told(get, server):
    with pytest.raises(SourceUnavailableError) as caught:
        get([page(403)], [Reply(OTHER)])
    first, second = (line.strip() for line in caught.value.got.splitlines())
    assert first == f"{server.url('/0')}: 403 Forbidden, a web page"
    assert second.startswith(f"{server.url('/1')}: it has the md5 ")


def test_no_mirror_at_all(get, target, content_of):
    with pytest.raises(SourceUnavailableError, match="could not be downloaded"):
        get()
    assert content_of(target.parent) == {}


@pytest.mark.parametrize("told", ["Content-Length", None])
def test_more_than_the_limit_is_not_taken(get, server, target, told, content_of):
    headers = {} if told else {"Content-Length": None}
    (reason,) = refused(get, [Reply(CONTENT, headers=headers)], size=None, limit=1000)
    assert reason == (
        f"it has a file of {SIZE} bytes, more than the limit of 1000"
        if told
        else "it sent more than the expected 1000 bytes"
    )
    assert content_of(target.parent) == {}


BUSY = {
    "503 page": (page(503), "503 Service Unavailable, a web page"),
    "500": (Reply(b"", 500), "500 Internal Server Error"),
    "429": (Reply(b"", 429), "429 Too Many Requests"),
    "hangs up": (Reply(CONTENT, cut=0), "the connection ended early"),
    "reset": (Reply(CONTENT, cut=0, ending="reset"), "[Errno 104] Connection reset by peer"),
}


@pytest.mark.parametrize(("reply", "reason"), BUSY.values(), ids=BUSY)
def test_busy_server_is_asked_again_with_longer_and_longer_pauses(
    get, server, target, reply, reason, waits, said, content_of
):
    (told,) = refused(get, [reply])
    assert told == f"{reason} (6 attempts)"
    assert waits == [1, 2, 4, 8, 16]
    assert len(server.requests) == 6
    assert said[0] == f"file.gz from 127.0.0.1: {reason}; trying again in 1 s"
    assert content_of(target.parent) == {}


@pytest.mark.parametrize("reply", [reply for reply, _ in BUSY.values()], ids=BUSY)
def test_busy_server_delivers_later(get, server, target, reply, waits, content_of):
    get([reply, reply, Reply(CONTENT)])
    assert waits == [1, 2]
    assert len(server.requests) == 3
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "21600"}, 120),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:47 GMT"}, 10),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:30 GMT"}, 1),
        ({"Retry-After": "Sun, 06 Nov 2094 08:49:37 GMT"}, 120),
        ({"Retry-After": "later"}, 1),
        ({"X-RateLimit-Reset": "784111807"}, 30),
        ({"X-RateLimit-Reset": "soon"}, 1),
        ({"X-RateLimit-Reset": "784111807", "Retry-After": "5"}, 5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_server_says_how_long_to_wait(get, target, waits, said, monkeypatch, headers, seconds, status):
    monkeypatch.setattr(http_replies, "_now", lambda: 784111777.0)  # Sun, 06 Nov 1994 08:49:37 GMT
    if status == 503 and "Retry-After" not in headers:
        seconds = 1
    get([Reply(b"", status, headers), Reply(CONTENT)])
    assert waits == [seconds]
    assert said[0].endswith(f"trying again in {seconds} s")
    assert target.read_bytes() == CONTENT


def test_waiting_ends_in_any_case(get, server, waits):
    refused(get, [Reply(b"", 429, {"Retry-After": "3600"})])
    assert waits == [120] * 5
    assert len(server.requests) == 6


def test_pauses_are_jittered(monkeypatch):
    asked = []
    monkeypatch.setattr(backoff, "_jitter", lambda least, most: asked.append((least, most)) or least)
    monkeypatch.setattr(backoff, "_sleep", lambda seconds: None)

    def fail():
        raise backoff.PassingError("busy")

    with pytest.raises(backoff.RefusalError, match=r"busy \(6 attempts\)"):
        backoff.persist(fail)
    assert asked[:5] == [(0.5, 1), (1, 2), (2, 4), (4, 8), (8, 16)]


def test_attempts_that_gain_something_are_bounded_by_the_waiting_in_all(waits):
    gained = []

    def fail():
        gained.append(1)
        raise backoff.PassingError("cut")

    with pytest.raises(backoff.RefusalError):
        backoff.persist(fail, progress=lambda: len(gained))
    assert sum(waits) == backoff.LONGEST_WAIT_IN_ALL
    assert set(waits) == {1}
