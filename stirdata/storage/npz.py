"""Arrays in npz files whose bytes depend on nothing but the arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stirdata.errors import FormatError, MissingFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ZIP64_FROM = 1 << 31


def write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays in the order given, uncompressed: deflate libraries differ in their bytes."""
    from numpy.lib import format as npy

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
            member.create_system = _UNIX
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=array.nbytes >= _ZIP64_FROM) as stream:
                npy.write_array(stream, array, version=(1, 0), allow_pickle=False)


def read(path: Path, names: list[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays by name, all of them by default; nothing is ever unpickled.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no npz file, is cut short, lacks one of the names, or holds objects.
    """
    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        with path.open("rb") as file:  # np.load leaves a file open that it opened and could not read
            return _read(file, path, names)
    except FormatError:
        raise
    except Exception as error:  # a damaged file makes zipfile, zlib and NumPy raise almost anything
        raise FormatError(
            "the file is not a complete npz archive of plain arrays",
            where=path,
            got=_reason(error),
            hint="generate or fetch it again; object arrays are never unpickled",
        ) from error


def _reason(error: Exception) -> str:
    """Return what a library says, without its advice to unpickle: it takes any other file for a pickle."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "something else" if "pickled" in text and "bject arrays" not in text else text


def _read(file: BinaryIO, path: Path, names: list[str] | None) -> dict[str, NDArray[Any]]:
    import numpy as np

    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise FormatError("the file is not an npz archive", where=path, got="a single array")
    with archive:
        arrays = {name: archive[name] for name in _present(path, archive.files, names)}
    others = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:
        raise FormatError("the npz file holds other things than arrays", where=path, got=", ".join(others))
    return arrays


def _present(path: Path, present: list[str], names: list[str] | None) -> list[str]:
    absent = [name for name in names or [] if name not in present]
    if absent:
        raise FormatError(
            "the npz file lacks arrays", where=path, expected=", ".join(absent), got=", ".join(present)
        )
    return present if names is None else names
