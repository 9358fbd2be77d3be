"""STIRDataset against the plain way to load a selection of a STIR set, in one run.

``python -m benchmarks.stir_loader FILE.npz [--h5 FILE.h5] [--rounds N]``, where FILE.npz is a full-size
STIR mnist; without ``--h5`` it is converted first. Every measurement is the first in a process of its own,
after the imports; the processes take turns, so that noise hits all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py  # noqa: F401 - whoever opens HDF5 files pays for it once, as for torch
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import clock
from stirdata import STIRDataset

SCALES = range(17, 33)
BOUNDS = {"npz": 6.0, "h5": 25.0}
MEMORY_BOUND = 1.5
PEAK_BOUND = 1.3
BANDWIDTH_BOUND = 0.8


def plain(path: Path) -> tuple[Any, Any]:
    """Load everything, select, convert, and shuffle in place."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    rows = [64 - scale for scale in SCALES]
    images = arrays["imgs"][0, rows]
    images = images.reshape(-1, 1, *images.shape[3:]).astype(np.float32) / 255
    labels = arrays["lbls"][0, rows].reshape(-1).astype(np.int64)
    for array in (images, labels):
        np.random.RandomState(42).shuffle(array)
    return images, labels


def ours(path: Path) -> tuple[Any, Any]:
    """Load the same with stirdata."""
    images, labels = STIRDataset(path).to_torch("train", SCALES)
    return images.numpy(), labels.numpy()


def from_memory(path: Path) -> Callable[[], tuple[Any, Any]]:
    """Return what gathers and converts the selection that it holds as uint8."""
    dataset = STIRDataset(path)
    stored = dataset.stored(dataset.select("train", SCALES))
    labels = dataset.select("train", SCALES).gather(dataset.targets("train"))

    def gather() -> tuple[Any, Any]:
        order = np.random.RandomState(42).permutation(len(stored))
        images: NDArray[np.float32] = np.divide(stored[order], np.float32(255), dtype=np.float32)
        return images[:, None], labels[order]

    return gather


def candidate(name: str, path: Path) -> Callable[[], tuple[Any, Any]]:
    """Return what loads the selection in one of the ways that are compared."""
    ways = {"plain": plain, "npz": ours, "h5": ours}
    return from_memory(path) if name == "memory" else lambda: ways[name](path)


def peak_bytes(reset: bool = False) -> int:
    """Return the peak of resident memory since the last reset; needs Linux's /proc."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure_once(name: str, path: Path) -> dict[str, Any]:
    """Load once; return seconds, bytes of peak memory beyond the result, and a digest of it."""
    load = candidate(name, path)
    torch.ones(1 << 20).add_(1)  # starts torch's threads
    before = peak_bytes(reset=True)
    started = time.perf_counter()
    images, labels = load()
    seconds = time.perf_counter() - started
    beyond = peak_bytes() - before - images.nbytes - labels.nbytes
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    kinds = [str(images.dtype), str(labels.dtype), images.shape]
    return {"seconds": seconds, "beyond": beyond, "pixels": images.size, "result": [digest, *kinds]}


def measure(name: str, path: Path) -> dict[str, Any]:
    """Do so in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stir_loader", str(path), "--only", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def report(path: Path, h5: Path, rounds: int) -> None:
    """Compare the ways and print the ratios beside their bounds."""
    files = {"plain": path, "npz": path, "h5": h5, "memory": h5}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, file in files.items():
            runs[name].append(measure(name, file))
    if len({str(run["result"]) for several in runs.values() for run in several}) > 1:
        raise SystemExit("the loaded values differ")
    seconds = {name: statistics.median(run["seconds"] for run in several) for name, several in runs.items()}
    print("the same bits from all: True")
    print(f"plain  {seconds['plain'] * 1000:7.1f} ms")
    for name, bound in BOUNDS.items():
        peak = max(run["beyond"] / run["pixels"] for run in runs[name])
        faster = seconds["plain"] / seconds[name]
        print(
            f"{name:6} {seconds[name] * 1000:7.1f} ms, {faster:5.1f}x faster (at least {bound:.0f}x); "
            f"peak beyond the result {peak:.2f}x the uint8 size (at most {PEAK_BOUND}x)"
        )
    ratio = seconds["h5"] / seconds["memory"]
    print(f"memory {seconds['memory'] * 1000:7.1f} ms; h5 takes {ratio:.2f}x that (at most {MEMORY_BOUND}x)")


def report_bandwidth(h5: Path) -> None:
    """Compare the way of bytes to a GPU with a plain copy of page-locked memory."""
    if not torch.cuda.is_available():
        print("GPU: none here, not measured")
        return
    dataset = STIRDataset(h5)
    locked = torch.from_numpy(dataset.stored(dataset.select("train"))).pin_memory()

    def copied() -> None:
        locked.to("cuda", non_blocking=True)
        torch.cuda.synchronize()

    def loaded(shuffle: bool) -> None:
        dataset.to_torch("train", shuffle=shuffle, device="cuda", dtype=torch.uint8)
        torch.cuda.synchronize()

    def rate(way: Callable[[], None]) -> float:
        way()
        return locked.nbytes / statistics.median(clock(way) for _ in range(9)) / 1e9

    plainly = rate(copied)
    print(f"GPU: plain copy of page-locked memory {plainly:.1f} GB/s")
    for name, shuffle in (("in order", False), ("shuffled", True)):
        ours = rate(partial(loaded, shuffle))
        print(f"GPU: to_torch {name} {ours:.1f} GB/s, {ours / plainly:.0%} (goal {BANDWIDTH_BOUND:.0%})")


def converted(path: Path, folder: Path) -> Path:
    """Convert a set to HDF5 by the command line."""
    target = folder / "set.h5"
    command = [
        sys.executable,
        "-c",
        "from stirdata.cli import main; main()",
        "convert",
        str(path),
        str(target),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return target


def main() -> None:
    """Measure and print everything, or one way only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, help="a STIR mnist")
    parser.add_argument("--h5", type=Path, help="the same set as HDF5; by default it is converted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure_once(arguments.only, arguments.path)))
        return
    with tempfile.TemporaryDirectory() as name:
        h5 = arguments.h5 or converted(arguments.path, Path(name))
        report(arguments.path, h5, arguments.rounds)
        report_bandwidth(h5)


if __name__ == "__main__":
    main()
