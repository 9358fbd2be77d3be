"""A small STIR set on disk with its manifest, for the tests that describe and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stir_fixtures import small_description, small_set

from stirdata import atomic
from stirdata.executors import threads
from stirdata.manifest import Manifest
from stirdata.recipes.stir import StirArrays
from stirdata.storage import stir


def save_stir(path: Path, arrays: StirArrays | None = None, **description: Any) -> Manifest:
    """Write a set, by default the small one, named by a path that ends in .npz."""
    with atomic.locked(path), threads(1) as executor:
        return stir.save(path, arrays or small_set(), small_description(**description), executor=executor)
