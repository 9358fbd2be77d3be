"""Grouping images by their scales: those that are listed, or bins of factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import as_integer
from stirdata.errors import ParameterError
from stirdata.evaluation.results import plain
from stirdata.evaluation.samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 7
"""Of factors that every image has one of its own of: 0.3 to 1.0 in steps of 0.1 for MNIST-scale."""
_GRID = 20
"""Edges of bins begin and end at a multiple of a twentieth."""
_NEAR = 1e-3


@dataclass(frozen=True)
class Scales:
    """The groups of images that an accuracy is given for.

    Attributes:
        values: Scales in pixels or factors, ascending, (S,); the middle of each bin.
        edges: Of the bins, (S + 1,): each holds its left edge, the last one also its right edge; None where
            scales are listed.
    """

    values: NDArray[Any]
    edges: NDArray[np.float64] | None = None

    @property
    def unit(self) -> str:
        """``pixels`` for whole numbers, else ``factor``."""
        return "pixels" if self.values.dtype.kind in "iu" and self.edges is None else "factor"

    def groups(self, scales: NDArray[Any]) -> NDArray[np.int64]:
        """Return the group of each image, (N,); -1 for none."""
        if self.edges is not None:
            found = np.searchsorted(self.edges, scales, side="right") - 1
            found[scales == self.edges[-1]] = len(self.values) - 1
            return np.where((found >= 0) & (found < len(self.values)), found, -1)
        at = np.abs(scales[:, None] - self.values).argmin(axis=1)
        near = np.abs(scales - self.values[at]) <= _NEAR * np.abs(self.values[at])
        return np.where(near, at, -1)

    def names(self) -> list[Any]:
        """Return what each group is called in tables."""
        if self.edges is None:
            return plain(self.values)
        return [f"{low:.4g}-{high:.4g}" for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)]


def _scales(samples: Samples) -> NDArray[Any]:
    if samples.scales is None:
        raise ParameterError(
            "the images have no scales",
            where="dataset",
            got=samples.title,
            hint="a tuple (images, labels, scales) gives them",
        )
    return samples.scales


def groups_of(every: Sequence[Samples], scales: Any, bins: Any) -> Scales:
    """Return the scales of all datasets together."""
    present = np.concatenate([_scales(samples) for samples in every])
    if not len(present):
        raise ParameterError("there are no images", where="dataset", got=every[0].title)
    labels = np.concatenate([samples.labels for samples in every])
    listed = np.unique(present)
    if scales is None and (bins is not None or len(listed) * len(np.unique(labels)) > len(present)):
        return _binned(present, bins)
    if bins is not None:
        raise ParameterError(
            "either scales or bins say how images are grouped", where="bins", expected="None", got=bins
        )
    if scales is None:
        return Scales(listed)
    wanted = Scales(listed).groups(np.unique(np.array(list(scales))))
    if (wanted < 0).any() or not len(wanted):
        absent = np.unique(np.array(list(scales)))[wanted < 0]
        raise ParameterError(
            "there are no images of these scales",
            where="scales",
            expected=f"some of {len(listed)} from {listed[0]:g} to {listed[-1]:g}",
            got=", ".join(f"{scale:g}" for scale in absent) or "none",
        )
    return Scales(listed[wanted])


def _binned(present: NDArray[Any], bins: Any) -> Scales:
    count = as_integer(_BINS if bins is None else bins)
    if count is not None and count >= 1:
        low, high = np.floor(present.min() * _GRID) / _GRID, np.ceil(present.max() * _GRID) / _GRID
        edges = np.linspace(low, high, count + 1)
    else:
        edges = np.array(bins, np.float64) if isinstance(bins, Sequence) else np.empty(0)
        if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise ParameterError(
                "these are no bins", where="bins", expected="1 or more, or ascending edges", got=repr(bins)
            )
    return Scales((edges[:-1] + edges[1:]) / 2, edges)


def members_of(samples: Samples, groups: Scales) -> NDArray[np.int64]:
    """Return the group of every image, (N,); -1 for none.

    Raises:
        ParameterError: The images have no scales, or a group has no image.
    """
    members = groups.groups(_scales(samples))
    filled = np.bincount(members[members >= 0], minlength=len(groups.values)) > 0
    if not filled.all():
        empty = [str(name) for name, full in zip(groups.names(), filled, strict=True) if not full]
        raise ParameterError(
            "there are no images of these scales",
            where="bins" if groups.edges is not None else "scales",
            got=", ".join(empty),
            hint="fewer or wider bins" if groups.edges is not None else "",
        )
    return members
