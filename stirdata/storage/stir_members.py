"""Where the six arrays of a STIR set lie on disk: in an npz file, an HDF5 file, or a folder of npy files."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import numpy as np

from stirdata.errors import FormatError
from stirdata.families.stir.axes import KEYS
from stirdata.storage import hdf5, npy
from stirdata.storage.deflated_npz import listed_portions
from stirdata.storage.forms import form_of
from stirdata.storage.image_bytes import (
    Block,
    DeflatedBytes,
    FilePart,
    Filling,
    ImageBytes,
    PlainBytes,
    PortionedBytes,
    opened,
    stamp_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Found = TypeVar("Found")

IMAGES = "imgs"
SMALL = tuple(key for key in KEYS if key != IMAGES)
_LOCAL_HEADER = 30
_MOST_INFLATED = 1032  # bytes from one: the most that deflate can do (Source: zlib's technical details)
_ENCRYPTED = 1


@dataclass(frozen=True)
class Members:
    """The arrays of a set on disk.

    Attributes:
        layout: Arrays of the types and shapes of all six, without values.
        read_small: Reads all arrays but the images.
        images: The pixels.
    """

    layout: Mapping[str, NDArray[Any]]
    read_small: Callable[[], dict[str, NDArray[Any]]]
    images: Callable[[], ImageBytes]


def stand_in(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of a shape and type that takes no memory."""
    return np.broadcast_to(np.empty((), dtype), shape)


def looks_like_set(folder: Path) -> bool:
    """Tell whether a folder holds npy files that only STIR sets have, by their names."""
    return all((folder / f"{key}.npy").is_file() for key in (IMAGES, "psts"))


def locate(path: Path) -> Members:
    """Find the arrays of a set.

    Raises:
        MissingFileError: There is nothing at the path.
        FormatError: The file is damaged, or lacks arrays.
    """
    return {"npz": _in_npz, "h5": _in_hdf5, "npy": _in_folder}[form_of(path)](path)


def _check_names(path: Path, present: Sequence[str]) -> None:
    absent = [key for key in KEYS if key not in present]
    if absent:
        raise FormatError(
            "this is no STIR set: arrays are missing",
            where=path,
            expected=", ".join(KEYS),
            got=f"no {', '.join(absent)}",
            hint=_what_instead(path, present),
        )


def _what_instead(path: Path, present: Sequence[str]) -> str:
    if {"train/images", "train_images"} & set(present):
        return "this is a realization of MNIST-scale: stirdata.MNISTScale loads it"
    if path.is_dir() and not present:
        return "name a set: an .npz or .h5 file, or a folder of .npy files"
    return "generate or fetch it again"


def _check_order(header: npy.Header, where: object) -> None:
    if header.fortran and header.size:
        raise FormatError(
            "the images are in Fortran order",
            where=where,
            expected="C order, so that the images of a scale are together",
            hint="save numpy.ascontiguousarray of them",
        )


def _stamped(path: Path) -> tuple[int, int]:
    """Return the stamp of a file before anything of it is read, so that all that is read is of one file."""
    with path.open("rb") as file:
        return stamp_of(file)


def _in_npz(path: Path) -> Members:
    stamp = _stamped(path)

    def read_small() -> dict[str, NDArray[Any]]:
        return _guarded(path, lambda archive, file: {key: _small(archive, key, path) for key in SMALL})

    def images() -> ImageBytes:
        return _guarded(path, lambda archive, file: _npz_images(archive, file, path, stamp))

    headers = _guarded(path, lambda archive, file: _npz_headers(archive, path))
    layout = {key: stand_in(header.shape, header.dtype) for key, header in headers.items()}
    return Members(layout, read_small, images)


def _guarded(path: Path, look: Callable[[zipfile.ZipFile, BinaryIO], Found]) -> Found:
    """Look into an archive; a damaged one makes zipfile and zlib raise almost anything."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return look(archive, file)
    except (FormatError, FileNotFoundError):
        raise
    except Exception as error:
        raise FormatError(
            "the file is not a complete npz archive of plain arrays",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again",
        ) from error


def _npz_headers(archive: zipfile.ZipFile, path: Path) -> dict[str, npy.Header]:
    names = archive.namelist()
    leading = [name for name in names if "/" in name or "\\" in name]
    if leading:
        raise FormatError(
            "a name in the archive has a folder in it",
            where=path,
            got=repr(leading[0]),
            hint="do not trust this file",
        )
    _check_names(path, [name.removesuffix(".npy") for name in names if name.endswith(".npy")])
    return {key: _npz_header(archive, key, path) for key in KEYS}


def _npz_header(archive: zipfile.ZipFile, key: str, path: Path) -> npy.Header:
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & _ENCRYPTED:
        raise FormatError(
            "an array is encrypted or compressed in an unknown way",
            where=path,
            expected="stored or deflated",
            got=f"{info.filename}, method {info.compress_type}, flags {info.flag_bits:#x}",
            hint="save it again by numpy.savez_compressed",
        )
    most = max(info.compress_size * _MOST_INFLATED, 1 << 12)
    if info.file_size > most or info.compress_size > path.stat().st_size:
        raise FormatError(
            "an array cannot be as large as the archive says",
            where=path,
            expected=f"at most {most} bytes",
            got=f"{info.filename} of {info.file_size} bytes",
            hint="do not trust this file",
        )
    with archive.open(info) as member:
        return npy.read_header(cast(BinaryIO, member), f"{path}: {info.filename}", info.file_size)


def _small(archive: zipfile.ZipFile, key: str, path: Path) -> NDArray[Any]:
    info, where = archive.getinfo(f"{key}.npy"), f"{path}: {key}.npy"
    with archive.open(info) as member:
        stream = cast(BinaryIO, member)
        array = npy.read_array(stream, npy.read_header(stream, where, info.file_size), where)
        if member.read(1):  # reading up to the end is what checks the CRC-32
            raise FormatError("an array is longer than its header says", where=where)
    return array


def _npz_images(archive: zipfile.ZipFile, file: BinaryIO, path: Path, stamp: tuple[int, int]) -> ImageBytes:
    header, info = _npz_header(archive, IMAGES, path), archive.getinfo(f"{IMAGES}.npy")
    _check_order(header, path)
    file.seek(info.header_offset)
    local = file.read(_LOCAL_HEADER)
    start = info.header_offset + _LOCAL_HEADER + sum(np.frombuffer(local[26:30], "<u2").tolist())
    before = len(header.raw)
    if start + info.compress_size > stamp[0]:
        raise FormatError("the images end after the file", where=path, hint="generate or fetch it again")
    if info.compress_type == zipfile.ZIP_STORED:
        return PlainBytes(FilePart(path, start + before, header.size, stamp), header.raw, info.CRC)
    part = FilePart(path, start, info.compress_size, stamp)
    listed = listed_portions(info.extra, info.compress_size)
    if listed is not None:
        step, (_, *portions) = listed
        if len(portions) == -(-header.size // step):
            return PortionedBytes(part, header.size, step, tuple(portions))
    return DeflatedBytes(part, before, header.size, info.CRC)


@dataclass(frozen=True)
class _DataSet:
    """Pixels that only the HDF5 library can read: in chunks, compressed, or never written."""

    part: FilePart
    block_size: int
    block_shape: tuple[int, ...]
    scales: int

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Read blocks one after the other."""
        with opened(self.part), hdf5.opened(self.part.path) as file:
            for start, target in blocks:
                place = divmod(start // self.block_size, self.scales)
                file[IMAGES].read_direct(np.frombuffer(target, np.uint8).reshape(self.block_shape), place)
                yield


def _in_hdf5(path: Path) -> Members:
    stamp, found = _stamped(path), hdf5.layouts(path)
    _check_names(path, list(found))

    def images() -> ImageBytes:
        shape, offset = found[IMAGES].shape, found[IMAGES].offset
        part = FilePart(path, offset or 0, math.prod(shape), stamp)
        if offset is None:
            return _DataSet(part, math.prod(shape[2:]), shape[2:], shape[1])
        return PlainBytes(part)

    layout = {key: stand_in(found[key].shape, found[key].dtype) for key in KEYS}
    return Members(layout, lambda: hdf5.read(path, list(SMALL)), images)


def _in_folder(path: Path) -> Members:
    _check_names(path, [file.stem for file in path.glob("*.npy")])
    part = path / f"{IMAGES}.npy"
    stamp = _stamped(part)
    headers = {key: npy.read_header_of(path / f"{key}.npy") for key in KEYS}

    def images() -> ImageBytes:
        header = headers[IMAGES]
        _check_order(header, part)
        return PlainBytes(FilePart(part, len(header.raw), header.size, stamp))

    layout = {key: stand_in(header.shape, header.dtype) for key, header in headers.items()}
    return Members(layout, lambda: npy.read_folder(path, list(SMALL)), images)
