"""The arctangent, correctly rounded: the double nearest to the true value, on every machine.

The arctangents of math libraries, and within NumPy those of different processors, differ in the last
bit. Here the value is computed twice as precisely as a double holds, in pairs of doubles ("double
double") by nothing but IEEE additions, multiplications and divisions, which are the same everywhere,
with an error of less than 2**-95 of the value. Wherever this leaves a doubt about the nearest double,
60 decimal digits decide. Rounding correctly leaves one answer, so no machine can give another.

Source: T. J. Dekker, "A floating-point technique for extending the available precision", Numerische
Mathematik 18, 1971 (exact sums and products); A. Ziv, "Fast evaluation of elementary mathematical
functions with correctly rounded last bit", ACM TOMS 17, 1991 (rounding with a doubt).
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 4.0
"""Largest absolute value of an argument."""

_STEPS = 32  # the table holds arctan(k / 32)
_TERMS = 10  # of the series; the first one left out is below 2**-120 of the sum
_DOUBT = 2.0**-95  # bound of the relative error of a pair
_SPLIT = 2.0**27 + 1.0  # halves the 53 bits of a double
_DIGITS = 60


class _Pair(NamedTuple):
    """An unevaluated sum of two doubles, the second at most half a unit in the last place of the first."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]


def arctan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correctly rounded arctangent of each value.

    Args:
        values: float64, any shape, of absolute value at most 4.

    Returns:
        float64, same shape, in radians.

    Raises:
        ValueError: A value is above 4 in absolute value, or not a number.

    Example:
        >>> [float(value).hex() for value in arctan(np.array([0.5, 1.0]))]
        ['0x1.dac670561bb4fp-2', '0x1.921fb54442d18p-1']
    """
    if not np.all(np.abs(values) <= LARGEST):
        raise ValueError(f"arguments must be numbers from -{LARGEST:g} to {LARGEST:g}")
    high, low = _arctan_pair(values)
    doubt = np.abs(high) * _DOUBT
    nearest = high + (low + doubt)
    doubtful = nearest != high + (low - doubt)
    nearest[doubtful] = [float(in_decimals(value)) for value in values[doubtful].tolist()]
    return nearest


def in_decimals(value: float) -> Decimal:
    """Return the arctangent of a double to 60 digits; some 50 microseconds each."""
    with localcontext(Context(prec=_DIGITS)):
        step = round(value * _STEPS)
        centre = Decimal(step) / _STEPS
        rest = _series((Decimal(value) - centre) / (1 + Decimal(value) * centre))
        return rest + _at_steps()[abs(step)].copy_sign(Decimal(step))


def _arctan_pair(x: NDArray[np.float64]) -> _Pair:
    """Use arctan(x) = arctan(c) + arctan((x - c) / (1 + x c)), where c is the nearest table entry."""
    step = np.rint(x * _STEPS)
    centre = step / _STEPS
    product = _exact_product(x, centre)
    denominator = _plus(product, _Pair(np.ones_like(x), np.zeros_like(x)))
    # x - centre is exact: either centre is 0, or the two are within a factor of two of each other.
    rest = _arctan_of_small(_quotient(x - centre, denominator))
    highs, lows = _table()
    rows = step.astype(np.int64) + (len(highs) // 2)
    return _plus(_Pair(highs[rows], lows[rows]), rest)


def _arctan_of_small(z: _Pair) -> _Pair:
    """Sum z - z**3/3 + z**5/5 - …, for absolute values of at most 1/64."""
    square = _times(z, z)
    total = _reciprocal_pair(2 * _TERMS - 1, z.high.shape)
    for term in range(_TERMS - 2, -1, -1):
        falling = _times(total, square)
        total = _plus(_reciprocal_pair(2 * term + 1, z.high.shape), _Pair(-falling.high, -falling.low))
    return _times(total, z)


def _reciprocal_pair(number: int, shape: tuple[int, ...]) -> _Pair:
    high, low = _as_pair(1 / Decimal(number))
    return _Pair(np.full(shape, high), np.full(shape, low))


def _as_pair(value: Decimal) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Decimal(high))


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return high and low parts of arctan(k / 32) for k = -128 … 128."""
    upwards = [_as_pair(value) for value in _at_steps()]
    high, low = np.array([(-high, -low) for high, low in upwards[:0:-1]] + upwards).T
    return np.ascontiguousarray(high), np.ascontiguousarray(low)


@cache
def _at_steps() -> list[Decimal]:
    """Return arctan(k / 32) for k = 0 … 128, each from the one before by the difference formula."""
    values = [Decimal(0)]
    with localcontext(Context(prec=_DIGITS)):
        for step in range(1, int(LARGEST) * _STEPS + 1):
            difference = Decimal(_STEPS) / (_STEPS * _STEPS + step * (step - 1))
            values.append(values[-1] + _series(difference))
    return values


def _series(z: Decimal) -> Decimal:
    """Sum the series of arctan for a small argument until nothing changes, in the current precision."""
    total, power, square, odd = z, z, z * z, 1
    while True:
        power, odd = -power * square, odd + 2
        longer = total + power / odd
        if longer == total:
            return total
        total = longer


def _exact_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> _Pair:
    total = a + b
    part = total - a
    return _Pair(total, (a - (total - part)) + (b - part))


def _exact_product(a: NDArray[np.float64], b: NDArray[np.float64]) -> _Pair:
    product = a * b
    a_high, b_high = a * _SPLIT, b * _SPLIT
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return _Pair(product, error)


def _plus(a: _Pair, b: _Pair) -> _Pair:
    high = _exact_sum(a.high, b.high)
    low = _exact_sum(a.low, b.low)
    first = _exact_sum(high.high, high.low + low.high)
    return _exact_sum(first.high, first.low + low.low)


def _times(a: _Pair, b: _Pair) -> _Pair:
    product = _exact_product(a.high, b.high)
    return _exact_sum(product.high, product.low + (a.high * b.low + a.low * b.high))


def _quotient(a: NDArray[np.float64], b: _Pair) -> _Pair:
    """Divide a double by a pair: two digits of a long division, in base 2**53."""
    first = a / b.high
    back = _times(_Pair(first, np.zeros_like(first)), b)
    remainder = _plus(_Pair(a, np.zeros_like(a)), _Pair(-back.high, -back.low))
    second = remainder.high / b.high
    third = _times(_Pair(second, np.zeros_like(second)), b)
    rest = _plus(remainder, _Pair(-third.high, -third.low)).high / b.high
    quotient = _exact_sum(first, second)
    return _exact_sum(quotient.high, quotient.low + rest)
