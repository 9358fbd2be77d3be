"""Arrays in HDF5 files whose bytes depend on nothing but the arrays and attributes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic
from stirdata.errors import FormatError, MissingFileError
from stirdata.storage.image_bytes import Block, BlockedArray, FilePart, Filling, ImageBytes, PlainBytes
from stirdata.storage.image_bytes import opened as opened_part
from stirdata.storage.sparse import SparseFile

if TYPE_CHECKING:
    import h5py
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 1 << 20  # bytes by which a file in memory grows
_CHARACTERS = "characters"
_MOST_CHARACTERS = 1 << 16  # a text has; more than that is a damage that would take all memory
_NUMBERS = "biuf"  # NumPy's kinds of truth values, integers and floating-point numbers


def write(path: Path, arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> None:
    """Write arrays, named ``group/name``, and attributes of the file.

    Data sets are contiguous and uncompressed: deflate libraries differ in their bytes, and a plain
    read is what makes loading fast. The oldest file format is asked for, because its layout is the
    same in every release of HDF5.

    The HDF5 library builds the file in memory: on a full disk it fails in its own ways, up to a crash
    of the process, and Python does not.
    """
    import h5py

    in_memory = {"driver": "core", "backing_store": False, "block_size": _BLOCK}
    with h5py.File(path, "w", libver="earliest", track_order=False, **in_memory) as file:
        for name, value in attributes.items():
            _write_attribute(file, name, value)
        for name, array in arrays.items():
            write_array(file, name, array)
        file.flush()
        content = file.id.get_file_image()
    path.write_bytes(content)


def write_blocked(
    path: Path, arrays: Mapping[str, NDArray[Any] | BlockedArray], attributes: Mapping[str, Any]
) -> str:
    """Write arrays of which some are never in memory as a whole, and attributes of the file.

    The HDF5 library lays out the file in memory, without them; then they go where it left room. The file is
    written from its first byte to its last, so that it is hashed without being read again.

    Returns:
        The SHA-256 of the file, as 64 hexadecimal digits.
    """
    import h5py

    layout = SparseFile()
    with h5py.File(layout, "w", libver="earliest", track_order=False) as file:
        for name, value in attributes.items():
            _write_attribute(file, name, value)
        for name, array in arrays.items():
            if isinstance(array, BlockedArray):
                _leave_room(file, name, array)
            else:
                write_array(file, name, array)
        file.flush()
        blocked = {
            file[name].id.get_offset(): array
            for name, array in arrays.items()
            if isinstance(array, BlockedArray) and array.nbytes
        }
    digest = hashlib.sha256()
    with path.open("wb", buffering=0) as target, atomic.flushing(target.fileno()) as flush:
        for piece in _in_order(layout, blocked):
            digest.update(piece)
            done = 0
            while done < len(piece):
                done += target.write(piece[done:])
            flush(done)
    return digest.hexdigest()


def _in_order(layout: SparseFile, blocked: Mapping[int, BlockedArray]) -> Iterator[memoryview]:
    """Yield the bytes of a file from first to last, each part valid until the next is asked for.

    Args:
        layout: All but the arrays.
        blocked: Arrays by where they begin.
    """
    at = 0
    for offset, array in sorted(blocked.items()):
        yield from layout.pieces(at, offset)
        at = offset
        for block in array.blocks():
            yield block.reshape(-1).view("u1").data
            at += block.nbytes
        if at != offset + array.nbytes:
            raise ValueError(f"blocks of {at - offset} bytes for an array of {array.nbytes}")
    yield from layout.pieces(at, layout.size)


def _leave_room(file: h5py.File, name: str, array: BlockedArray) -> None:
    import h5py

    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    space, kind = h5py.h5s.create_simple(array.shape), h5py.h5t.py_create(array.dtype)
    group, _, leaf = name.rpartition("/")
    place = file.require_group(group) if group else file
    h5py.h5d.create(place.id, leaf.encode(), kind, space, properties)


def write_array(file: h5py.File, name: str, array: NDArray[Any]) -> None:
    """Write an array; text as UTF-8 of a fixed length, with the length in characters as an attribute."""
    import h5py
    import numpy as np

    if np.asarray(array).dtype.kind != "U" or not np.ndim(array):
        file.create_dataset(name, data=array, track_times=False)
        return
    encoded = np.array([text.encode() for text in array.ravel().tolist()], np.bytes_).reshape(array.shape)
    dtype = h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))
    data_set = file.create_dataset(name, data=encoded.astype(dtype), track_times=False)
    data_set.attrs[_CHARACTERS] = array.dtype.itemsize // 4


def _write_attribute(file: h5py.File, name: str, value: Any) -> None:
    """Write text with a fixed length: a damaged heap of texts of any length can hang the HDF5 library."""
    import h5py

    if isinstance(value, str):
        encoded = value.encode()
        file.attrs.create(name, encoded, dtype=h5py.string_dtype("utf-8", max(1, len(encoded))))
    else:
        file.attrs[name] = value


def read(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays by name, all of them by default.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no HDF5 file, is cut short, lacks one of the names, or has something else
            than an array of numbers under it.
    """
    with opened(path) as file:
        present = _names(file)
        absent = [name for name in names or [] if name not in present]
        if absent:
            raise FormatError(
                "the HDF5 file lacks arrays",
                where=path,
                expected=", ".join(absent),
                got=", ".join(present) or "no arrays",
            )
        return {name: _content(path, file[name]) for name in (present if names is None else names)}


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a file as Python values."""
    with opened(path) as file:
        return {name: _plain(value) for name, value in file.attrs.items()}


def _plain(value: Any) -> Any:
    """Return an attribute as the Python value it was written from."""
    item = value.item() if hasattr(value, "item") else value
    return item.decode() if isinstance(item, bytes) else item


def _content(path: Path, data_set: h5py.Dataset) -> NDArray[Any]:
    """Read an array of numbers or text."""
    _check_inside(path, data_set)
    if data_set.shape is not None and _is_text(data_set):
        return _text(data_set)
    if data_set.shape is None or data_set.dtype.kind not in _NUMBERS:
        raise FormatError(
            "the HDF5 file holds something else than an array of numbers",
            where=path,
            got=f"{data_set.name} of type {data_set.dtype}",
        )
    array: NDArray[Any] = data_set[...]
    return array


def _check_inside(path: Path, data_set: h5py.Dataset) -> None:
    """Raise unless an array lies in the file itself; HDF5 could make it come from any other file."""
    if data_set.external or data_set.is_virtual:
        raise FormatError(
            "an array of the HDF5 file lies in other files",
            where=path,
            expected="the array itself",
            got=f"{data_set.name} as a reference",
            hint="do not trust this file",
        )


def _text(data_set: h5py.Dataset) -> NDArray[np.str_]:
    """Read text that :func:`write_array` wrote."""
    import numpy as np

    stored = data_set[...]
    texts = [text.decode() for text in stored.ravel().tolist()]  # numpy.char takes longer to import
    return np.array(texts, _text_type(data_set)).reshape(stored.shape)


@dataclass(frozen=True)
class Layout:
    """How an array lies in an HDF5 file.

    Attributes:
        shape: Of the array.
        dtype: Of the numbers or the text.
        offset: Where the array begins in the file, if it lies there as it is; else None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int | None


def layouts(path: Path) -> dict[str, Layout]:
    """Return how every array lies in a file.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no HDF5 file, is cut short, or an array lies in other files.
    """
    with opened(path) as file:
        present = {name: file[name] for name in _names(file) if file[name].shape is not None}
        for data_set in present.values():
            _check_inside(path, data_set)
        return {name: _layout(file, data_set) for name, data_set in present.items()}


def _layout(file: h5py.File, data_set: h5py.Dataset) -> Layout:
    plain = not (data_set.chunks or file.userblock_size)
    offset = data_set.id.get_offset() if plain and data_set.id.get_storage_size() == data_set.nbytes else None
    return Layout(data_set.shape, _text_type(data_set) if _is_text(data_set) else data_set.dtype, offset)


def _is_text(data_set: h5py.Dataset) -> bool:
    return data_set.dtype.kind == "S" and _CHARACTERS in data_set.attrs


def _text_type(data_set: h5py.Dataset) -> np.dtype[Any]:
    import numpy as np

    count = int(data_set.attrs[_CHARACTERS])
    if not 0 < count <= _MOST_CHARACTERS:
        raise ValueError(f"{data_set.name} with {count} characters in a text")
    return np.dtype(f"<U{count}")


def bytes_of(path: Path, name: str, stamp: tuple[int, int]) -> ImageBytes:
    """Return where the bytes of an array are; see :func:`stirdata.storage.npz.bytes_of`."""
    found = layouts(path)[name]
    size = math.prod(found.shape) * found.dtype.itemsize
    part = FilePart(path, found.offset or 0, size, stamp)
    return (
        PlainBytes(part) if found.offset is not None else _DataSetBytes(part, name, found.shape, found.dtype)
    )


@dataclass(frozen=True)
class _DataSetBytes:
    """An array that only the HDF5 library can read: in chunks, compressed, or never written."""

    part: FilePart
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Read blocks one after the other."""
        with opened_part(self.part), opened(self.part.path) as file:
            for start, target in blocks:
                self._read(file[self.name], start, target)
                yield

    def _read(self, data_set: h5py.Dataset, start: int, target: memoryview) -> None:
        """Read consecutive bytes as runs along the first axis that they are whole parts of."""
        import numpy as np

        axis = next(axis for axis in range(len(self.shape) + 1) if self._fits(axis, start, len(target)))
        item = math.prod(self.shape[axis:]) * self.dtype.itemsize
        out = np.frombuffer(target, self.dtype).reshape(-1, *self.shape[axis:])
        if not axis:
            data_set.read_direct(out[0])
            return
        first, length = start // item, self.shape[axis - 1]
        while len(out):
            *outer, at = np.unravel_index(first, self.shape[:axis])
            count = min(len(out), length - int(at))
            data_set.read_direct(out[:count], (*map(int, outer), slice(int(at), int(at) + count)))
            first, out = first + count, out[count:]

    def _fits(self, axis: int, start: int, size: int) -> bool:
        item = math.prod(self.shape[axis:]) * self.dtype.itemsize
        return bool(item) and start % item == 0 and size % item == 0


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; it is not locked, so that any number of processes can."""
    import h5py

    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except FormatError:
        raise
    except Exception as error:  # a damaged file makes h5py raise almost anything
        raise FormatError(
            "the file is not a complete HDF5 file",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again",
        ) from error


def _names(file: h5py.File) -> list[str]:
    import h5py

    names: list[str] = []
    file.visititems(lambda name, item: names.append(str(name)) if isinstance(item, h5py.Dataset) else None)
    return names
