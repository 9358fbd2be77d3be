"""What the loaders of families share whose arrays are those of their splits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.arguments import checked_path
from stirdata.families.splits import open_splits, read_checked
from stirdata.loading.dataset import ImageDataset
from stirdata.loading.selection import StoredImages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.families.splits import SplitFamily


class SplitDataset(ImageDataset):
    """A dataset whose arrays are called ``<split>/<kind>``; what has been read is kept.

    Args:
        path: A .h5 or .npz file, or a folder of .npy files.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or of another family.
    """

    family: ClassVar[SplitFamily]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_path("path", path)
        self._stored = open_splits(self.family, self.path.absolute())
        self._kept: dict[str, Any] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the file has."""
        return tuple(split for split in self.family.splits if f"{split}/images" in self._stored.headers)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return list(self.family.classes)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says of itself: title, recipe, parameters, source, license, citation."""
        return self.family.metadata(self._stored)

    def __getstate__(self) -> dict[str, Any]:
        # The arrays are read again where the object arrives: cheaper than sending them along.
        return {**self.__dict__, "_kept": {}}

    def _images(self, split: str) -> StoredImages:
        name = f"{split}/images"
        count, *shape = self._stored.headers[name].shape
        return StoredImages(self._stored.image_bytes(name), tuple(shape), count)

    def _labels(self, split: str) -> NDArray[np.int64]:
        return self._array(f"{split}/labels")

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self._kept:
            self._kept |= read_checked(self.family, self._stored, [name], self.path)
        array: NDArray[Any] = self._kept[name]
        return array
