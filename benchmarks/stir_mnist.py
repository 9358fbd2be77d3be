"""STIR mnist to a finished file, against ``numpy.savez_compressed`` alone for the same arrays.

Run as ``python -m benchmarks.stir_mnist MNIST_FOLDER [--workers N] [--rounds N]``. Both run as whole
processes, in turns, so that noise hits both; the time that the second one needs to read the arrays is
not counted. The limits of the project are a ratio of 4 and a peak of 1200 MB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_RATIO = 4
LIMIT_MEGABYTES = 1200

_SAVE = """
import sys, time
import numpy as np
with np.load(sys.argv[1]) as archive:
    arrays = {name: archive[name] for name in archive.files}
started = time.perf_counter()
np.savez_compressed(sys.argv[2], **arrays)
print(time.perf_counter() - started)
"""


def main() -> None:
    """Measure and print the ratio and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source_dir", type=Path, help="folder with the four MNIST files")
    parser.add_argument("--workers", type=int, help="threads; by default the cores")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target, plain = Path(folder) / "mnist.npz", Path(folder) / "plain.npz"
        ours, theirs, peaks = [], [], []
        for _ in range(arguments.rounds):
            target.unlink(missing_ok=True)
            seconds, megabytes = generate(target, arguments.source_dir, arguments.workers)
            ours.append(seconds)
            peaks.append(megabytes)
            theirs.append(save(target, plain))
    report(ours, theirs, max(peaks))


def generate(target: Path, source_dir: Path, workers: int | None) -> tuple[float, float]:
    """Make the set by the command line; return wall time in seconds and peak memory in MB."""
    command = [sys.executable, "-c", "from stirdata.cli import main; main()", "generate", "stir", "mnist"]
    command += ["--source-dir", str(source_dir), "--out", str(target), "--quiet"]
    command += ["--workers", str(workers)] if workers else []
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_maxrss * 1024 / 1e6


def save(arrays: Path, target: Path) -> float:
    """Return the seconds of ``numpy.savez_compressed`` for the arrays of a file."""
    command = [sys.executable, "-c", _SAVE, str(arrays), str(target)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report(ours: list[float], theirs: list[float], megabytes: float) -> None:
    """Print what came out, beside the limits."""
    ratio = statistics.median(mine / plain for mine, plain in zip(ours, theirs, strict=True))
    print(f"stirdata generate stir mnist  {statistics.median(ours):6.2f} s, peak {megabytes:.0f} MB")
    print(f"numpy.savez_compressed alone  {statistics.median(theirs):6.2f} s")
    print(f"ratio {ratio:.2f} (limit {LIMIT_RATIO}), peak limit {LIMIT_MEGABYTES} MB")


if __name__ == "__main__":
    main()
