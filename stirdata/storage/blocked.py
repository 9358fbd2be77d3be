"""Arrays that are written while they are read, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class BlockedArray:
    """An array that never is in memory as a whole.

    Attributes:
        shape: Of the array.
        dtype: Of its values, little-endian or of one byte.
        blocks: Returns its parts in C order; each is valid until the next is asked for.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[NDArray[Any]]]

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def portions(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the array in portions of a size; the last may be shorter."""
        held = bytearray()
        for block in self.blocks():
            held += block.reshape(-1).view("u1").data
            whole = len(held) // size * size
            for start in range(0, whole, size):
                yield bytes(held[start : start + size])
            del held[:whole]
        if held:
            yield bytes(held)
