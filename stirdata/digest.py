"""Hashes of files, canonical hashes of arrays, and the published checksum of a PNG tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 1 << 20


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits, reading 1 MiB at a time."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def canonical_dtype(array: NDArray[Any]) -> str:
    """Return the little-endian type string of an array, for example ``|u1``, ``<i8`` or ``<f8``."""
    return str(array.dtype.newbyteorder("<").str)


def sha256_of_array(array: NDArray[Any]) -> str:
    """Return the SHA-256 over the little-endian, C-order bytes of an array.

    The hash covers the values only; shape and type are recorded beside it.

    Example:
        >>> import numpy as np
        >>> values = np.arange(3, dtype=">i4")
        >>> sha256_of_array(values) == sha256_of_array(values.astype("<i4"))
        True
    """
    import numpy as np

    little = np.ascontiguousarray(array, dtype=canonical_dtype(array))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()


def md5_of_png_tree(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the MD5 over the bytes of all PNG files, in the string order of their paths.

    Args:
        files: Pairs of a path relative to the tree's folder, with ``/``, and the file's bytes.

    Source: the checksum that the authors of MNIST-scale publish (arXiv 1910.11093, its data scripts).
    """
    digest = hashlib.md5(usedforsecurity=False)
    for _, content in sorted(files, key=lambda item: item[0]):
        digest.update(content)
    return digest.hexdigest()
