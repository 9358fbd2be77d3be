"""The recipe of MNIST-scale on other images than MNIST's: named as what it is."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from standins import fake_fashion

import stirdata
from stirdata import MNISTScale
from stirdata.errors import ParameterError
from stirdata.families.mnist_scale import FAMILY, IMAGES
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path, pinned

pytestmark = pytest.mark.usefixtures("small_recipe")


@pytest.fixture
def fashion(fake_mnist, tmp_path, monkeypatch):
    files = {part: fake_mnist.path(part).read_bytes() for part in pinned("fashion-mnist")["files"]}
    (tmp_path / "source").mkdir()
    return fake_fashion(tmp_path / "source", monkeypatch, files)


@pytest.mark.parametrize("form", ["h5", "npz", "png"])
def test_fashion_mnist(fashion, fake_mnist, tmp_path, form):
    options = {"seed": 7, "out": tmp_path / "out", "form": form}
    made = stirdata.generate("mnist-scale", source="fashion-mnist", source_dir=fashion, **options)
    digits = stirdata.generate("mnist-scale", source_dir=fake_mnist.folder, **options)
    assert made.path.relative_to(tmp_path / "out").parts[:2] == ("fashion-mnist_scale", "seed_7")
    dataset, plain = MNISTScale(made.path), MNISTScale(digits.path)
    assert dataset.images("test").tolist() == plain.images("test").tolist()  # of the same pixels
    assert dataset.classes == list(pinned("fashion-mnist")["classes"])
    assert plain.classes == [str(digit) for digit in range(10)]
    assert dataset.metadata["title"] == "MNIST-scale of fashion-mnist"
    assert made.identity is None
    described = load_manifest(manifest_path(made.path))
    assert FAMILY.reference("mnist-scale", replace(described, seed=0)) is None  # with the published scales
    assert described.license == "MIT"
    own = dataset.mean_and_std("train")
    found = dataset.to_torch("train", normalize=True).images
    assert found.equal(dataset.to_torch("train", normalize=own).images)
    assert not found.equal(plain.to_torch("train", normalize=True).images)


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_idx(folder, images, labels):
    folder.mkdir()
    for prefix, part in (("train", slice(len(images) - 9)), ("t10k", slice(len(images) - 9, None))):
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[part]), 1))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels[part]))
    return folder


def test_any_idx_files(tmp_path):
    images = np.zeros((IMAGES, 28, 28), np.uint8)
    images[:, 5:20, 5:20] = (np.arange(IMAGES) % 251)[:, None, None]
    folder = write_idx(tmp_path / "source", images, (np.arange(IMAGES) % 4).astype(np.uint8))
    made = stirdata.generate("mnist-scale", source="idx", source_dir=folder, seed=3, out=tmp_path)
    dataset = MNISTScale(made.path)
    assert dataset.classes == ["0", "1", "2", "3"]
    assert load_manifest(manifest_path(made.path)).sources[0]["proven"] is False
    assert set(dataset.labels("test").tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("shape", "classes"), [((IMAGES - 1, 28, 28), 10), ((IMAGES, 27, 28), 10), ((IMAGES, 28, 28), 11)]
)
def test_sources_that_do_not_fit(tmp_path, shape, classes):
    labels = (np.arange(shape[0]) % classes).astype(np.uint8)
    folder = write_idx(tmp_path / "source", np.zeros(shape, np.uint8), labels)
    with pytest.raises(ParameterError, match="does not fit the recipe"):
        stirdata.generate("mnist-scale", source="idx", source_dir=folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ParameterError, match="needs a folder"):
        stirdata.generate("mnist-scale", source="idx", out=tmp_path / "out")
