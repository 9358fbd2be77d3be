"""Running whole processes and measuring their wall time and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """Wall time in seconds, and peak resident memory in MB (10**6 bytes) of the process itself."""

    seconds: float
    megabytes: float


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end; raise CalledProcessError if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(seconds, usage.ru_maxrss * 1024 / 1e6)


def clock(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def in_turns(rounds: int, **candidates: Callable[[], Run]) -> dict[str, list[Run]]:
    """Run the candidates one after the other, several rounds, so that noise hits all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            runs[name].append(candidate())
    return runs


def in_rounds(rounds: int, candidates: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the seconds of every candidate, which take turns, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, candidate in candidates.items():
            taken = clock(candidate)
            if number:
                seconds[name].append(taken)
    return seconds


def median_seconds(runs: Sequence[Run]) -> float:
    """Return the median wall time."""
    return statistics.median(run.seconds for run in runs)
