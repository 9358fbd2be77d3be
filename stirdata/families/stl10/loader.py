"""Loading STL-10 for training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import as_integer
from stirdata.errors import ParameterError
from stirdata.families.split_dataset import SplitDataset
from stirdata.families.stl10 import FAMILY, UNLABELED
from stirdata.families.stl10.augment import MEAN, STD
from stirdata.loading.selection import runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class STL10(SplitDataset):
    """STL-10 in a file that ``stirdata generate stl10`` has made.

    What the methods take and return is said in :class:`stirdata.loading.dataset.ImageDataset`; for the
    training split they take ``fold`` as well: 0 to 9, one of the ten predefined thousands of training
    images, in the order of the official list. ``normalize=True`` uses the published mean and standard
    deviation. There are no latents. The split ``unlabeled``, if the file has it, has the label -1
    throughout, as torchvision's has.

    Args:
        path: A .h5 or .npz file, or a folder of .npy files.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or not STL-10.

    Examples:
        ```python
        stl10 = stirdata.load("data/stl10.h5")
        train = stl10.batches("train", batch_size=128, device="cuda", augment=STL10Augment(seed=0))
        test = stl10.batches("test", batch_size=500, device="cuda", normalize=True)
        ```

    Source: AISTATS 2011 (Coates, Ng, Lee); the protocol is that of arXiv 1910.11093.
    """

    family = FAMILY
    published_statistics = (MEAN, STD)

    @property
    def splits(self) -> tuple[str, ...]:
        """``train``, ``test``, and ``unlabeled`` if the file has it."""
        return (*super().splits, *([UNLABELED] if f"{UNLABELED}/images" in self._stored.headers else []))

    @property
    def folds(self) -> NDArray[np.int32]:
        """Positions of training images in each of the predefined folds: int32 (10, 1000)."""
        folds: NDArray[np.int32] = self._array("folds")
        return folds

    def _labels(self, split: str) -> NDArray[np.int64]:
        if split == UNLABELED:
            return np.full(self._images(split).count, -1, np.int64)
        return super()._labels(split)

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        return {}

    def _rows(self, split: str, fold: int | None = None) -> Sequence[range]:
        """Return the images of a split, or those of one fold of the training images."""
        if fold is None:
            return super()._rows(split)
        number = as_integer(fold)
        if split != "train" or number is None or not 0 <= number < len(self.folds):
            raise ParameterError(
                "there is no such fold",
                where="fold",
                expected=f"0 to {len(self.folds) - 1}, of the training split",
                got=f"{fold!r} of {split}",
            )
        return runs_of(self.folds[number])
