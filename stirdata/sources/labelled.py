"""Labelled images of whatever origin, in the subsets that their makers made: training, validation, test.

A source says what it is before anything of it is read, so that a dataset is described before it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.sources import LABELLED, check_folder, home_of
from stirdata.sources.idx import CLASS_NAMES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
    """uint8 (N, H, W) or (N, H, W, 3); a list of images (H, W) or (H, W, 3) if they differ in size."""

SUBSETS = ("train", "val", "test")


@dataclass(frozen=True)
class Subset:
    """Part of a source.

    Attributes:
        labels: int64 (N,).
        sizes: Height and width of each image in pixels, int32 (N, 2).
        images: Returns those at positions, an int64 array (n,) of numbers from 0 to N - 1.
    """

    labels: NDArray[np.int64]
    sizes: NDArray[np.int32]
    images: Callable[[NDArray[np.int64]], Images]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, images: NDArray[np.uint8], labels: NDArray[Any]) -> Subset:
        """Return the subset of images and labels that are in memory."""
        import numpy as np

        return cls(labels.astype(np.int64), same_size(images.shape), partial(_taken, images))


def same_size(shape: Sequence[int]) -> NDArray[np.int32]:
    """Return the sizes of images of shape (N, H, W) or (N, H, W, 3)."""
    import numpy as np

    return np.broadcast_to(np.array(shape[1:3], np.int32), (shape[0], 2))


def _taken(images: NDArray[np.uint8], positions: NDArray[np.int64]) -> NDArray[np.uint8]:
    return images[positions]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A source of images.

    Attributes:
        classes: Names in the order of the labels.
        counts: Images of each subset that there is, in the order of :data:`SUBSETS`.
        shape: Of an image: (H, W), or (H, W, 3) in colour; the largest height and width if they differ.
        description: Name, hashes, license and citation, for manifests; ``proven`` is False where there are
            no published sums, or others.
        read: Returns the subsets; told whether to show no progress bars.
        uniform: Whether all images have the shape.
    """

    classes: tuple[str, ...]
    counts: Mapping[str, int]
    shape: tuple[int, ...]
    description: Mapping[str, Any]
    read: Callable[[bool], Mapping[str, Subset]] = field(repr=False)
    uniform: bool = True

    @property
    def name(self) -> str:
        """Of the source."""
        return str(self.description["name"])

    @property
    def about(self) -> dict[str, Any]:
        """The description, with the names of the classes if they are not the digits."""
        named = {} if self.classes == CLASS_NAMES else {"classes": list(self.classes)}
        return {**self.description, **named}

    @property
    def colour(self) -> bool:
        """Whether the images have three channels."""
        return len(self.shape) == 3


def open_source(name: str, source_dir: Path | None = None) -> LabelledImages:
    """Return a source by its name.

    Args:
        name: One of :data:`stirdata.sources.LABELLED`.
        source_dir: Folder with its files; None for the cache or a download, where there is one.

    Raises:
        ParameterError: There is no source of this name, or it needs a folder, or needs none.
        MissingFileError: The folder lacks files of the source.
        SourceError: Files in it are damaged, or other ones.
    """
    if name not in LABELLED:
        raise ParameterError(
            "there is no source of this name", where="source", expected=", ".join(LABELLED), got=name
        )
    check_folder(name, source_dir)
    source: LabelledImages = home_of(name).labelled(source_dir)
    return source


def unproven(name: str, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return the description of images of which nobody has published what they have to be."""
    return {
        "name": name,
        "sha256": hashes,
        "proven": False,
        "license": "that of the images",
        "citation": "none",
    }


def from_arrays(
    images: Mapping[str, NDArray[np.uint8]], labels: Mapping[str, NDArray[Any]], classes: Sequence[str] = ()
) -> LabelledImages:
    """Return a source of arrays.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3) by subset: ``train``, ``val``, ``test``, some of them.
        labels: Whole numbers (N,) from 0, by the same subsets.
        classes: Names in the order of the labels; by default their numbers.

    Raises:
        ParameterError: Arrays are of other types or shapes, or do not fit each other.
    """
    import numpy as np

    from stirdata.digest import sha256_of_array

    if not images or set(images) != set(labels) or not set(images) <= set(SUBSETS):
        raise ParameterError(
            "images and labels are of other subsets",
            where="images, labels",
            expected=f"the same ones of {', '.join(SUBSETS)} in both",
            got=f"{', '.join(images)} and {', '.join(labels)}",
        )
    subsets = {}
    for name in [name for name in SUBSETS if name in images]:
        _check(name, images[name], labels[name])
        subsets[name] = Subset.of(np.asarray(images[name]), np.asarray(labels[name]))
    shapes = {np.asarray(array).shape[1:] for array in images.values()}
    if len(shapes) > 1:
        raise ParameterError(
            "the images of the subsets differ in shape", where="images", got=sorted(map(str, shapes))
        )
    most = max(int(subset.labels.max(initial=-1)) for subset in subsets.values()) + 1
    names = tuple(classes) or tuple(str(number) for number in range(most))
    if most > len(names):
        raise ParameterError(
            "there are more labels than classes", where="classes", expected=f"{most} names", got=len(names)
        )
    hashes = {
        f"{name}/{kind}": sha256_of_array(np.asarray(arrays[name]))
        for name in subsets
        for kind, arrays in (("images", images), ("labels", labels))
    }
    return LabelledImages(
        classes=names,
        counts={name: len(subset) for name, subset in subsets.items()},
        shape=shapes.pop(),
        description=unproven("arrays", hashes),
        read=lambda quiet: subsets,
    )


def _check(name: str, images: Any, labels: Any) -> None:
    import numpy as np

    images, labels = np.asarray(images), np.asarray(labels)
    shape = images.shape
    fits = images.ndim == 3 or (images.ndim == 4 and shape[3] == 3)
    if images.dtype != np.uint8 or not fits or 0 in shape:
        raise ParameterError(
            f"the {name} images are of another type or shape",
            where="images",
            expected="uint8 (N, H, W) or (N, H, W, 3)",
            got=f"{images.dtype} {shape}",
        )
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        raise ParameterError(
            f"the {name} labels do not fit the images",
            where="labels",
            expected=f"whole numbers from 0, shape ({shape[0]},)",
            got=f"{labels.dtype} {labels.shape}",
        )
