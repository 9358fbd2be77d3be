"""Any images in the format and under the file names of MNIST: EMNIST, KMNIST, data of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError
from stirdata.sources import idx
from stirdata.sources.labelled import LabelledImages, Subset, unproven
from stirdata.sources.mnist import PARTS, check_lengths, find_parts, parse_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = 1 << 32
"""Most bytes of a decompressed file: beyond it is a bomb, or nothing for the memory."""


def labelled(source_dir: Path) -> LabelledImages:
    """Return the images of a folder, which are read here: nobody has published what they have to be.

    Args:
        source_dir: A folder with IDX files named as those of MNIST, gzipped or not; the test files alone
            will do.

    Raises:
        MissingFileError: There are no such files.
        SourceError: One of them is damaged, or there are not as many labels as images.
    """
    paths = find_parts(source_dir, "IDX")
    _check_found(paths, source_dir)
    streams = {part: idx.read_stream(path, _LARGEST) for part, path in paths.items()}
    arrays = {part: parse_part(part, data, paths[part]) for part, data in streams.items()}
    subsets = {}
    for subset, prefix in (("train", "train"), ("test", "t10k")):
        if f"{prefix}-images" in arrays:
            images, labels = arrays[f"{prefix}-images"], arrays[f"{prefix}-labels"]
            check_lengths(images, labels, paths[f"{prefix}-labels"])
            subsets[subset] = Subset.of(images, labels)
    shape = _common_shape([array for part, array in arrays.items() if part.endswith("images")], source_dir)
    most = max(int(subset.labels.max(initial=0)) for subset in subsets.values())
    return LabelledImages(
        classes=tuple(str(number) for number in range(most + 1)),
        counts={name: len(subset) for name, subset in subsets.items()},
        shape=shape,
        description=unproven("idx", {part: sha256_of_bytes(data) for part, data in streams.items()}),
        read=lambda quiet: subsets,
    )


def _check_found(paths: dict[str, Path], folder: Path) -> None:
    missing = [
        part
        for part in PARTS
        if part not in paths and (part.startswith("t10k") or any(name.startswith("train") for name in paths))
    ]
    if missing:
        raise MissingFileError(
            f"{len(missing)} IDX files are missing",
            where=folder,
            expected=", ".join(
                f"{part}-idx{3 if part.endswith('images') else 1}-ubyte or .gz" for part in missing
            ),
            hint="name the files as those of MNIST are named",
        )


def _common_shape(arrays: list[NDArray[np.uint8]], folder: Path) -> tuple[int, ...]:
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1 or not all(arrays[0].shape):
        raise SourceError(
            "the images are of several sizes, or there are none",
            where=folder,
            got=", ".join(str(array.shape) for array in arrays),
        )
    return shapes.pop()
