"""A dataset as records: every image with its label and what else is known of it, as other tools hold them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.digest import canonical_dtype
from stirdata.errors import FormatError
from stirdata.executors import map_ordered
from stirdata.imaging import png
from stirdata.manifest import ArrayEntry, describe_array
from stirdata.storage.forms import column_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from stirdata.loading.dataset import ImageDataset

_TOGETHER = 256
_BYTES_TOGETHER = 1 << 20
"""Images that are handed out together: so many, but no more than have so many bytes."""
_AXES = ("x", "y")


@dataclass(frozen=True)
class Column:
    """What is known of every image beside its label.

    Attributes:
        name: Of the value of one image: ``scale``, ``position``, ``source_index``.
        array: What the loader calls the values of all images: ``scales``.
        dtype: NumPy's name of their type.
        shape: Of one value: ``()``, or ``(2,)`` along x and y.
    """

    name: str
    array: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names for the single numbers of a value, where a table has no vectors: ``position_x``."""
        if not self.shape:
            return (self.name,)
        count = int(np.prod(self.shape))
        ends = _AXES if count == len(_AXES) else tuple(map(str, range(count)))
        return tuple(f"{self.name}_{end}" for end in ends)


@dataclass(frozen=True)
class Part:
    """Consecutive images of a split.

    Attributes:
        start: Number of the first of them in the split.
        images: As they are stored: (N, height, width), or (N, height, width, 3) in colour.
    """

    start: int
    images: NDArray[Any]

    def __len__(self) -> int:
        return len(self.images)


class Records:
    """The records of a dataset, read as they are taken.

    Args:
        dataset: The dataset.

    Attributes:
        columns: What is known of every image of all splits beside its label.
        entries: Type, shape and digest of the arrays that were taken: images, labels and columns by split.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset
        self.entries: dict[str, ArrayEntry] = {}
        known = [_known(dataset, split) for split in dataset.splits]
        self._values = dict(zip(dataset.splits, known, strict=True))
        common = [name for name in known[0] if all(name in values for values in known)]
        self.columns = tuple(
            Column(
                column_of(name), name, known[0][name].dtype.newbyteorder("=").name, known[0][name].shape[1:]
            )
            for name in common
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of images by split."""
        return {split: len(self.labels(split)) for split in self.dataset.splits}

    @cached_property
    def image_dtype(self) -> str:
        """``uint8``, or ``float32`` with the same levels."""
        return self.dataset.select(self.dataset.splits[0]).dtype

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of one image: (height, width), or (height, width, 3) in colour."""
        channels, *sides = self.dataset.image_shape
        return (*sides, channels) if channels > 1 else tuple(sides)

    @property
    def summary(self) -> str:
        """What the images are: ``grey images of 28 x 28 pixels in 10 classes``."""
        height, width, *colours = self.image_shape
        kind = "colour" if colours else "grey"
        return f"{kind} images of {width} x {height} pixels in {self.dataset.num_classes} classes"

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split: int64 (N,); below 0 for images without a class."""
        return self._entered(f"{split}/labels", self.dataset.targets(split))

    def known(self, split: str) -> Mapping[str, NDArray[Any]]:
        """Return what the dataset tells of the images of a split, as the loader calls it, the scale first."""
        return self._values[split]

    def values(self, split: str) -> dict[str, NDArray[Any]]:
        """Return the columns of a split by their names, (N, …) each."""
        return {
            column.name: self._entered(f"{split}/{column.array}", self._values[split][column.array])
            for column in self.columns
        }

    def _entered(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        if name not in self.entries:
            self.entries[name] = describe_array(array)
        return array

    def parts(self, split: str, within: int = _TOGETHER) -> Iterator[Part]:
        """Yield the images of a split in their order, some at a time.

        Args:
            split: Name of a split.
            within: No part has images on both sides of a multiple of this number.
        """
        digest, count = hashlib.sha256(), self.counts[split]
        each = math.prod(self.image_shape) * np.dtype(self.image_dtype).itemsize
        most = max(1, min(_TOGETHER, _BYTES_TOGETHER // each))
        for start, block in self.dataset.blocks(self.dataset.select(split)):
            images = np.ascontiguousarray(block)
            digest.update(images.reshape(-1).view(np.uint8).data)
            end, first = start + len(images), start
            while first < end:
                last = min(first + most, first - first % within + within, end)
                yield Part(first, images[first - start : last - start].copy())  # the next block overwrites it
                first = last
        dtype = canonical_dtype(np.empty(0, self.image_dtype))
        self.entries[f"{split}/images"] = ArrayEntry(dtype, (count, *self.image_shape), digest.hexdigest())

    def encoded(
        self, split: str, executor: Executor, *, within: int = _TOGETHER, lossy: bool = False
    ) -> Iterator[tuple[Part, list[bytes]]]:
        """Yield the images of a split some at a time, and each of them as a PNG file.

        Args:
            split: Name of a split.
            executor: Threads that encode.
            within: As for :meth:`parts`.
            lossy: Whether levels that are no whole numbers are rounded to such.

        Raises:
            FormatError: They are none, and ``lossy`` is false.
        """

        def encode(part: Part) -> tuple[Part, list[bytes]]:
            return part, png.compressed(as_bytes(part.images, lossy=lossy, where=self.dataset.path))

        return map_ordered(executor, encode, self.parts(split, within))


def _known(dataset: ImageDataset, split: str) -> Mapping[str, NDArray[Any]]:
    """Return what a dataset tells of the images of a split; a PNG tree without its table tells nothing."""
    found: dict[str, NDArray[Any]] = {}
    try:
        found |= dataset.latents(split)
        found["source_index"] = dataset.source_index(split)
    except FormatError:
        pass
    return found


def as_bytes(images: NDArray[Any], *, lossy: bool, where: object) -> NDArray[np.uint8]:
    """Return images as uint8.

    Args:
        images: uint8, or floats with levels of 0 to 255.
        lossy: Whether levels that are no whole numbers are rounded to such.
        where: What an error names.

    Raises:
        FormatError: They are none, and ``lossy`` is false.
    """
    levels = rounded(images)
    if not lossy and not np.array_equal(levels, images):
        raise FormatError(
            "the images have levels between whole numbers, which PNG files cannot hold",
            where=where,
            expected="uint8, or whole numbers from 0 to 255",
            got=f"{images.dtype} that differs by up to {np.abs(images - levels).max():.3g} levels",
            hint="--lossy rounds them; npy and torch files hold them as they are",
        )
    return levels


def rounded(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images as uint8; levels that are stored as floats are rounded."""
    return images if images.dtype == np.uint8 else np.clip(np.rint(images), 0, 255).astype(np.uint8)


def class_counts(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return how many images each class has: (classes,); those without one are not counted."""
    return np.bincount(labels[labels >= 0], minlength=classes)


def boxes(latents: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the boxes of objects in pixels: left and top edge (N, 2), width and height (N, 2).

    Where only the longer side of a box is known, the box is taken to be a square.

    Args:
        latents: Of a split, the scale first.

    Returns:
        None where positions are not known.
    """
    if "positions" not in latents:
        return None
    scales = next(iter(latents.values()))
    sizes = latents["sizes"] if "sizes" in latents else np.stack([scales, scales], axis=1)
    return latents["positions"].astype(np.int64), sizes.astype(np.int64)
