"""Arrays in npz files whose bytes depend on nothing but the arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    import numpy as np

    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise FormatError("the file is not an npz archive", where=path, got="a single array")
            return {name: archive[name] for name in _present(path, archive.files, names)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            "the file is not a complete npz archive of plain arrays",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again; object arrays are never unpickled",
        ) from error


def _present(path: Path, present: list[str], names: list[str] | None) -> list[str]:
    absent = [name for name in names or [] if name not in present]
    if absent:
        raise FormatError(
            "the npz file lacks arrays", where=path, expected=", ".join(absent), got=", ".join(present)
        )
    return present if names is None else names
