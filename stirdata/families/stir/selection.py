"""Which images of a STIR set are meant, in which order: a split, scales, shuffled or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import RandomState

from stirdata.arguments import as_integer, checked_flag
from stirdata.errors import ParameterError
from stirdata.families.stir.axes import SCALES, SETS, Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scales = int | Iterable[int] | None
"""Sizes in pixels in the order wanted, or a single one; None for all that a file holds."""

ALL_SCALES = range(SCALES[0], SCALES[-1] - 1, -1)
"""Default of every ``scales``: the published 64, 63, …, 17. Where a caller leaves the default, a file
with other scales gives all of its own."""

SPLIT_NAMES = {name: index for index, name in enumerate(SETS)} | {"val": SETS.index("valid")}
"""Where a split is on the axis of sets, by its name."""

_SHUFFLE_SEED = 42  # Source: the loader published with arXiv 2211.10288


@dataclass(frozen=True)
class Selection:
    """Images of one split at some scales; made by :func:`select`.

    In order, the images come scale by scale as asked for, then class, then instance. Shuffled, they
    are gathered from that order by ``RandomState(42).permutation(N)``, which is what shuffling each
    array in place with a fresh ``RandomState(42)`` comes to.

    Attributes:
        split: Index on the axis of sets.
        rows: Indices on the axis of scales, in the order asked for.
        frame: The axes of the set.
        shuffle: Whether the images are shuffled.

    Source: the loader published with arXiv 2211.10288.
    """

    split: int
    rows: tuple[int, ...]
    frame: Frame
    shuffle: bool = False

    @property
    def block(self) -> int:
        """Number of images per scale."""
        return len(self.frame.classes) * self.frame.instances

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales in pixels, in the order asked for."""
        return tuple(self.frame.scales[row] for row in self.rows)

    @property
    def nbytes(self) -> int:
        """Size of the images as uint8, in bytes."""
        return len(self) * int(np.prod(self.frame.image_shape))

    def __len__(self) -> int:
        return len(self.rows) * self.block

    def gather(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the selected part of an array (sets, scales, n, m, …) as a new one, (N, …)."""
        chosen: NDArray[Any] = array[self.split][list(self.rows)]
        chosen = chosen.reshape(len(self), *array.shape[4:])
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


def select(frame: Frame, split: str, scales: Scales = ALL_SCALES, shuffle: bool = False) -> Selection:
    """Return the selection that the arguments of a loader mean.

    Args:
        frame: The axes of the set.
        split: ``train``, ``valid`` (or ``val``) or ``test``.
        scales: In pixels, in the order wanted: integers of any kind, each once; or a single one. None,
            and the default where it is left, mean all scales of the set, the largest first.
        shuffle: Whether to shuffle as the published loader does.

    Raises:
        ParameterError: Unknown split; a scale that the set does not have, that comes twice or is not an
            integer; no scale at all; ``shuffle`` is neither true nor false.

    Example:
        >>> frame = Frame(classes=("a", "b"), instances=10)
        >>> chosen = select(frame, "val", range(17, 20))
        >>> chosen.split, chosen.scales, len(chosen)
        (1, (17, 18, 19), 60)
    """
    index = SPLIT_NAMES.get(split) if isinstance(split, str) else None
    if index is None:
        names = "train, valid (or val), test"
        raise ParameterError("unknown split", where="split", expected=names, got=repr(split))
    all_of_them = scales is None or scales is ALL_SCALES
    wanted = frame.scales if all_of_them else checked_scales(scales, frame.scales)
    rows = tuple(frame.scales.index(scale) for scale in wanted)
    return Selection(index, rows, frame, checked_flag("shuffle", shuffle))


def checked_scales(scales: Any, present: tuple[int, ...]) -> tuple[int, ...]:
    """Return scales as Python integers in the order given, or raise on the first that is wrong.

    Args:
        scales: What a caller passed: any iterable of integers, or one integer.
        present: The scales that there are.

    Raises:
        ParameterError: A scale is absent, repeated or not an integer, or there is none.
    """
    chosen: list[int] = []
    for value in _each(scales, present):
        scale = as_integer(value)
        if scale is None:
            raise _wrong("a scale is not an integer", present, f"{value!r} ({type(value).__name__})")
        if scale not in present:
            raise _wrong("the file has no images of this scale", present, scale)
        if scale in chosen:
            raise _wrong("a scale is asked for twice", present, scale)
        chosen.append(scale)
    if not chosen:
        raise _wrong("no scales are asked for", present, repr(scales))
    return tuple(chosen)


def _each(scales: Any, present: tuple[int, ...]) -> Iterator[Any]:
    if as_integer(scales) is not None:
        return iter((scales,))
    try:
        return iter(scales)
    except TypeError:
        got = f"{scales!r} ({type(scales).__name__})"
        raise _wrong("the scales are no sequence of integers", present, got) from None


def _wrong(what: str, present: tuple[int, ...], got: object) -> ParameterError:
    return ParameterError(what, where="scales", expected=f"some of {_brief(present)}, each once", got=got)


def _brief(scales: tuple[int, ...]) -> str:
    """Return scales in ascending order, a gapless run of them by its ends."""
    low, high = min(scales), max(scales)
    if len(scales) == high - low + 1 and len(scales) > 2:
        return f"{low} to {high}"
    return ", ".join(str(scale) for scale in sorted(scales))
