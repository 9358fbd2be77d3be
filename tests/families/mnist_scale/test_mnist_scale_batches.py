"""Batches of MNIST-scale: the regimes of the paper, from every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import NAMES, save_below
from numpy.typing import NDArray
from oracles import pillow_rescaled

from stirdata import MNISTScale, ScaleAugment
from stirdata.errors import FormatError, ParameterError
from stirdata.loading.epochs import permutation
from stirdata.loading.tensors import doubled, to_float

Arrays = dict[str, NDArray[Any]]


def opened(folder: Path, arrays: Arrays, form: str = "h5") -> MNISTScale:
    return MNISTScale(save_below(folder, form, arrays))


@pytest.mark.parametrize("form", list(NAMES))
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_an_epoch_is_the_split_in_another_order(
    form: str, split: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, small_realization, form)
    images, labels = dataset.to_torch(split)
    batches = dataset.batches(split, batch_size=32, seed=1, shuffle=True)
    members = torch.tensor(permutation(1, 0, len(labels)))
    seen = list(batches)
    assert len(seen) == len(batches) == -(-len(labels) // 32)
    assert torch.equal(torch.cat([pixels for pixels, _ in seen]), images[members])
    assert torch.equal(torch.cat([some for _, some in seen]), labels[members])


@pytest.mark.parametrize("size", [28, 56])
@pytest.mark.parametrize("normalize", [False, True])
def test_regimes_are_those_of_whole_splits(
    size: int, normalize: bool, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, small_realization)
    images, _ = dataset.to_torch("val", size=size, normalize=normalize)
    batches = dataset.batches("val", batch_size=16, shuffle=False, size=size, normalize=normalize)
    assert torch.equal(torch.cat([pixels for pixels, _ in batches]), images)


@pytest.mark.parametrize("size", [28, 56])
def test_augmented_epochs_are_those_of_pillow_before_doubling(
    size: int, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, small_realization)
    augment = ScaleAugment(0.5, 2.0, seed=6)
    batches = dataset.batches(
        "val", batch_size=16, shuffle=True, size=size, augment=augment, dtype=torch.uint8
    )
    count = len(dataset.labels("val"))
    for epoch in (0, 1):
        scaled = pillow_rescaled(dataset.images("val"), augment.factors(np.arange(count), epoch))
        expected = torch.tensor(scaled[permutation(0, epoch, count)])[:, None]
        result = torch.cat([pixels for pixels, _ in batches])
        assert torch.equal(result, expected if size == 28 else doubled(expected))


def test_other_options_arrive(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, small_realization)
    batches = dataset.batches(
        "train",
        batch_size=16,
        shuffle=False,
        seed=3,
        device="cpu",
        dtype=torch.float16,
        drop_last=True,
        rank=1,
        world_size=2,
        reuse=True,
        latents=True,
    )
    parts = [(pixels.clone(), labels, scales) for pixels, labels, scales in batches]
    pixels, labels, scales = (torch.cat(part) for part in zip(*parts, strict=True))
    members = torch.arange(1, 120, 2)[:48]
    stored = torch.tensor(dataset.images("train"))[members][:, None]
    assert torch.equal(pixels, to_float(stored, dtype=torch.float16))
    assert labels.tolist() == dataset.labels("train")[members].tolist()
    assert scales.tolist() == dataset.get_latents("train")[members].tolist()
    assert batches.state_dict()["seed"] == 3
    assert len({pixels.data_ptr() for pixels, *_ in batches}) == 1


def test_channels_last_arrives(tmp_path: Path, small_realization: Arrays) -> None:
    pixels, _ = next(
        iter(opened(tmp_path, small_realization).batches("val", batch_size=4, channels_last=True))
    )
    assert pixels.stride()[1] == 1


def test_batches_never_change_the_data_set(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, small_realization)
    for pixels, labels in dataset.batches("val", batch_size=16, dtype=torch.uint8):
        pixels.zero_()
        labels.zero_()
    np.testing.assert_array_equal(dataset.images("val"), small_realization["val/images"])
    np.testing.assert_array_equal(dataset.labels("val"), small_realization["val/labels"])


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"split": "all"}, "split"),
        ({"size": 64}, "size"),
        ({"device": "nonsense"}, "device"),
        ({"batch_size": 0}, "batch_size"),
        ({"world_size": 0}, "world_size"),
        ({"shuffle": "cuda"}, "shuffle"),
        ({"normalize": (0.5, 0.0)}, "normalize"),
        ({"augment": True}, "augment"),
        ({"augment": True, "size": 56}, "augment"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, Any], where: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = opened(tmp_path, small_realization)
    with pytest.raises(ParameterError) as error:
        dataset.batches(**{"split": "val", "batch_size": 8, **options})
    assert error.value.where == where


def test_a_tree_without_scales_has_none_to_give(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = opened(tmp_path, small_realization, "png")
    (dataset.path / "scales.csv").unlink()
    assert len(list(dataset.batches("val", batch_size=8))) == 5
    with pytest.raises(FormatError):
        dataset.batches("val", batch_size=8, latents=True)
