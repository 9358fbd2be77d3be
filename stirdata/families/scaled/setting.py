"""What the recipe of rescaled sets is told: factors, canvas, filter, places; and what splits come of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    from stirdata.sources.labelled import LabelledImages

FILTERS = ("bicubic", "bilinear", "spline", "smooth")
BACKGROUNDS = ("black", "white", "edge", "mirror")
PLACES = ("centre", "random", "grid")
LARGEST_CANVAS = 4096
VALIDATION_OF, VALIDATION = 60_000, 10_000
"""Of as many training images and none for validation the last ones are for validation, as in MNIST's sets."""


@dataclass(frozen=True)
class Setting:
    """What a rescaled set is made by; the parameters of every benchmark come down to it.

    Attributes:
        factors: Of the test images, in the order wanted.
        train_factor: Of the training and validation images; None leaves them out.
        canvas: Side of the images in pixels.
        filter: ``bicubic``, ``bilinear``, ``spline`` (see :mod:`stirdata.imaging.resize`), or ``smooth``: the
            smoothing chain of MNIST Large Scale, for square grey images on black.
        background: ``black``, ``white``, ``edge`` or ``mirror``.
        place: Of test images: ``centre``, ``random``, or ``grid``, which applies every shift to every image.
        shifts: Of the grid, (dy, dx) in pixels from the centre.
        uniform: Smallest and largest factor, where every image of all splits has one of its own.
        seed: Of what is random.
    """

    factors: tuple[float, ...]
    train_factor: float | None
    canvas: int
    filter: str = "bicubic"
    background: str = "black"
    place: str = "centre"
    shifts: tuple[tuple[int, int], ...] = ()
    uniform: tuple[float, float] | None = None
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the parameters for the manifest, which has the seed apart."""
        found: dict[str, Any] = {
            "train_factor": self.train_factor,
            "factors": list(self.factors),
            "canvas": self.canvas,
            "filter": self.filter,
            "background": self.background,
            "place": self.place,
        }
        if self.place == "grid":
            found["shifts"] = [f"{dy}:{dx}" for dy, dx in self.shifts]
        if self.uniform is not None:
            found["uniform"] = list(self.uniform)
        return found


class Part(NamedTuple):
    """A split of a set: which subset of the source it is made of, and which images of it."""

    split: str
    subset: str
    members: range


def parts(counts: Mapping[str, int], setting: Setting) -> list[Part]:
    """Return the splits of a set.

    Args:
        counts: Images of every subset of the source.
        setting: Without a training factor, test images are all there are.
    """
    found = []
    if setting.train_factor is not None and counts.get("train"):
        count, val = counts["train"], counts.get("val")
        if not val and count == VALIDATION_OF:
            first = count - VALIDATION
            found += [Part("train", "train", range(first)), Part("val", "train", range(first, count))]
        else:
            found.append(Part("train", "train", range(count)))
            found += [Part("val", "val", range(val))] if val else []
    return [*found, *([Part("test", "test", range(counts["test"]))] if counts.get("test") else [])]


def count_of(part: Part, setting: Setting) -> int:
    """Return how many images a split has."""
    if part.split != "test" or setting.uniform is not None:
        return len(part.members)
    return len(part.members) * len(setting.factors) * (len(setting.shifts) if setting.place == "grid" else 1)


def grid(canvas: int, height: int, width: int, stride: int) -> tuple[tuple[int, int], ...]:
    """Return the shifts (dy, dx) from the centre of all places inside a canvas, row by row.

    Examples:
        >>> grid(6, 4, 4, 1)[:4]
        ((-1, -1), (-1, 0), (-1, 1), (0, -1))
    """
    middle_y, middle_x = ((canvas - length) // 2 for length in (height, width))
    return tuple(
        (top - middle_y, left - middle_x)
        for top in range(0, canvas - height + 1, stride)
        for left in range(0, canvas - width + 1, stride)
    )


def factors_of(where: str, value: Any) -> tuple[float, ...]:
    """Return factors given as numbers, or as text such as ``0.5,1,2``."""
    listed = value.split(",") if isinstance(value, str) else value
    try:
        numbers = tuple(float(each) for each in (listed if isinstance(listed, Iterable) else [listed]))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(math.isfinite(number) and number > 0 for number in numbers):
        raise ParameterError(
            "factors are numbers above 0", where=where, expected="such as 0.5,1,2", got=repr(value)
        )
    if len(set(numbers)) < len(numbers):
        raise ParameterError("a factor is given twice", where=where, expected="each once", got=repr(value))
    return numbers


def train_factor_of(value: Any) -> float | None:
    """Return the factor of training images; None for ``none``."""
    if value is None or value == "none":
        return None
    found = factors_of("train_factor", value)
    if len(found) != 1:
        raise ParameterError(
            "there is one factor for training", where="train_factor", expected="one number", got=repr(value)
        )
    return found[0]


def shifts_of(value: Any) -> tuple[tuple[int, int], ...]:
    """Return shifts given as pairs, or as text such as ``-4:0,4:0``."""
    listed = [pair.split(":") for pair in value.split(",")] if isinstance(value, str) else value
    try:
        found = tuple((int(dy), int(dx)) for dy, dx in listed)
    except (TypeError, ValueError):
        found = ()
    if not found or any(max(abs(dy), abs(dx)) > LARGEST_CANVAS for dy, dx in found):
        raise ParameterError(
            "shifts are pairs of whole pixels, down and right",
            where="shifts",
            expected=f"such as -4:0,4:0, at most {LARGEST_CANVAS}",
            got=repr(value),
        )
    if len(set(found)) < len(found):
        raise ParameterError("a shift is given twice", where="shifts", expected="each once", got=repr(value))
    return found


def filling(source: LabelledImages, factor: float, canvas: int, stride: int) -> tuple[tuple[int, int], ...]:
    """Return the shifts of all places of a source's images inside a canvas, some pixels apart."""
    height, width = (max(1, round(side * factor)) for side in source.shape[:2])
    if not source.uniform:
        raise ParameterError(
            "images of several sizes have no common grid", where="stride", hint="give the --shifts"
        )
    if max(height, width) > canvas:
        raise ParameterError(
            "the images are larger than the canvas, so there is no place for them",
            where="canvas",
            expected=f"{max(height, width)} or more",
            got=canvas,
        )
    return grid(canvas, height, width, stride)
