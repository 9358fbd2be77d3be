"""The recipe of MNIST-scale: what is drawn, what is computed, and what is refused."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import looped_scales, pillow_rescaled, sklearn_members

from stirdata.errors import ParameterError
from stirdata.families.mnist_scale import MAX_SCALE, MIN_SCALE, PUBLISHED_SEEDS
from stirdata.families.mnist_scale.recipe import SPLITS, Split, SplitSizes, as_arrays, draw_plan, generate
from stirdata.sources.idx import DigitImages

SIZES = SplitSizes(train=60, val=20, test=100)
LABELS = np.arange(200) % 10


def test_sizes_and_parameters_are_the_published_ones() -> None:
    assert SplitSizes() == (10_000, 2_000, 50_000)
    assert (MIN_SCALE, MAX_SCALE) == (0.3, 1.0)
    assert list(PUBLISHED_SEEDS) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_published_scales_are_those_of_a_literal_loop(seed: int) -> None:
    expected = looped_scales(seed, 0.3, 1.0, **SplitSizes()._asdict())
    drawn = draw_plan(np.arange(70_000) % 10, seed).scales
    assert {split: drawn[split].tolist() for split in SPLITS} == expected


@given(
    seed=st.integers(0, 2**32 - 1),
    bounds=st.tuples(st.floats(1e-3, 10), st.floats(1e-3, 10)).map(sorted),
)
@settings(deadline=None, max_examples=100)
def test_scales_between_any_bounds_are_those_of_a_literal_loop(seed: int, bounds: list[float]) -> None:
    expected = looped_scales(seed, *bounds, **SIZES._asdict())
    drawn = draw_plan(LABELS, seed, *bounds, sizes=SIZES).scales
    assert {split: drawn[split].tolist() for split in SPLITS} == expected


def test_equal_bounds_give_one_scale() -> None:
    drawn = draw_plan(LABELS, 3, 0.7, 0.7, sizes=SIZES).scales
    assert {scale for split in SPLITS for scale in drawn[split].tolist()} == {0.7}


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_splits_are_disjoint_stratified_and_scikit_learns(seed: int) -> None:
    plan = draw_plan(LABELS, seed, sizes=SIZES)
    expected = sklearn_members(LABELS, seed, **SIZES._asdict())
    for split, size in SIZES._asdict().items():
        members = plan.source_index[split]
        np.testing.assert_array_equal(members, expected[split])
        assert np.bincount(LABELS[members]).tolist() == [size // 10] * 10
    everything = np.concatenate([plan.source_index[split] for split in SPLITS])
    assert len(np.unique(everything)) == len(everything) == sum(SIZES)


def test_bounds_do_not_change_the_members() -> None:
    plans = [draw_plan(LABELS, 1, *bounds, sizes=SIZES) for bounds in ((0.3, 1.0), (0.5, 2.0))]
    for split in SPLITS:
        np.testing.assert_array_equal(plans[0].source_index[split], plans[1].source_index[split])


def test_seeds_differ() -> None:
    first, second = draw_plan(LABELS, 0, sizes=SIZES), draw_plan(LABELS, 1, sizes=SIZES)
    for split in SPLITS:
        assert not np.array_equal(first.source_index[split], second.source_index[split])
        assert not np.array_equal(first.scales[split], second.scales[split])


@pytest.mark.parametrize("bounds", [(0.3, 1.0), (0.05, 3.0), (1.5, 2.5)])
def test_every_image_is_its_digit_rescaled_by_pillow(
    small_digits: DigitImages, small_sizes: SplitSizes, bounds: tuple[float, float]
) -> None:
    splits = generate(small_digits.images, small_digits.labels, 7, *bounds, sizes=small_sizes)
    for split in splits.values():
        digits = small_digits.images[split.source_index]
        np.testing.assert_array_equal(split.images, pillow_rescaled(digits, split.scales))
        np.testing.assert_array_equal(split.labels, small_digits.labels[split.source_index])
        assert bounds[0] <= split.scales.min() < split.scales.max() <= bounds[1]


def test_scales_above_one_crop_the_digit_at_the_canvas(
    small_digits: DigitImages, small_sizes: SplitSizes
) -> None:
    """A white border that the canvas cuts off is gone at twice the size."""
    images = np.zeros_like(small_digits.images)
    images[:, [0, -1], :] = images[:, :, [0, -1]] = 255
    splits = generate(images, small_digits.labels, 7, 2.0, 2.0, sizes=small_sizes)
    for split in splits.values():
        assert split.images.shape[1:] == (28, 28)
        assert not split.images.any()


def test_arrays_have_the_promised_types(small_digits: DigitImages, small_sizes: SplitSizes) -> None:
    splits = generate(small_digits.images, small_digits.labels, 7, sizes=small_sizes)
    assert list(splits) == ["train", "val", "test"]
    for name, size in small_sizes._asdict().items():
        found = {part: (array.dtype.name, array.shape) for part, array in vars(splits[name]).items()}
        assert found == {
            "images": ("uint8", (size, 28, 28)),
            "labels": ("int64", (size,)),
            "scales": ("float64", (size,)),
            "source_index": ("int32", (size,)),
        }


def assert_equal(found: dict[str, Split], expected: dict[str, Split]) -> None:
    arrays = as_arrays(found), as_arrays(expected)
    assert list(arrays[0]) == list(arrays[1])
    for name, array in arrays[1].items():
        np.testing.assert_array_equal(arrays[0][name], array, err_msg=name)


@pytest.mark.parametrize(
    "options", [{"workers": 2}, {"workers": 4, "block": 7}, {"block": 1}, {"block": 999}]
)
def test_workers_and_blocks_never_show(
    small_digits: DigitImages, small_sizes: SplitSizes, options: dict[str, int]
) -> None:
    once = generate(small_digits.images, small_digits.labels, 7, sizes=small_sizes)
    again = generate(small_digits.images, small_digits.labels, 7, sizes=small_sizes, **options)
    assert_equal(again, once)


def test_torch_images_give_the_same_bits(small_digits: DigitImages, small_sizes: SplitSizes) -> None:
    expected = generate(small_digits.images, small_digits.labels, 7, sizes=small_sizes)
    tensors = torch.tensor(small_digits.images)
    splits = generate(tensors, small_digits.labels, 7, sizes=small_sizes)
    for split in splits.values():
        assert isinstance(split.images, torch.Tensor)
        assert split.images.device == tensors.device
    assert_equal(splits, expected)


def test_advance_counts_every_image(small_digits: DigitImages, small_sizes: SplitSizes) -> None:
    counts: list[int] = []
    generate(small_digits.images, small_digits.labels, 7, sizes=small_sizes, advance=counts.append)
    assert sum(counts) == sum(small_sizes)


def test_random_states_of_the_program_are_left_alone() -> None:
    np.random.seed(5)
    random.seed(5)
    before = np.random.get_state()[1].copy(), random.getstate()
    draw_plan(LABELS, 0, sizes=SIZES)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_numpy_integers_are_seeds(kind: type[np.integer[Any]]) -> None:
    expected, found = draw_plan(LABELS, 3, sizes=SIZES), draw_plan(LABELS, kind(3), sizes=SIZES)
    for split in SPLITS:
        np.testing.assert_array_equal(found.source_index[split], expected.source_index[split])
        np.testing.assert_array_equal(found.scales[split], expected.scales[split])


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, 0.5, math.nan, "0", None])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ParameterError, match="seed") as error:
        draw_plan(LABELS, seed, sizes=SIZES)
    assert error.value.where == "seed"
    assert error.value.got is seed


@pytest.mark.parametrize("name", ["min_scale", "max_scale"])
@pytest.mark.parametrize("scale", [0.0, -0.0, -0.3, math.nan, math.inf, -math.inf, 5e-324, 1e-308])
def test_a_scale_out_of_range_is_refused_by_its_name(name: str, scale: float) -> None:
    with pytest.raises(ParameterError) as error:
        draw_plan(LABELS, 0, **{name: scale}, sizes=SIZES)
    assert error.value.where == name
    assert error.value.expected == "above 0"
    assert repr(error.value.got) == repr(scale)


def test_swapped_scales_are_refused_by_both_names() -> None:
    with pytest.raises(ParameterError, match="swapped") as error:
        draw_plan(LABELS, 0, 1.0, 0.3, sizes=SIZES)
    assert error.value.where == "min_scale, max_scale"
    assert (error.value.expected, error.value.got) == ("min_scale of at most 0.3", 1.0)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ParameterError, match="too few source images") as error:
        draw_plan(LABELS[:179], 0, sizes=SIZES)
    assert (error.value.where, error.value.expected, error.value.got) == ("labels", "at least 180", 179)
    assert len(draw_plan(np.arange(180) % 10, 0, sizes=SIZES).scales["test"]) == 100


@pytest.mark.parametrize("sizes", [(0, 20, 100), (60, 0, 100), (60, 20, 0), (-1, 20, 100)])
def test_a_split_without_images_is_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ParameterError) as error:
        draw_plan(LABELS, 0, sizes=SplitSizes(*sizes))
    assert error.value.where == "sizes"
    assert error.value.got == SplitSizes(*sizes)


def test_images_and_labels_of_different_length_are_refused(small_digits: DigitImages) -> None:
    with pytest.raises(ParameterError, match="differ in length") as error:
        generate(small_digits.images, small_digits.labels[:-1], 0)
    assert (error.value.expected, error.value.got) == (400, 399)
