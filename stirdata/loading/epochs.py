"""Which images are in which batch of which epoch, on which rank, and the random numbers behind it.

NumPy and torch may change the stream of their generators between versions, and torch has another one
per device. Here every number is computed on its own, from a key and a counter, by integer arithmetic
that is written down below: what has once been drawn can be drawn again anywhere, in any order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_flag, checked_integer
from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Epochs:
    """The orders of all epochs, and how they are cut into ranks and batches.

    Args:
        count: Number of images, 1 or more.
        batch_size: Images per batch and rank, 1 or more.
        shuffle: Whether every epoch has another order; else all have that of the images.
        seed: Of the orders, 0 or more.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller.
        rank: Which part of each epoch, 0 to ``world_size - 1``.
        world_size: Number of parts, 1 or more.
        even: Whether all parts are equally long, so that some images are in none; else every image is in
            one, and parts differ by one image. None for equal ones when shuffling.

    Raises:
        ParameterError: An argument is out of range, or an epoch would have no batch.

    Examples:
        >>> Epochs(count=7, batch_size=2, shuffle=False, rank=1, world_size=2).members(0)
        array([1, 3, 5])
    """

    count: int
    batch_size: int
    shuffle: bool = True
    seed: int = 0
    drop_last: bool = False
    rank: int = 0
    world_size: int = 1
    even: bool | None = None

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("seed", 0), ("rank", 0), ("world_size", 1)):
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), least))
        for name in ("shuffle", "drop_last"):
            object.__setattr__(self, name, checked_flag(name, getattr(self, name)))
        even = self.shuffle if self.even is None else checked_flag("even", self.even)
        object.__setattr__(self, "even", even)
        if self.rank >= self.world_size:
            expected = f"0 to {self.world_size - 1}"
            raise ParameterError("there is no such rank", where="rank", expected=expected, got=self.rank)
        if len(self) == 0 and (self.even or self.rank == 0):
            raise ParameterError(
                "an epoch would have no batch",
                where="images",
                expected=f"at least {self.world_size * (self.batch_size if self.drop_last else 1)} images",
                got=self.count,
            )

    def __len__(self) -> int:
        """Return the number of batches per epoch, the same on every rank if parts are even."""
        full, rest = divmod(self.images_per_rank, self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    @property
    def images_per_rank(self) -> int:
        """Images of this rank in an epoch, before they are cut into batches."""
        least, rest = divmod(self.count, self.world_size)
        return least if self.even else least + (self.rank < rest)

    def members(self, epoch: int) -> NDArray[np.int64]:
        """Return this rank's images of an epoch in order, all that are in its batches: int64.

        Each ``world_size``-th image of the order is a rank's, so that the ranks' batches number k together
        are a batch of a single process.
        """
        import numpy as np

        order = permutation(self.seed, epoch, self.count) if self.shuffle else np.arange(self.count)
        kept = min(self.images_per_rank, len(self) * self.batch_size)
        return np.ascontiguousarray(order[self.rank :: self.world_size][:kept], dtype=np.int64)

    def identity(self) -> dict[str, Any]:
        """Return what two ranks have in common, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "rank"}


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

    Examples:
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


def random_below(key: int, counters: Any, limits: Any) -> Any:
    """Return a pseudo-random whole number of every counter: 0 to its limit, which is not among them.

    32 bits decide, so that the chances of two numbers differ by a part of ``limit / 2**32``.

    Args:
        key: Of the stream, a signed 64-bit integer.
        counters: int64, any shape but (), 0 or more: a NumPy array or a torch tensor on any device.
        limits: One for all, or one for each: 1 to ``2**31``.
    """
    return ((random_words(key, counters) >> 21) * limits) >> 32


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
