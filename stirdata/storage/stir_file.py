"""Reading a STIR set from disk piece by piece, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata.recipes.stir import Frame
from stirdata.storage import stir as storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    """

    path: Path
    frame: Frame
    labels: NDArray[np.int32]
    scales: NDArray[np.int32]
    positions: NDArray[np.int32]
    metadata: dict[str, str]

    def blocks(self, split: int, rows: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the images of one set at some scales, a scale at a time, in the order of the file.

        Args:
            split: Index on the axis of sets: 0 train, 1 valid, 2 test.
            rows: Indices on the axis of scales, in any order, each at most once.

        Yields:
            Where in ``rows`` the block belongs, and its images: uint8, (n * m, side, side) or
            (n * m, side, side, 3), valid until the next block is asked for.

        Raises:
            FormatError: The file is damaged.
        """
        images = storage.load(self.path)["imgs"]
        for place in sorted(range(len(rows)), key=lambda place: rows[place]):
            yield place, images[split, rows[place]].reshape(-1, *self.frame.image_shape)


def open_set(path: Path) -> StirFile:
    """Open a STIR set.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or breaks the schema.
    """
    arrays, frame = storage.load_checked(path)
    small = (arrays.lbls, arrays.scls, arrays.psts)
    for array in small:
        array.flags.writeable = False
    metadata = {str(name): str(value) for name, value in arrays.metadata}
    return StirFile(path, frame, *small, metadata)
