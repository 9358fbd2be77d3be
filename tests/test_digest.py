"""Hashes of files, arrays and PNG trees, against hashlib."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from stirdata.digest import (
    canonical_dtype,
    md5_of_png_tree,
    sha256_of_array,
    sha256_of_bytes,
    sha256_of_file,
)

NUMBERS = arrays_of.arrays(
    st.sampled_from(["u1", "<i2", ">i4", "<i8", ">u8", "<f4", ">f8", "?"]),
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_hash_of_a_file_is_that_of_its_bytes(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    assert sha256_of_file(path) == hashlib.sha256(content[:size]).hexdigest()


def test_hash_of_bytes_is_the_one_everybody_knows():
    assert sha256_of_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(NUMBERS)
def test_hash_of_an_array_is_over_little_endian_c_order_bytes(array):
    little = array.astype(array.dtype.newbyteorder("<"))
    assert sha256_of_array(array) == hashlib.sha256(little.tobytes(order="C")).hexdigest()


@given(NUMBERS)
def test_hash_of_an_array_does_not_depend_on_its_layout(array):
    expected = sha256_of_array(array)
    assert sha256_of_array(np.asfortranarray(array)) == expected
    assert sha256_of_array(array.astype(array.dtype.newbyteorder(">"))) == expected
    spread = np.zeros((*array.shape, 2), array.dtype)
    spread[..., 0] = array
    assert sha256_of_array(spread[..., 0]) == expected


def test_hash_of_an_array_sees_every_value():
    array = np.arange(12, dtype=np.int64).reshape(3, 4)
    other = array.copy()
    other[2, 3] += 1
    assert sha256_of_array(array) != sha256_of_array(other)
    assert sha256_of_array(array) != sha256_of_array(array.T)


@pytest.mark.parametrize(
    ("dtype", "expected"), [("u1", "|u1"), (">i8", "<i8"), ("<i4", "<i4"), (">f8", "<f8"), ("?", "|b1")]
)
def test_type_strings_are_little_endian(dtype, expected):
    assert canonical_dtype(np.zeros(1, dtype)) == expected


def test_tree_checksum_takes_the_string_order_of_the_paths():
    files = [("train/0/2.png", b"two"), ("train/0/10.png", b"ten"), ("test/9/3.png", b"three")]
    expected = hashlib.md5(b"three" + b"ten" + b"two").hexdigest()
    assert md5_of_png_tree(files) == expected
    assert md5_of_png_tree(reversed(files)) == expected
