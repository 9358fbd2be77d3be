"""Transfers that are killed, that run at the same time, and that the disk does not take.

``STIRDATA_KILLS=50 STIRDATA_KILLED_MB=50`` makes the transfer that is killed again and again a long one.
"""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from fetched import CONTENT, HASHES, LIMIT, SIZE
from server import Reply

from stirdata.digest import HashedFile, sha256_of_bytes
from stirdata.errors import TargetError
from stirdata.transfer import backoff, fetch

KILLS = int(os.environ.get("STIRDATA_KILLS", "8"))
KILLED_BYTES = int(os.environ.get("STIRDATA_KILLED_MB", "8")) * 1_000_000
CHUNK = 1 << 18  # the most that is read at once
HALF = 2 << 16  # whole pieces of what urllib3 before 2 reads at once: there the rest of one is lost

SCRIPT = """
import json, sys
from pathlib import Path
from stirdata.transfer.fetch import fetch
url, target, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
{before}
result = fetch([url], target, limit=10**9, **options)
print(json.dumps([result.size, result.sha256, result.already_there, result.url]))
"""


def start(url, target, *, before="", **options):
    """Fetch in a process of its own."""
    command = [sys.executable, "-c", SCRIPT.format(before=before), url, str(target), json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process):
    """Return code, standard output as JSON, and standard error."""
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out or "null"), err


def serve_until(server, content, moments):
    """Serve a file; return its URL and events: the nth comes when the nth request has come so far."""
    reached = [threading.Event() for _ in moments]

    def note(request):
        start = int((request.range or "bytes=0-").removeprefix("bytes=")[:-1])
        number = server.requests.index(request)
        if number < len(moments) and start + request.served >= moments[number]:
            reached[number].set()

    server.on_served = note
    return server.add("/f", Reply(content, pace=40_000_000)), reached


@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
def test_killed_at_random_moments_it_goes_on_every_time(server, tmp_path, content_of):
    content = random.Random(5).randbytes(KILLED_BYTES)
    target, values = tmp_path / "file", random.Random(11)
    moments = sorted(values.sample(range(KILLED_BYTES - CHUNK), KILLS))
    url, reached = serve_until(server, content, moments)
    options = {"hashes": {"sha256": sha256_of_bytes(content)}, "quiet": True}
    kept = 0
    for event in reached:
        process = start(url, target, **options)
        assert event.wait(60)
        time.sleep(values.uniform(0, 0.005))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        partial = (tmp_path / ".file.partial").read_bytes()
        assert content.startswith(partial)
        assert len(partial) >= kept
        kept = len(partial)
        assert not target.exists()
    code, (size, sha256, *_), _ = end(start(url, target, **options))
    assert (code, size, sha256) == (0, len(content), options["hashes"]["sha256"])
    assert content_of(tmp_path) == {"file": content}
    assert len(server.requests) == KILLS + 1
    assert server.served < 1.5 * len(content) + CHUNK
    print(f"{KILLS} kills: served {server.served / len(content):.3f} times the file")


@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
@pytest.mark.parametrize("step", ["os.fsync", "Path.replace"])
def test_killed_at_the_end_it_asks_for_nothing(server, tmp_path, content_of, step):
    url, target = server.add("/f", Reply(CONTENT)), tmp_path / "file"
    before = f"import os\ndef kill(*arguments): os.kill(os.getpid(), 9)\n{step} = kill"
    process = start(url, target, before=before, size=SIZE, hashes=HASHES)
    assert end(process)[0] == -signal.SIGKILL
    assert content_of(tmp_path) == {".file.lock": b"", ".file.partial": CONTENT}
    assert end(start(url, target, size=SIZE, hashes=HASHES))[1] == [SIZE, HASHES["sha256"], False, None]
    assert len(server.requests) == 1
    assert content_of(tmp_path) == {"file": CONTENT}


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_goes_on_the_next_time(server, tmp_path, content_of, signal_):
    url, (half,) = serve_until(server, CONTENT, [HALF])
    server.add("/f", Reply(CONTENT, cut=HALF, ending="silence"))
    process = start(url, tmp_path / "file", hashes=HASHES, quiet=True)
    assert half.wait(60)
    partial = tmp_path / ".file.partial"
    deadline = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size == HALF) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal_)
    code, _, err = end(process)
    assert code == -signal_
    assert ("KeyboardInterrupt" in err) == (signal_ == signal.SIGINT)
    left = content_of(tmp_path)
    left.pop(".file.lock", None)  # of a process that was ended without a word
    assert left == {".file.partial": CONTENT[:HALF]}
    server.add("/f", Reply(CONTENT))
    assert end(start(url, tmp_path / "file", hashes=HASHES))[0] == 0
    assert server.requests[-1].range == f"bytes={HALF}-"
    assert content_of(tmp_path) == {"file": CONTENT}


def test_eight_processes_make_one_transfer(server, tmp_path, content_of):
    slow = random.Random(8).randbytes(2_000_000)
    url = server.add("/f", Reply(slow, pace=1_000_000))  # so that all have started before it ends
    options = {"hashes": {"sha256": sha256_of_bytes(slow)}}
    results = [end(process) for process in [start(url, tmp_path / "file", **options) for _ in range(8)]]
    assert [code for code, _, _ in results] == [0] * 8
    assert all(out[:2] == [len(slow), options["hashes"]["sha256"]] for _, out, _ in results)
    assert sorted(out[2:] for _, out, _ in results) == [[False, url]] + [[True, None]] * 7
    assert len(server.requests) == 1
    assert server.served == len(slow)
    said = [err for _, _, err in results if err]
    assert said == ["waiting for another process that fetches file\n"] * len(said)
    assert said
    assert content_of(tmp_path) == {"file": slow}


def test_those_who_wait_go_on_when_the_first_one_is_killed(server, tmp_path, content_of):
    url, (half,) = serve_until(server, CONTENT, [HALF])
    server.add("/f", Reply(CONTENT, cut=HALF, ending="silence"), Reply(CONTENT))
    first = start(url, tmp_path / "file", hashes=HASHES)
    assert half.wait(60)
    others = [start(url, tmp_path / "file", hashes=HASHES) for _ in range(2)]
    for other in others:
        assert other.stderr.readline() == "waiting for another process that fetches file\n"
    first.kill()
    first.communicate(timeout=60)
    assert sorted(end(other)[1][2] for other in others) == [False, True]
    assert len(server.requests) == 2
    assert server.requests[1].range is not None
    assert content_of(tmp_path) == {"file": CONTENT}


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
REFUSED = OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def url(server):
    return server.add("/f", Reply(CONTENT))


def get(url, target, **options):
    return fetch.fetch([url], target, hashes=HASHES, limit=LIMIT, quiet=True, **options)


@pytest.mark.parametrize("old", [None, b"damaged"])
@pytest.mark.parametrize("error", [FULL, REFUSED], ids=["full", "broken"])
@pytest.mark.parametrize("step", ["write", "fsync"])
def test_disk_that_takes_no_more(url, server, target, monkeypatch, content_of, old, error, step):
    if old is not None:
        target.write_bytes(old)
    append = HashedFile.append

    def write(self, piece):
        if self.size >= 100_000:
            raise error
        append(self, piece[: 100_000 - self.size])

    def fsync(descriptor):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync", fsync) if step == "fsync" else (HashedFile, "append", write)))
        patched.setattr("stirdata.transfer.http_replies._CHUNK", 1 << 14)
        with pytest.raises(TargetError, match="the output cannot be written") as caught:
            get(url, target)
    assert (caught.value.where, caught.value.got) == (target, error.strerror)
    left = content_of(target.parent)
    assert left.pop("file.gz", None) == old
    kept = left.pop(".file.gz.partial", b"")
    assert CONTENT.startswith(kept)
    assert (kept == b"") == (error is FULL), "only a full disk gets its space back"
    assert left == {}
    assert len(server.requests) == 1, "the fault is not the mirror's"
    get(url, target)
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.skipif(os.name == "nt", reason="needs resource limits")
def test_file_larger_than_the_user_may_write(url, tmp_path, content_of):
    (tmp_path / "file").write_bytes(b"damaged")
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    code, _, err = end(start(url, tmp_path / "file", before=before, hashes=HASHES))
    assert code == 1
    assert "stirdata.errors.TargetError: the output cannot be written" in err
    assert "File too large" in err
    assert "files of this size are not allowed here" in err
    assert content_of(tmp_path) == {"file": b"damaged", ".file.partial": CONTENT[:100_000]}
    assert end(start(url, tmp_path / "file", hashes=HASHES))[0] == 0
    assert content_of(tmp_path) == {"file": CONTENT}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folder_without_permission(url, server, target, content_of):
    target.write_bytes(b"damaged")
    target.parent.chmod(0o555)
    try:
        with pytest.raises(TargetError, match="Permission denied"):
            get(url, target)
    finally:
        target.parent.chmod(0o755)
    assert content_of(target.parent) == {"file.gz": b"damaged"}
    assert server.requests == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_folder_that_takes_no_new_file(url, server, target, monkeypatch, content_of, code):
    target.write_bytes(b"damaged")
    opened = os.open

    def refuse(path, flags, *arguments):
        if flags & os.O_CREAT and str(path).startswith(str(target.parent)):
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(TargetError, match="the output cannot be written") as caught:
            get(url, target)
    assert caught.value.where == target
    assert caught.value.hint in {
        "choose a folder you may write to",
        "this disk is read-only: choose another folder",
    }
    assert content_of(target.parent) == {"file.gz": b"damaged"}
    assert server.requests == []


def test_right_file_in_a_folder_that_takes_nothing_is_used(target, monkeypatch):
    target.write_bytes(CONTENT)
    opened = os.open

    def refuse(path, flags, *arguments):
        assert not flags & os.O_CREAT
        return opened(path, flags, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    assert get("http://127.0.0.1:9/f", target).already_there


def test_folder_in_the_place_of_the_file(url, server, tmp_path, content_of):
    (tmp_path / "file").mkdir()
    with pytest.raises(TargetError, match="a folder is where a file should go"):
        get(url, tmp_path / "file")
    assert content_of(tmp_path) == {"file": None}
    assert server.requests == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read anything")
def test_file_that_is_there_cannot_be_read(url, target):
    target.write_bytes(CONTENT)
    target.chmod(0)
    with pytest.raises(TargetError, match="the file that is there cannot be read") as caught:
        get(url, target)
    assert (caught.value.where, caught.value.got) == (target, "Permission denied")


def test_pauses_are_real(monkeypatch):
    monkeypatch.undo()
    assert backoff._sleep is time.sleep
