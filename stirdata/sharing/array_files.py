"""Plain arrays: a .npy file for each, or a .pt file of tensors for each split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.sharing.targets import Export, Target
from stirdata.storage import npy
from stirdata.storage.image_bytes import BlockedArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BESIDE = 128
"""Bytes of an image's label and columns at most."""


class NumPyFiles(Target):
    """``<split>_images.npy`` as stored, ``<split>_labels.npy``, and one file for each column."""

    name = "numpy"
    code = (
        "import numpy as np\n\n"
        'images = np.load("{split}_images.npy", mmap_mode="r")\n'
        'labels = np.load("{split}_labels.npy")'
    )

    def size(self, export: Export) -> int:
        """Return how many bytes will be written, rather too many than too few."""
        return _bytes_of(export, export.records.counts.values())

    def write(self, folder: Path, export: Export) -> None:
        """Write the files."""
        records = export.records
        for split, count in records.counts.items():

            def blocks(split: str = split) -> Iterator[NDArray[Any]]:
                for part in records.parts(split):
                    yield part.images
                    export.advance(len(part))

            dtype = np.dtype(records.image_dtype).newbyteorder("<")
            npy.write(
                folder / f"{split}_images.npy", BlockedArray((count, *records.image_shape), dtype, blocks)
            )
            npy.write(folder / f"{split}_labels.npy", records.labels(split))
            values = records.values(split)
            for column in records.columns:
                npy.write(folder / f"{split}_{column.array}.npy", values[column.name])


class TorchFiles(Target):
    """``<split>.pt``: a dictionary of tensors, and of what the dataset is."""

    name = "torch"
    bytes_depend_on = "torch and its version"
    code = (
        "import torch\n\n"
        'train = torch.load("{split}.pt", weights_only=True, mmap=True)\n'
        'images, labels = train["images"], train["labels"]'
    )

    def size(self, export: Export) -> int:
        """Return how many bytes will be needed; the images of a split are twice on the disk for a while."""
        counts = export.records.counts.values()
        return _bytes_of(export, counts) + _bytes_of(export, [max(counts)])

    def write(self, folder: Path, export: Export) -> None:
        """Write the files; images are (N, channels, height, width), as ``to_torch`` returns them."""
        import torch

        records = export.records
        for split, count in records.counts.items():
            channels, height, width = records.dataset.image_shape
            kept, shape = folder / f"{split}.images", (count, channels, height, width)
            with kept.open("wb") as file:
                for part in records.parts(split):
                    images = part.images.reshape(len(part), height, width, channels)
                    file.write(images.transpose(0, 3, 1, 2).tobytes())
                    export.advance(len(part))
            dtype = getattr(torch, records.image_dtype)
            # Mapped, so that no more of it is in memory than there is room for.
            flat = torch.from_file(str(kept), shared=True, size=math.prod(shape), dtype=dtype)
            values = records.values(split)
            content = {
                "images": flat.reshape(shape),
                "labels": torch.from_numpy(records.labels(split).copy()),
                **{column.array: torch.from_numpy(values[column.name].copy()) for column in records.columns},
                "about": {"split": split, **export.about.as_json(records)},
            }
            with (folder / f"{split}.pt").open("wb") as file:  # a path would become a part of the content
                torch.save(content, file)
            del flat, content
            kept.unlink()


def _bytes_of(export: Export, counts: Any) -> int:
    each = math.prod(export.records.image_shape) * np.dtype(export.records.image_dtype).itemsize
    return int(sum(counts)) * (each + _BESIDE)
