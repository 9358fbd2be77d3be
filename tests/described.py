"""A small STIR set on disk, for the tests that describe and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from stir_fixtures import small_description, small_set

from stirdata import atomic
from stirdata.executors import threads
from stirdata.families.stir.axes import StirArrays
from stirdata.manifest import Manifest
from stirdata.storage import hdf5, stir


def save_stir(path: Path, arrays: StirArrays | None = None, **description: Any) -> Manifest:
    """Write a set, by default the small one, named by a path that ends in .npz."""
    with atomic.locked(path), threads(1) as executor:
        return stir.save(path, arrays or small_set(), small_description(**description), executor=executor)


def save_as(path: Path, arrays: StirArrays) -> Path:
    """Write the arrays alone: as .npz or .h5, or into a folder of .npy files."""
    content = arrays.as_dict()
    if path.suffix == ".npz":
        np.savez_compressed(path, **content)
    elif path.suffix == ".h5":
        hdf5.write(path, content, {})
    else:
        path.mkdir()
        for name, array in content.items():
            np.save(path / f"{name}.npy", array)
    return path
