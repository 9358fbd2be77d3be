"""The types and shapes of the arrays in a file or folder, without reading the arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, NamedTuple

from stirdata.errors import FormatError
from stirdata.storage import hdf5

_NPY = ".npy"


class Header(NamedTuple):
    """What one array is.

    Attributes:
        dtype: NumPy's name of the type, for example ``uint8``.
        shape: Lengths of the axes.
    """

    dtype: str
    shape: tuple[int, ...]


def read(path: Path) -> dict[str, Header]:
    """Return the headers of the arrays in a .h5 or .npz file or a folder of .npy files, by name.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged.
    """
    if path.suffix == ".h5":
        return {name: Header(*header) for name, header in hdf5.read_headers(path).items()}
    try:
        return _read_folder(path) if path.is_dir() else _read_npz(path)
    except Exception as error:  # a damaged file makes zipfile, zlib and NumPy raise almost anything
        kind = "a folder of whole .npy files" if path.is_dir() else "a complete npz archive of plain arrays"
        raise FormatError(
            f"this is not {kind}",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again",
        ) from error


def _read_npz(path: Path) -> dict[str, Header]:
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(_NPY):
                with archive.open(name) as stream:
                    headers[name.removesuffix(_NPY)] = _read_npy(stream)
    return headers


def _read_folder(path: Path) -> dict[str, Header]:
    headers = {}
    for file in sorted(path.glob(f"*{_NPY}")):
        with file.open("rb") as stream:
            headers[file.stem] = _read_npy(stream)
    return headers


def _read_npy(stream: IO[bytes]) -> Header:
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    return Header("str" if dtype.kind == "U" else dtype.name, tuple(shape))
