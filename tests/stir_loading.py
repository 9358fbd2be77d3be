"""What the tests of STIRDataset share: files of every kind, and the published way to load them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stir_fixtures import reference, small_frame, small_set

from stirdata.families.stir import axes as stir

REFERENCES = ("mnist", "emoji", "trafficsign", "aerial")
"""Names of the sets of which the test data has a part."""

FRAMES = {
    "grey": {},
    "colour": {"channels": 3},
    "published": {"scales": stir.SCALES, "canvas": 64},
    "one": {"classes": ("only",), "instances": 1, "scales": (5,), "canvas": 9},
}
"""Axes of made-up sets by name, as changes of ``small_frame``."""


class Loaded(NamedTuple):
    """What the published loader gives for a selection."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    scales: NDArray[np.int32]
    positions: NDArray[np.int32]


def published(path: Path, split: str, scales: Iterable[int], shuffle: bool) -> Loaded:
    """Load a npz file as the published loader does: everything read, then chosen, then shuffled in place.

    Written from its description, image by image, and sharing nothing with stirdata.
    """
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in ("imgs", "lbls", "scls", "psts")}
    member = {"train": 0, "valid": 1, "val": 1, "test": 2}[split]
    present = arrays["scls"][0, :, 0, 0].tolist()
    _, _, classes, instances = arrays["lbls"].shape
    found: dict[str, list[Any]] = {name: [] for name in arrays}
    for scale in scales:
        for label in range(classes):
            for instance in range(instances):
                for name, values in found.items():
                    values.append(arrays[name][member, present.index(int(scale)), label, instance])
    images = np.stack(found["imgs"]).astype(np.float32) / 255
    images = np.ascontiguousarray(images[:, None] if images.ndim == 3 else np.moveaxis(images, 3, 1))
    loaded = Loaded(
        images, np.array(found["lbls"], np.int64), np.array(found["scls"]), np.stack(found["psts"])
    )
    for array in loaded if shuffle else ():
        np.random.RandomState(42).shuffle(array)
    return loaded


def assert_same(found: Iterable[Any], expected: Iterable[Any]) -> None:
    """Assert that arrays are equal in type, shape and every bit."""
    for here, there in zip(found, expected, strict=True):
        assert (here.dtype, here.shape) == (there.dtype, there.shape)
        np.testing.assert_array_equal(here, there)


def write(path: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    """Write arrays as the published files are written."""
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def small_file(folder: Path, name: str = "grey") -> Path:
    """Write one of the made-up sets, always the same."""
    return write(folder / f"{name}.npz", small_set(small_frame(**FRAMES[name])).as_dict())


def reference_file(folder: Path, name: str) -> Path:
    """Write the part of a set that the test data holds as a set of its own; skip where it is absent."""
    arrays, _ = reference(name)
    labels = np.broadcast_to(np.arange(len(arrays["classes"]), dtype=np.int32)[:, None], arrays["lbls"].shape)
    content = {
        "imgs": arrays["imgs"],
        "lbls": np.ascontiguousarray(labels),
        "scls": arrays["scls"],
        "psts": arrays["psts"],
        "metadata": stir.metadata(name, "D", "A", "L", "1", "2026"),
        "lbldata": arrays["lbldata"][arrays["classes"]],
    }
    return write(folder / f"{name}.npz", content)
