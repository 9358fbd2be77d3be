"""Which images the arguments of STIRDataset mean, and what wrong arguments get."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stir_fixtures import small_frame
from stir_loading import assert_same, small_file

from stirdata import STIRDataset
from stirdata.errors import ParameterError
from stirdata.families.stir.axes import Frame
from stirdata.families.stir.selection import ALL_SCALES, select

WHOLE = Frame(classes=("a",), instances=1)
EXPECTED = "some of 17 to 64, each once"


@pytest.mark.parametrize(
    "scales",
    [
        [20, 18],
        (20, 18),
        range(20, 17, -2),
        np.array([20, 18]),
        np.array([20, 18], np.uint8),
        [np.int32(20), np.int64(18)],
        torch.tensor([20, 18]),
        [torch.tensor(20), 18],
        {20: "a", 18: "b"},
    ],
)
def test_integers_of_any_kind_in_any_iterable(scales: Any) -> None:
    chosen = select(WHOLE, "train", scales).scales
    assert chosen == (20, 18)
    assert {type(scale) for scale in chosen} == {int}


def test_a_generator_is_read_once(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    found = dataset.to_torch("test", (scale for scale in (3, 12)), latents=True)
    expected = dataset.to_torch("test", [3, 12], latents=True)
    assert_same([part.numpy() for part in found], [part.numpy() for part in expected])


@pytest.mark.parametrize("scales", [20, np.int64(20), np.array(20), torch.tensor(20)])
def test_a_single_scale_needs_no_list(scales: Any) -> None:
    assert select(WHOLE, "test", scales).scales == (20,)


def test_the_default_and_none_are_all_scales_of_the_set() -> None:
    for scales in (ALL_SCALES, None):
        assert select(WHOLE, "test", scales).scales == tuple(range(64, 16, -1))
        assert select(small_frame(), "test", scales).scales == (12, 7, 3)


@pytest.mark.parametrize(
    ("scales", "what", "got"),
    [
        ([17, 65], "no images of this scale", "65"),
        ([16], "no images of this scale", "16"),
        (-1, "no images of this scale", "-1"),
        (itertools.count(60), "no images of this scale", "65"),
        (itertools.cycle([17, 18]), "asked for twice", "17"),
        ([20, np.int32(20)], "asked for twice", "20"),
        ([], "no scales are asked for", "[]"),
        (range(0), "no scales are asked for", "range(0, 0)"),
        (np.array([], int), "no scales are asked for", "array([], dtype=int64)"),
        ([True], "not an integer", "True (bool)"),
        ([17.0], "not an integer", "17.0 (float)"),
        (np.array([17.0]), "not an integer", f"{np.float64(17)!r} (float64)"),
        (np.array([True]), "not an integer", f"{np.True_!r} ({type(np.True_).__name__})"),
        (torch.tensor([True]), "not an integer", "tensor(True) (Tensor)"),
        (torch.tensor([17.5]), "not an integer", "tensor(17.5000) (Tensor)"),
        ([[17, 18]], "not an integer", "[17, 18] (list)"),
        (np.array([[17], [18]]), "not an integer", "array([17]) (ndarray)"),
        (torch.tensor([[17], [18]]), "not an integer", "tensor([17]) (Tensor)"),
        ("17", "not an integer", "'1' (str)"),
        ([None], "not an integer", "None (NoneType)"),
        (17.0, "no sequence of integers", "17.0 (float)"),
        (True, "no sequence of integers", "True (bool)"),
    ],
)
def test_wrong_scales(scales: Any, what: str, got: str) -> None:
    with pytest.raises(ParameterError, match=what) as error:
        select(WHOLE, "train", scales)
    assert (error.value.where, error.value.expected, str(error.value.got)) == ("scales", EXPECTED, got)


def test_scales_with_gaps_are_listed() -> None:
    with pytest.raises(ParameterError) as error:
        select(small_frame(), "train", [4])
    assert error.value.expected == "some of 3, 7, 12, each once"


@pytest.mark.parametrize("split", ["Train", "validate", "", 0, None, ["train"]])
def test_unknown_splits(split: Any, tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    for method in (dataset.to_numpy, dataset.to_torch, dataset.get_latents, dataset.view, dataset.count):
        with pytest.raises(ParameterError, match="unknown split") as error:
            method(split)
        assert error.value.expected == "train, valid, test"
        assert error.value.got == repr(split)


def test_val_is_another_name_of_valid(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    assert_same(dataset.to_numpy("val"), dataset.to_numpy("valid"))


@pytest.mark.parametrize("dtype", ["float32", torch.int32, torch.float64, np.float32, 3])
def test_unknown_types(dtype: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="this type") as error:
        STIRDataset(small_file(tmp_path)).to_torch(dtype=dtype)
    assert error.value.expected == "torch.float32, torch.float16, torch.bfloat16, torch.uint8"
    assert error.value.where == "dtype"


@pytest.mark.parametrize(
    "normalize",
    [
        1,
        0.5,
        (0.5,),
        (0.5, 0.5, 0.5),
        ("a", 1),
        (0.5, 0),
        (0.5, -1),
        (float("nan"), 1),
        ([0.1, 0.2], 1),
        "ab",
    ],
)
def test_wrong_normalisation(normalize: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be normalised by this") as error:
        STIRDataset(small_file(tmp_path)).to_torch(normalize=normalize)
    assert (error.value.where, error.value.got) == ("normalize", repr(normalize))
    assert "mean_and_std" in error.value.hint


def test_bytes_cannot_be_normalised(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not whole numbers") as error:
        STIRDataset(small_file(tmp_path)).to_torch(dtype=torch.uint8, normalize=(0.5, 0.5))
    assert error.value.where == "normalize"


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there(device: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not available") as error:
        STIRDataset(small_file(tmp_path)).to_torch(device=device)
    assert error.value.where == "device"
