"""What a STIR set is, but for its images: axes, classes, labels, scales, positions, metadata."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_path
from stirdata.downloads import stir_file
from stirdata.families.stir import one_hot
from stirdata.families.stir.axes import SETS
from stirdata.families.stir.selection import ALL_SCALES, Scales, Selection, select
from stirdata.loading.families import expecting
from stirdata.storage.stir_file import StirFile, open_set

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OpenedSet:
    """A STIR set of which everything but the images is in memory; :class:`STIRDataset` reads those.

    Args:
        path: A .npz or .h5 file, or a folder of .npy files.
        download: If there is no such file and one of this name is published, fetch it into the cache; see
            :func:`stirdata.downloads.stir_file`.

    Attributes:
        path: As given, or where the file is in the cache.
        metadata: Title, description, author, license, version and date.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or no STIR set.
        SourceUnavailableError: It cannot be downloaded.
    """

    def __init__(self, path: str | os.PathLike[str] = "emoji.npz", *, download: bool = False) -> None:
        named = checked_path("path", path)
        self.path = stir_file(named) if download else named
        # Absolute, since images are read later, perhaps after the working directory has changed.
        self._file: StirFile = _opened(self.path.absolute())
        self.metadata: dict[str, str] = dict(self._file.metadata)

    @property
    def labeldata(self) -> NDArray[np.str_]:
        """Names of the classes in the order of the labels: str (n,), read-only."""
        return _read_only(self._file.tables["lbldata"])

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class of every image: int32 (sets, scales, n, m), read-only."""
        return _read_only(self._file.labels)

    @property
    def scales(self) -> NDArray[np.int32]:
        """Size of every image's object in pixels: int32 (sets, scales, n, m), read-only."""
        return _read_only(self._file.scales)

    @property
    def positions(self) -> NDArray[np.int32]:
        """Left and top edge of every object's box in pixels: int32 (sets, scales, n, m, 2), read-only."""
        return _read_only(self._file.positions)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return list(self._file.frame.classes)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""
        return {name: label for label, name in enumerate(self._file.frame.classes)}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self._file.frame.classes)

    @property
    def num_channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self._file.frame.channels

    def __len__(self) -> int:
        """Return the number of images in all splits at all scales."""
        return self._file.frame.count

    def __repr__(self) -> str:
        frame, facts = self._file.frame, self.metadata
        image = f"{frame.channels} x {frame.canvas} x {frame.canvas}"
        scales = f"{len(frame.scales)} scales ({min(frame.scales)} to {max(frame.scales)} pixels)"
        return (
            f"STIRDataset({str(self.path)!r})\n"
            f"  {facts['title']}: {len(self)} images {image}, license {facts['license']}\n"
            f"  {len(SETS)} splits ({', '.join(SETS)}) x {scales} x {self.num_classes} classes "
            f"x {frame.instances} instances"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A worker opens the file faster than all arrays travel to it.
        return {**self.__dict__, "path": self._file.path, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = _opened(self.path)

    def count(self, split: str, scales: Scales = ALL_SCALES) -> int:
        """Return the number of images of a split at some scales."""
        return len(self.select(split, scales))

    def select(self, split: str, scales: Scales = ALL_SCALES, shuffle: bool = False) -> Selection:
        """Return which images the arguments mean, and in which order."""
        return select(self._file.frame, split, scales, shuffle)

    def encode_labels(self, labels: Any) -> Any:
        """Return labels one-hot: int64 (…, n) for n classes.

        Args:
            labels: Integers of any shape: an array, a tensor, a list or a number.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: A label is not an integer from 0 to n - 1.
        """
        return one_hot.encode(labels, self.num_classes)

    def decode_labels(self, encoded: Any) -> Any:
        """Return the labels of one-hot rows, or of scores: int64 (…), where each row is largest.

        Args:
            encoded: Shape (…, n) for n classes: an array, a tensor or a list.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: The last axis does not have the length n.
        """
        return one_hot.decode(encoded, self.num_classes)


def _opened(path: Path) -> StirFile:
    with expecting("STIR", path):
        return open_set(path)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
