"""Ctrl-C that waits: until the body is done, in any order of nesting, and never in child processes."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from stirdata.interrupts import deferred

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tests send POSIX signals")


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_takes_effect_after_the_body():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with deferred():
            interrupt()
            done.append("body")
        done.append("after")
    assert done == ["body"]


def test_takes_effect_after_the_outermost_body():
    done = []
    with pytest.raises(KeyboardInterrupt), deferred():
        with deferred():
            interrupt()
        done.append("outer")
    assert done == ["outer"]


def test_signal_that_another_thread_receives_waits_too():
    done, go = [], threading.Event()

    def receive():
        go.wait(10)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=receive)
    thread.start()
    with pytest.raises(KeyboardInterrupt), deferred():
        go.set()
        thread.join()
        done.append("body")
    assert done == ["body"]


def test_everything_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with deferred():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(ValueError, match="wrong"), deferred():
        raise ValueError("wrong")
    assert before == (signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, []))
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_error_of_the_body_comes_first():
    with pytest.raises(ValueError, match="wrong"), deferred():
        interrupt()
        raise ValueError("wrong")


def test_who_ignores_the_signal_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred():
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_may_use_it():
    results = []

    def work():
        with deferred():
            results.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [True]


def test_processes_started_in_the_body_never_receive_it():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    with deferred():
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
