"""Deciding which images of a dataset go on a contact sheet, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stirdata.errors import ParameterError
from stirdata.families.stir.axes import SETS
from stirdata.imaging.sheet import Arrangement, Boxes
from stirdata.sources.digits import CLASS_NAMES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.storage.stir_file import StirFile

_CLASSES = 10
_SCALES = 6
_INSTANCES = 2
_COLUMNS = 12


@dataclass(frozen=True)
class Choice:
    """Which images go on a sheet, and how.

    Attributes:
        split: ``train``, ``valid`` (or ``val``) or ``test``.
        classes: Labels, one row each; None for the first ten.
        scales: STIR: sizes in pixels, one group of columns each; None for six from the smallest to the
            largest.
        instances: STIR: which instances of each class; None for the first two.
        columns: MNIST-scale: how many images of each class, spread evenly over those of the class in
            the order of their scale factors; None for twelve.
        boxes: STIR: draw the box of the object around it.
        zoom: How many pixels wide and high every pixel becomes, 1 to 16.
    """

    split: str = "train"
    classes: tuple[int, ...] | None = None
    scales: tuple[int, ...] | None = None
    instances: tuple[int, ...] | None = None
    columns: int | None = None
    boxes: bool = False
    zoom: int = 2


@dataclass(frozen=True)
class Digits:
    """A split of MNIST-scale whose images have not been read yet.

    Attributes:
        labels: int64, (N,).
        factors: float64, (N,), scale factors; None if they are unknown.
        images: Returns the images of numbers of any shape: uint8, (…, 28, 28).
    """

    labels: NDArray[np.int64]
    factors: NDArray[np.float64] | None
    images: Callable[[NDArray[np.intp]], NDArray[np.uint8]]


@dataclass(frozen=True)
class Plan:
    """A sheet that is decided upon, whose images have not been read yet."""

    arrangement: Arrangement
    images: Callable[[], NDArray[np.uint8]]
    boxes: Boxes | None = None


def plan_stir(opened: StirFile, choice: Choice) -> Plan:
    """Decide on the sheet of a STIR set: rows are classes, groups of columns are scales.

    The boxes are squares, unless one of them would leave the canvas: then scale is the longer side
    only, as in ``aerial``, and the sheet shows the corner and that side.

    Raises:
        ParameterError: The set has no such class, scale or instance, or the choice is one for
            MNIST-scale.
    """
    _only_for("MNIST-scale", "STIR", columns=choice.columns)
    frame = opened.frame
    split = SETS.index(split_of(choice.split, SETS))
    classes = _chosen("classes", choice.classes, range(len(frame.classes)), _CLASSES)
    instances = _chosen("instances", choice.instances, range(frame.instances), _INSTANCES)
    scales = _chosen_scales(choice.scales, frame.scales)
    rows = [frame.scales.index(scale) for scale in scales]
    title = f"{opened.metadata['title']}, {SETS[split]}, scales in pixels"
    arrangement = Arrangement(
        title=title + _legend(choice, square=_square(opened)),
        rows=tuple(_row_name(label, frame.classes[label]) for label in classes),
        groups=tuple((str(scale), len(instances)) for scale in scales),
        side=frame.canvas,
    )
    boxes = Boxes(_boxes(opened, split, rows, classes, instances), _square(opened))
    return Plan(
        arrangement,
        lambda: _stir_images(opened, split, rows, classes, instances),
        boxes if choice.boxes else None,
    )


def _legend(choice: Choice, *, square: bool) -> str:
    if not choice.boxes or square:
        return ""
    return ", corner and longer side of each box"


def _square(opened: StirFile) -> bool:
    """Tell whether scale can be both sides of every box."""
    return bool((opened.positions.max(axis=-1) + opened.scales <= opened.frame.canvas).all())


def _stir_images(
    opened: StirFile, split: int, rows: Sequence[int], classes: Sequence[int], instances: Sequence[int]
) -> NDArray[np.uint8]:
    """Return the images of the chosen classes, with scales and instances along the columns."""
    import numpy as np

    frame = opened.frame
    shape = (len(classes), len(rows), len(instances), *frame.image_shape)
    chosen = np.empty(shape, np.uint8)
    for place, block in opened.blocks(split, rows):
        images = block.reshape(len(frame.classes), frame.instances, *frame.image_shape)
        chosen[:, place] = images[np.ix_(classes, instances)]
    return chosen.reshape(len(classes), -1, *frame.image_shape)


def _boxes(
    opened: StirFile, split: int, rows: Sequence[int], classes: Sequence[int], instances: Sequence[int]
) -> NDArray[np.int32]:
    """Return left, top and scale in the order of :func:`_stir_images`."""
    import numpy as np

    both = np.concatenate([opened.positions[split], opened.scales[split][..., None]], axis=-1)
    chosen = both[np.ix_(rows, classes, instances)].transpose(1, 0, 2, 3)
    return chosen.reshape(len(classes), -1, 3)


def plan_mnist_scale(digits: Digits, choice: Choice) -> Plan:
    """Decide on the sheet of a realization: rows are classes, along them the scale factor grows.

    PNG files without ``scales.csv`` come in the order of their numbers, and the sheet says so.

    Raises:
        ParameterError: There is no such class, or the choice is one for STIR sets.
    """
    asked = {"scales": choice.scales, "instances": choice.instances, "boxes": choice.boxes or None}
    _only_for("STIR sets", "MNIST-scale", **asked)
    classes = _chosen("classes", choice.classes, range(len(CLASS_NAMES)), _CLASSES)
    chosen = _chosen_members(digits, choice, classes)
    known = digits.factors is not None
    order = "by scale factor" if known else "in the order of the files, scale factors unknown"
    arrangement = Arrangement(
        title=f"MNIST-scale, {choice.split}, {order}",
        rows=tuple(_row_name(label, CLASS_NAMES[label]) for label in classes),
        groups=(("", chosen.shape[1]),),
        side=28,
        captions=None if digits.factors is None else _captions(digits.factors[chosen]),
    )
    return Plan(arrangement, lambda: digits.images(chosen))


def _chosen_members(digits: Digits, choice: Choice, classes: Sequence[int]) -> NDArray[np.intp]:
    """Return the numbers of the images on the sheet: (classes, columns)."""
    import numpy as np

    columns = _COLUMNS if choice.columns is None else choice.columns
    check_between("columns", columns, 1, None)
    members = [np.flatnonzero(digits.labels == label) for label in classes]
    fewest = min(map(len, members))
    if fewest == 0:
        empty = ", ".join(str(label) for label, row in zip(classes, members, strict=True) if not len(row))
        raise ParameterError(f"classes have no images in {choice.split}", where="classes", got=empty)
    return np.array([_spread(row, digits.factors, min(columns, fewest)) for row in members])


def _spread(members: NDArray[np.intp], factors: NDArray[np.float64] | None, count: int) -> NDArray[np.intp]:
    """Return so many of a class's images, evenly spread over them in the order of their factors."""
    import numpy as np

    if factors is not None:
        members = members[np.argsort(factors[members], kind="stable")]
    return members[_even(len(members), count)]


def _even(length: int, count: int) -> list[int]:
    """Return evenly spread numbers from 0 to length - 1."""
    return [number * (length - 1) // max(1, count - 1) for number in range(count)]


def _captions(factors: NDArray[np.float64]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{factor:.2f}" for factor in row) for row in factors.tolist())


def _row_name(label: int, name: str) -> str:
    return name if name == str(label) else f"{label} {name}"


def split_of(asked: str, names: Sequence[str]) -> str:
    """Return the name that a family has for a split; ``val`` and ``valid`` are the same.

    Raises:
        ParameterError: There is no such split.
    """
    both = {"val", "valid"}
    found = [name for name in names if name == asked or {name, asked} == both]
    if not found:
        raise ParameterError("unknown split", where="split", expected=", ".join(names), got=repr(asked))
    return found[0]


def _chosen(name: str, asked: Sequence[int] | None, present: range, default: int) -> list[int]:
    if asked is None:
        return list(present[:default])
    absent = [number for number in asked if number not in present]
    if absent or not asked:
        raise ParameterError(
            f"there are no such {name}",
            where=name,
            expected=f"0 to {present[-1]}",
            got=", ".join(map(str, absent)) or "none",
        )
    return list(asked)


def _chosen_scales(asked: Sequence[int] | None, present: Sequence[int]) -> list[int]:
    ascending = sorted(present)
    if asked is None:
        return [ascending[number] for number in _even(len(ascending), min(_SCALES, len(ascending)))]
    absent = [scale for scale in asked if scale not in present]
    if absent or not asked:
        expected = f"{len(present)} scales from {ascending[0]} to {ascending[-1]}"
        got = ", ".join(map(str, absent)) or "none"
        raise ParameterError("there are no such scales", where="scales", expected=expected, got=got)
    return list(asked)


def _only_for(family: str, other: str, **asked: object) -> None:
    """Raise ParameterError if a choice was made that only makes sense for another family."""
    for name, value in asked.items():
        if value is not None:
            raise ParameterError(
                f"{name} can be chosen for {family} only", where=name, got=f"a dataset of {other}"
            )


def check_between(name: str, value: int, first: int, last: int | None) -> None:
    """Raise ParameterError if a number is below the first, or above the last if there is one."""
    if value < first or (last is not None and value > last):
        expected = f"{first} or more" if last is None else f"{first} to {last}"
        raise ParameterError(f"{name} is out of range", where=name, expected=expected, got=value)
