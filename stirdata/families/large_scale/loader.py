"""Loading the published files of rescaled sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import FormatError, ParameterError
from stirdata.families.large_scale import FACTORS, FAMILY
from stirdata.families.split_dataset import SplitDataset
from stirdata.loading.selection import rows_of_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LargeScale(SplitDataset):
    """MNIST Large Scale, or a set after it, as its authors hand it out.

    What the methods take and return is said in :class:`stirdata.loading.dataset.ImageDataset`; here they take
    ``factors`` as well: a number or several, in the order wanted; None for all. Images are stored as float32
    with levels from 0 to 255, which keep their fractions: ``read`` returns them as they are, tensors are
    divided by 255, and ``dtype=torch.uint8`` is refused. The only latent is factors, float64 (N,), to the
    three decimals of the files' names.

    A folder may have training images of several factors; then ``factors`` says which of them are meant.

    Args:
        path: A published file, a folder of them, or what one was converted to.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or has another layout.

    Source: arXiv 2004.01536.
    """

    family = FAMILY

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        factors = self._array(f"{split}/{FACTORS}")
        if np.isnan(factors).any():
            word = "scte" if split == "test" else "sctr"
            raise FormatError(
                "the factors of the images are not known",
                where=self.path,
                expected=f"one factor in the name of the file, such as _{word}1p000",
                got=f"none, or a range, for {split}",
            )
        return {"factors": factors}

    def _rows(self, split: str, factors: float | Iterable[float] | None = None) -> Sequence[range]:
        """Return the images at some factors, factor by factor."""
        present = self._array(f"{split}/{FACTORS}")
        if factors is not None:
            return rows_of_factors(present, factors)
        if split != "test" and len(np.unique(present)) > 1:
            raise ParameterError(
                f"the {split} images are those of several sets",
                where="factors",
                expected=f"one of {', '.join(f'{factor:g}' for factor in np.unique(present))}",
                hint=f"such as factors={np.unique(present)[0]:g}, or name one file",
            )
        return super()._rows(split)
