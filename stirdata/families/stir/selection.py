"""Which images of a STIR set are meant: a split at some scales, in the order wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stirdata.arguments import as_integer, checked_flag
from stirdata.errors import ParameterError
from stirdata.families.stir.axes import SCALES, SETS, Frame
from stirdata.loading.selection import Selection, split_named

Scales = int | Iterable[int] | None
"""Sizes in pixels in the order wanted, or a single one; None for all that a file holds."""

ALL_SCALES = range(SCALES[0], SCALES[-1] - 1, -1)
"""Default of every ``scales``: the published 64, 63, …, 17. Where a caller leaves the default, a file
with other scales gives all of its own."""


@dataclass(frozen=True)
class ScaleSelection(Selection):
    """Images of one split at some scales; made by :func:`select`.

    In order, the images come scale by scale as asked for, then class, then instance; each scale is a run.

    Attributes:
        scales: In pixels, in the order asked for.
    """

    scales: tuple[int, ...] = ()


def select(frame: Frame, split: str, scales: Scales = ALL_SCALES, shuffle: bool = False) -> ScaleSelection:
    """Return the selection that the arguments of a loader mean.

    Args:
        frame: The axes of the set.
        split: ``train``, ``valid`` (also ``val`` or ``validation``) or ``test``.
        scales: In pixels, in the order wanted: integers of any kind, each once; or a single one. None,
            and the default where it is left, mean all scales of the set, the largest first.
        shuffle: Whether to shuffle as the published loader does.

    Raises:
        ParameterError: Unknown split; a scale that the set does not have, that comes twice or is not an
            integer; no scale at all; ``shuffle`` is neither true nor false.

    Examples:
        >>> frame = Frame(classes=("a", "b"), instances=10)
        >>> chosen = select(frame, "val", range(17, 20))
        >>> chosen.split, chosen.scales, len(chosen)
        ('valid', (17, 18, 19), 60)
    """
    name = split_named(split, SETS)
    all_of_them = scales is None or scales is ALL_SCALES
    wanted = frame.scales if all_of_them else checked_scales(scales, frame.scales)
    block = len(frame.classes) * frame.instances
    firsts = [frame.scales.index(scale) * block for scale in wanted]
    runs = tuple(range(first, first + block) for first in firsts)
    return ScaleSelection(name, runs, frame.image_shape, checked_flag("shuffle", shuffle), scales=wanted)


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
