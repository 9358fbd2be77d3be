"""Small datasets of the registered families, as the suite makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from making import whole
from numpy.typing import NDArray

from stirdata import locks
from stirdata.executors import Workers
from stirdata.families import families
from stirdata.families.family import Family
from stirdata.families.making import Written, make_and_save
from stirdata.loading.dataset import ImageDataset

CASES = [(family, form) for family in families().values() for form in family.layout.forms]


@dataclass(frozen=True)
class Specimen:
    """The small dataset of a family on disk, in one form.

    Attributes:
        family: The family.
        form: One of its forms.
        path: The file or folder.
    """

    family: Family
    form: str
    path: Path

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The arrays as the family makes them."""
        with Workers(1) as workers:
            arrays = self.family.specimen().make(workers, lambda count: None).arrays
            return {name: whole(array) for name, array in arrays.items()}

    def load(self) -> ImageDataset:
        """Open it with the family's loader."""
        return self.family.loader()(self.path)

    def files(self) -> list[Path]:
        """Return its files, manifest and SHA256SUMS among them."""
        return sorted(path for path in self.path.parent.rglob("*") if path.is_file())


def target_in(folder: Path, form: str) -> Path:
    """Return what a dataset of a form is called in a folder."""
    return folder / ("data" if form in ("npy", "png") else f"data.{form}")


def write(family: Family, form: str, target: Path, workers: int = 1) -> Written:
    """Make the small dataset of a family and write it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Workers(workers) as places, locks.locked(target):
        return make_and_save(family, family.specimen(), target, form, places)
