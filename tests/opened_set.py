"""A STIR set on disk, block by block, for the tests of how its images are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stirdata.families.stir import loader
from stirdata.families.stir.axes import SETS, Frame
from stirdata.loading.selection import StoredImages
from stirdata.storage.image_bytes import ImageBytes


class OpenedSet:
    """What :class:`stirdata.STIRDataset` knows of a file, and its images by set and scale."""

    def __init__(self, path: Path) -> None:
        opened = loader._open(path)
        self.path: Path = opened.path
        self.frame: Frame = opened.frame
        self.arrays: Mapping[str, NDArray[Any]] = opened.arrays
        self.images: ImageBytes = opened.images

    @property
    def labels(self) -> NDArray[Any]:
        return self.arrays["lbls"]

    @property
    def scales(self) -> NDArray[Any]:
        return self.arrays["scls"]

    @property
    def positions(self) -> NDArray[Any]:
        return self.arrays["psts"]

    @property
    def metadata(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.arrays["metadata"]}

    @property
    def tables(self) -> dict[str, NDArray[Any]]:
        return {key: self.arrays[key] for key in ("metadata", "lbldata")}

    def _of(self, split: int) -> tuple[StoredImages, int]:
        count, block = self.frame.count // len(SETS), len(self.frame.classes) * self.frame.instances
        return StoredImages(self.images, self.frame.image_shape, count, split * count), block

    def blocks(self, split: int, rows: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the images of one set at some scales, a scale at a time, in the order of the file."""
        images, block = self._of(split)
        for first, part in images.blocks([range(row * block, (row + 1) * block) for row in rows]):
            yield first // block, part

    def every_block(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images of every set and scale, in the order of the file."""
        _, block = self._of(0)
        whole = StoredImages(self.images, self.frame.image_shape, self.frame.count)
        for _, part in whole.blocks([range(self.frame.count)]):
            yield from (part[at : at + block] for at in range(0, len(part), block))

    def read(self, split: int, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Return the images of one set at some scales, (rows, images, …)."""
        images, block = self._of(split)
        found = images.read([range(row * block, (row + 1) * block) for row in rows])
        return found.reshape(len(rows), block, *self.frame.image_shape)


def open_set(path: Path) -> OpenedSet:
    """Open a set; the errors are those of its loader."""
    return OpenedSet(path)
