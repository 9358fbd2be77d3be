"""Making and loading MNIST-scale, against the plain way, in one run.

``python -m benchmarks.mnist_scale SOURCE_DIR [ROUNDS]``, where SOURCE_DIR holds the gzipped MNIST files.
Whole processes are measured: start, reading MNIST, computing, writing, manifest. Nothing is deleted before
the end: for minutes after many files have been deleted, ext4 takes several times as long to make new ones.
Where there is a GPU, generation on it is measured too and its bits are compared with the CPU's.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measure import Run, clock, in_turns, median_seconds, run
from stirdata import MNISTScale
from stirdata.families.mnist_scale.recipe import generate
from stirdata.sources import mnist

BOUNDS = {"h5": 6.0, "png": 1.8}
GOALS = {"h5": 10.0, "png": 3.0}
LOADING_BOUND = 50.0
MEMORY_BOUND_MEGABYTES = 600.0


def plain(source_dir: Path, out: Path) -> Run:
    """Make the PNG tree the plain way."""
    return run([sys.executable, "-m", "benchmarks.plain_mnist_scale", str(source_dir), str(out)])


def ours(source_dir: Path, out: Path, form: str) -> Run:
    """Make the same by the command line."""
    arguments = ["generate", "mnist-scale", "--seed", "0", "--format", form, "--out", str(out)]
    command = [str(Path(sys.executable).with_name("stirdata")), *arguments, "--source-dir", str(source_dir)]
    return run(command)


def report_generation(source_dir: Path, folder: Path, rounds: int) -> None:
    """Measure and print the ratios of whole processes."""
    turn = itertools.count()

    def new(form: str) -> Path:
        return folder / f"{form}{next(turn)}"

    runs = in_turns(
        rounds,
        plain=lambda: plain(source_dir, new("plain")),
        h5=lambda: ours(source_dir, new("h5"), "h5"),
        npz=lambda: ours(source_dir, new("npz"), "npz"),
        png=lambda: ours(source_dir, new("png"), "png"),
    )
    baseline = median_seconds(runs["plain"])
    print(f"plain: {baseline:.2f} s")
    for form in ("h5", "npz", "png"):
        seconds, memory = median_seconds(runs[form]), max(run.megabytes for run in runs[form])
        bound = f", at least {BOUNDS[form]}x, goal {GOALS[form]}x" if form in BOUNDS else ""
        print(f"{form}: {seconds:.2f} s, {baseline / seconds:.1f}x faster{bound}; peak {memory:.0f} MB")
    print(f"(peak of the h5 run: at most {MEMORY_BOUND_MEGABYTES:.0f} MB)")


def load_h5(root: Path) -> torch.Tensor:
    """Load the test split from HDF5 with stirdata."""
    return MNISTScale(root).to_torch("test").images


def decode_tree(tree: Path) -> torch.Tensor:
    """Load the test split image by image, as data sets on image folders do."""
    images = [
        torch.from_numpy(np.array(Image.open(path))).to(torch.float32).div(255)[None]
        for path in sorted((tree / "test").rglob("*.png"), key=lambda path: int(path.stem))
    ]
    return torch.stack(images)


def report_loading(folder: Path, rounds: int) -> None:
    """Measure and print how much faster HDF5 loads than the PNG tree, and compare the values."""
    tree, made = folder / "plain0", folder / "h51"
    if not torch.equal(load_h5(made), decode_tree(tree)):
        raise SystemExit("the loaded values differ")
    h5 = statistics.median(clock(lambda: load_h5(made)) for _ in range(5 * rounds))
    png = statistics.median(clock(lambda: decode_tree(tree)) for _ in range(rounds))
    print(
        f"test split to float32: HDF5 {h5 * 1000:.0f} ms, PNG tree {png * 1000:.0f} ms, "
        f"{png / h5:.0f}x faster, at least {LOADING_BOUND:.0f}x"
    )


def report_gpu(source_dir: Path) -> None:
    """Measure generation on the GPU and compare its bits with the CPU's."""
    if not torch.cuda.is_available():
        print("GPU: none here, not measured")
        return
    digits = mnist.load(source_dir)
    images = torch.tensor(digits.images, device="cuda")

    def on_gpu() -> dict[str, torch.Tensor]:
        splits = generate(images, digits.labels, 0, block=16384)
        torch.cuda.synchronize()
        return {name: split.images for name, split in splits.items()}

    on_gpu()
    seconds = statistics.median(clock(on_gpu) for _ in range(5))
    cpu = generate(digits.images, digits.labels, 0, workers=2)
    equal = all(np.array_equal(cpu[name].images, pixels.cpu().numpy()) for name, pixels in on_gpu().items())
    print(f"GPU: {62_000 / seconds:.0f} images/s ({seconds:.2f} s with the draws), same bits as CPU: {equal}")


def main() -> None:
    """Measure everything and print a line for each."""
    source_dir = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report_generation(source_dir, folder, rounds)
        report_loading(folder, rounds)
    report_gpu(source_dir)


if __name__ == "__main__":
    main()
