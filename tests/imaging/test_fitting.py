"""Fitting pictures into boxes, and boxes onto canvases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging.fitting import as_grey, fitted_size, on_canvas, over_shade, resized


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 300))
def test_the_longer_side_fills_the_box_and_the_proportion_stays(width: int, height: int, size: int) -> None:
    fitted = fitted_size(width, height, size)
    assert max(fitted) == size
    assert min(fitted) == max(1, int(min(width, height) * size / max(width, height) + 0.5))


@given(st.integers(1, 12), st.integers(0, 8), st.data())
def test_a_picture_is_in_the_middle_of_its_box(box: int, room: int, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, room)), data.draw(st.integers(0, room))
    width = data.draw(st.integers(1, box))
    picture = np.full((box, width, 3), 90, np.uint8)
    canvas = on_canvas(picture, left, top, box, box + room, "white")
    rows, columns = np.nonzero((canvas != 255).any(axis=2))
    assert (rows.min(), rows.max()) == (top, top + box - 1)
    assert columns.min() == left + (box - width) // 2
    assert columns.max() - columns.min() == width - 1


def test_the_edge_goes_on_to_the_edge_of_the_canvas() -> None:
    picture = np.arange(9, dtype=np.uint8).reshape(3, 3)
    canvas = on_canvas(picture, 2, 1, 3, 7, "edge")
    assert np.array_equal(canvas, np.pad(picture, [(1, 3), (2, 2)], mode="edge"))


def test_opacity_mixes_with_the_shade() -> None:
    picture = np.array([[[100, 50, 0, 255], [100, 50, 0, 0], [255, 255, 255, 128]]], np.uint8)
    assert over_shade(picture, 0).tolist() == [[[100, 50, 0], [0, 0, 0], [128, 128, 128]]]
    assert over_shade(picture, 255).tolist() == [[[100, 50, 0], [255, 255, 255], [255, 255, 255]]]


@pytest.mark.parametrize("size", [1, 17, 64])
def test_even_pictures_stay_even(size: int) -> None:
    result = resized(np.full((30, 20, 3), 77, np.uint8), size)
    assert result.shape == (size, max(1, round(size * 2 / 3)), 3)
    assert (result == 77).all()
    assert (as_grey(result) == 77).all()
