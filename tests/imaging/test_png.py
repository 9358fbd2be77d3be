"""PNG files: read back by Pillow, with the same pixels."""

import io
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from stirdata.imaging.png import compressed
from stirdata.sources import synthetic


def read(file):
    with Image.open(io.BytesIO(file), formats=["PNG"]) as image:
        return np.asarray(image)


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=9)))
def test_grey_is_read_back(images):
    assert all(
        np.array_equal(read(file), image) for file, image in zip(compressed(images), images, strict=True)
    )


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=9).map(lambda shape: (*shape, 3))))
def test_colour_is_read_back(images):
    files = compressed(images)
    assert all(np.array_equal(read(file), image) for file, image in zip(files, images, strict=True))
    assert {Image.open(io.BytesIO(file)).mode for file in files} == {"RGB"}


@given(st.integers(0, 255))
def test_of_strided_images_too(level):
    images = np.full((4, 6, 8), level, np.uint8)
    images[:, ::2] = 255 - level
    assert np.array_equal(read(compressed(images[::2, 1:, ::-1])[1]), images[2, 1:, ::-1])


def test_chunks_and_their_checksums():
    (file,) = compressed(np.arange(12, dtype=np.uint8).reshape(1, 3, 4))
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds = 8, []
    while at < len(file):
        length, kind = int.from_bytes(file[at : at + 4], "big"), file[at + 4 : at + 8]
        end = at + 8 + length
        assert int.from_bytes(file[end : end + 4], "big") == zlib.crc32(file[at + 4 : end])
        kinds.append(kind)
        at = end + 4
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_not_larger_than_what_pillow_writes():
    """Of digits, which most benchmarks have, on a larger canvas."""
    digits = np.pad(synthetic.draw(0, 40)[0], ((0, 0), (10, 10), (10, 10)))
    files = 0
    for image in digits:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        files += len(stream.getvalue())
    assert sum(map(len, compressed(digits))) <= 1.05 * files
