"""A STIR set on disk: one compressed npz file with six arrays, and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.manifest import Manifest
from stirdata.recipes import stir_schema
from stirdata.recipes.stir import KEYS, Frame, StirArrays
from stirdata.storage import deflated_npz, npz, saving
from stirdata.storage.saving import Accept, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".npz"
FAMILY = "stir-"
"""How the names of the datasets in manifests begin."""


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
        lambda files: saving.manifest_for(content, description, files, ["numpy"], versions=versions),
        accept,
    )


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Read the six arrays of a file, as they are: the schema is not checked.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or lacks arrays.
    """
    return npz.read(path, list(KEYS))


def load_checked(path: Path) -> tuple[StirArrays, Frame]:
    """Read a set that fits the schema.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or breaks the schema.
    """
    content = load(path)
    return StirArrays(**content), stir_schema.check(content, where=path)


def looks_like_set(path: Path) -> bool:
    """Tell whether a file holds the arrays that only STIR sets have, by the names in it."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return {"imgs.npy", "psts.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
