"""Gaussian weights and passes, and the surroundings of placed objects, against plain implementations."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging import gaussian

SIGMAS = [(28 / size - 1) / 2 for size in range(17, 28)] + [7 / 8 * size / 28 for size in range(17, 65)]


@pytest.mark.parametrize("sigma", SIGMAS)
def test_weights_come_from_correctly_rounded_exponentials(sigma: float) -> None:
    radius = int(4 * sigma + 0.5)
    distances = np.arange(-radius, radius + 1)
    powers = (-0.5 / (sigma * sigma)) * distances**2
    values = np.array([float(mpmath.exp(mpmath.mpf(float(power)))) for power in powers])
    expected = values / values.sum()
    assert list(gaussian.weights(sigma)) == expected[radius:].tolist()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_sums_are_taken_in_the_order_of_numpy(values: list[float]) -> None:
    assert gaussian._sum(values) == np.array(values).sum()


def test_a_white_area_is_cut_at_scale_18_as_in_the_published_set() -> None:
    """The order of the sum decides it: with an exact sum 255 would stay 255."""
    padded = np.full((1, 30, 4), 255.0)
    assert gaussian.smooth(padded, (28 / 18 - 1) / 2).astype(np.uint8).max() == 254


def test_a_pass_adds_from_the_farthest_pair_to_the_nearest() -> None:
    padded = np.random.RandomState(0).uniform(0, 255, (3, 20, 5))
    half = gaussian.weights(1.0)
    radius = len(half) - 1
    result = gaussian.smooth(padded, 1.0)
    for row in range(20 - 2 * radius):
        centre = padded[:, row + radius]
        total = centre * half[0]
        for distance in range(radius, 0, -1):
            pair = padded[:, row + radius - distance] + padded[:, row + radius + distance]
            total = total + pair * half[distance]
        assert np.array_equal(result[:, row], total)


def test_a_narrow_filter_changes_nothing() -> None:
    values = np.random.RandomState(0).uniform(0, 255, (2, 6, 3))
    assert gaussian.weights(0.1) == (1.0,)
    assert np.array_equal(gaussian.smooth(values, 0.1), values)


def test_reflection_does_not_repeat_the_edge() -> None:
    assert gaussian.reflected(4, 2).tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 12), st.data())
def test_rows_are_those_of_the_padded_canvas(size: int, room: int, margin: int, data: st.DataObject) -> None:
    canvas = size + room
    starts = np.array(data.draw(st.lists(st.integers(0, room), min_size=1, max_size=3)))
    objects = np.random.RandomState(size).uniform(1, 2, (len(starts), size, 2))
    first = data.draw(st.integers(-margin, size + margin))
    result = gaussian.surrounded(objects, starts, canvas, first, size + margin)
    for rows, pixels, start in zip(result, objects, starts, strict=True):
        whole = np.zeros((canvas, 2))
        whole[start : start + size] = pixels
        padded = np.pad(whole, [(margin, margin), (0, 0)], mode="edge")
        assert np.array_equal(rows, padded[start + margin + first : start + size + 2 * margin])
