"""One epoch and nothing else, for a process whose memory is measured.

Run as ``python -m benchmarks.batches_memory WAY FILE SIDE``; FILE holds uint8 images of SIDE x SIDE pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from stirdata.datasets.batches import Batches

_PIECE = 500


def loader(file: Path, side: int) -> Iterable[object]:
    """Return the batches of a DataLoader over floats, which are made piece by piece."""
    count = file.stat().st_size // side**2
    images = torch.empty(count, 1, side, side)
    for start in range(0, count, _PIECE):
        piece = np.fromfile(file, np.uint8, _PIECE * side**2, offset=start * side**2)
        images[start : start + _PIECE] = torch.from_numpy(piece).view(-1, 1, side, side)
    return DataLoader(TensorDataset(images.div_(255), torch.arange(count)), 128, shuffle=True)


def ours(file: Path, side: int) -> Iterable[object]:
    """Return batches of bytes."""
    images = torch.from_numpy(np.fromfile(file, np.uint8)).view(-1, 1, side, side)
    return Batches(images, torch.arange(len(images)), batch_size=128)


def main(way: str, file: Path, side: int) -> None:
    """Draw all batches of an epoch, or do nothing."""
    if way != "nothing":
        for _ in {"ours": ours, "loader": loader}[way](file, side):
            pass


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
