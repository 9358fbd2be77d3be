"""How generating gets faster with more workers, beside what the machine can do at most.

``python -m benchmarks.scaling DIR [ROUNDS]``: DIR holds the MNIST files. Each piece of work is run with 1, 2,
4, … workers, in turns, as a command of its own; medians are printed. What the machine can do at most is how
much more the same commands with one worker do when as many of them run side by side: cores share caches,
memory and arithmetic units. Nothing is deleted before the end; see ``benchmarks.mnist_scale``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import clock
from stirdata.executors import available_cores

WORK = {
    "STIR mnist, h5": ["stir", "mnist", "--out", "set.h5"],
    "one realization, h5": ["mnist-scale", "--seed", "0", "--out", "."],
    "one realization, png": ["mnist-scale", "--seed", "0", "--format", "png", "--out", "."],
    "six realizations, h5": ["mnist-scale", "--seeds", "0-5", "--out", "."],
}


def command(arguments: Sequence[str], source: Path, workers: int) -> list[str]:
    """Return the command that does a piece of work in the folder in which it is started."""
    start = [sys.executable, "-m", "stirdata", "generate", *arguments, "--quiet"]
    return [*start, "--source-dir", str(source), "--workers", str(workers)]


def seconds(commands: Sequence[Sequence[str]], root: Path) -> float:
    """Return how long commands take that run side by side, each in a new folder."""
    folders = [Path(tempfile.mkdtemp(dir=root)) for _ in commands]

    def run() -> None:
        started = [
            subprocess.Popen(one, cwd=folder, stdout=subprocess.DEVNULL, env=os.environ)
            for one, folder in zip(commands, folders, strict=True)
        ]
        codes = [process.wait() for process in started]
        if any(codes):
            raise RuntimeError(f"a command failed: {codes}")

    return clock(run)


def measure(name: str, source: Path, counts: Sequence[int], rounds: int, root: Path) -> None:
    """Print the curve of one piece of work."""
    ours: dict[int, list[float]] = {count: [] for count in counts}
    apart: dict[int, list[float]] = {count: [] for count in counts if count > 1}
    for _ in range(rounds):
        for count in counts:
            ours[count].append(seconds([command(WORK[name], source, count)], root))
            if count > 1:
                apart[count].append(seconds([command(WORK[name], source, 1)] * count, root))
    alone = statistics.median(ours[1])
    print(f"{name}: 1 worker {alone:.2f} s")
    for count in counts[1:]:
        taken = statistics.median(ours[count])
        limit = count * alone / statistics.median(apart[count])
        print(f"  {count} workers {taken:.2f} s: {alone / taken:.2f}x, the machine at most {limit:.2f}x")


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    given = parser.parse_args()
    counts = [1]
    while counts[-1] * 2 <= max(2, available_cores()):
        counts.append(counts[-1] * 2)
    with tempfile.TemporaryDirectory() as root:
        for name in WORK:
            measure(name, given.source.absolute(), counts, given.rounds, Path(root))


if __name__ == "__main__":
    main()
