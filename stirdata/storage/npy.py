"""The npy format, read without trust: what a header promises is checked before memory is taken."""

from __future__ import annotations

import ast
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from stirdata.errors import FormatError, MissingFileError
from stirdata.manifest import is_leftover
from stirdata.storage.image_bytes import BlockedArray

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
_FIELDS = {"descr", "fortran_order", "shape"}
_LONGEST = 10_000  # characters of a header; NumPy itself refuses to evaluate longer ones
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # by version of the format


@dataclass(frozen=True)
class Header:
    """What an array in the npy format says of itself.

    Attributes:
        shape: Of the array.
        dtype: As stored, in whatever byte order.
        fortran: Whether the first axis varies fastest.
        raw: The header's bytes; those of the array follow them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    raw: bytes

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: BinaryIO, where: object, total: int) -> Header:
    """Read the header at the beginning of a stream.

    Args:
        stream: Stands at the beginning.
        where: For the message.
        total: Bytes of header and array together, as the file or the archive knows.

    Raises:
        FormatError: There is no header, it promises another size, or the array holds objects.
    """
    start = stream.read(8)
    if len(start) < 8 or start[:6] != MAGIC or start[6] not in _LENGTH_BYTES:
        raise _error("is not in the npy format", where, got=repr(start))
    count = stream.read(_LENGTH_BYTES[start[6]])
    length = int.from_bytes(count, "little")
    if length > _LONGEST:
        raise _error("has a header that is too long", where, got=f"{length} bytes")
    text = stream.read(length)
    header = _parsed(text, start + count + text, where)
    if len(text) != length or len(header.raw) + header.size != total:
        expected = f"{len(header.raw) + header.size} bytes for {header.dtype} {header.shape}"
        raise _error("has another size than its header says", where, expected=expected, got=f"{total} bytes")
    return header


def _parsed(text: bytes, raw: bytes, where: object) -> Header:
    try:
        fields = ast.literal_eval(text.decode("utf-8").strip())
        if set(fields) != _FIELDS or not isinstance(fields["descr"], str):
            raise ValueError(f"fields {', '.join(sorted(fields))}")
        header = Header(fields["shape"], np.dtype(fields["descr"]), fields["fortran_order"], raw)
        lengths = [type(length) is int and length >= 0 for length in header.shape]
        if type(header.shape) is not tuple or type(header.fortran) is not bool or not all(lengths):
            raise ValueError(f"shape {header.shape}")
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise _error("has a header that cannot be read", where, got=str(error).partition("\n")[0]) from error
    if header.dtype.hasobject:
        raise _error("holds objects, which are never unpickled", where, got=f"type {header.dtype}")
    return header


def read_array(stream: BinaryIO, header: Header, where: object) -> NDArray[Any]:
    """Read the array behind a header, in C order.

    Raises:
        FormatError: The stream ends too early.
    """
    content = stream.read(header.size)
    if len(content) != header.size:
        raise _error("is cut short", where, expected=f"{header.size} bytes", got=f"{len(content)} bytes")
    flat = np.frombuffer(content, header.dtype)
    if header.dtype.kind == "U" and _has_impossible_characters(content, header.dtype):
        raise _error("holds characters that do not exist", where)
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.array(array, order="C")


def _has_impossible_characters(content: bytes, dtype: np.dtype[Any]) -> bool:
    """Tell whether text has numbers beyond Unicode, which NumPy hands on and Python fails at."""
    codes = np.frombuffer(content, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
    return bool(len(codes)) and int(codes.max()) > sys.maxunicode


def check_order(header: Header, where: object) -> None:
    """Raise FormatError if an array that is to be read in blocks is in Fortran order."""
    if header.fortran and header.size:
        raise FormatError(
            "the images are in Fortran order",
            where=where,
            expected="C order, so that the images of a scale are together",
            hint="save numpy.ascontiguousarray of them",
        )


def read_header_of(path: Path) -> Header:
    """Read the header of a file.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no npy file, has another size than it says, or holds objects.
    """
    with _opened(path) as file:
        return read_header(file, path, path.stat().st_size)


def read(path: Path) -> NDArray[Any]:
    """Read the array in a file.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no npy file, has another size than it says, or holds objects.
    """
    with _opened(path) as file:
        return read_array(file, read_header(file, path, path.stat().st_size), path)


def read_folder(folder: Path, names: list[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the arrays in a folder of npy files by the files' names, all of them by default.

    Raises:
        MissingFileError: One of the names is not there.
        FormatError: A file is no npy file, has another size than it says, or holds objects.
    """
    return {name: read(folder / f"{name}.npy") for name in (names_in(folder) if names is None else names)}


def names_in(folder: Path) -> list[str]:
    """Return the names of the arrays in a folder; what systems leave there is passed over."""
    files = folder.glob("*.npy")
    return sorted(file.stem for file in files if not is_leftover(file.relative_to(folder)))


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise MissingFileError("there is no such file", where=path) from error
    except OSError as error:
        raise FormatError("the file cannot be read", where=path, got=error.strerror) from error


def header_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the header that NumPy writes for an array in C order."""
    import io

    from numpy.lib import format as npy

    stream = io.BytesIO()
    facts = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, facts)
    return stream.getvalue()


def write(path: Path, array: NDArray[Any] | BlockedArray) -> None:
    """Write an array in C order as a file, with the bytes that NumPy writes."""
    with path.open("wb") as file:
        file.write(header_of(array.shape, array.dtype))
        blocks = array.blocks() if isinstance(array, BlockedArray) else iter([np.asarray(array, order="C")])
        for block in blocks:
            file.write(block.reshape(-1).view(np.uint8).data)


def _error(what: str, where: object, *, expected: object = None, got: object = None) -> FormatError:
    return FormatError(
        f"an array {what}", where=where, expected=expected, got=got, hint="generate or fetch it again"
    )
