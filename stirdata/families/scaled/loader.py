"""Loading rescaled sets for training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import FormatError, ParameterError
from stirdata.families.scaled import FAMILY
from stirdata.families.split_dataset import SplitDataset
from stirdata.families.splits import named_classes
from stirdata.loading.selection import runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LATENTS = ("factors", "positions", "sizes")
_NEAR = 1e-3
"""Part by which a factor asked for may differ from one that is there: 0.841 is the fourth root of 1/2."""


class ScaledDataset(SplitDataset):
    """A rescaled set, such as MNIST Large Scale.

    What the methods take and return is said in :class:`stirdata.loading.dataset.ImageDataset`; here they take
    ``factors`` as well: a number or several, in the order wanted; None for all, in the order of the file.
    Latents are factors float64 (N,), positions int32 (N, 2) and sizes int32 (N, 2), in pixels.

    Args:
        path: A .h5 or .npz file, or a folder of .npy files.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or no rescaled set.

    Source: arXiv 2004.01536.
    """

    family = FAMILY

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._classes = named_classes(self.metadata)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels, as the source has them."""
        return list(self._classes)

    def _labels(self, split: str) -> NDArray[np.int64]:
        labels = super()._labels(split)
        if len(labels) and labels.max() >= len(self._classes):
            raise FormatError(
                "there are labels without a class",
                where=self.path,
                expected=f"labels from 0 to {len(self._classes) - 1}",
                got=labels.max(),
            )
        return labels

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        return {name: self._array(f"{split}/{name}") for name in _LATENTS}

    def _rows(self, split: str, factors: float | Iterable[float] | None = None) -> Sequence[range]:
        """Return the images at some factors, factor by factor."""
        if factors is None:
            return super()._rows(split)
        present = self._array(f"{split}/factors")
        each: list[Any] = list(factors) if isinstance(factors, Iterable) else [factors]
        if not each or not all(isinstance(factor, Real) for factor in each):
            raise _no_factor("factors are one number or several", present, factors)
        runs: list[range] = []
        for factor in each:
            found = runs_of(np.flatnonzero(np.abs(present - factor) <= _NEAR * np.abs(present)))
            if not found:
                raise _no_factor("the file has no images of this factor", present, factor)
            if set(found) & set(runs):
                raise _no_factor("a factor is asked for twice", present, factor)
            runs += found
        return runs


def _no_factor(what: str, present: NDArray[np.float64], got: object) -> ParameterError:
    known = ", ".join(f"{factor:.4g}" for factor in np.unique(present))
    return ParameterError(what, where="factors", expected=f"some of {known}, each once", got=got)
