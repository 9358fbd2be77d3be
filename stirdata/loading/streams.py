"""Random numbers that stay the same on every machine, device and version of every library.

NumPy and torch may change the stream of their generators between versions, and torch has another one
per device. Here every number is computed on its own, from a key and a counter, by integer arithmetic
that is written down below: what has once been drawn can be drawn again anywhere, in any order.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WEYL, _FIRST, _SECOND = (
    constant - 2**64 for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
"""The constants of SplitMix64 as signed integers, because torch multiplies no unsigned ones."""


def stream_key(purpose: str, seed: int, epoch: int) -> int:
    """Return the key of a stream: the first eight bytes of the SHA-256 of what it is for.

    Args:
        purpose: Names the use, so that two uses with equal seeds are independent.
        seed: 0 or more.
        epoch: 0 or more.

    Example:
        >>> stream_key("permutation", seed=0, epoch=0)
        -8308368190917226481
    """
    digest = hashlib.sha256(f"stirdata/{purpose}/1/{seed}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def random_words(key: int, counters: Any) -> Any:
    """Return the pseudo-random number of every counter: the upper 53 bits of SplitMix64's output.

    Args:
        key: Of the stream, a signed 64-bit integer.
        counters: int64, any shape but (), 0 or more: a NumPy array or a torch tensor on any device.

    Returns:
        int64 of the counters' shape, 0 to 2**53 - 1, of their library and on their device.

    Source: Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (OOPSLA 2014); output i is
    ``mix(key + (i + 1) * gamma)`` with the constants of the authors' reference implementation.
    """
    # Signed products and sums wrap around as unsigned ones do; only shifting needs the sign bits cut off.
    word = (counters + 1) * _WEYL + key
    word = (word ^ _shifted(word, 30)) * _FIRST
    word = (word ^ _shifted(word, 27)) * _SECOND
    return _shifted(word ^ _shifted(word, 31), 11)


def _shifted(word: Any, bits: int) -> Any:
    """Shift int64 values to the right as if they were unsigned."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of ``count`` items in an epoch: int64 (count,).

    The items are sorted by their random numbers; the rare equal ones keep their order.
    """
    import numpy as np

    words = random_words(stream_key("permutation", seed, epoch), np.arange(count, dtype=np.int64))
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)
