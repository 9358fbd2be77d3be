"""What the loaders do for ``download=True``: find the file that is meant, or bring it."""

from __future__ import annotations

import os
from pathlib import Path

from stirdata.errors import MissingFileError


def stir_file(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the path of a STIR set; fetch it into the cache if it is published and not there.

    Args:
        name_or_path: A file or folder, which is taken if it exists. Else the name of a published file,
            such as ``mnist.npz``, or of its set, such as ``mnist``: it is fetched from Zenodo into the
            cache, and found there the next time. Folders in front of the name only say where to look
            first.

    Raises:
        MissingFileError: Neither exists such a file, nor is one of this name published.
        SourceUnavailableError: It cannot be downloaded.
        LockError: The record says something else than at the first fetch.
        FormatError: The published file breaks the schema.
    """
    path = Path(name_or_path)
    if path.exists():
        return path
    from stirdata.stir_download import PublishedRequest, fetch_published, file_name, set_names

    known = {file_name(name): name for name in set_names()}
    name = known.get(path.name, path.name)
    if name not in known.values():
        raise MissingFileError(
            "there is no such file, and none of this name is published",
            where=path,
            expected=", ".join(known),
            hint="name one of the published files, or a file that exists",
        )
    ((_, file),) = fetch_published(PublishedRequest(sets=(name,)))
    return file.path


def mnist_scale(
    root: str | os.PathLike[str], seed: int = 0, min_scale: float = 0.3, max_scale: float = 1.0
) -> Path:
    """Return the path of a realization of MNIST-scale below a folder; make it there if it is missing.

    The published realizations cannot be downloaded, but made to the bit from MNIST, which is fetched
    into the cache if it is not there. Written is an HDF5 file with its manifest, as by
    ``stirdata generate mnist-scale --out ROOT``.

    Args:
        root: Folder below which ``MNIST_scale/seed_<seed>/`` is made.
        seed: Of the realization.
        min_scale: Smallest scale factor.
        max_scale: Largest scale factor.

    Raises:
        ParameterError: A parameter makes no sense; nothing has been written.
        SourceUnavailableError: MNIST is neither in the cache nor can it be downloaded.
        TargetExistsError: The file is there and is something else.
        TargetError: The folder cannot be written to.
    """
    from stirdata.executors import available_cores
    from stirdata.generation import MNISTScaleRequest, generate_mnist_scale

    request = MNISTScaleRequest((seed,), min_scale, max_scale, out=Path(root), workers=available_cores())
    (outcome,) = generate_mnist_scale(request)
    return outcome.path
