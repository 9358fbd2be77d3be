"""Locks: one process at a time, with the locks of the file system and without them."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stirdata import locks
from stirdata.errors import FormatError, TargetError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tests send POSIX signals, and take flock away")

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, 524)
NOTE = r"files in .* cannot be locked \(.*\); lock files take the place of locks there\n"


def refuse(error):
    """Return a function that fails with an error, whatever it is called with."""

    def refused(*arguments, **options):
        raise error

    return refused


@pytest.fixture
def without_locks(monkeypatch):
    """Let the file system have no locks; return a function that changes with which error."""

    def take_away(code):
        monkeypatch.setattr(locks, "_LOCKING", {})
        monkeypatch.setattr(fcntl, "flock", refuse(OSError(code, os.strerror(code))))

    take_away(errno.ENOLCK)
    return take_away


@pytest.fixture(params=["flock", "lock file"])
def locking(request):
    """Run a test with the locks of the file system, and without."""
    if request.param == "lock file":
        request.getfixturevalue("without_locks")
    return request.param


def test_lock_makes_parents_and_leaves_nothing_else(tmp_path, content_of, locking):
    with locks.locked(tmp_path / "a" / "b" / "data"):
        assert list(content_of(tmp_path)) == ["a", "a/b", "a/b/.data.lock"]
    assert list(content_of(tmp_path)) == ["a", "a/b"]


def test_parents_made_for_a_failing_body_are_taken_away(tmp_path, content_of, locking):
    (tmp_path / "a").mkdir()
    with pytest.raises(FormatError), locks.locked(tmp_path / "a" / "b" / "c" / "data"):
        raise FormatError("wrong")
    assert content_of(tmp_path) == {"a": None}


def test_parents_that_hold_something_are_kept(tmp_path, content_of, locking):
    with pytest.raises(FormatError), locks.locked(tmp_path / "a" / "b" / "data"):
        (tmp_path / "a" / "kept").write_bytes(b"1")
        raise FormatError("wrong")
    assert content_of(tmp_path) == {"a": None, "a/kept": b"1"}


def test_lock_is_held_by_one_at_a_time(tmp_path, locking):
    target, order, waiting = tmp_path / "data", [], threading.Event()

    def second():
        with locks.locked(target, waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with locks.locked(target):
        thread.start()
        assert waiting.wait(10), "the second one was not told that it has to wait"
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_lock_of_a_killed_process_is_no_obstacle(tmp_path):
    (tmp_path / ".data.lock").touch()
    with locks.locked(tmp_path / "data", refuse(AssertionError("it waits for nobody"))):
        pass
    assert list(tmp_path.iterdir()) == []


def test_parent_that_is_a_file(tmp_path, content_of, locking):
    (tmp_path / "data").write_bytes(b"old")
    target = tmp_path / "data" / "sub" / "data"
    with pytest.raises(TargetError, match="cannot be written") as caught, locks.locked(target):
        pytest.fail("the body must not run")
    assert caught.value.where == target
    assert caught.value.hint == "a part of the path is a file: choose another folder"
    assert content_of(tmp_path) == {"data": b"old"}


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "your quota on this disk is used up"),
        (errno.EACCES, "choose a folder you may write to"),
        (errno.EPERM, "choose a folder you may write to"),
        (errno.EROFS, "this disk is read-only"),
        (errno.EFBIG, "files of this size are not allowed"),
        (errno.EIO, "check the disk and the path"),
    ],
)
def test_refusals_of_the_system_say_what_to_do(tmp_path, monkeypatch, code, hint):
    monkeypatch.setattr(Path, "mkdir", refuse(OSError(code, os.strerror(code))))
    with pytest.raises(TargetError) as caught, locks.locked(tmp_path / "a" / "data"):
        pytest.fail("the body must not run")
    assert caught.value.got == os.strerror(code)
    assert caught.value.hint.startswith(hint)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folder_without_permission(tmp_path, content_of, locking):
    (tmp_path / "a").mkdir(mode=0o555)
    with (
        pytest.raises(TargetError, match="Permission denied") as caught,
        locks.locked(tmp_path / "a" / "data"),
    ):
        pytest.fail("the body must not run")
    assert caught.value.hint == "choose a folder you may write to"
    assert content_of(tmp_path) == {"a": None}


SCRIPT = """
import fcntl, os, sys, time
from pathlib import Path
from stirdata import atomic, locks

def flock(*arguments):
    raise OSError({code}, os.strerror({code}))

fcntl.flock = flock
locks.PATIENCE, locks._HEARTBEAT = {patience}, 0.2
target = Path(sys.argv[1])
{body}
"""
HOLD = """
with locks.locked(target):
    print("held", flush=True)
    time.sleep(60)
"""
COUNT = """
for _ in range(20):
    with locks.locked(target):
        number = int(target.read_text())
        with atomic.new_file(target) as partial:
            partial.write_text(str(number + 1))
"""


@pytest.fixture
def start():
    """Start a process on a file system without locks; it ends with the test."""
    started = []

    def start_one(target, body, *, code=errno.ENOLCK, patience=300.0):
        script = SCRIPT.format(code=code, patience=patience, body=body)
        command = [sys.executable, "-W", "error", "-c", script, target]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def holder(start):
    """Start a process that holds the lock of a target."""

    def hold(target, **options):
        process = start(target, HOLD, **options)
        assert process.stdout.readline() == "held\n"
        return process

    return hold


@pytest.mark.parametrize("code", NO_LOCKS)
def test_without_locks_a_lock_file_takes_their_place(tmp_path, content_of, without_locks, capfd, code):
    without_locks(code)
    for name in ("a/data", "a/data", "other"):
        with locks.locked(tmp_path / name):
            lock = content_of(tmp_path).get(str(locks.lock_of(Path(name))))
            assert f"pid={os.getpid()}\n".encode() in lock
    assert content_of(tmp_path) == {"a": None}
    assert re.fullmatch(NOTE, capfd.readouterr().err)


def test_with_locks_nothing_is_said_and_they_are_tried_once(tmp_path, monkeypatch, content_of, capfd):
    monkeypatch.setattr(locks, "_LOCKING", {})
    tried = []
    can_lock = locks._can_lock
    monkeypatch.setattr(locks, "_can_lock", lambda trial: tried.append(trial) or can_lock(trial))
    for name in ("a", "b"):
        with locks.locked(tmp_path / name):
            assert list(content_of(tmp_path)) == [f".{name}.lock"]
    assert (tried, content_of(tmp_path), capfd.readouterr().err) == ([tmp_path / ".a.trial"], {}, "")


@pytest.mark.parametrize("code", [errno.EIO, errno.EPERM])
def test_other_errors_of_locks_are_errors(tmp_path, content_of, without_locks, code):
    without_locks(code)
    with pytest.raises(TargetError) as caught, locks.locked(tmp_path / "a" / "data"):
        pytest.fail("the body must not run")
    assert caught.value.got == os.strerror(code)
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_several_processes_write_one_file(tmp_path, content_of, start, code):
    target = tmp_path / "data"
    target.write_text("0")
    writers = [start(target, COUNT, code=code) for _ in range(4)]
    told = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, told
    assert content_of(tmp_path) == {"data": b"80"}
    for text in told:
        assert re.fullmatch(f"{NOTE}(waiting for process .*\n)*", text)


def test_lock_file_of_a_killed_process_goes_to_one_of_those_that_wait(tmp_path, content_of, start, holder):
    target = tmp_path / "data"
    target.write_text("0")
    killed = holder(target)
    writers = [start(target, COUNT) for _ in range(4)]
    time.sleep(0.5)
    assert target.read_text() == "0"
    killed.kill()
    killed.wait(10)
    told = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, told
    assert content_of(tmp_path) == {"data": b"80"}


def test_held_lock_file_is_waited_for_and_told(tmp_path, holder, without_locks, capfd):
    target, waiting, done = tmp_path / "data", threading.Event(), threading.Event()
    process = holder(target)

    def second():
        with locks.locked(target, waiting.set):
            done.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert waiting.wait(10)
    assert not done.wait(0.3)
    process.send_signal(signal.SIGINT)
    thread.join(10)
    assert done.is_set()
    assert list(tmp_path.iterdir()) == []
    assert re.fullmatch(
        f"{NOTE}waiting for process {process.pid} on {re.escape(socket.gethostname())}, which holds "
        f"{tmp_path}/.data.lock; if it was killed, this goes on within 5 minutes, or as soon as you remove "
        "that file\n",
        capfd.readouterr().err,
    )


def make_foreign(lock):
    """Let a lock file be that of another machine."""
    lock.write_text(re.sub("^host=.*$", "host=elsewhere", lock.read_text(), flags=re.MULTILINE))


def test_untouched_lock_file_of_another_machine_is_taken_over(
    tmp_path, content_of, holder, without_locks, monkeypatch, capfd
):
    monkeypatch.setattr(locks, "PATIENCE", 1.0)
    monkeypatch.setattr(locks, "_HEARTBEAT", 0.2)
    process = holder(tmp_path / "data", patience=1.0)
    process.kill()
    process.wait(10)
    make_foreign(tmp_path / ".data.lock")
    begin = time.monotonic()
    with locks.locked(tmp_path / "data"):
        assert time.monotonic() - begin >= 1
    assert content_of(tmp_path) == {}
    assert f"process {process.pid} on elsewhere" in capfd.readouterr().err


def test_lock_file_that_another_machine_touches_is_left_alone(tmp_path, holder, without_locks, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 1.0)
    monkeypatch.setattr(locks, "_HEARTBEAT", 0.2)
    process = holder(tmp_path / "data", patience=1.0)
    make_foreign(tmp_path / ".data.lock")
    lock = locks._lease(tmp_path / ".data.lock")
    with pytest.raises(TimeoutError):
        lock.acquire(timeout=2.5)
    assert process.poll() is None


def test_lock_file_of_another_process_with_the_same_number_is_no_obstacle(tmp_path, without_locks):
    """After a restart of the machine, process numbers begin anew."""
    lock = locks._lease(tmp_path / ".data.lock")
    lock.acquire()
    text = (tmp_path / ".data.lock").read_text()
    lock.release()
    if "start=" not in text:
        pytest.skip("this system does not tell when a process was started")
    (tmp_path / ".data.lock").write_text(re.sub("^start=.*$", "start=12345", text, flags=re.MULTILINE))
    with locks.locked(tmp_path / "data", refuse(AssertionError("it waits for nobody"))):
        pass
    assert list(tmp_path.iterdir()) == []


def test_lock_that_was_lost_is_an_error(tmp_path, without_locks):
    with (
        pytest.raises(TargetError, match="took over the lock") as caught,
        locks.locked(tmp_path / "data"),
    ):
        make_foreign(tmp_path / ".data.lock")
    assert caught.value.hint == "verify the output"


@pytest.mark.parametrize("waits", [False, True])
def test_interruption_leaves_no_lock_file_of_its_own(tmp_path, content_of, start, holder, waits):
    target = tmp_path / "a" / "data"
    process = holder(target)
    if waits:
        second = start(target, HOLD)
        assert re.match(NOTE, second.stderr.readline())
        assert "waiting for process" in second.stderr.readline()
        second.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in second.communicate(timeout=10)[1]
        assert list(content_of(tmp_path)) == ["a", "a/.data.lock"]
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("code", [None, errno.ENOLCK])
def test_trial_of_a_killed_process_is_removed(tmp_path, content_of, monkeypatch, without_locks, code):
    if code is None:
        monkeypatch.undo()
    monkeypatch.setattr(locks, "_LOCKING", {})
    for _ in range(2):  # with and without a trial of its own
        (tmp_path / ".data.trial").touch()
        with locks.locked(tmp_path / "data"):
            assert list(content_of(tmp_path)) == [".data.lock"]
        assert content_of(tmp_path) == {}
