"""MNIST Large Scale: its pixels against the reference, its layout, and choosing factors."""

import math
from itertools import pairwise

import numpy as np
import pytest
from making import make_job, whole

import stirdata
from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, ParameterError
from stirdata.executors import Workers
from stirdata.families.scaled import FAMILY, recipe
from stirdata.families.scaled.benchmarks import FACTORS, LARGE_SCALE, large_scale
from stirdata.imaging.contrast import smoothed_levels
from stirdata.manifest import pinned
from stirdata.sources import mnist
from stirdata.sources.idx import DigitImages
from stirdata.sources.labelled import from_arrays

COUNTS = (4, 2, 6)


def made(digits, factors, workers=1):
    ends = np.cumsum(COUNTS)[:-1]
    images, labels = (
        dict(zip(("train", "val", "test"), np.split(array, ends), strict=True))
        for array in (digits.images, digits.labels)
    )
    source = from_arrays(images, labels)
    with Workers(workers) as places:
        setting = large_scale(factors=tuple(factors))
        arrays = recipe.make(source, source.read(True), setting, places, lambda count: None)
        return {name: whole(array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def reference(test_data):
    path = test_data / "reference" / "mnist_large_scale.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def few_digits(mnist_digits):
    """The first four training images, two others, and the first six test images of MNIST."""
    members = [*range(4), 50_000, 50_001, *range(60_000, 60_006)]
    return DigitImages(mnist_digits.images[members], mnist_digits.labels[members])


def test_it_equals_the_reference(reference, few_digits):
    """Required: saturated pixels may be off by one level. Measured: none is."""
    arrays = made(few_digits, reference["factors"])
    assert arrays["test/images"].reshape(reference["test"].shape).tolist() == reference["test"].tolist()
    at_one = reference["train_factors"].tolist().index(1)
    assert arrays["train/images"].tolist() == reference["train"][at_one].tolist()
    for factor, images in zip(reference["train_factors"], reference["train"], strict=True):
        size = round(28 * factor)
        places = np.full((4, 2), recipe.box_start(size, 112))
        assert smoothed_levels(few_digits.images[:4], size, places, 112).tolist() == images.tolist()


def test_what_is_known_of_every_image(few_digits):
    arrays = made(few_digits, FACTORS[:3])
    assert tuple(arrays) == FAMILY.layout.names
    assert arrays["test/labels"].tolist() == few_digits.labels[6:].tolist() * 3
    assert arrays["test/factors"].tolist() == np.repeat(FACTORS[:3], 6).tolist()
    assert arrays["train/factors"].tolist() == [1.0] * 4
    assert [arrays[f"{split}/source_index"].tolist() for split in ("train", "val")] == [[0, 1, 2, 3], [4, 5]]
    assert arrays["test/source_index"].tolist() == [*range(6, 12)] * 3
    assert arrays["test/sizes"].tolist() == np.repeat([[14] * 2, [17] * 2, [20] * 2], 6, axis=0).tolist()
    assert arrays["test/positions"].tolist() == np.repeat([[49] * 2, [47] * 2, [46] * 2], 6, axis=0).tolist()
    assert FAMILY.problems(arrays, LARGE_SCALE, "h5") == []


def test_any_number_of_workers_makes_the_same(few_digits):
    one, two = made(few_digits, (0.5, 8.0)), made(few_digits, (0.5, 8.0), workers=2)
    assert {name: sha256_of_array(array) for name, array in one.items()} == {
        name: sha256_of_array(array) for name, array in two.items()
    }


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("side", [28, 27])
def test_boxes_are_in_the_middle_and_cut_alike_on_both_sides(factor, side):
    size = max(1, round(side * factor))
    before = recipe.box_start(size, 112)
    after = 112 - size - before
    assert abs(size - side * factor) <= 0.5
    assert (after - before) in ((0, 1) if size <= 112 else (0, -1))


def test_the_factors_are_seventeen_from_a_half_to_eight():
    assert (len(FACTORS), FACTORS[0], FACTORS[-1]) == (17, 0.5, 8)
    assert all(math.isclose(after / before, 2**0.25) for before, after in pairwise(FACTORS))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A small set with 30 test images at each of the factors 0.5, 1 and 2."""
    path = tmp_path_factory.mktemp("set") / "set.npz"
    make_job(FAMILY.specimen(), path)
    return stirdata.load(path)


@pytest.mark.parametrize(
    ("asked", "found"),
    [(1, [1]), (0.5, [0.5]), ([2, 0.5], [2, 0.5]), ((1.0005,), [1]), (np.float32(2), [2]), ([1, 2], [1, 2])],
)
def test_images_at_the_factors_asked_for(dataset, asked, found):
    images, labels, factors, *_ = dataset.to_torch("test", factors=asked, latents=True)
    assert factors.tolist() == np.repeat(np.array(found, float), 30).tolist()
    rows = np.concatenate([np.flatnonzero(dataset.get_latents("test")[0] == factor) for factor in found])
    assert images.equal(dataset.to_torch("test").images[rows])
    assert labels.equal(dataset.to_torch("test").labels[rows])


@pytest.mark.parametrize("asked", [3, 0.51, [], [1, 1], [1, 1.0005], "1", ["1"], [None], float("nan")])
def test_other_factors_are_refused_with_those_there_are(dataset, asked):
    for call in (dataset.to_torch, dataset.to_numpy, dataset.batches, dataset.view, dataset.get_latents):
        with pytest.raises(ParameterError) as told:
            call("test", factors=asked)
        assert "0.5, 1, 2" in str(told.value)


def test_batches_of_one_factor_and_view_of_another(dataset):
    (images, labels), *others = dataset.batches("test", factors=2, batch_size=30)
    assert others == []
    assert images.equal(dataset.to_torch("test", factors=2).images)
    view = dataset.view("test", factors=0.5)
    assert len(view) == 30
    assert view.targets == labels.tolist()  # the same digits at every factor


def test_files_that_are_none(dataset, tmp_path):
    with np.load(dataset.path) as stored:
        arrays = dict(stored)
    changes = {
        "test_factors": arrays["test_factors"].astype(np.float32),
        "test_images": arrays["test_images"][..., None],
        "val_labels": arrays["val_labels"][:3],
    }
    for name, array in changes.items():
        np.savez(tmp_path / "other.npz", **{**arrays, name: array})
        with pytest.raises(FormatError):
            FAMILY.loader()(tmp_path / "other.npz")
    np.savez(tmp_path / "other.npz", **{**arrays, "test_labels": arrays["test_labels"] + 1})
    with pytest.raises(FormatError, match="labels from 0 to 9"):
        FAMILY.loader()(tmp_path / "other.npz").to_torch("test")


def test_it_is_pinned():
    known = pinned("scaled")[LARGE_SCALE]["arrays"]
    assert list(known) == list(FAMILY.layout.names)
    identity = FAMILY.identify(LARGE_SCALE, known, None)
    assert identity is not None
    assert "made after the description" in identity.text
    for name in known:
        assert FAMILY.identify(LARGE_SCALE, {**known, name: "0" * 64}, None) is None
    reference = FAMILY.reference(LARGE_SCALE, FAMILY.specimen().description)
    assert reference is None  # other factors, other digits


def test_small_arrays_are_the_pinned_ones(mnist_dir):
    known = pinned("scaled")[LARGE_SCALE]["arrays"]
    source = mnist.labelled(mnist_dir)
    with Workers(1) as workers:
        arrays = recipe.make(source, source.read(True), large_scale(), workers, lambda count: None)
    for name, array in arrays.items():
        if name not in FAMILY.images:
            assert sha256_of_array(array) == known[name], name
