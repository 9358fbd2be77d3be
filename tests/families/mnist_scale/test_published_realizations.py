"""All six published realizations, to the bit; these tests need the MNIST files."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import save
from numpy.typing import NDArray
from oracles import looped_scales, pillow_rescaled, sklearn_members
from PIL import Image

from stirdata.digest import md5_of_png_tree, sha256_of_array
from stirdata.executors import Workers
from stirdata.families.mnist_scale import LAYOUT
from stirdata.families.mnist_scale.recipe import SplitSizes, as_arrays, generate
from stirdata.manifest import pinned
from stirdata.operations.verify import verify
from stirdata.sources.idx import DigitImages
from stirdata.storage import image_tree
from stirdata.storage.stored import open_stored

Arrays = dict[str, NDArray[Any]]

PUBLISHED_MD5 = {
    0: "00f60f1d99234b8fe8e5e1fe79306759",
    1: "f13da5cde237fb224846b8e0dd8188b2",
    2: "f06ad4b20d3f7d33f7b417cf7a1eb811",
    3: "eeb05f67093efae9f9b3f5a5617b2444",
    4: "5aa583af4e3c08a32f633bcb565823e5",
    5: "35ec90ad3cd9543123208cbb4a311233",
}
every_seed = pytest.mark.parametrize("seed", sorted(PUBLISHED_MD5))


@pytest.fixture(scope="module")
def realization(mnist_digits: DigitImages) -> Any:
    """Return a function that generates the arrays of a published realization, once per seed."""

    @cache
    def arrays_of(seed: int) -> Arrays:
        return as_arrays(generate(mnist_digits.images, mnist_digits.labels, seed, workers=2))

    return arrays_of


def digests(arrays: Arrays) -> dict[str, str]:
    return {name: sha256_of_array(array) for name, array in arrays.items()}


def pinned_facts(seed: int) -> dict[str, Any]:
    facts: dict[str, Any] = pinned("mnist-scale")["realizations"][str(seed)]
    return facts


def encoded(images: NDArray[np.uint8]) -> list[bytes]:
    """Encode as the original script does: Pillow's PNG with its defaults."""
    files = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files.append(file.getvalue())
    return files


def published_names(arrays: Arrays) -> list[str]:
    """Number the files through train, test and val, as the original script does."""
    labels = [(split, label) for split in ("train", "test", "val") for label in arrays[f"{split}/labels"]]
    return [f"{split}/{label}/{number}.png" for number, (split, label) in enumerate(labels)]


def test_the_shipped_md5s_are_the_published_ones() -> None:
    realizations = pinned("mnist-scale")["realizations"]
    assert {int(seed): facts["md5_of_png_files"] for seed, facts in realizations.items()} == PUBLISHED_MD5
    for facts in realizations.values():
        assert sorted(facts["arrays"]) == sorted(LAYOUT.names)


@every_seed
def test_arrays_have_the_shipped_digests(seed: int, realization: Any) -> None:
    assert digests(realization(seed)) == pinned_facts(seed)["arrays"]


@pytest.mark.parametrize("seed", sorted(PUBLISHED_MD5)[1:])  # the first one is written as files, below
def test_png_files_have_the_published_md5(seed: int, realization: Any) -> None:
    arrays = realization(seed)
    images = np.concatenate([arrays[f"{split}/images"] for split in ("train", "test", "val")])
    files = encoded(images)
    assert len(files) == 62_000
    assert md5_of_png_tree(zip(published_names(arrays), files, strict=True)) == PUBLISHED_MD5[seed]


def test_the_written_tree_is_the_published_one(realization: Any, in_memory: Path) -> None:
    folder = in_memory / "scale_0.3_1.0"
    folder.mkdir()
    with Workers(2) as workers:
        written = image_tree.write(folder, realization(0), LAYOUT.tree, workers)
        assert written.md5 == PUBLISHED_MD5[0]
        report = verify(folder, as_dataset="mnist-scale", workers=workers)
    assert report.ok
    assert report.identity is not None
    assert (report.identity.seed, report.identity.facts["found_md5"]) == (0, PUBLISHED_MD5[0])
    assert not report.identity.facts["other_encoder"]
    assert set(report.identity.arrays) == set(LAYOUT.names)


@pytest.mark.parametrize(("seed", "form"), [*((seed, "h5") for seed in PUBLISHED_MD5), (0, "npz")])
def test_files_hold_the_pixels_of_the_published_tree(
    seed: int, form: str, realization: Any, tmp_path: Path
) -> None:
    target = tmp_path / f"scale_0.3_1.0.{form}"
    save(target, realization(seed), seed=seed)
    report = verify(target)
    assert report.ok
    assert report.identity is not None
    assert (report.identity.seed, report.identity.facts["published_md5"]) == (seed, PUBLISHED_MD5[seed])
    assert digests(open_stored(target, LAYOUT.names).read(LAYOUT.names)) == pinned_facts(seed)["arrays"]
    target.unlink()


def test_all_62_000_images_are_those_of_pillow_on_numpy_and_torch(
    realization: Any, mnist_digits: DigitImages
) -> None:
    arrays = realization(0)
    members = sklearn_members(mnist_digits.labels, 0, **SplitSizes()._asdict())
    scales = looped_scales(0, 0.3, 1.0, **SplitSizes()._asdict())
    tensors = generate(torch.tensor(mnist_digits.images), mnist_digits.labels, 0, workers=2)
    for split in ("train", "val", "test"):
        expected = pillow_rescaled(mnist_digits.images[members[split]], np.array(scales[split]))
        np.testing.assert_array_equal(arrays[f"{split}/images"], expected)
        np.testing.assert_array_equal(tensors[split].images.numpy(), expected)
        np.testing.assert_array_equal(arrays[f"{split}/labels"], mnist_digits.labels[members[split]])
