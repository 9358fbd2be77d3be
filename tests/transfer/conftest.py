"""Fixtures of the tests of transfers."""

import pytest
from fetched import HASHES, LIMIT, SIZE
from server import Server

from stirdata.transfer import backoff
from stirdata.transfer.fetch import fetch


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def waits(monkeypatch):
    """Return the list of the pauses, which take no time and have no jitter."""
    seconds = []
    monkeypatch.setattr(backoff, "_sleep", seconds.append)
    monkeypatch.setattr(backoff, "_jitter", lambda least, most: most)
    return seconds


@pytest.fixture
def said():
    return []


@pytest.fixture
def target(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache" / "file.gz"


@pytest.fixture
def get(server, target, waits, said):
    """Fetch from mirrors, each a list of replies, into ``cache/file.gz``."""

    def run(*mirrors, **options):
        urls = [server.add(f"/{number}", *replies) for number, replies in enumerate(mirrors)]
        options = {"hashes": HASHES, "size": SIZE, "limit": LIMIT, "say": said.append} | options
        return fetch(urls, target, quiet=True, **options)

    return run


@pytest.fixture
def partial(target):
    return target.with_name(".file.gz.partial")
