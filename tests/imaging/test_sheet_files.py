"""PNG files without compression: what others read from them, and that their bytes never change."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stirdata.digest import sha256_of_bytes
from stirdata.imaging import png


@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_pillow_reads_the_same_pixels(height, width, colour, seed):
    shape = (height, width, 3) if colour else (height, width)
    pixels = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    with Image.open(io.BytesIO(png.stored(pixels))) as image:
        assert image.format == "PNG"
        assert image.mode == ("RGB" if colour else "L")
        assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("width", [0xFFFF - 1, 0xFFFF, 2 * 0xFFFF - 1, 200_000])
def test_blocks_that_are_just_full(width):
    pixels = (np.arange(width) % 251).astype(np.uint8)[None]
    with Image.open(io.BytesIO(png.stored(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_bytes_are_pinned():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    expected = "bc174d682fa5422e2d86e5538f5a8ad4edf2b3c247ca829f078e66981657ecd7"
    assert sha256_of_bytes(png.stored(pixels)) == expected
    assert png.stored(pixels[::-1][::-1]) == png.stored(pixels)
