"""The types and shapes of the arrays in a file or folder, whatever they are, without reading the arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from stirdata.errors import FormatError
from stirdata.storage import hdf5, npy

if TYPE_CHECKING:
    import numpy as np

_NPY = ".npy"


class Header(NamedTuple):
    """What one array is.

    Attributes:
        dtype: NumPy's name of the type, for example ``uint8``, or ``str``.
        shape: Lengths of the axes.
    """

    dtype: str
    shape: tuple[int, ...]


def read(path: Path, form: str) -> dict[str, Header]:
    """Return the headers of all arrays of an ``npz`` or ``h5`` file or a folder of ``npy`` files, by name.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged.
    """
    if form == "h5":
        return {name: _header(layout.dtype, layout.shape) for name, layout in hdf5.layouts(path).items()}
    found = _in_npz(path) if form == "npz" else _in_folder(path)
    try:
        return {name: _header(header.dtype, header.shape) for name, header in found}
    except FormatError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and zlib raise almost anything
        raise FormatError(
            "the file is not a complete npz archive of plain arrays",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again",
        ) from error


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Header:
    return Header("str" if dtype.kind == "U" else dtype.name, shape)


def _in_npz(path: Path) -> Iterator[tuple[str, npy.Header]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(_NPY):
                with archive.open(info) as stream:
                    where = f"{path}: {info.filename}"
                    header = npy.read_header(cast(BinaryIO, stream), where, info.file_size)
                yield info.filename.removesuffix(_NPY), header


def _in_folder(path: Path) -> Iterator[tuple[str, npy.Header]]:
    for file in sorted(path.glob(f"*{_NPY}")):
        with file.open("rb") as stream:
            yield file.stem, npy.read_header(stream, file, file.stat().st_size)
