"""Files in the layout in which MNIST Large Scale is handed out: read, shown, converted, or refused."""

import json
import math

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

import stirdata
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.families.large_scale.files import factors_in
from stirdata.families.large_scale.loader import LargeScale
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.operations.convert import convert
from stirdata.operations.diff import compare_files
from stirdata.operations.info import information
from stirdata.operations.verify import verify

SIDE = 14
TRAIN = "mnist_large_scale_tr50_vl10_te20_outsize14-14_sctr1p000_scte1p000.h5"
HALF = "mnist_large_scale_te20_outsize14-14_scte0p500.h5"
LARGE = "mnist_large_scale_te20_outsize14-14_scte1p682.h5"


def levels(count, seed, channels=1):
    """Return images whose levels are no whole numbers."""
    shape = (count, SIDE, SIDE, channels)
    return np.random.RandomState(seed).uniform(0, 255, shape).astype(np.float32)


def write(path, **changes):
    """Write a file as published: with ``train`` and ``val`` a training file, else one for testing only."""
    seed = sum(path.name.encode())
    testing = "_sctr" not in path.name
    arrays = {}
    for number, (split, count) in enumerate((("train", 50), ("val", 10), ("test", 20))):
        only_one = testing and split != "test"
        images = levels(1 if only_one else count, seed + number)
        arrays[f"x_{split}"] = images[0] if only_one else images
        arrays[f"y_{split}"] = np.float32(3) if only_one else np.arange(count, dtype=np.int64) % 10
    arrays |= changes
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "published"
    below.mkdir()
    for name in (LARGE, TRAIN, HALF):
        write(below / name)
    (below / "README.txt").write_text("from the authors")
    return below


def stored_in(path, name):
    with h5py.File(path) as file:
        return file[name][...]


def test_a_folder_is_one_dataset(folder):
    dataset = stirdata.load(folder)
    assert isinstance(dataset, LargeScale)
    assert dataset.splits == ("train", "val", "test")
    assert dataset.image_shape == (1, SIDE, SIDE)
    assert dataset.classes == list("0123456789")
    assert dataset.latents("test")["factors"].tolist() == [0.5] * 20 + [1.0] * 20 + [1.682] * 20
    assert dataset.latents("train")["factors"].tolist() == [1.0] * 50
    for factor, name in ((0.5, HALF), (1, TRAIN), (2**0.75, LARGE)):
        stored = stored_in(folder / name, "x_test")
        images, labels = dataset.to_torch("test", factors=factor)
        assert images.dtype == torch.float32
        assert images.equal(torch.from_numpy(stored).permute(0, 3, 1, 2) / torch.tensor(255.0))
        assert labels.tolist() == [number % 10 for number in range(20)]
    read = dataset.read("test", np.array([59, 0, 20]))
    assert read.dtype == np.float32
    assert read[1].tolist() == stored_in(folder / HALF, "x_test")[0, ..., 0].tolist()
    assert read[0].tolist() == stored_in(folder / LARGE, "x_test")[19, ..., 0].tolist()
    both = dataset.to_torch("test", factors=[1.682, 0.5], shuffle=True).images
    order = np.random.RandomState(42).permutation(40)
    joined = np.concatenate([stored_in(folder / name, "x_test") for name in (LARGE, HALF)])[order]
    assert both.equal(torch.from_numpy(joined).permute(0, 3, 1, 2) / torch.tensor(255.0))
    with pytest.raises(ParameterError, match="no images of this factor"):
        dataset.to_torch("test", factors=2)


def test_batches_keep_the_fractions(folder):
    dataset = stirdata.load(folder)
    plain = dataset.to_torch("train").images
    normalised = (plain - 0.5) / 0.25
    batches = dataset.batches("train", batch_size=16, seed=1, normalize=(0.5, 0.25), channels_last=True)
    assert "float32" in repr(batches)
    for images, labels in batches:
        assert images.is_contiguous(memory_format=torch.channels_last)
        numbers = [int((normalised == image).flatten(1).all(1).nonzero()) for image in images]
        assert [number % 10 for number in numbers] == labels.tolist()
    half = dataset.to_torch("train", dtype=torch.float16).images
    assert half.equal(plain.half())
    mean, std = dataset.mean_and_std("train")
    assert math.isclose(mean[0], plain.double().mean(), rel_tol=1e-6)
    assert math.isclose(std[0], plain.double().std(correction=0), rel_tol=1e-6)
    view = dataset.view("val", transform=lambda picture: picture)
    assert (view[3][0].mode, view[3][0].size) == ("F", (SIDE, SIDE))
    assert np.asarray(view[3][0]).tolist() == stored_in(folder / TRAIN, "x_val")[3, ..., 0].tolist()


@pytest.mark.parametrize("name", [TRAIN, HALF])
def test_a_single_file(folder, name):
    dataset = stirdata.load(folder / name)
    assert dataset.splits == (("train", "val", "test") if name == TRAIN else ("test",))
    images = dataset.to_torch("test").images
    stored = torch.from_numpy(stored_in(folder / name, "x_test"))
    assert images.equal(stored.permute(0, 3, 1, 2) / torch.tensor(255.0))
    with pytest.raises(FormatError, match="changed since"):
        write(folder / name, y_val=np.arange(10))
        dataset.to_torch("test")


def test_described_shown_and_verified(folder, tmp_path, stirdata):
    for path in (folder, folder / TRAIN):
        told = json.loads(stirdata("info", "--json", path).out)
        assert told["title"] == "MNIST Large Scale, as published"
        assert told["arrays"]["test/images"] == {
            "dtype": "float32",
            "shape": [60 if path == folder else 20, SIDE, SIDE],
        }
        assert "2004.01536" in told["citation"][0]
        assert "on request" in told["license"]
        ran = stirdata("verify", "--as", "large-scale", path)
        assert ran.code == 0, ran.out + ran.err
        text = stirdata("info", path).out
        assert "verify --as large-scale" in text
    assert information(folder).content.latents.different_scales == 3
    refused = stirdata("verify", folder)
    assert (refused.code, "large-scale" in refused.err) == (2, True)
    shown = stirdata("show", folder, "--split", "test", "--scales", "0.5,1", "--out", tmp_path / "a.png")
    assert shown.code == 0, shown.err
    with Image.open(tmp_path / "a.png") as picture:
        assert len(np.unique(np.asarray(picture))) > 100


@pytest.mark.parametrize("form", ["h5", "npz", "npy"])
def test_converted_as_they_are(folder, tmp_path, form):
    target = tmp_path / ("set" if form == "npy" else f"set.{form}")
    convert(folder, target)
    manifest = load_manifest(manifest_path(target))
    assert set(manifest.sources[0]["sha256"]) == {TRAIN, HALF, LARGE}
    assert verify(target).ok
    assert verify(target, as_dataset="large-scale").ok
    dataset, published = stirdata.load(target), stirdata.load(folder)
    assert isinstance(dataset, LargeScale)
    assert dataset.metadata["title"] == published.metadata["title"] == "MNIST Large Scale, as published"
    for split in dataset.splits:
        assert np.array_equal(
            dataset.stored(dataset.select(split)), published.stored(published.select(split))
        )
        assert dataset.targets(split).tolist() == published.targets(split).tolist()
    differences = [entry for entry in compare_files(folder, target) if entry.name != "metadata"]
    assert len(differences) == 9
    assert all(entry.equal for entry in differences)
    convert(target, tmp_path / "again.h5")
    convert(folder, tmp_path / "first.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "first.h5").read_bytes()


def test_training_images_of_several_factors(folder):
    write(folder / TRAIN.replace("1p000", "2p000"))
    dataset = stirdata.load(folder)
    for call in (dataset.to_torch, dataset.batches, dataset.mean_and_std):
        with pytest.raises(ParameterError, match="several sets") as told:
            call("train")
        assert (told.value.expected, "factors=1" in told.value.hint) == ("one of 1, 2", True)
    assert len(dataset.to_torch("train", factors=2).labels) == 50
    assert len(dataset.to_torch("test").labels) == 80


def test_a_range_of_factors(folder, tmp_path):
    mixed = TRAIN.replace("sctr1p000", "sctr1p000-4p000")
    write(folder / mixed)
    dataset = stirdata.load(folder / mixed)
    assert len(dataset.to_torch("train").labels) == 50
    with pytest.raises(FormatError, match="factors of the images are not known"):
        dataset.latents("train")
    assert dataset.latents("test")["factors"].tolist() == [1.0] * 20
    assert information(folder / mixed).content.latents.different_scales == 1
    from stirdata.operations.show import Choice, save

    save(folder / mixed, tmp_path / "mixed.png", Choice())
    with pytest.raises(FormatError, match="not one test set per factor"):
        stirdata.load(folder)  # two of factor 1
    write(folder / "a_scte1p000-4p000.h5")
    (folder / mixed).unlink()
    with pytest.raises(FormatError, match="not one test set per factor") as told:
        stirdata.load(folder)
    assert "a_scte1p000-4p000.h5 is of no single factor" in told.value.got


def test_colour_and_other_types(tmp_path):
    path = tmp_path / "cifar10_rescaled_te20_outsize14-14_scte0p707.h5"
    pixels = levels(20, 3, channels=3)
    write(path, x_test=pixels, x_train=pixels[0], x_val=pixels[0], y_test=np.arange(20).reshape(20, 1) % 10)
    dataset = stirdata.load(path)
    assert dataset.image_shape == (3, SIDE, SIDE)
    assert dataset.classes[:2] == ["airplane", "automobile"]
    assert dataset.metadata["title"] == "Rescaled CIFAR-10, as published"
    assert np.array_equal(dataset.stored(dataset.select("test")), pixels)
    with pytest.raises(ParameterError, match="no colour images of floats"):
        dataset.view("test", transform=lambda picture: picture)[0]
    for values in (pixels.astype(np.float64), pixels.astype(">f4"), np.rint(pixels).astype(np.uint8)):
        write(path, x_test=values, x_train=values[0], x_val=values[0])
        stored = stirdata.load(path)
        assert np.array_equal(stored.stored(stored.select("test")), values.astype(np.float32))
        assert stored.read("test", np.array([17])).tolist() == values[17:18].astype(np.float32).tolist()


def test_compressed_files(folder, tmp_path):
    path = tmp_path / HALF
    pixels = levels(300, 8)
    with h5py.File(path, "w") as file:
        file.create_dataset("x_test", data=pixels, chunks=(7, SIDE, SIDE, 1), compression="gzip")
        file["y_test"] = np.arange(300) % 10
    dataset = stirdata.load(path)
    assert np.array_equal(dataset.stored(dataset.select("test")), pixels[..., 0])
    assert dataset.read("test", np.array([299, 3])).tolist() == pixels[[299, 3], ..., 0].tolist()


def test_more_classes_than_digits_and_a_name_that_tells_nothing(tmp_path):
    write(tmp_path / "own_scte0p500.h5", y_test=np.arange(20) + 5)
    dataset = stirdata.load(tmp_path)
    assert (len(dataset.classes), dataset.classes[-1]) == (25, "24")
    assert dataset.metadata["title"] == "own_scte0p500, as published"
    write(tmp_path / "nothing.h5")
    single = stirdata.load(tmp_path / "nothing.h5")
    assert len(single.to_torch("test").labels) == 20
    with pytest.raises(FormatError, match="not known"):
        single.latents("test")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"x_test": None}, "images and labels are not both"),
        ({"y_test": None}, "images and labels are not both"),
        ({"y_train": None}, "images and labels are not both"),
        ({"y_test": np.arange(19)}, "of different length"),
        ({"y_test": np.zeros((20, 10))}, "of different length"),
        ({"y_test": np.arange(20) + 0.5}, "holds no labels"),
        ({"y_test": np.full(20, np.nan)}, "holds no labels"),
        ({"y_test": np.arange(20) - 1}, "holds no labels"),
        ({"x_test": np.zeros((20, 14, 14), np.float32)}, "holds no images"),
        ({"x_test": np.zeros((20, 14, 14, 2), np.float32)}, "holds no images"),
        ({"x_test": np.zeros((20, 14, 14, 1), bool)}, "holds no images"),
        ({"x_test": np.zeros((20, 15, 15, 1), np.float32)}, "of different shapes"),
        ({"x_test": None, "y_test": None}, "no test images"),
    ],
)
def test_what_is_refused(tmp_path, changes, what, stirdata):
    path = tmp_path / TRAIN
    write(path, **changes)
    with pytest.raises(FormatError, match=what) as told:
        LargeScale(path)
    assert told.value.expected
    ran = stirdata("verify", "--as", "large-scale", path)
    assert (ran.code, "unreadable" in ran.out) == (1, True)
    target = tmp_path / "set.h5"
    ran = stirdata("convert", path, target)
    assert (ran.code, what in ran.err) == (2, True)
    assert not target.exists()


def test_cut_short(folder, tmp_path):
    content = (folder / HALF).read_bytes()
    (folder / HALF).write_bytes(content[:-1000])
    with pytest.raises(FormatError, match=r"not a complete|damaged"):
        stirdata.load(folder)
    with pytest.raises(MissingFileError):
        LargeScale(tmp_path / HALF)


def test_factors_in_names():
    assert factors_in("a_sctr2p000_scte1p189") == {"tr": (2.0, 2.0), "te": (1.189, 1.189)}
    assert factors_in("escte0p500") == {}
    assert factors_in("a_scte0p5x") == {}
