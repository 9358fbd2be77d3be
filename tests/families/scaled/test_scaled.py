"""Rescaled sets of any source: pixels, places, order, and what makes no sense."""

from __future__ import annotations

import json
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from making import whole
from standins import CIFAR_IMAGES, STL_COUNTS, fake_cifar, fake_stl

import stirdata
from stirdata.errors import FormatError, ParameterError, SourceError, TargetError
from stirdata.executors import Workers
from stirdata.families.family import Material
from stirdata.families.scaled import FAMILY, recipe
from stirdata.families.scaled.benchmarks import NINE_FACTORS, RECIPES
from stirdata.families.scaled.setting import Setting, grid, parts
from stirdata.imaging.fitting import on_canvases
from stirdata.imaging.resize import resize
from stirdata.manifest import load as load_manifest
from stirdata.operations.convert import convert
from stirdata.operations.verify import verify
from stirdata.sources.labelled import from_arrays

GREY = np.random.RandomState(1).randint(0, 256, (6, 8, 8)).astype(np.uint8)
COLOUR = np.random.RandomState(2).randint(0, 256, (6, 8, 8, 3)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def source_of(images=GREY, **more):
    return from_arrays(
        {"train": images[:4], **more, "test": images},
        {"train": LABELS[:4], **{name: LABELS[: len(array)] for name, array in more.items()}, "test": LABELS},
    )


def made(setting, source=None, workers=1):
    source = source or source_of()
    with Workers(workers) as places:
        arrays = recipe.make(source, source.read(True), setting, places, lambda count: None)
        return {name: whole(array) for name, array in arrays.items()}


def same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert np.array_equal(array, second[name]), name


def test_it_equals_the_reference(test_data, mnist_digits):
    path = test_data / "reference" / "scaled.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with np.load(path, allow_pickle=False) as stored:
        images, labels = mnist_digits.images[60_000:60_005], mnist_digits.labels[60_000:60_005]
        assert stored["factors"].tolist() == list(NINE_FACTORS)
        found = made(Setting(NINE_FACTORS, None, 72), from_arrays({"test": images}, {"test": labels}))
        assert found["test/images"].reshape(stored["black72"].shape).tolist() == stored["black72"].tolist()


@pytest.mark.parametrize("images", [GREY, COLOUR])
@pytest.mark.parametrize("name", ["bicubic", "bilinear", "spline"])
@pytest.mark.parametrize("background", ["black", "white", "edge", "mirror"])
def test_every_image_is_resized_and_placed(images, name, background):
    setting = Setting((2.0, 0.4), 1.0, 11, name, background)
    found = made(setting, source_of(images))
    assert found["test/images"].shape == (12, 11, 11, *images.shape[3:])
    assert found["test/factors"].tolist() == [2.0] * 6 + [0.4] * 6
    assert found["test/sizes"].tolist() == [[16, 16]] * 6 + [[3, 3]] * 6
    assert found["test/positions"].tolist() == [[-3, -3]] * 6 + [[4, 4]] * 6  # floor of -2.5
    assert found["test/labels"].tolist() == LABELS.tolist() * 2
    assert found["test/source_index"].tolist() == [*range(4, 10)] * 2
    for block, size, start in ((slice(6), 16, -3), (slice(6, 12), 3, 4)):
        resized = resize(images, size, size, name)
        wanted = on_canvases(resized, np.full((6, 2), start), 11, background)
        assert found["test/images"][block].tolist() == wanted.tolist()
    assert (
        found["train/images"].tolist() == on_canvases(images[:4], np.full((4, 2), 1), 11, background).tolist()
    )


def test_shifts_come_within_factors():
    shifts = ((-1, 2), (3, 0))
    found = made(Setting((0.5, 1.0), None, 12, place="grid", shifts=shifts))
    assert not any(name.startswith("train") for name in found)
    assert found["test/factors"].tolist() == [0.5] * 12 + [1.0] * 12
    assert found["test/positions"].tolist() == ([[6, 3]] * 6 + [[4, 7]] * 6 + [[4, 1]] * 6 + [[2, 5]] * 6)
    assert found["test/source_index"].tolist() == [*range(4, 10)] * 4


def test_random_places_are_everywhere_inside_and_belong_to_the_image():
    images = np.random.RandomState(0).randint(0, 256, (3000, 3, 3)).astype(np.uint8)
    source = from_arrays({"test": images}, {"test": np.zeros(3000, int)})
    setting = Setting((1.0, 2.0), None, 8, place="random", seed=3)
    found = made(setting, source)
    for rows, room in ((slice(3000), 6), (slice(3000, None), 3)):
        places, counts = np.unique(found["test/positions"][rows], axis=0, return_counts=True)
        assert places.tolist() == [list(place) for place in product(range(room), repeat=2)]
        assert counts.min() > 0.5 * 3000 / room**2
    fewer = made(Setting((2.0,), None, 8, place="random", seed=3), source)
    assert fewer["test/positions"].tolist() == found["test/positions"][3000:].tolist()
    part = from_arrays({"test": images[:50]}, {"test": np.zeros(50, int)})
    same(
        made(setting, part),
        {name: np.concatenate([array[:50], array[3000:3050]]) for name, array in found.items()},
    )
    other = made(Setting((2.0,), None, 8, place="random", seed=4), source)
    assert (other["test/positions"] != fewer["test/positions"]).any(axis=1).mean() > 0.5


@pytest.mark.parametrize("place", ["centre", "random"])
def test_boxes_hold_the_objects(place):
    bright = np.full((6, 8, 8), 200, np.uint8)
    found = made(Setting((0.3, 1.0, 1.6), None, 20, place=place, seed=1), source_of(bright))
    for image, (left, top), (width, height) in zip(
        found["test/images"], found["test/positions"], found["test/sizes"], strict=True
    ):
        box = image[top : top + height, left : left + width]
        assert (box > 0).all()
        assert image.astype(int).sum() == box.astype(int).sum()


def test_every_image_has_a_factor_of_its_own():
    found = made(Setting((), 1.0, 8, "spline", uniform=(0.3, 1.0), seed=5))
    drawn = np.random.RandomState(5).uniform(0.3, 1, 10)
    assert found["train/factors"].tolist() == drawn[:4].tolist()
    assert found["test/factors"].tolist() == drawn[4:].tolist()
    for image, found_image, factor in zip(GREY, found["test/images"], drawn[4:], strict=True):
        size = round(8 * factor)
        resized = resize(image[None], size, size, "spline")
        assert np.array_equal(
            found_image, on_canvases(resized, np.full((1, 2), (8 - size) // 2), 8, "black")[0]
        )


@pytest.mark.parametrize("images", [GREY, COLOUR])
def test_workers_do_not_show(images, monkeypatch):
    monkeypatch.setattr(recipe, "_MOST", 4)
    monkeypatch.setattr(recipe, "_FEWEST", 1)
    setting = Setting((0.5, 1.3), 1.0, 12, place="random", seed=1)
    expected = made(setting, source_of(images))
    same(made(setting, source_of(images), workers=3), expected)
    monkeypatch.setattr(recipe, "_MOST", 1)
    same(made(setting, source_of(images)), expected)


def test_of_sixty_thousand_training_images_the_last_are_for_validation():
    setting = Setting((1.0, 2.0), 1.0, 8)
    found = parts({"train": 60_000, "test": 10_000}, setting)
    assert [(part.split, part.subset, part.members) for part in found] == [
        ("train", "train", range(50_000)),
        ("val", "train", range(50_000, 60_000)),
        ("test", "test", range(10_000)),
    ]
    assert [part.split for part in parts({"train": 60_000, "val": 5, "test": 1}, setting)] == [
        "train",
        "val",
        "test",
    ]
    assert [part.split for part in parts({"train": 50_000, "test": 1}, setting)] == ["train", "test"]
    found = made(setting, source_of(val=GREY[:2]))
    assert found["val/source_index"].tolist() == [4, 5]
    assert found["test/source_index"].tolist() == [*range(6, 12)] * 2


def test_a_grid_fills_the_canvas():
    assert grid(5, 4, 4, 1) == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert len(grid(28, 10, 12, 3)) == 7 * 6
    found = made(Setting((1.0,), None, 10, background="white", place="grid", shifts=grid(10, 8, 8, 2)))
    assert np.unique(found["test/positions"], axis=0).tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


def names(path):
    return sorted(file.name for file in path.iterdir())


def test_a_set_of_ones_own_in_python_and_back(tmp_path):
    source = from_arrays({"test": COLOUR}, {"test": LABELS}, ("cat", "dog", "a, b"))
    out = tmp_path / "own.h5"
    stirdata.generate("scaled", source=source, factors=[0.5, 1], canvas=9, background="mirror", out=out)
    dataset = stirdata.load(out)
    assert (dataset.splits, dataset.classes) == (("test",), ["cat", "dog", "a, b"])
    assert (dataset.image_shape, dataset.num_channels, len(dataset)) == ((3, 9, 9), 3, 12)
    images, labels, factors, positions, sizes = dataset.to_torch("test", factors=[1, 0.5], latents=True)
    assert (images.shape, labels.tolist()) == ((12, 3, 9, 9), LABELS.tolist() * 2)
    assert factors.tolist() == [1.0] * 6 + [0.5] * 6
    assert (positions[0].tolist(), sizes[-1].tolist()) == ([0, 0], [4, 4])
    batches = dataset.batches("test", batch_size=4, factors=0.5, shuffle=False)
    assert sum(len(labels) for _, labels in batches) == 6
    described = load_manifest(out.with_name("own.h5.manifest.json"))
    assert described.sources[0]["name"] == "arrays"
    assert described.sources[0]["proven"] is False
    for other in (tmp_path / "own.npz", tmp_path / "own"):
        convert(out, other, workers=1)
        assert stirdata.load(other).to_torch("test").images.equal(dataset.to_torch("test").images)
        assert verify(other).ok


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES if recipe.name != "mnist-large-scale"])
def test_every_benchmark_is_made_of_a_stand_in(name, tmp_path, monkeypatch):
    """Large sources are small ones in the same layout; of Fashion-MNIST the job is looked at."""
    parameters = {}
    if "cifar10" in name:
        parameters["source_dir"] = fake_cifar(tmp_path, monkeypatch)
    elif "stl10" in name:
        parameters["source_dir"] = fake_stl(tmp_path, monkeypatch)
    elif name != "rescaled-fashion-mnist":
        parameters["source"] = source_of(COLOUR)
    if name == "shifted":
        parameters |= {"canvas": 10, "stride": 2}
    found = next(one for one in RECIPES if one.name == name)
    job = found.plan(found.parameters_of(parameters), Material(quiet=True))
    assert job.description.dataset == name
    assert json.loads(json.dumps(dict(job.description.parameters))) == job.description.parameters
    if name == "rescaled-fashion-mnist":
        assert job.count == 60_000 + 90_000
        return
    with Workers(1) as workers:
        arrays = {key: whole(array) for key, array in job.make(workers, lambda count: None).arrays.items()}
    assert sum(len(array) for key, array in arrays.items() if key.endswith("images")) == job.count
    assert FAMILY.problems(arrays, name, "h5") == []
    counts = {key.partition("/")[0]: len(array) for key, array in arrays.items()}
    assert (
        counts
        == {
            "rescaled-cifar10": {"train": 5 * CIFAR_IMAGES, "test": 9 * CIFAR_IMAGES},
            "rescaled-stl10": {"train": STL_COUNTS["train"], "test": 9 * STL_COUNTS["test"]},
            "scale-cifar10": {"train": 5 * CIFAR_IMAGES, "test": CIFAR_IMAGES},
            "fixed-protocol": {"train": 4, "test": 6 * 4 * 16},
            "shifted": {"test": 6 * 4},
            "scaled": {"train": 4, "test": 6},
        }[name]
    )


def test_the_fixed_protocol_is_at_eighths_and_quarters():
    found = next(one for one in RECIPES if one.name == "fixed-protocol")
    setting = found.parameters_of({"source": source_of()}).setting(source_of())
    assert setting.factors == (0.5, 0.75, 1.25, 1.5)
    assert setting.shifts == tuple(product([-2, -1, 1, 2], repeat=2))
    assert (setting.canvas, setting.filter, setting.background) == (8, "bilinear", "black")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"factors": "0,1"}, "factors"),
        ({"factors": [-1]}, "factors"),
        ({"factors": float("nan")}, "factors"),
        ({"factors": "inf"}, "factors"),
        ({"factors": "a"}, "factors"),
        ({"factors": ""}, "factors"),
        ({"factors": []}, "factors"),
        ({"factors": [1, 1.0]}, "factors"),
        ({"train_factor": "1,2"}, "train_factor"),
        ({"train_factor": 0}, "train_factor"),
        ({"canvas": 0}, "canvas"),
        ({"canvas": 5000}, "canvas"),
        ({"filter": "lanczos"}, "filter"),
        ({"background": "grey"}, "background"),
        ({"place": "left"}, "place"),
        ({"place": "grid"}, "place, shifts, stride"),
        ({"stride": 2}, "place, shifts, stride"),
        ({"place": "grid", "shifts": "1:1", "stride": 2}, "place, shifts, stride"),
        ({"place": "grid", "stride": 0}, "stride"),
        ({"place": "grid", "shifts": "1"}, "shifts"),
        ({"place": "grid", "shifts": "1:1,1:1"}, "shifts"),
        ({"place": "grid", "shifts": "99999:0"}, "shifts"),
        ({"seed": -1}, "seed"),
        ({"source": "nothing"}, "source"),
        ({"source": "idx"}, "source_dir"),
        ({"source": "synthetic", "source_dir": "x"}, "source_dir"),
    ],
)
def test_parameters_that_make_no_sense(wrong, where):
    found = next(one for one in RECIPES if one.name == "scaled")
    with pytest.raises(ParameterError) as told:
        found.parameters_of(wrong)
    assert told.value.where == where


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"factors": 600}, "factors"),
        ({"factors": 0.01}, "factors"),
        ({"factors": [1, 2], "place": "random"}, "place"),
        ({"canvas": 4, "place": "grid", "stride": 1}, "canvas"),
        ({"canvas": 9, "factors": [1, 0.5], "place": "grid", "stride": 1}, "factors"),
        ({"filter": "smooth", "background": "white"}, "filter"),
    ],
)
def test_settings_that_do_not_fit_the_source(wrong, where, tmp_path):
    with pytest.raises(ParameterError) as told:
        stirdata.generate("scaled", source=source_of(), out=tmp_path / "x.h5", **wrong)
    assert told.value.where == where
    assert names(tmp_path) == []


def test_a_damaged_source_leaves_nothing(tmp_path, monkeypatch):
    folder = (
        fake_cifar(tmp_path / "source", monkeypatch) if (tmp_path / "source").mkdir() is None else tmp_path
    )
    path = folder / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError):
        stirdata.generate("scale-cifar10", source_dir=folder, out=tmp_path / "out" / "x.h5")
    assert not (tmp_path / "out").exists()


def test_a_disk_without_the_room_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=600))
    with pytest.raises(TargetError, match="not enough room") as told:
        stirdata.generate("scaled", source=source_of(), out=tmp_path / "x.h5")
    assert "(640 bytes)" in told.value.expected
    assert "(600 bytes) free" in told.value.got
    assert names(tmp_path) == []


def test_labels_without_a_class_are_refused(tmp_path):
    import h5py

    out = tmp_path / "own.h5"
    stirdata.generate("scaled", source=source_of(), out=out, train_factor=None)
    with h5py.File(out, "r+") as file:
        file["test/labels"][0] = 77
    with pytest.raises(FormatError, match="labels without a class"):
        FAMILY.loader()(out).to_torch("test")
