"""MNIST-scale item by item, as torch's DataLoader takes it, in this process and in workers."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import NAMES, save_below
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Subset, random_split

from stirdata import MNISTScale
from stirdata.loading.views import View

Arrays = dict[str, NDArray[Any]]

every_format = pytest.mark.parametrize("form", list(NAMES))
FORK, SPAWN = (
    pytest.mark.skipif(method not in multiprocessing.get_all_start_methods(), reason=f"no {method} here")
    for method in ("fork", "spawn")
)
workers = pytest.mark.parametrize(
    ("count", "method"),
    [(0, None), pytest.param(2, "fork", marks=FORK)],
)
# Python 3.12 warns of every fork of a process that has threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

pixels_of = operator.methodcaller("tobytes")
"""A transform of Pillow images that other processes can import."""


def opened(folder: Path, form: str, arrays: Arrays) -> MNISTScale:
    return MNISTScale(save_below(folder, form, arrays))


def batches(view: Any, count: int, method: str | None, **options: Any) -> list[Any]:
    """Return all batches of a DataLoader with that many workers."""
    return list(DataLoader(view, 32, num_workers=count, multiprocessing_context=method, **options))


@every_format
def test_items_are_the_images_and_labels_of_the_split(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, form, small_realization)
    for split in ("train", "val", "test"):
        view = dataset.view(split)
        images, labels = dataset.to_torch(split)
        assert len(view) == len(labels)
        items = [view[at] for at in range(len(view))]
        assert all(type(label) is int for _, label in items)
        assert [label for _, label in items] == labels.tolist()
        assert {(image.dtype, tuple(image.shape)) for image, _ in items} == {(torch.float32, (1, 28, 28))}
        assert torch.equal(torch.stack([image for image, _ in items]), images)


def test_iteration_ends_and_indices_count_from_both_ends(tmp_path: Path, small_realization: Arrays) -> None:
    view = opened(tmp_path, "h5", small_realization).view("val")
    assert [label for _, label in view] == small_realization["val/labels"].tolist()
    assert torch.equal(view[-1][0], view[len(view) - 1][0])
    for index in (len(view), -len(view) - 1):
        with pytest.raises(IndexError):
            view[index]


def test_transforms_get_pillow_images_and_integers(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, "h5", small_realization)
    view = dataset.view("val", transform=lambda image: image, target_transform=lambda label: (label, "x"))
    for at, (image, target) in enumerate(view):
        assert isinstance(image, Image.Image)
        assert (image.mode, image.size) == ("L", (28, 28))
        np.testing.assert_array_equal(np.asarray(image), small_realization["val/images"][at])
        assert target == (int(small_realization["val/labels"][at]), "x")
        assert type(target[0]) is int


def test_one_transform_leaves_the_other_half_alone(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, "h5", small_realization)
    plain = dataset.view("val")[5]
    image, target = dataset.view("val", transform=pixels_of)[5]
    assert (image, target) == (small_realization["val/images"][5].tobytes(), plain[1])
    image, target = dataset.view("val", target_transform=operator.neg)[5]
    assert torch.equal(image, plain[0])
    assert target == -plain[1]


def test_changing_an_item_changes_nothing(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, "h5", small_realization)
    dataset.view("val")[0][0][:] = 0.5
    dataset.view("val", transform=lambda image: image.paste(99, (0, 0, 28, 28)))[0]
    np.testing.assert_array_equal(dataset.images("val"), small_realization["val/images"])


def test_pickled_views_leave_their_arrays_behind(tmp_path: Path, small_realization: Arrays) -> None:
    view = opened(tmp_path, "h5", small_realization).view("val", pixels_of, operator.neg)
    expected = list(view)
    content = pickle.dumps(view)
    assert len(content) < 2000
    again = pickle.loads(content)
    assert isinstance(again, View)
    assert list(again) == expected


@pytest.mark.parametrize(
    ("form", "count", "method"),
    [
        ("h5", 0, None),
        *[pytest.param(form, 2, "fork", marks=FORK) for form in NAMES],
        pytest.param("png", 1, "spawn", marks=SPAWN),
    ],
)
def test_batches_in_any_order_keep_image_and_label_together(
    form: str, count: int, method: str | None, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, form, small_realization)
    order = np.random.RandomState(0).permutation(200).tolist()
    found = batches(dataset.view("test"), count, method, sampler=order)
    images, labels = dataset.to_torch("test")
    assert torch.equal(torch.cat([batch[0] for batch in found]), images[order])
    assert torch.equal(torch.cat([batch[1] for batch in found]), labels[order])


@workers
def test_every_epoch_transforms_the_whole_split(
    count: int, method: str | None, tmp_path: Path, small_realization: Arrays
) -> None:
    view = opened(tmp_path, "h5", small_realization).view("val", pixels_of, operator.neg)
    loader = DataLoader(
        view, 16, num_workers=count, multiprocessing_context=method, persistent_workers=count > 0
    )
    for _ in range(2):
        pixels, targets = zip(*loader, strict=True)
        assert [image for batch in pixels for image in batch] == [
            image.tobytes() for image in small_realization["val/images"]
        ]
        np.testing.assert_array_equal(torch.cat(targets).numpy(), -small_realization["val/labels"])


def test_shuffling_permutes_the_split(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, "h5", small_realization)
    generator = torch.Generator().manual_seed(0)
    found = batches(dataset.view("test"), 0, None, shuffle=True, generator=generator)
    pairs = [
        (image.numpy().tobytes(), int(label)) for batch in found for image, label in zip(*batch, strict=True)
    ]
    images, labels = dataset.to_numpy("test")
    expected = [(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)]
    assert pairs != expected
    assert sorted(pairs) == sorted(expected)


def test_subsets_and_random_splits_are_parts_of_the_split(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, "h5", small_realization)
    images, labels = dataset.to_torch("test")
    chosen = [5, 3, 199, 0]
    subset = batches(Subset(dataset.view("test"), chosen), 0, None)
    assert torch.equal(subset[0][0], images[chosen])
    assert torch.equal(subset[0][1], labels[chosen])
    parts = random_split(dataset.view("test"), [150, 50], torch.Generator().manual_seed(0))
    assert sorted([*parts[0].indices, *parts[1].indices]) == list(range(200))
    for part in parts:
        found = batches(part, 0, None)
        assert torch.equal(torch.cat([batch[0] for batch in found]), images[part.indices])
        assert torch.equal(torch.cat([batch[1] for batch in found]), labels[part.indices])
