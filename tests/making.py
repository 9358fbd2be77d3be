"""Making datasets in tests: from parameters to outcomes, and from arrays to files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stirdata import locks
from stirdata.executors import Workers
from stirdata.families import families, family_of, mnist_scale
from stirdata.families.family import Identity, Job
from stirdata.families.making import identity_of
from stirdata.families.stir.axes import StirArrays
from stirdata.manifest import Manifest
from stirdata.operations.generate import Checked, Plan, Task, check, make, plan
from stirdata.operations.standing import Outcome
from stirdata.sharing import FORMS
from stirdata.storage import saving
from stirdata.storage.forms import output_form
from stirdata.storage.image_bytes import BlockedArray

NAMES = {"h5": "scale_0.3_1.0.h5", "npz": "scale_0.3_1.0.npz", "png": "scale_0.3_1.0"}
"""The name of a realization by its format."""

EXPORTS = [
    pytest.param(form, marks=pytest.mark.tools) if form in ("parquet", "huggingface") else form
    for form in FORMS
]
"""The forms of exports, as parameters of a test; some need a package that is not installed everywhere."""


def small_dataset(folder: Path) -> Path:
    """Write a small realization of noise with its manifest, and return its path."""
    with Workers(1) as workers:
        arrays = families()["mnist-scale"].specimen().make(workers, lambda count: None).arrays
    save(folder / "data.h5", dict(arrays))
    return folder / "data.h5"


def generate_mnist_scale(
    seeds: Sequence[int] = (7,),
    *,
    out: Path = Path(),
    form: str | None = None,
    workers: int = 1,
    force: bool = False,
    quiet: bool = True,
    advance: Callable[[int], None] = lambda count: None,
    **parameters: Any,
) -> list[Outcome]:
    """Make realizations below a folder, in the order of the seeds."""
    planned = plan(
        "mnist-scale", [{"seed": seed, **parameters} for seed in seeds], out=out, form=form, quiet=quiet
    )
    return list(make(planned, workers=workers, force=force, advance=advance))


def make_job(job: Job, target: Path, *, workers: int = 1, force: bool = False) -> Outcome:
    """Make a dataset at a path, whose name says its form, as ``stirdata generate`` does."""
    family = family_of(job.description.dataset)
    assert family is not None
    planned = Plan(family, [Task(job, target, output_form(target, family.layout.forms))])
    (outcome,) = make(planned, workers=workers, force=force)
    return outcome


def check_job(job: Job, target: Path) -> Checked:
    """Compare a dataset with its reference, as ``stirdata generate --check`` does."""
    family = family_of(job.description.dataset)
    assert family is not None
    (checked,) = check(Plan(family, [Task(job, target, family.layout.forms[0])]), workers=1)
    return checked


def whole(array: NDArray[Any] | BlockedArray) -> NDArray[Any]:
    """Return an array in memory, also of one that is made block by block."""
    if isinstance(array, np.ndarray):
        return array
    parts = [block.reshape(-1).copy() for block in array.blocks()]
    return np.concatenate(parts).astype(array.dtype).reshape(array.shape)


def save(target: Path, arrays: Mapping[str, NDArray[Any]], *, seed: int = 7) -> Manifest:
    """Write the arrays of a realization with manifest and SHA256SUMS, and return the manifest."""
    description = mnist_scale.describe(mnist_scale.Parameters(seed=seed))
    return save_dataset(target, arrays, description)


def save_dataset(
    target: Path,
    arrays: Mapping[str, NDArray[Any]],
    description: saving.Description,
    versions: Mapping[str, str] | None = None,
) -> Manifest:
    """Write the arrays of a dataset of any family in the form that the target's name says."""
    family = next(family for family in families().values() if family.owns(description.dataset))
    folder = "png" if family.layout.tree else "npy"
    form = {".h5": "h5", ".npz": "npz"}.get(target.suffix, folder)
    with locks.locked(target), Workers(1) as workers:
        return saving.save(
            target,
            form,
            arrays,
            description,
            family.layout,
            attributes=family.attributes(description),
            workers=workers,
            versions=versions or {},
        )


def save_stir(target: Path, arrays: StirArrays, description: saving.Description) -> Manifest:
    """Write a STIR set with manifest and SHA256SUMS, and return the manifest."""
    return save_dataset(target, arrays.as_dict(), description)


def identify(manifest: Manifest) -> Identity | None:
    """Return the published or pinned dataset that a manifest describes."""
    family = family_of(manifest.dataset)
    return None if family is None else identity_of(family, manifest)


def save_below(root: Path, form: str, arrays: Mapping[str, NDArray[Any]], *, seed: int = 7) -> Path:
    """Write the arrays below a root folder, named as ``stirdata generate`` names them; return the path."""
    target = root / "MNIST_scale" / f"seed_{seed}" / NAMES[form]
    save(target, arrays, seed=seed)
    return target


def encoded(image: NDArray[np.uint8], **options: Any) -> bytes:
    """Return an image as a PNG file, by default as the original script encodes it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", **options)
    return file.getvalue()


def change_one_pixel(path: Path) -> None:
    """Change the middle pixel of a PNG file by one level."""
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[14, 14] ^= 1
    path.write_bytes(encoded(pixels))
