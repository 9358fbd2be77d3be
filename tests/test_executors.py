"""Where work runs: order, errors, bounded memory, and no rest of work after a failure."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stirdata.errors import FormatError
from stirdata.executors import (
    InProcess,
    available_cores,
    busy,
    map_ordered,
    processes,
    shutting_down,
    threads,
)


def square(number):
    return number * number


def fail(number):
    raise FormatError("the number is wrong", where="here", got=number)


def own_process(_):
    return os.getpid()


def test_in_process_runs_at_once():
    with InProcess() as executor:
        future = executor.submit(square, 3)
        assert future.done()
        assert future.result() == 9


def test_in_process_keeps_the_error_for_the_result():
    future = InProcess().submit(fail, 3)
    with pytest.raises(FormatError, match="the number is wrong"):
        future.result()


@pytest.mark.parametrize("workers", [0, 1])
def test_one_worker_needs_neither_thread_nor_process(workers):
    with threads(workers) as executor:
        assert isinstance(executor, InProcess)
    with processes(workers) as executor:
        assert isinstance(executor, InProcess)


def test_cores_are_those_of_this_process():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("workers", [1, 4])
def test_results_come_in_the_order_of_the_items(workers, ahead):
    def slow_at_first(number):
        time.sleep(0.01 if number == 0 else 0)
        return number

    with threads(workers) as executor:
        assert list(map_ordered(executor, slow_at_first, range(20), ahead=ahead)) == list(range(20))


def test_no_items_give_no_results():
    assert list(map_ordered(InProcess(), square, [])) == []


def test_no_more_than_the_agreed_number_of_items_is_taken_ahead():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    with threads(2) as executor:
        results = map_ordered(executor, square, items(), ahead=5)
        assert next(results) == 0
        assert len(taken) == 5
        results.close()


def test_nothing_runs_any_more_when_the_failure_arrives():
    running = threading.Event()
    finished = []

    def work(number):
        if number == 0:
            running.wait(10)
            raise FormatError("the number is wrong")
        running.set()
        time.sleep(0.2)
        finished.append(number)

    with threads(2) as executor:
        with pytest.raises(FormatError):
            list(map_ordered(executor, work, range(50), ahead=4))
        known = list(finished)
        assert 1 in known
        time.sleep(0.3)
    assert finished == known


def test_what_still_runs_is_told_to_stop_before_it_is_waited_for():
    stopping = threading.Event()

    def work(number):
        assert number or stopping.wait(30)
        return number

    with threads(2) as executor:
        results = map_ordered(executor, work, [1, 0], ahead=3, stop=stopping.set)
        assert next(results) == 1
        results.close()
    assert stopping.is_set()


@pytest.mark.skipif(os.name == "nt", reason="the test needs POSIX signals")
def test_interrupt_during_the_last_wait_takes_effect_after_it():
    done, waiting = [], threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, *arguments, **options):
            waiting.set()
            super().shutdown(*arguments, **options)

    def work():
        waiting.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        done.append(True)

    with pytest.raises(KeyboardInterrupt), shutting_down(Pool(1)) as executor:
        executor.submit(work)
    assert done == [True]


def test_processes_are_others_and_bring_errors_home_whole():
    with processes(2) as executor:
        assert os.getpid() not in set(map_ordered(executor, own_process, range(4)))
        with pytest.raises(FormatError) as caught:
            list(map_ordered(executor, fail, [3]))
    assert (caught.value.where, caught.value.got) == ("here", 3)


def test_processes_end_when_the_body_fails():
    with pytest.raises(KeyboardInterrupt), processes(2) as executor:
        executor.submit(square, 1).result()
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)


@pytest.mark.skipif(os.name == "nt", reason="the test needs POSIX signals")
def test_processes_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "waiting.py"
    script.write_text(
        "import os\nfrom stirdata.executors import processes\n"
        "if __name__ == '__main__':\n"
        "    with processes(2) as executor:\n"
        "        print(executor.submit(os.getpid).result(), flush=True)\n"
        "        input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, script], text=True, **pipes) as parent:
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        # The output ends when the last of the processes that share it has ended.
        assert parent.communicate(timeout=30) == ("", None)


def test_a_script_is_not_run_again_by_its_processes(tmp_path):
    """It need not guard what it does by a question for its name; what it is called stays as it was."""
    script = tmp_path / "once.py"
    script.write_text(
        "import os\nfrom stirdata.executors import map_ordered, processes\n"
        "print('once')\n"
        "with processes(2) as executor:\n"
        "    print(sum(map_ordered(executor, abs, range(-9, 0))))\n"
        "print(__name__, os.path.basename(__file__), __spec__)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.stdout.split("\n")) == ("", ["once", "45", "__main__ once.py None", ""])


@pytest.mark.parametrize(("load", "expected"), [(0.0, False), (2.0, False), (2.1, True)])
def test_busy_is_more_than_twice_as_many_programs_as_cores(monkeypatch, load, expected):
    monkeypatch.setattr(os, "getloadavg", lambda: (load * available_cores(), 0.0, 0.0), raising=False)
    assert busy() is expected


def test_a_machine_that_does_not_tell_is_not_busy(monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert not busy()
