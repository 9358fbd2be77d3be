"""What the loaders of families share whose arrays are those of their splits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.arguments import checked_path
from stirdata.errors import FormatError
from stirdata.families.splits import named_classes, open_splits, read_checked, read_only
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
        self._classes = self.family.classes or named_classes(self.metadata)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the file has."""
        return tuple(split for split in self.family.splits if f"{split}/images" in self._stored.headers)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return list(self._classes)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says of itself: title, recipe, parameters, source, license, citation."""
        return self.family.metadata(self._stored)

    def __getstate__(self) -> dict[str, Any]:
        # The arrays are read again where the object arrives: cheaper than sending them along.
        return {**self.__dict__, "_kept": {}}

    def _images(self, split: str) -> StoredImages:
        name = f"{split}/images"
        dtype, (count, *shape) = self._stored.headers[name]
        return StoredImages(self._stored.image_bytes(name), tuple(shape), count, dtype=dtype)

    def source_index(self, split: str) -> NDArray[np.int32]:
        """Return the position of every image's original among those of the source: int32 (N,), read-only.

        Raises:
            FormatError: The dataset does not tell.
        """
        name = f"{self.split_named(split)}/source_index"
        if name not in self._stored.headers:
            return super().source_index(split)
        return read_only(self._array(name))

    def _labels(self, split: str) -> NDArray[np.int64]:
        labels = self._array(f"{split}/labels")
        if labels.max(initial=-1) >= len(self._classes):
            raise FormatError(
                "there are labels without a class",
                where=self.path,
                expected=f"labels from 0 to {len(self._classes) - 1}",
                got=labels.max(),
            )
        return labels

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self._kept:
            self._kept |= read_checked(self.family, self._stored, [name], self.path)
        array: NDArray[Any] = self._kept[name]
        return array
