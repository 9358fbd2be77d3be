"""A small STIR set on disk, for the tests that describe and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import making
import numpy as np
from stir_fixtures import small_description, small_set

from stirdata.families.stir.axes import StirArrays
from stirdata.manifest import Manifest
from stirdata.storage import hdf5


def save_stir(path: Path, arrays: StirArrays | None = None, **description: Any) -> Manifest:
    """Write a set, by default the small one, named by a path that ends in .npz."""
    return making.save_stir(path, arrays or small_set(), small_description(**description))


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
