"""STIR sets item by item, as torch's DataLoader takes them, in this process and in workers."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from stir_loading import published, small_file
from torch.utils.data import DataLoader, Subset, random_split
from torch.utils.data.distributed import DistributedSampler

from stirdata import STIRDataset
from stirdata.loading.views import View

FORK = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
# Python 3.12 warns of every fork of a process that has threads, torch of more workers than cores.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]
SCALES = (3, 12)

pixels_of = operator.methodcaller("tobytes")
"""A transform of Pillow images that other processes can import."""


@pytest.fixture(params=["grey", "colour"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> STIRDataset:
    return STIRDataset(small_file(tmp_path, request.param))


def test_items_are_the_images_and_labels_in_order(dataset: STIRDataset) -> None:
    for split in ("train", "valid", "test"):
        expected = published(dataset.path, split, SCALES, False)
        view = dataset.view(split, SCALES)
        assert len(view) == len(expected.labels)
        items = [view[at] for at in range(len(view))]
        assert all(type(label) is int for _, label in items)
        assert [label for _, label in items] == expected.labels.tolist()
        assert {image.dtype for image, _ in items} == {torch.float32}
        np.testing.assert_array_equal(torch.stack([image for image, _ in items]).numpy(), expected.images)


def test_latents_come_third_and_fourth(dataset: STIRDataset) -> None:
    expected = published(dataset.path, "test", SCALES, False)
    items = list(dataset.view("test", SCALES, latents=True))
    assert {len(item) for item in items} == {4}
    assert [item[2] for item in items] == expected.scales.tolist()
    assert {type(item[2]) for item in items} == {int}
    positions = torch.stack([item[3] for item in items])
    assert positions.dtype == torch.int32
    np.testing.assert_array_equal(positions.numpy(), expected.positions)
    batch = next(iter(DataLoader(dataset.view("test", SCALES, latents=True), 5)))
    np.testing.assert_array_equal(batch[3].numpy(), expected.positions[:5])


def test_iteration_ends_and_indices_count_from_both_ends(dataset: STIRDataset) -> None:
    for latents in (False, True):
        view = dataset.view("valid", SCALES, latents=latents)
        assert len(list(view)) == len(view) == 8
        assert torch.equal(view[-1][0], view[7][0])
        assert torch.equal(view[np.int64(2)][0], view[torch.tensor(2)][0])
        for index in (8, -9):
            with pytest.raises(IndexError):
                view[index]
        with pytest.raises(TypeError):
            view[1:3]  # type: ignore[index]


def test_transforms_get_pillow_images_and_integers(dataset: STIRDataset) -> None:
    stored = dataset.stored(dataset.select("valid", SCALES))
    mode = {1: "L", 3: "RGB"}[dataset.num_channels]
    view = dataset.view("valid", SCALES, lambda image: image, lambda label: (label, "x"))
    for at, (image, target) in enumerate(view):
        assert isinstance(image, Image.Image)
        assert (image.mode, image.size) == (mode, (12, 12))
        np.testing.assert_array_equal(np.asarray(image), stored[at])
        assert target[1] == "x"
        assert type(target[0]) is int


def test_one_transform_leaves_the_other_half_alone(dataset: STIRDataset) -> None:
    plain = dataset.view("valid")[5]
    image, target = dataset.view("valid", transform=pixels_of)[5]
    assert (image, target) == (dataset.stored(dataset.select("valid"))[5].tobytes(), plain[1])
    image, target = dataset.view("valid", target_transform=operator.neg)[5]
    assert torch.equal(image, plain[0])
    assert target == -plain[1]


def test_changing_an_item_changes_nothing(dataset: STIRDataset) -> None:
    view = dataset.view("valid", latents=True)
    before = [part.clone() if isinstance(part, torch.Tensor) else part for part in view[0]]
    view[0][0][:], view[0][3][:] = 0.5, 77
    assert torch.equal(view[0][0], before[0])
    assert torch.equal(view[0][3], before[3])
    view.transform = lambda image: image.paste(0, (0, 0, 12, 12))
    assert view[0][0] is None
    view.transform = None
    assert torch.equal(view[0][0], before[0])


def test_images_are_read_once_and_only_when_needed(dataset: STIRDataset, monkeypatch: Any) -> None:
    reads = []
    stored = STIRDataset.stored
    monkeypatch.setattr(STIRDataset, "stored", lambda *arguments: reads.append(1) or stored(*arguments))
    view = dataset.view("valid", SCALES)
    assert (len(view), reads) == (8, [])
    assert view.load() is view
    assert [view[3][1], view[7][1]] == [1, 1]
    assert reads == [1]


def test_pickled_views_leave_their_arrays_behind(dataset: STIRDataset) -> None:
    view = dataset.view("valid", SCALES, pixels_of, operator.neg, latents=True).load()
    content = pickle.dumps(view)
    assert len(content) < 2000
    again = pickle.loads(content)
    assert isinstance(again, View)
    assert str(list(again)) == str(list(view))
    assert repr(again) == repr(view) == f"View(8 images of valid of {str(dataset.path)!r})"


@pytest.mark.parametrize(
    ("count", "method"),
    [(0, None), pytest.param(2, "fork", marks=FORK)],
)
def test_batches_in_any_order_keep_all_together(count: int, method: str | None, tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path, "colour"))
    order = np.random.RandomState(0).permutation(12).tolist()
    view = dataset.view("test", latents=True)
    loader = DataLoader(view, 5, sampler=order, num_workers=count, multiprocessing_context=method)
    found = [torch.cat(parts) for parts in zip(*loader, strict=True)]
    for part, expected in zip(found, dataset.to_torch("test", shuffle=False, latents=True), strict=True):
        assert torch.equal(part, expected[order].to(part.dtype))


@FORK
def test_ten_workers_read_without_a_wrong_label(tmp_path: Path) -> None:
    """Images, labels, scales and positions of every item belong together, in two epochs."""
    dataset = STIRDataset(small_file(tmp_path, "published"))
    images, labels, scales, positions = dataset.to_torch("train", shuffle=False, latents=True)
    loader = DataLoader(
        dataset.view("train", latents=True),
        batch_size=7,
        num_workers=10,
        multiprocessing_context="fork",
        persistent_workers=True,
    )
    for _ in range(2):
        found = [torch.cat(parts) for parts in zip(*loader, strict=True)]
        assert torch.equal(found[0], images)
        assert torch.equal(found[1], labels)
        assert torch.equal(found[2], scales.long())
        assert torch.equal(found[3], positions)


def test_subsets_random_splits_and_ranks_are_parts(dataset: STIRDataset) -> None:
    images, labels = dataset.to_torch("test", shuffle=False)
    view = dataset.view("test")
    chosen = [5, 3, 11, 0]
    batch = next(iter(DataLoader(Subset(view, chosen), 4)))
    assert torch.equal(batch[0], images[chosen])
    assert torch.equal(batch[1], labels[chosen])
    for part in random_split(view, [9, 3], torch.Generator().manual_seed(0)):
        batch = next(iter(DataLoader(part, 12)))
        assert torch.equal(batch[0], images[part.indices])
    seen = []
    for rank in range(3):
        sampler: Any = DistributedSampler(view, num_replicas=3, rank=rank, seed=1)
        batch = next(iter(DataLoader(view, 12, sampler=sampler)))
        assert torch.equal(batch[0], images[list(sampler)])
        seen += list(sampler)
    assert sorted(seen) == list(range(12))
