"""Telling whoever opens a file of one family of datasets with the loader of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stirdata.errors import FormatError, StirdataError

_LOADERS = {"STIR": "stirdata.STIRDataset", "MNIST-scale": "stirdata.MNISTScale"}


@contextmanager
def expecting(family: str, path: Path) -> Iterator[None]:
    """Name the loader of a file that cannot be read because it is of another family.

    Args:
        family: ``STIR`` or ``MNIST-scale``.
        path: The file or folder that is read inside.

    Raises:
        FormatError: Instead of one raised inside, if the file is of the other family.
    """
    try:
        yield
    except FormatError as error:
        found = _family_of(path)
        if found is None or found == family:
            raise
        raise FormatError(
            f"this is a dataset of the family {found}",
            where=path,
            expected=family,
            got=found,
            hint=f"{_LOADERS[found]} reads it",
        ) from error


def _family_of(path: Path) -> str | None:
    from stirdata.recognition import recognize

    try:
        return recognize(path).family
    except (StirdataError, OSError):
        return None
