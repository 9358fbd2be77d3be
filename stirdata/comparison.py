"""Comparing two files, or folders, array by array, value by value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError
from stirdata.executors import InProcess
from stirdata.storage import hdf5, mnist_scale, npy, npz, png_tree
from stirdata.storage.forms import form_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ArrayDifference:
    """How one array of two files compares.

    Attributes:
        name: Of the array.
        equal: Whether type, shape and every value are equal.
        what: What differs, in one line; empty if nothing does.
        count: How many values differ; None where they cannot be compared.
        largest: By how much at most; None for text, and where only NaN differ from numbers.
        first: Position of the first value that differs, in C order.
    """

    name: str
    equal: bool
    what: str = ""
    count: int | None = None
    largest: float | None = None
    first: tuple[int, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the difference as one line."""
        return f"{self.name}: {'equal' if self.equal else self.what}"


def compare_files(first: Path, second: Path) -> list[ArrayDifference]:
    """Compare every array of two files or folders, in the order of the first.

    Both are npz or HDF5 files, folders of npy files or PNG trees of MNIST-scale, told by their content.
    The arrays of MNIST-scale have the same names in every format, and what a file says of itself is
    the array ``metadata``; PNG trees do not say it, and with them it is not compared.

    Raises:
        MissingFileError: One of the files does not exist.
        FormatError: One of them is damaged, or holds something else than plain arrays, or none.
    """
    one, other = _arrays(first), _arrays(second)
    for path, arrays in ((first, other), (second, one)):
        if png_tree.looks_like_tree(path):
            arrays.pop(mnist_scale.METADATA, None)
    differences = []
    for name in [*one, *(name for name in other if name not in one)]:
        if name not in one or name not in other:
            where = first if name in one else second
            differences.append(ArrayDifference(name, False, f"only in {where}"))
        else:
            differences.append(compare(name, one[name], other[name]))
    return differences


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if png_tree.looks_like_tree(path):
        return mnist_scale.load(path, InProcess())
    form = form_of(path)
    read = {"npz": npz.read, "h5": hdf5.read, "npy": npy.read_folder}[form]
    arrays = mnist_scale.with_common_names(read(path), path, form)
    if not arrays:
        raise FormatError(
            "there are no arrays to compare",
            where=path,
            expected=".npy files, or a PNG tree of MNIST-scale" if form == "npy" else "arrays",
            hint="name the dataset itself",
        )
    return arrays


def compare(name: str, one: NDArray[Any], other: NDArray[Any]) -> ArrayDifference:
    """Compare two arrays value by value; two NaN are equal."""
    import numpy as np

    for what in ("shape", "dtype"):
        if what == "dtype" and one.dtype.kind == other.dtype.kind == "U":
            continue  # text of other lengths is compared as text
        if getattr(one, what) != getattr(other, what):
            return ArrayDifference(name, False, f"{what} {getattr(one, what)} against {getattr(other, what)}")
    differs = one != other
    if one.dtype.kind in "fc":
        differs &= ~(np.isnan(one) & np.isnan(other))
    count = int(np.count_nonzero(differs))
    if not count:
        return ArrayDifference(name, True, count=0)
    place = tuple(int(number) for number in np.unravel_index(int(np.argmax(differs)), differs.shape))
    what = f"{count} of {differs.size} values differ"
    largest = _largest(one[differs], other[differs])
    what += "" if largest is None else f", by at most {largest:g}"
    what += f", first at {place}: {one[place]} against {other[place]}"
    return ArrayDifference(name, False, what, count, largest, place)


def _largest(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Return the largest distance between values that differ; None if they are no numbers."""
    import numpy as np

    if one.dtype.kind == "b":
        return 1.0
    if one.dtype.kind in "iu":  # the larger minus the smaller cannot wrap around in an unsigned type
        low, high = np.minimum(one, other), np.maximum(one, other)
        return float(np.max(high.astype(np.uint64) - low.astype(np.uint64)))
    if one.dtype.kind in "fc":
        with np.errstate(invalid="ignore"):
            distances = np.abs(one - other)
        numbers = distances[~np.isnan(distances)]
        return float(numbers.max()) if len(numbers) else None
    return None
