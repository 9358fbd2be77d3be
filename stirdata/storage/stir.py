"""A STIR set on disk: six arrays as an npz file, an HDF5 file or a folder of npy files, and a manifest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.digest import sha256_of_array
from stirdata.families.stir import schema as stir_schema
from stirdata.families.stir.axes import KEYS, StirArrays
from stirdata.manifest import ArrayEntry, FileEntry, Manifest, describe_array, describe_file
from stirdata.storage import deflated_npz, hdf5, npy, npz, saving, stir_members
from stirdata.storage.blocked import BlockedArray
from stirdata.storage.forms import form_by_name, form_of
from stirdata.storage.image_bytes import Block
from stirdata.storage.saving import Accept, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.storage.image_bytes import ImageBytes
    from stirdata.storage.stir_file import StirFile

SUFFIX = ".npz"
FAMILY = "stir-"
"""How the names of the datasets in manifests begin."""
_LIBRARIES = {"npz": ("numpy",), "h5": ("numpy", "h5py"), "npy": ("numpy",)}


def save(
    target: Path,
    arrays: StirArrays,
    description: Description,
    *,
    executor: Executor,
    workers: int = 1,
    versions: Mapping[str, str] | None = None,
    accept: Accept = lambda manifest: None,
) -> Manifest:
    """Write a set with its manifest and SHA256SUMS; hold the lock of ``target``.

    Args:
        target: A name ending in .npz; replaced if it exists.
        arrays: The set; it has to fit the schema.
        description: What it is.
        executor: Threads to compress in.
        workers: How many there are; the bytes do not depend on it.
        versions: Of programs and libraries that took part, other than NumPy.
        accept: Called with the manifest before anything gets its name; raises to refuse it.

    Raises:
        FormatError: The arrays do not fit the schema.
        TargetError: The output cannot be written.
    """
    content = arrays.as_dict()
    stir_schema.check(content, where=target)
    return saving.save_file(
        target,
        lambda path: deflated_npz.write(path, content, executor, workers),
        lambda files: saving.manifest_for(content, description, files, _LIBRARIES["npz"], versions=versions),
        accept,
    )


def copy(
    source: StirFile,
    target: Path,
    description: Description,
    *,
    executor: Executor,
    workers: int = 1,
    versions: Mapping[str, str] | None = None,
    accept: Accept = lambda manifest: None,
    advance: Callable[[int], None] = lambda count: None,
) -> Manifest:
    """Write a set that is on disk in the format of the target's name, a block at a time; hold its lock.

    Args:
        source: The set.
        target: A name ending in .npz or .h5, or a folder; replaced if it exists.
        description: What it is.
        executor: Threads to compress in.
        workers: How many there are; the bytes do not depend on it.
        versions: Of programs and libraries that took part, other than NumPy and h5py.
        accept: Called with the manifest before anything gets its name; raises to refuse it.
        advance: Called with the number of images copied, now and then.

    Raises:
        FormatError: The source is damaged.
        TargetError: The output cannot be written.
    """
    form, digest = form_by_name(target), hashlib.sha256()
    images = _copied(source, digest.update, advance)
    small = {"lbls": source.labels, "scls": source.scales, "psts": source.positions, **source.tables}
    content = {key: images if key == stir_members.IMAGES else small[key] for key in KEYS}

    def write(path: Path) -> None:
        {
            "npz": lambda: deflated_npz.write(path, content, executor, workers),
            "h5": lambda: hdf5.write_blocked(path, content),
            "npy": lambda: _write_folder(path, content),
        }[form]()

    def describe(files: list[FileEntry]) -> Manifest:
        entry = ArrayEntry("|u1", images.shape, digest.hexdigest())
        entries = {key: entry if key == stir_members.IMAGES else describe_array(small[key]) for key in KEYS}
        return saving.manifest_for(entries, description, files, _LIBRARIES[form], versions=versions)

    if form != "npy":
        return saving.save_file(target, write, describe, accept)
    return saving.save_folder(target, lambda path: _listed(path, write), describe, accept)


def _copied(source: StirFile, look: Callable[[Any], object], advance: Callable[[int], None]) -> BlockedArray:
    """Return the images of a set; whoever takes the blocks lets them be looked at and counted."""

    def blocks() -> Iterator[NDArray[np.uint8]]:
        for block in source.every_block():
            look(block.data)
            yield block
            advance(len(block))

    return BlockedArray(source.frame.shape + source.frame.image_shape, np.dtype("u1"), blocks)


def _write_folder(folder: Path, content: Mapping[str, NDArray[Any] | BlockedArray]) -> None:
    for key, array in content.items():
        npy.write(folder / f"{key}.npy", array)


def _listed(folder: Path, write: Callable[[Path], None]) -> list[FileEntry]:
    write(folder)
    return [describe_file(folder / f"{key}.npy", f"{key}.npy") for key in KEYS]


def hashed(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read a set without ever holding its images: the schema is not checked.

    Returns:
        The six arrays, of which the images have type and shape but no values; and the hashes of all six.

    Raises:
        MissingFileError: There is no such file or folder.
        FormatError: It is damaged, or lacks arrays.
    """
    members = stir_members.locate(path)
    arrays = {**members.layout, **members.read_small()}
    hashes = {key: sha256_of_array(arrays[key]) for key in stir_members.SMALL}
    images = arrays[stir_members.IMAGES]
    if stir_schema.is_well_formed(arrays):
        found = _hash_of_images(members.images(), images.shape)
    else:  # the bytes on disk may be in another order, and blocks may mean nothing
        found = sha256_of_array(load(path)[stir_members.IMAGES])
    return {key: arrays[key] for key in KEYS}, {**hashes, stir_members.IMAGES: found}


def _hash_of_images(images: ImageBytes, shape: tuple[int, ...]) -> str:
    """Hash the images of one set and scale after the other."""
    digest, count = hashlib.sha256(), shape[0] * shape[1]
    block = bytearray(math.prod(shape[2:]))
    for _ in images.fill([Block(number * len(block), memoryview(block)) for number in range(count)]):
        digest.update(block)
    return digest.hexdigest()


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Read the six arrays of a set, as they are: the schema is not checked.

    Raises:
        MissingFileError: There is no such file or folder.
        FormatError: It is damaged, or lacks arrays.
    """
    form = form_of(path)
    if form == "npz":
        return npz.read(path, list(KEYS))
    return hdf5.read(path, list(KEYS)) if form == "h5" else npy.read_folder(path, list(KEYS))
