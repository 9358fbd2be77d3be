"""Loading rescaled sets for training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stirdata.families.scaled import FAMILY
from stirdata.families.split_dataset import SplitDataset
from stirdata.loading.selection import rows_of_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LATENTS = ("factors", "positions", "sizes")


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

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        return {name: self._array(f"{split}/{name}") for name in _LATENTS}

    def _rows(self, split: str, factors: float | Iterable[float] | None = None) -> Sequence[range]:
        """Return the images at some factors, factor by factor."""
        if factors is None:
            return super()._rows(split)
        return rows_of_factors(self._array(f"{split}/factors"), factors)
