"""The file that the tests of transfers fetch, and what is asked about a transfer."""

import gzip
import hashlib
import random

import pytest

from stirdata.errors import SourceUnavailableError

CONTENT = gzip.compress(random.Random(0).randbytes(300_000), mtime=0)
HASHES = {"md5": hashlib.md5(CONTENT).hexdigest(), "sha256": hashlib.sha256(CONTENT).hexdigest()}
SIZE = len(CONTENT)
OTHER = CONTENT[:-1] + b"?"
LIMIT = 10_000_000
CHECKED = {"hashes": None, "size": None}  # known by a check only


def ranges(server):
    return [request.range for request in server.requests]


def refused(get, *mirrors, **options):
    """Return the reasons of the mirrors."""
    with pytest.raises(SourceUnavailableError, match=r"file\.gz could not be downloaded") as caught:
        get(*mirrors, **options)
    lines = [line.strip() for line in caught.value.got.splitlines()]
    assert all(line.startswith("http://127.0.0.1:") for line in lines)
    return [line.partition(": ")[2] for line in lines]
