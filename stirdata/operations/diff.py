"""Comparing two files, or folders, array by array, value by value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, StirdataError
from stirdata.families.recognition import recognize
from stirdata.storage.stored import Stored, open_stored

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

    Both are npz or HDF5 files, folders of npy files or trees of PNG files, of whatever content. The arrays
    of a family have the same names in every format, and what a file says of itself is compared as the
    array ``metadata``; PNG trees do not say it, and with them it is not compared.

    Raises:
        MissingFileError: One of the files does not exist.
        FormatError: One of them is damaged, or holds something else than plain arrays, or none.
    """
    one, other = _open(first), _open(second)
    names = [*one.headers, *(name for name in other.headers if name not in one.headers)]
    first_read, second_read = _reader(one), _reader(other)
    differences = []
    for name in names:
        if name not in one.headers or name not in other.headers:
            where = first if name in one.headers else second
            differences.append(ArrayDifference(name, False, f"only in {where}"))
        else:
            differences.append(compare(name, first_read(name), second_read(name)))
    both = [stored.attributes() for stored in (one, other)]
    if all(both):
        differences.append(compare("metadata", *map(_table, both)))
    return differences


def _open(path: Path) -> Stored:
    """Open a dataset, or any other file or folder of arrays."""
    try:
        return recognize(path).stored
    except StirdataError:
        stored = open_stored(path)  # whose error says what is wrong with the file, if anything is
    if not stored.headers:
        raise FormatError(
            "there are no arrays to compare",
            where=path,
            expected="arrays, or a tree of PNG files",
            hint="name the dataset itself",
        )
    return stored


def _reader(stored: Stored) -> Callable[[str], NDArray[Any]]:
    """Return what reads an array: one at a time, or of a tree of images all at once."""
    if stored.form == "png":
        return stored.read(list(stored.headers)).__getitem__
    return lambda name: stored.read([name])[name]


def _table(attributes: Mapping[str, Any]) -> NDArray[Any]:
    import numpy as np

    return np.array([[name, str(value)] for name, value in sorted(attributes.items())])


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
