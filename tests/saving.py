"""Writing a realization as ``stirdata generate`` does, in the format that the target's name says."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stirdata import atomic
from stirdata.executors import InProcess
from stirdata.generation import MNISTScaleRequest
from stirdata.manifest import Manifest
from stirdata.storage import mnist_scale as storage

NAMES = {"h5": "scale_0.3_1.0.h5", "npz": "scale_0.3_1.0.npz", "png": "scale_0.3_1.0"}
"""The name of a realization by its format."""


def save(target: Path, arrays: Mapping[str, NDArray[Any]], *, seed: int = 7) -> Manifest:
    """Write the arrays with manifest and SHA256SUMS, and return the manifest."""
    description = MNISTScaleRequest(seeds=(seed,)).description(seed)
    form = next((form for form in ("h5", "npz") if target.suffix == f".{form}"), "png")
    with atomic.locked(target):
        return storage.save(target, arrays, description, form, executor=InProcess())


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
