"""Servers that keep a connection alive and deliver hardly anything."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import urllib3
from fetched import CONTENT
from server import Reply

from stirdata.transfer import backoff, http_replies
from stirdata.transfer.backoff import PassingError


@pytest.fixture
def hurried(monkeypatch):
    """Let what takes a minute in earnest take half a second."""
    monkeypatch.setattr(http_replies, "_SLOW_SECONDS", 0.1)
    monkeypatch.setattr(http_replies, "_CHUNK", 100)
    monkeypatch.setattr(backoff, "UNHURRIED", 0.0)
    monkeypatch.setattr(backoff, "LOWEST_SPEED", 60_000.0)


@pytest.mark.skipif(not hasattr(urllib3.HTTPResponse, "read1"), reason="it waits for 64 KiB at a time")
def test_server_that_crawls_is_left_for_the_next_mirror(get, server, target, hurried, said):
    result = get([Reply(CONTENT, pace=2000)], [Reply(CONTENT)])
    assert result.url == server.url("/1")
    assert [request.path for request in server.requests] == ["/0"] * backoff.ATTEMPTS + ["/1"]
    assert "it sent fewer than 6000 bytes in 0 s; trying again in 1 s" in said[0]
    starts = [int((request.range or "bytes=0-")[6:-1]) for request in server.requests]
    assert starts == sorted(starts)
    assert starts[-1] > starts[1] > 0, "what came is kept"
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("moments", "whole"),
    [([0, 61], True), ([0, 61, 62], False), ([0, 30, 59], True)],
    ids=["its end comes late", "it goes on like that", "it just makes it"],
)
def test_what_is_too_slow(monkeypatch, moments, whole):
    monkeypatch.setattr(http_replies, "_clock", iter([0, *moments]).__next__)
    pieces = [*(b"%d" % moment for moment in moments), b""]
    response = SimpleNamespace(raw=SimpleNamespace(read1=lambda *_, **__: pieces.pop(0)))
    stream, received = http_replies.received(response), []
    with nullcontext() if whole else pytest.raises(PassingError, match="fewer than 6000 bytes in 60 s"):
        for piece in stream:
            received.append(piece)
    assert received == [b"%d" % moment for moment in moments]
