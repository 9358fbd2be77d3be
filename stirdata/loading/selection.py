"""Which images of a dataset are meant, in which order: those of a split, or some of them, shuffled or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import RandomState

from stirdata.errors import ParameterError
from stirdata.storage.image_bytes import Block, ImageBytes, ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHUFFLE_SEED = 42  # Source: the loader published with arXiv 2211.10288
_VALIDATION = ("val", "valid", "validation")
_BLOCK = 1 << 22  # bytes that are read together
_AHEAD = 2
_NEAR = 1e-3


@dataclass(frozen=True)
class Selection:
    """Images of one split, in an order.

    In order, the images come run by run, as asked for. Shuffled, they are gathered from that order by
    ``RandomState(42).permutation(N)``, which is what shuffling each array in place with a fresh
    ``RandomState(42)`` comes to.

    Attributes:
        split: Name of the split, as the dataset calls it.
        runs: Numbers of the images within the split, in the order asked for.
        image_shape: (height, width), or (height, width, 3) in colour.
        shuffle: Whether the images are shuffled.
        dtype: NumPy's name of the type in which they are stored: ``uint8``, or ``float32`` with the same
            levels, 0 to 255.

    Source: the loader published with arXiv 2211.10288.
    """

    split: str
    runs: tuple[range, ...]
    image_shape: tuple[int, ...]
    shuffle: bool = False
    dtype: str = "uint8"

    @property
    def nbytes(self) -> int:
        """Size of the images as they are stored, in bytes."""
        return len(self) * math.prod(self.image_shape) * np.dtype(self.dtype).itemsize

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    def gather(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the selected part of an array of the whole split, (images of the split, …), as a new one."""
        parts = [array[run.start : run.stop] for run in self.runs]
        chosen = np.concatenate(parts) if parts else array[:0].copy()
        return chosen[self._order] if self.shuffle else chosen

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where each image goes when they are shuffled, by its place in order: int64 (N,)."""
        places = np.empty(len(self), np.int64)
        places[self._order] = np.arange(len(self))
        return places

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return RandomState(_SHUFFLE_SEED).permutation(len(self)).astype(np.int64)


@dataclass(frozen=True)
class StoredImages:
    """The images of one split, one after another, where they lie on disk or in memory.

    Attributes:
        bytes: Of the array that holds them, in C order.
        shape: Of one image: (height, width), or (height, width, 3) in colour.
        count: How many there are.
        first: Where they begin in the array, in images.
        dtype: Of their levels, 0 to 255: ``uint8`` or ``float32``.
    """

    bytes: ImageBytes
    shape: tuple[int, ...]
    count: int
    first: int = 0
    dtype: str = "uint8"

    def blocks(self, runs: Sequence[range]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read runs of images in parts, in the order in which they are stored, ahead on a thread.

        Yields:
            Where the part begins among the images of all runs, and its images: (B, *shape), valid
            until the next is asked for.

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        parts = self._parts(runs)
        most = max((len(part) for _, part in parts), default=0)
        buffers = [np.empty((most, *self.shape), self.dtype) for _ in range(min(_AHEAD + 1, len(parts)))]
        targets = [buffers[turn % len(buffers)][: len(part)] for turn, (_, part) in enumerate(parts)]
        wanted = [self._block(part, target) for (_, part), target in zip(parts, targets, strict=True)]
        filling = ahead(self.bytes.fill(wanted), _AHEAD)
        for (place, _), target, _ in zip(parts, targets, filling, strict=True):
            yield place, target

    def read(self, runs: Sequence[range]) -> NDArray[Any]:
        """Read runs of images into one array, in their order: (N, *shape).

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        parts = self._parts(runs)
        result = np.empty((sum(map(len, runs)), *self.shape), self.dtype)
        wanted = [self._block(part, result[place : place + len(part)]) for place, part in parts]
        for _ in self.bytes.fill(wanted):
            pass
        return result

    def pick(self, numbers: NDArray[np.integer]) -> NDArray[Any]:
        """Read single images by their numbers, in any order and repeated: (N, *shape).

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        wanted, places = np.unique(numbers, return_inverse=True)
        chosen: NDArray[Any] = self.read(runs_of(wanted))[places.reshape(-1)]
        return chosen

    def _parts(self, runs: Sequence[range]) -> list[tuple[int, range]]:
        """Cut runs into parts of a size that is read together; return their places, in stored order."""
        step, place, parts = max(1, _BLOCK // max(1, self._each)), 0, []
        for run in runs:
            parts += [(place + at, run[at : at + step]) for at in range(0, len(run), step)]
            place += len(run)
        return sorted(parts, key=lambda part: part[1].start)

    @property
    def _each(self) -> int:
        """Bytes of an image."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def _block(self, part: range, target: NDArray[Any]) -> Block:
        return Block((self.first + part.start) * self._each, target.reshape(-1).view(np.uint8).data)


@dataclass(frozen=True)
class MemoryBytes:
    """The bytes of an array in memory, or of one that is read whole when the first of them is needed."""

    array: Callable[[], NDArray[np.uint8]]

    def fill(self, blocks: Sequence[Block]) -> Any:
        """Copy blocks one after the other."""
        content = np.ascontiguousarray(self.array()).reshape(-1).data
        for start, target in blocks:
            target[:] = content[start : start + len(target)]
            yield


def runs_of(numbers: NDArray[np.integer]) -> tuple[range, ...]:
    """Return numbers, which ascend, as runs of consecutive ones.

    Examples:
        >>> runs_of(np.array([3, 4, 5, 9]))
        (range(3, 6), range(9, 10))
    """
    if not len(numbers):
        return ()
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    starts, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(numbers)]
    return tuple(
        range(int(numbers[start]), int(numbers[end - 1]) + 1) for start, end in zip(starts, ends, strict=True)
    )


def rows_of_factors(present: NDArray[np.float64], wanted: float | Iterable[float]) -> tuple[range, ...]:
    """Return the images at some factors, factor by factor.

    Args:
        present: The factor of every image, float64 (N,).
        wanted: A number or several. One that differs from a factor by less than a thousandth of it is that
            factor: few people type 0.8408964.

    Raises:
        ParameterError: They are no numbers, or none of an image, or one is asked for twice.
    """
    each: list[Any] = list(wanted) if isinstance(wanted, Iterable) else [wanted]
    if not each or not all(isinstance(factor, Real) for factor in each):
        raise _no_factor("factors are one number or several", present, wanted)
    runs: list[range] = []
    for factor in each:
        found = runs_of(np.flatnonzero(np.abs(present - factor) <= _NEAR * np.abs(present)))
        if not found:
            raise _no_factor("the file has no images of this factor", present, factor)
        if set(found) & set(runs):
            raise _no_factor("a factor is asked for twice", present, factor)
        runs += found
    return tuple(runs)


def _no_factor(what: str, present: NDArray[np.float64], got: object) -> ParameterError:
    known = ", ".join(f"{factor:.4g}" for factor in np.unique(present))
    return ParameterError(what, where="factors", expected=f"some of {known}, each once", got=got)


def split_named(name: Any, splits: Sequence[str]) -> str:
    """Return what a dataset calls a split; ``val``, ``valid`` and ``validation`` are the same.

    Raises:
        ParameterError: There is no such split.

    Examples:
        >>> split_named("validation", ("train", "valid", "test"))
        'valid'
    """
    if isinstance(name, str):
        wanted = _VALIDATION if name in _VALIDATION else (name,)
        found = [split for split in splits if split in wanted]
        if found:
            return found[0]
    raise ParameterError("unknown split", where="split", expected=", ".join(splits), got=repr(name))
