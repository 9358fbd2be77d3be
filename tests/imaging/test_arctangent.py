"""The arctangent against mpmath's 300 bits: the nearest double, always."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging import contrast
from stirdata.imaging.contrast import arctan, in_decimals

mpmath.mp.prec = 300


def nearest(value: float) -> float:
    return float(mpmath.atan(mpmath.mpf(value)))


@given(st.floats(-4, 4))
def test_it_is_the_nearest_double(value: float) -> None:
    assert arctan(np.array([value]))[0] == nearest(value)


def test_it_is_the_nearest_double_over_the_range_that_levels_need() -> None:
    values = 0.02 * (np.random.RandomState(0).uniform(0, 255, 20_000) - 128)
    assert arctan(values).tolist() == [nearest(value) for value in values.tolist()]


def test_pairs_are_far_more_precise_than_the_doubt_that_is_allowed_for() -> None:
    values = np.random.RandomState(1).uniform(-4, 4, 2_000)
    for value, high, low in zip(values, *contrast._arctan_pair(values), strict=True):
        exact = mpmath.atan(mpmath.mpf(float(value)))
        error = abs((mpmath.mpf(float(high)) + mpmath.mpf(float(low)) - exact) / exact)
        assert error < mpmath.mpf(contrast._DOUBT) / 64


def test_doubtful_values_are_decided_by_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.RandomState(2).uniform(-4, 4, 50)
    expected = arctan(values)
    asked = []
    monkeypatch.setattr(contrast, "_DOUBT", 2.0**-50)
    monkeypatch.setattr(contrast, "in_decimals", lambda value: asked.append(value) or in_decimals(value))
    assert arctan(values).tolist() == expected.tolist()
    assert len(asked) > 10


@given(st.floats(-4, 4))
def test_decimals_hold_50_digits(value: float) -> None:
    exact = mpmath.atan(mpmath.mpf(value))
    assert abs(mpmath.mpf(str(in_decimals(value))) - exact) <= abs(exact) * mpmath.mpf(10) ** -50


def test_shape_and_sign_are_kept() -> None:
    values = np.array([[0.0, -0.0], [1.5, -1.5]])
    result = arctan(values)
    assert result.shape == (2, 2)
    assert result[1, 0] == -result[1, 1]
    assert arctan(np.zeros((0,))).shape == (0,)


@pytest.mark.parametrize("value", [4.1, -5.0, np.nan, np.inf])
def test_other_arguments_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="-4 to 4"):
        arctan(np.array([0.5, value]))
