"""Reading a STIR set from disk piece by piece, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.families.stir import schema as stir_schema
from stirdata.families.stir.axes import Frame
from stirdata.storage import stir_members
from stirdata.storage.image_bytes import Block, ImageBytes, ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AHEAD = 2


@dataclass(frozen=True)
class StirFile:
    """A STIR set on disk, of which everything but the images is in memory; made by :func:`open_set`.

    No file stays open between calls, so that objects can be pickled and forked.

    Attributes:
        path: The file or folder.
        frame: The axes.
        labels: int32, (sets, scales, n, m), read-only, as are the other arrays.
        scales: int32, (sets, scales, n, m), in pixels.
        positions: int32, (sets, scales, n, m, 2): left, top, in pixels.
        metadata: Title, description, author, license, version and date.
        tables: The two arrays of text as they are stored: ``metadata`` and ``lbldata``.
        images: The pixels on disk.
    """

    path: Path
    frame: Frame
    labels: NDArray[np.int32]
    scales: NDArray[np.int32]
    positions: NDArray[np.int32]
    metadata: dict[str, str]
    tables: Mapping[str, NDArray[np.str_]]
    images: ImageBytes

    def blocks(self, split: int, rows: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the images of one set at some scales, a scale at a time, in the order of the file.

        The file is read on a thread, up to two blocks ahead.

        Args:
            split: Index on the axis of sets: 0 train, 1 valid, 2 test.
            rows: Indices on the axis of scales, in any order, each at most once.

        Yields:
            Where in ``rows`` the block belongs, and its images: uint8, (n * m, side, side) or
            (n * m, side, side, 3), valid until the next block is asked for.

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        places = sorted(range(len(rows)), key=lambda place: rows[place])
        yield from zip(places, self._stream([(split, rows[place]) for place in places]), strict=True)

    def every_block(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images of every set and scale, in the order of the file, which is read once.

        Yields:
            uint8, (n * m, side, side) or (n * m, side, side, 3), valid until the next is asked for.

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        sets, scales = self.frame.shape[:2]
        yield from self._stream([(split, row) for split in range(sets) for row in range(scales)])

    def _stream(self, wanted: Sequence[tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the blocks of sets and rows, which ascend, from a few buffers in turn."""
        count = min(_AHEAD + 1, len(wanted))
        buffers = np.empty((count, *self._block_shape), np.uint8)
        targets = [buffers[turn % count] for turn in range(len(wanted))]
        blocks = [self._block(*place, target) for place, target in zip(wanted, targets, strict=True)]
        for target, _ in zip(targets, ahead(self.images.fill(blocks), _AHEAD), strict=True):
            yield target

    def read(
        self, split: int, rows: Sequence[int], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Read the images of one set at some scales.

        Args:
            split: Index on the axis of sets.
            rows: Indices on the axis of scales, in any order, each at most once.
            out: C-contiguous, of the shape of the result, to read into; new if None.

        Returns:
            uint8, (len(rows), n * m, side, side) or (…, 3), in the order of ``rows``.

        Raises:
            MissingFileError: The file is gone.
            FormatError: The file is damaged, or another one than when it was opened.
        """
        result = np.empty((len(rows), *self._block_shape), np.uint8) if out is None else out
        places = sorted(range(len(rows)), key=lambda place: rows[place])
        for _ in self.images.fill([self._block(split, rows[place], result[place]) for place in places]):
            pass
        return result

    @property
    def _block_shape(self) -> tuple[int, ...]:
        return len(self.frame.classes) * self.frame.instances, *self.frame.image_shape

    def _block(self, split: int, row: int, target: NDArray[np.uint8]) -> Block:
        start = (split * len(self.frame.scales) + row) * target.nbytes
        return Block(start, target.reshape(-1).data)


def open_set(path: Path) -> StirFile:
    """Open a STIR set: an .npz file as published, an .h5 file, or a folder of .npy files.

    Raises:
        MissingFileError: There is no such file or folder.
        FormatError: It is damaged, or breaks the schema.
    """
    members = stir_members.locate(path)
    stir_schema.check_layout(members.layout, where=path)
    small = {key: _native(array) for key, array in members.read_small().items()}
    whole: dict[str, NDArray[Any]] = {stir_members.IMAGES: members.layout[stir_members.IMAGES], **small}
    frame = stir_schema.check(whole, where=path)
    for array in small.values():
        array.flags.writeable = False
    return StirFile(
        path=path,
        frame=frame,
        labels=small["lbls"],
        scales=small["scls"],
        positions=small["psts"],
        metadata={str(name): str(value) for name, value in small["metadata"]},
        tables={key: small[key] for key in ("metadata", "lbldata")},
        images=members.images(),
    )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of the machine, which torch and PIL need."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)
