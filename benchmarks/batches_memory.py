"""One epoch and nothing else, for a process whose memory is measured.

``python -m benchmarks.batches_memory write STIR_FILE FILE`` writes the bytes of a training set of grey images
to a file, ``python -m benchmarks.batches_memory nothing|ours|loader FILE`` does an epoch over them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from stirdata.loading.batches import Batches

_PIECE, _SIDE = 500, 64


def loader(file: Path) -> Iterable[object]:
    """Return the batches of a DataLoader over floats, which are made piece by piece."""
    count = file.stat().st_size // _SIDE**2
    images = torch.empty(count, 1, _SIDE, _SIDE)
    for start in range(0, count, _PIECE):
        piece = np.fromfile(file, np.uint8, _PIECE * _SIDE**2, offset=start * _SIDE**2)
        images[start : start + _PIECE] = torch.from_numpy(piece).view(-1, 1, _SIDE, _SIDE)
    return DataLoader(TensorDataset(images.div_(255), torch.arange(count)), 128, shuffle=True)


def ours(file: Path) -> Iterable[object]:
    """Return batches of bytes."""
    images = torch.from_numpy(np.fromfile(file, np.uint8)).view(-1, 1, _SIDE, _SIDE)
    return Batches(images, torch.arange(len(images)), batch_size=128)


def write(stir_file: Path, file: Path) -> None:
    """Write the images of the training set of a STIR file."""
    with np.load(stir_file, allow_pickle=False) as archive:
        archive["imgs"][0].tofile(file)


def main(way: str, file: Path, *target: str) -> None:
    """Draw all batches of an epoch, or do nothing."""
    if way == "write":
        write(file, Path(*target))
    elif way != "nothing":
        for _ in {"ours": ours, "loader": loader}[way](file):
            pass


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
