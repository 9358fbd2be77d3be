"""STIR aerial: planes, ships and the like from above, scaled to 17 to 64 pixels.

Source: arXiv 2211.10288, its generator of the aerial set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from stirdata.families.family import Job, Material
from stirdata.families.stir import AerialParameters, crops
from stirdata.families.stir.axes import SCALES, SEED, check_seed, metadata
from stirdata.families.stir.crops import Pictures, Plan, Ranges, axis_range, draw
from stirdata.families.stir.objects import select
from stirdata.sources import dota

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.stir.crops import AxisRange
    from stirdata.sources.annotations import AnnotatedPictures
    from stirdata.sources.pictures import PictureInfo

DATASET = "stir-aerial"
RECIPE_VERSION = 1
LICENSE = "CC BY-NC-SA 4.0"
LARGER_THAN_OBJECT = 4
"""A picture must be more than this many times as wide and as high as the object is long."""

PICTURE_TOO_SMALL = f"in a picture not {LARGER_THAN_OBJECT + 1} times as wide and high as the object is long"
CORNER_OUTSIDE = "with a corner outside the picture"
EMPTY = "with a box that is empty"


def job(parameters: AerialParameters, material: Material) -> Job:
    """Return the job of making the set; see :func:`stirdata.families.stir.crops.job`."""
    return crops.job(sys.modules[__name__], dota, parameters, material)


def plan(table: AnnotatedPictures, seed: int = SEED) -> Plan:
    """Choose the objects and draw where the canvas goes for each at every scale.

    Args:
        table: The annotations of DOTA v1.5.
        seed: 0 to 2**32 - 1.

    Raises:
        ParameterError: The seed is out of range.
        SourceError: No class has 75 suitable objects, or a picture's header is damaged.

    Source: arXiv 2211.10288, its generator.
    """
    check_seed(seed)
    pictures = Pictures(table)
    sizes = np.maximum(table.width, table.height)

    def refuse(row: int) -> str:
        info = pictures.of(row)
        return pictures.problem(row) or _misfit(table, row, info) or ranges(row).problem

    def ranges(row: int) -> Ranges:
        info, size = pictures.of(row), int(sizes[row])
        return Ranges(
            _axis(info.width, int(table.left[row]), int(table.right[row]), size),
            _axis(info.height, int(table.top[row]), int(table.bottom[row]), size),
        )

    unsuitable = {EMPTY: (table.width <= 0) | (table.height <= 0)}
    return draw(table, select(table, sizes, unsuitable, refuse), ranges, seed, square=False)


def rows() -> NDArray[np.str_]:
    """Return the metadata of the set."""
    return metadata(
        title="STIR aerial",
        description="Objects from aerial photographs at scales 17 to 64 pixels "
        "in 64 x 64 windows, with their positions",
        author="T. Altstidl et al. (STIR); G.-S. Xia et al. (DOTA)",
        license=LICENSE,
        version=f"stirdata recipe {RECIPE_VERSION}",
        date="2026-11-21",
    )


def _misfit(table: AnnotatedPictures, row: int, info: PictureInfo) -> str:
    """Say why an object does not suit its picture; nothing if it does."""
    size = int(max(table.width[row], table.height[row]))
    if min(info.width // size, info.height // size) <= LARGER_THAN_OBJECT:
        return PICTURE_TOO_SMALL
    outside = table.right[row] > info.width or table.bottom[row] > info.height
    return CORNER_OUTSIDE if outside else ""


def _axis(length: int, start: int, end: int, size: int) -> AxisRange:
    """Return the range of one axis; the longer side of the box becomes ``scale`` pixels long.

    Rounding its two ends can make it a pixel longer or shorter. Halves are rounded to even, as Python's
    ``round`` does.
    """
    factors = np.array(SCALES) / size
    resized, first, last = (np.rint(value * factors).astype(np.int64) for value in (length, start, end))
    return axis_range(resized, first, last)
