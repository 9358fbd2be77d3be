"""Arrays in HDF5 files whose bytes depend on nothing but the arrays and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, MissingFileError

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray


def write(path: Path, arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> None:
    """Write arrays, named ``group/name``, and attributes of the file.

    Data sets are contiguous and uncompressed: deflate libraries differ in their bytes, and a plain
    read is what makes loading fast. The oldest file format is asked for, because its layout is the
    same in every release of HDF5.
    """
    import h5py

    with h5py.File(path, "w", libver="earliest", track_order=False) as file:
        for name, value in attributes.items():
            file.attrs[name] = value
        for name, array in arrays.items():
            file.create_dataset(name, data=array, track_times=False)


def read(path: Path, names: list[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays by name, all of them by default.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no HDF5 file, is cut short, or lacks one of the names.
    """
    with _opened(path) as file:
        present = _names(file)
        absent = [name for name in names or [] if name not in present]
        if absent:
            raise FormatError(
                "the HDF5 file lacks arrays",
                where=path,
                expected=", ".join(absent),
                got=", ".join(present) or "no arrays",
            )
        return {name: file[name][()] for name in (present if names is None else names)}


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a file as Python values."""
    with _opened(path) as file:
        return {name: getattr(value, "item", lambda v=value: v)() for name, value in file.attrs.items()}


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    import h5py

    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            "the file is not a complete HDF5 file",
            where=path,
            got=str(error).splitlines()[0],
            hint="generate or fetch it again",
        ) from error


def _names(file: h5py.File) -> list[str]:
    import h5py

    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
