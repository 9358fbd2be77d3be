"""Surroundings of placed objects, against whole canvases."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging.placement import surrounded


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 12), st.data())
def test_rows_are_those_of_the_padded_canvas(size: int, room: int, margin: int, data: st.DataObject) -> None:
    canvas = size + room
    starts = np.array(data.draw(st.lists(st.integers(0, room), min_size=1, max_size=3)))
    objects = np.random.RandomState(size).uniform(1, 2, (len(starts), size, 2))
    result = surrounded(objects, starts, canvas, margin)
    for rows, pixels, start in zip(result, objects, starts, strict=True):
        whole = np.zeros((canvas, 2))
        whole[start : start + size] = pixels
        padded = np.pad(whole, [(margin, margin), (0, 0)], mode="edge")
        assert np.array_equal(rows, padded[start : start + size + 2 * margin])
