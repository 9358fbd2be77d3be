"""The frame that the STIR sets share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stir_fixtures import small_frame, small_set

from stirdata.errors import ParameterError
from stirdata.families.stir import axes as stir


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_positions_are_those_of_one_draw_per_image(seed: int, classes: int, instances: int) -> None:
    frame = stir.Frame(tuple("abc"[:classes]), instances)
    positions = stir.draw_positions(frame, seed)
    stream = np.random.RandomState(seed)
    for place in frame.draw_order():
        drawn = stream.randint(0, frame.canvas - frame.scales[place.scale] + 1, 2)
        assert np.array_equal(positions[place], drawn)


def test_the_published_order_is_class_instance_scale_set() -> None:
    places = list(small_frame().draw_order())
    assert len(places) == small_frame().count == 36
    assert places[:4] == [(0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (0, 1, 0, 0)]
    assert [place.label for place in places] == sorted(place.label for place in places)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ParameterError, match="out of range"):
        stir.draw_positions(small_frame(), seed)


def test_images_come_together_in_any_order_and_portion() -> None:
    expected = small_set()
    singles = [(place, expected.imgs[place]) for place in small_frame().draw_order()]
    stacks = [
        (stir.Place(member, slice(None), label, instance), expected.imgs[member, :, label, instance])
        for member, label, instance in np.ndindex(3, 2, 2)
    ]
    for crops in (singles, singles[::-1], stacks):
        made = stir.assemble(small_frame(), crops, expected.psts, expected.metadata)
        for key, array in made.as_dict().items():
            assert np.array_equal(array, getattr(expected, key))
            assert array.dtype == getattr(expected, key).dtype


def test_missing_and_misshapen_images_are_refused() -> None:
    whole = small_set()
    singles = [(place, whole.imgs[place]) for place in small_frame().draw_order()]
    with pytest.raises(ValueError, match="expected 36 images, got 35"):
        stir.assemble(small_frame(), singles[1:], whole.psts, whole.metadata)
    with pytest.raises(ValueError, match="must have shape"):
        stir.assemble(
            small_frame(), [(singles[0][0], np.zeros((3, 3), np.uint8))], whole.psts, whole.metadata
        )


def test_labels_and_scales_follow_the_axes() -> None:
    arrays = small_set()
    assert arrays.lbls[0, 0, :, 0].tolist() == [0, 1]
    assert arrays.scls[2, :, 1, 1].tolist() == [12, 7, 3]
    assert {arrays.lbls.dtype, arrays.scls.dtype, arrays.psts.dtype} == {np.dtype("int32")}
    assert arrays.metadata[:, 0].tolist() == list(stir.METADATA_ROWS)


def test_a_set_that_does_not_fit_into_memory_is_told() -> None:
    for instances in (10**12, 10**18):
        with pytest.raises(ParameterError, match="does not fit into memory"):
            stir.assemble(small_frame(instances=instances), [], np.zeros(0, np.int32), np.array([]))
