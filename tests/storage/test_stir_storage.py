"""A STIR set on disk: what is written, what is refused, and what a damaged file gets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stir_fixtures import small_description, small_set

from stirdata import locks
from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import Workers
from stirdata.families.family import Job, Made
from stirdata.families.making import make_and_save
from stirdata.families.recognition import is_dataset_folder
from stirdata.families.stir import FAMILY
from stirdata.families.stir.axes import KEYS
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.storage import saving
from stirdata.storage.stored import open_stored


def save(target: Path, count: int = 1) -> Path:
    target.parent.mkdir(exist_ok=True)
    with Workers(count) as workers, locks.locked(target):
        saving.save(
            target,
            "npz",
            small_set().as_dict(),
            small_description(),
            FAMILY.layout,
            workers=workers,
            versions={"x": "1"},
        )
    return target


def load(path: Path) -> dict[str, Any]:
    return open_stored(path, KEYS).read(KEYS)


def test_a_set_comes_back_with_its_manifest_and_checksum(tmp_path: Path) -> None:
    path = save(tmp_path / "own.npz")
    found = load(path)
    for key, array in small_set().as_dict().items():
        assert np.array_equal(found[key], array)
    manifest = load_manifest(manifest_path(path))
    assert list(manifest.arrays) == list(KEYS)
    assert manifest.versions["x"] == "1"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  own.npz\n"


def test_the_same_bytes_again_and_with_more_threads(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in save(tmp_path / "1" / "a.npz").parent.iterdir()}
    second = {path.name: path.read_bytes() for path in save(tmp_path / "2" / "a.npz", 2).parent.iterdir()}
    assert first == second


def test_what_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    broken = replace(small_set(), psts=small_set().psts + 5)
    broken.psts[0] = -1
    job = Job(small_description(), lambda workers, advance: Made(broken.as_dict()))
    with pytest.raises(FormatError, match="array psts"), Workers() as workers:
        make_and_save(FAMILY, job, tmp_path / "a.npz", "npz", workers)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "single", "objects", "lacking"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = save(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "single":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "objects":
        np.savez(path, **(small_set().as_dict() | {"imgs": np.array([{}], object)}))
    else:
        np.savez(path, imgs=small_set().imgs)
    with pytest.raises(FormatError):
        load(path)


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load(tmp_path / "nothing.npz")


def test_sets_are_told_by_the_names_of_their_arrays(tmp_path: Path) -> None:
    assert not is_dataset_folder(tmp_path)
    np.save(tmp_path / "imgs.npy", np.zeros(3))
    assert not is_dataset_folder(tmp_path)
    np.save(tmp_path / "psts.npy", np.zeros(3))
    assert is_dataset_folder(tmp_path)
    assert not is_dataset_folder(tmp_path / "nothing")
