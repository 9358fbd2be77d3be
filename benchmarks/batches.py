"""Epochs of batches, against DataLoaders and against a plain gather, in turns.

``python -m benchmarks.batches STIR_FILE MNIST_SCALE_ROOT [ROUNDS]``: a full-size STIR mnist set (.npz), and a
folder that holds the realization 0 of MNIST-scale with its manifest. Times are medians of whole epochs,
ratios are medians of the ratios within a round. Where there is a GPU, all is measured there as well.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measure import in_rounds, run
from benchmarks.plain_image_folder import ImageFolder
from stirdata import MNISTScale, ScaleAugment, STIRDataset
from stirdata.operations.convert import convert

Epoch = Callable[[], object]

LOADER_BOUND = 1.5
GATHER_BOUND = 1.3
BLOCK_BOUND = 1.3
MEMORY_BOUND = 0.25
TREE_BOUND = 20.0
BATCH_SIZE = 128  # the published one of MNIST-scale


def epoch_of(batches: Iterable[object]) -> Epoch:
    """Return a function that draws all batches of an epoch and drops them."""

    def epoch() -> None:
        for _ in batches:
            pass
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return epoch


def plain_gather(images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> Epoch:
    """Return an epoch of nothing but gathering bytes and dividing them in memory of their own."""
    divisor = torch.tensor(255.0, device=images.device)

    def epoch() -> None:
        order = torch.randperm(len(images)).to(images.device)
        for members in torch.split(order, batch_size):
            pixels = images.index_select(0, members)
            values = torch.empty(pixels.shape, device=images.device)
            values.copy_(pixels)
            values.div_(divisor)
            labels.index_select(0, members)
        if images.is_cuda:
            torch.cuda.synchronize()

    return epoch


def in_one_thread(epoch: Epoch) -> Epoch:
    """Return an epoch in which torch computes in one thread, as batches on the CPU are made."""

    def limited() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            epoch()
        finally:
            torch.set_num_threads(threads)

    return limited


def loader_epoch(images: torch.Tensor, labels: torch.Tensor, batch_size: int, device: str) -> Epoch:
    """Return an epoch of a DataLoader over floats on the CPU, whose batches go to the device."""
    loader = DataLoader(TensorDataset(images, labels), batch_size, shuffle=True, pin_memory=device == "cuda")
    if device == "cpu":
        return epoch_of(loader)
    return epoch_of(Moved(loader, device))


class Moved:
    """The batches of a loader on a device."""

    def __init__(self, loader: Iterable[list[torch.Tensor]], device: str) -> None:
        self.loader, self.device = loader, device

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        """Yield the batches, copied without being waited for."""
        for batch in self.loader:
            yield [tensor.to(self.device, non_blocking=True) for tensor in batch]


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def report_stir(path: Path, device: str, rounds: int) -> None:
    """Measure epochs over a STIR training set at several batch sizes."""
    dataset = STIRDataset(path)
    floats, labels = dataset.to_torch("train")
    images, classes = dataset.to_torch("train", device=device, dtype=torch.uint8)
    together = 256 if device == "cpu" else 4096  # images of a block
    for size in (16, 128, 1024, 4096):
        seconds = in_rounds(
            rounds,
            {
                "ours": epoch_of(dataset.batches("train", batch_size=size, device=device)),
                "one by one": epoch_of(dataset.batches("train", batch_size=size, device=device, block=1)),
                "in blocks": plain_gather(images, classes, together),
                "reused": epoch_of(dataset.batches("train", batch_size=size, device=device, reuse=True)),
                "loader": loader_epoch(floats, labels, size, device),
                "gather": plain_gather(images, classes, size),
                "gather in one thread": in_one_thread(plain_gather(images, classes, size)),
            },
        )
        times = ", ".join(
            f"{name} {statistics.median(taken) * 1e3:.1f} ms" for name, taken in seconds.items()
        )
        print(f"STIR, {len(images)} images on {device}, batches of {size}: {times}")
        print(
            f"  {ratio(seconds['loader'], seconds['ours']):.2f}x faster than the DataLoader (at least "
            f"{LOADER_BOUND}x), {ratio(seconds['ours'], seconds['gather']):.2f}x the time of a plain gather "
            f"and conversion (at most {GATHER_BOUND}x), "
            f"{ratio(seconds['ours'], seconds['gather in one thread']):.2f}x in one thread"
        )
        blocks = ratio(seconds["ours"], seconds["in blocks"])
        print(
            f"  {blocks:.2f}x the time of a plain gather and conversion of the epoch in blocks of {together} "
            f"(at most {BLOCK_BOUND}x), "
            f"{ratio(seconds['one by one'], seconds['ours']):.2f}x as fast as singly"
        )


def report_memory(path: Path) -> None:
    """Compare the peaks of processes that do nothing but an epoch.

    To be called before this process has grown: a child starts with the peak of its parent.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "images.bin"
        command = [sys.executable, "-m", "benchmarks.batches_memory"]
        run([*command, "write", str(path), str(file)])
        peaks = {way: run([*command, way, str(file)]).megabytes for way in ("nothing", "ours", "loader")}
        held = file.stat().st_size / 1e6
    ours, loader = (peaks[way] - peaks["nothing"] for way in ("ours", "loader"))
    print(
        f"memory: the selection is {held:.0f} MB, {MEMORY_BOUND} of its floats; peak of a process above its"
    )
    print(
        f"  imports {ours:.0f} MB, with a DataLoader over floats {loader:.0f} MB: {ours / loader:.2f} of it"
    )


def report_mnist_scale(root: Path, device: str, rounds: int) -> None:
    """Measure epochs over the training split of MNIST-scale, against decoding its PNG tree."""
    dataset = MNISTScale(root)
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        convert(dataset.path, tree)
        for augment in (None, ScaleAugment(0.5, 2.0)):
            report_regime(dataset, tree / "train", augment, device, rounds)


def report_regime(
    dataset: MNISTScale, folder: Path, augment: ScaleAugment | None, device: str, rounds: int
) -> None:
    """Measure epochs with or without augmentation."""
    files = ImageFolder(folder, (augment.low, augment.high) if augment else None)
    loader = DataLoader(files, BATCH_SIZE, shuffle=True, num_workers=2, pin_memory=device == "cuda")

    def ours(size: int) -> Epoch:
        return epoch_of(
            dataset.batches(
                "train",
                batch_size=BATCH_SIZE,
                device=device,
                size=size,
                normalize=True,
                augment=augment,
            )
        )

    decoded = epoch_of(loader if device == "cpu" else Moved(loader, device))
    seconds = in_rounds(rounds, {"28x28": ours(28), "56x56": ours(56), "PNG tree": decoded})
    regime = " with ScaleAugment" if augment else ""
    times = ", ".join(f"{way} {statistics.median(taken) * 1e3:.0f} ms" for way, taken in seconds.items())
    bound = "" if augment else f" (at least {TREE_BOUND:.0f}x)"
    print(f"MNIST-scale{regime}, {len(files)} images on {device}, batches of {BATCH_SIZE}: {times}")
    gain = ratio(seconds["PNG tree"], seconds["28x28"])
    print(f"  28x28 {gain:.0f}x faster than decoding the PNG tree with two workers{bound}")


def report_augmentation(root: Path, device: str, rounds: int) -> None:
    """Measure images per second of ScaleAugment alone."""
    images = torch.from_numpy(MNISTScale(root).images("train").copy())[:, None].to(device)
    indices, augment = torch.arange(len(images), device=device), ScaleAugment(0.5, 2.0)
    for size in (BATCH_SIZE, len(images)):
        parts = list(zip(torch.split(images, size), torch.split(indices, size), strict=True))
        epoch = epoch_of(Augmented(augment, parts))
        seconds = in_rounds(rounds, {"augment": epoch})["augment"]
        rate = len(images) / statistics.median(seconds)
        print(f"ScaleAugment, batches of {size} on {device}: {rate:.0f} images/s")


class Augmented:
    """Batches through an augmentation."""

    def __init__(self, augment: ScaleAugment, parts: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.augment, self.parts = augment, parts

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Yield augmented batches."""
        for images, indices in self.parts:
            yield self.augment(images, indices, 0)


def main() -> None:
    """Measure everything and print two lines for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stir_file", type=Path)
    parser.add_argument("mnist_scale_root", type=Path)
    parser.add_argument("rounds", type=int, nargs="?", default=7)
    arguments = parser.parse_args()
    report_memory(arguments.stir_file)
    for device in ("cpu", "cuda"):
        if device == "cuda" and not torch.cuda.is_available():
            print("no GPU here, not measured")
            break
        report_stir(arguments.stir_file, device, arguments.rounds)
        report_mnist_scale(arguments.mnist_scale_root, device, arguments.rounds)
        report_augmentation(arguments.mnist_scale_root, device, arguments.rounds)


if __name__ == "__main__":
    main()
