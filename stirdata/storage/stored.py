"""The arrays of one dataset on disk, whatever the form: opened by their headers, read when needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.errors import FormatError
from stirdata.executors import threads
from stirdata.storage.forms import TreeLayout, form_of
from stirdata.storage.image_bytes import Block, FilePart, ImageBytes, PlainBytes, ahead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Advance = Callable[[int], None]

_BLOCK = 1 << 21  # bytes that are read together where an array is read in blocks
_AHEAD = 2
_READING_THREADS = 16  # small files are read while the disk is waited for, so more than cores
METADATA = "metadata"
"""The array of files of npz and npy that holds what HDF5 files have as attributes."""


class Header(NamedTuple):
    """What one array is.

    Attributes:
        dtype: NumPy's name of the type, for example ``uint8``, or ``str``.
        shape: Lengths of the axes.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """The arrays of a dataset on disk, of which nothing but the headers has been read.

    No file stays open between calls, so that objects can be pickled and forked.

    Attributes:
        path: The file or folder.
        form: ``h5``, ``npz``, ``npy`` (a folder of .npy files) or ``png`` (a tree of PNG files).
        headers: Of the arrays, by the names that their family uses; those of the family first.
        tree: How a tree of PNG files is laid out.
    """

    path: Path
    form: str
    headers: Mapping[str, Header]
    tree: TreeLayout | None = None
    _stamps: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    _names: Mapping[str, str] = field(default_factory=dict)
    _small: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    _foreign: frozenset[str] = frozenset()

    def read(
        self, names: Sequence[str], executor: Executor | None = None, advance: Advance | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return whole arrays, in C order and the byte order of the machine.

        Args:
            names: Which ones.
            executor: Where PNG files are decoded; threads of this process if None.
            advance: Called with the number of PNG files read, now and then.

        Raises:
            MissingFileError: The file is gone.
            FormatError: It is damaged, or lacks an array.
        """
        if self.form == "png":
            return self._read_tree(names, executor, advance)
        from stirdata.storage import hdf5, npy, npz

        stored = {self._names.get(name, name): name for name in names}
        read = {"npz": npz.read, "h5": hdf5.read, "npy": npy.read_folder}[self.form]
        arrays = read(self.path, list(stored))
        return {name: _native(arrays[kept]) for kept, name in stored.items()}

    def _read_tree(
        self, names: Sequence[str], executor: Executor | None, advance: Advance | None
    ) -> dict[str, NDArray[Any]]:
        from stirdata.storage import image_tree

        absent = [name for name in names if name not in self.headers]
        if absent:
            raise image_tree.lacks(self.path, absent)
        if set(names) <= set(self._small):
            return {name: self._small[name] for name in names}
        if executor is None:
            with threads(_READING_THREADS) as readers:
                return self._read_tree(names, readers, advance)
        arrays, _ = image_tree.read(self.path, self._layout_of_tree(), executor, advance)
        return {name: arrays[name] for name in names}

    def _layout_of_tree(self) -> TreeLayout:
        if self.tree is None:
            raise ValueError("a tree has a layout")
        return self.tree

    def image_bytes(self, name: str) -> ImageBytes:
        """Return where the bytes of an array are, to read them in blocks, in the byte order of the file.

        Raises:
            MissingFileError: The file is gone.
            FormatError: It is damaged, or has the array in Fortran order.
        """
        from stirdata.storage import hdf5, image_tree, npy, npz

        if self.form == "png":
            return image_tree.bytes_of(self.path, self._layout_of_tree(), name)
        kept = self._names.get(name, name)
        if self.form == "npy":
            file = self.path / f"{kept}.npy"
            header = npy.read_header_of(file)
            npy.check_order(header, file)
            return PlainBytes(FilePart(file, len(header.raw), header.size, self._stamps[kept]))
        if self.form == "npz":
            return npz.bytes_of(self.path, kept, self._stamps[""])
        return hdf5.bytes_of(self.path, kept, self._stamps[""])

    def blocks(self, name: str, size: int = _BLOCK) -> Iterator[NDArray[Any]]:
        """Yield an array in parts along its first axes, in C order; the file is read ahead on a thread.

        Args:
            name: Of the array.
            size: Bytes of a part, about.

        Yields:
            (…, trailing axes) of the array's type; valid until the next is asked for.

        Raises:
            MissingFileError: The file is gone.
            FormatError: It is damaged, or another one than when it was opened.
        """
        import numpy as np

        header = self.headers[name]
        if self.form == "png" or header.dtype in ("str", "object") or name in self._foreign:
            yield self.read([name])[name]
            return
        dtype = np.dtype(header.dtype)
        axis = _cut_at(header.shape, dtype.itemsize, size)
        shape = header.shape[axis:]
        rows, item = math.prod(header.shape[:axis]), math.prod(shape) * dtype.itemsize
        each = max(1, size // max(1, item))
        starts = range(0, rows if item else 0, each)
        buffers = [np.empty((min(each, rows), *shape), dtype) for _ in range(min(_AHEAD + 1, len(starts)))]
        targets = [buffers[turn % len(buffers)][: rows - start] for turn, start in enumerate(starts)]
        wanted = [
            Block(start * item, target.reshape(-1).view(np.uint8).data)
            for start, target in zip(starts, targets, strict=True)
        ]
        filling = self.image_bytes(name).fill(wanted)
        for target, _ in zip(targets, ahead(filling, _AHEAD), strict=True):
            yield target

    def attributes(self) -> dict[str, Any]:
        """Return what the file says of itself beside its arrays: text, in npz and npy also of numbers.

        Raises:
            FormatError: It is damaged.
        """
        from stirdata.storage import hdf5

        if self.form == "h5":
            return hdf5.read_attributes(self.path)
        if self.form == "png" or METADATA in self.headers or METADATA not in self._names:
            return {}
        table = self.read([METADATA])[METADATA]
        if table.ndim != 2 or table.shape[1:] != (2,) or table.dtype.kind != "U":
            raise FormatError(
                "the metadata are not rows of a name and a value",
                where=self.path,
                got=f"{table.dtype} {table.shape}",
            )
        return {str(name): str(value) for name, value in table}


def open_stored(path: Path, names: Sequence[str] = (), tree: TreeLayout | None = None) -> Stored:
    """Open the arrays of a dataset; nothing but their headers is read, of a tree also its list of files.

    Args:
        path: A .npz or .h5 file, a folder of .npy files, or a tree of PNG files if ``tree`` is given.
        names: Of the arrays that are expected; ``train/images`` is stored as ``train_images`` where
            names cannot have a slash. Others keep the names that they are stored under.
        tree: The layout of a tree of PNG files, if a folder is to be read as one.

    Raises:
        MissingFileError: There is nothing at the path; names close to it are told.
        FormatError: It is damaged, or no form that is read.
    """
    form = form_of(path, "png" if tree is not None else "npy")
    if form == "png" and tree is not None:
        return _open_tree(path, tree, names)
    from stirdata.storage import hdf5, npy, npz

    # Before anything is read, so that all that is read later is of the same file.
    files = {name: path / f"{name}.npy" for name in npy.names_in(path)} if form == "npy" else {"": path}
    stamps = {name: npz.stamp(file) for name, file in files.items()}
    layouts: Mapping[str, Any]
    if form == "npy":
        layouts = {name: npy.read_header_of(file) for name, file in files.items()}
    else:
        layouts = hdf5.layouts(path) if form == "h5" else npz.headers(path)
    stored = {name: name if form == "h5" else name.replace("/", "_") for name in names}
    known = {name: other for name, other in stored.items() if other in layouts}
    if names and form != "h5" and METADATA in layouts:
        known.setdefault(METADATA, METADATA)
    kept = {**known, **{name: name for name in layouts if name not in known.values()}}
    said_beside = {METADATA} if names and METADATA not in names and form != "h5" else set()
    headers = {
        name: _header(layouts[other].dtype, layouts[other].shape)
        for name, other in kept.items()
        if name not in said_beside
    }
    foreign = frozenset(name for name, other in kept.items() if not layouts[other].dtype.isnative)
    return Stored(path, form, headers, _stamps=stamps, _names=kept, _foreign=foreign)


def _open_tree(path: Path, tree: TreeLayout, names: Sequence[str]) -> Stored:
    from stirdata.storage import image_tree

    small = image_tree.read_latents(path, tree)
    headers = {
        f"{split}/images": Header("uint8", (len(small[f"{split}/labels"]), *tree.image_shape))
        for split in tree.splits
    }
    headers |= {name: _header(array.dtype, array.shape) for name, array in small.items()}
    ordered = {name: headers[name] for name in names if name in headers} or headers
    return Stored(path, "png", ordered, tree, _small=small)


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Header:
    return Header("str" if dtype.kind == "U" else dtype.newbyteorder("=").name, shape)


def _cut_at(shape: tuple[int, ...], itemsize: int, size: int) -> int:
    """Return how many of the first axes to take one position of, so that a part has about a size."""
    axis = 0
    while axis < len(shape) - 1 and math.prod(shape[axis:]) * itemsize > size:
        axis += 1
    return axis


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of the machine, which torch and PIL need."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def stand_in(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array of zeros that takes no memory.

    Args:
        shape: Of the array.
        dtype: A type, or its name as in :class:`Header`.
    """
    import numpy as np

    return np.broadcast_to(np.zeros((), np.dtype(dtype)), shape)
