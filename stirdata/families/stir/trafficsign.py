"""STIR trafficsign: traffic signs from photographs of streets, scaled to 17 to 64 pixels.

Source: arXiv 2211.10288, its generator of the trafficsign set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from stirdata.families.family import Job, Material
from stirdata.families.stir import TrafficsignParameters, crops
from stirdata.families.stir.axes import SCALES, SEED, check_seed, metadata
from stirdata.families.stir.crops import Pictures, Plan, Ranges, axis_range, draw
from stirdata.families.stir.objects import select
from stirdata.sources import mapillary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.stir.crops import AxisRange
    from stirdata.sources.annotations import AnnotatedPictures

DATASET = "stir-trafficsign"
RECIPE_VERSION = 1
LICENSE = "CC BY-NC-SA 4.0"
MISSHAPEN = 5
"""Pixels by which width and height of a box must not differ, or more."""
UNNAMED = "other-sign"

NOT_SQUARE = f"with width and height that differ by {MISSHAPEN} pixels or more"
NO_CLASS = f"labelled {UNNAMED}"
EMPTY = "with a box that is empty or reversed"


def job(parameters: TrafficsignParameters, material: Material) -> Job:
    """Return the job of making the set; see :func:`stirdata.families.stir.crops.job`."""
    return crops.job(sys.modules[__name__], mapillary, parameters, material)


def plan(table: AnnotatedPictures, seed: int = SEED) -> Plan:
    """Choose the objects and draw where the canvas goes for each at every scale.

    Args:
        table: The annotations of the Mapillary Traffic Sign Dataset.
        seed: 0 to 2**32 - 1.

    Raises:
        ParameterError: The seed is out of range.
        SourceError: No class has 75 suitable objects, or a picture's header is damaged.

    Source: arXiv 2211.10288, its generator.
    """
    check_seed(seed)
    pictures = Pictures(table)

    def refuse(row: int) -> str:
        return pictures.problem(row) or ranges(row).problem

    def ranges(row: int) -> Ranges:
        info = pictures.of(row)
        return Ranges(
            _axis(info.width, int(table.left[row]), int(table.width[row])),
            _axis(info.height, int(table.top[row]), int(table.height[row])),
        )

    selection = select(table, np.minimum(table.width, table.height), _unsuitable(table), refuse)
    return draw(table, selection, ranges, seed, square=True)


def rows() -> NDArray[np.str_]:
    """Return the metadata of the set."""
    return metadata(
        title="STIR trafficsign",
        description="Traffic signs from photographs of streets at scales 17 to 64 pixels "
        "in 64 x 64 windows, with their positions",
        author="T. Altstidl et al. (STIR); C. Ertler et al. (Mapillary Traffic Sign Dataset)",
        license=LICENSE,
        version=f"stirdata recipe {RECIPE_VERSION}",
        date="2026-11-21",
    )


def _unsuitable(table: AnnotatedPictures) -> dict[str, NDArray[np.bool_]]:
    unnamed = np.array([label == UNNAMED for label in table.labels], bool)
    return {
        NO_CLASS: unnamed[table.label],
        EMPTY: (table.width <= 0) | (table.height <= 0),
        NOT_SQUARE: abs(table.width - table.height) >= MISSHAPEN,
    }


def _axis(length: int, start: int, extent: int) -> AxisRange:
    """Return the range of one axis; the box becomes exactly ``scale`` pixels long.

    Halves are rounded to even, as Python's ``round`` does.
    """
    scales = np.array(SCALES, np.int64)
    resized = np.rint(length * scales / extent).astype(np.int64)
    edge = np.rint(start * scales / extent).astype(np.int64)
    return axis_range(resized, edge, edge + scales)
