"""The IDX format: what is right is read exactly, everything else is a clear error."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from stirdata.errors import SourceError
from stirdata.sources import idx

SOMEWHERE = Path("some/file")
AGAIN = "get the file again from one of the mirrors named in the README"


def stream_of(array):
    """Return an array as an IDX stream."""
    return (
        bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    )


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
STREAM = stream_of(IMAGES)


@given(
    arrays_of.arrays(np.uint8, arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)),
)
def test_parse_returns_what_was_written(array):
    again = idx.parse(stream_of(array), SOMEWHERE, array.ndim)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, array)


def test_parse_does_not_copy():
    array = idx.parse(STREAM, SOMEWHERE, 3)
    assert not array.flags.owndata
    assert not array.flags.writeable


@given(
    st.binary(max_size=40)
    | st.binary(max_size=30).map(lambda rest: bytes([0, 0, 8, 3]) + rest)
    | st.lists(st.sampled_from([0, 1, 2, 2**31, 2**32 - 1]), min_size=3, max_size=3).map(
        lambda sizes: bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    ),
    st.sampled_from([1, 3]),
)
@example(bytes([0, 0, 8, 3]) + bytes(4) + b"\xff" * 8, 3)
def test_any_bytes_are_parsed_or_refused(data, dimensions):
    try:
        array = idx.parse(data, SOMEWHERE, dimensions)
    except SourceError as error:
        assert error.where == SOMEWHERE
        assert error.hint == AGAIN
    else:
        assert array.ndim == dimensions
        assert stream_of(array) == data


@pytest.mark.parametrize("length", range(len(STREAM)))
def test_every_truncation_is_refused(length):
    with pytest.raises(SourceError) as caught:
        idx.parse(STREAM[:length], SOMEWHERE, 3)
    if length >= 4:
        assert caught.value.what == "the IDX file is truncated"
        assert caught.value.got == f"{length} bytes"
    if length >= 16:
        assert caught.value.expected == f"{len(STREAM)} bytes"


def test_longer_than_the_header_says():
    with pytest.raises(SourceError, match="longer than its header says") as caught:
        idx.parse(STREAM + b"\0", SOMEWHERE, 3)
    assert (caught.value.expected, caught.value.got) == (f"{len(STREAM)} bytes", f"{len(STREAM) + 1} bytes")


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "an empty file"),
        (b"\x00\x00", "0x0000"),
        (bytes([0, 0, 8, 1]) + STREAM[4:], "0x00000801"),
        (bytes([0, 0, 13, 3]) + STREAM[4:], "0x00000d03"),
        (STREAM[::-1], "0x17161514"),
        (b"<!DOCTYPE html>", "0x3c21444f"),
    ],
)
def test_wrong_magic_number(data, got):
    with pytest.raises(SourceError, match="wrong magic number") as caught:
        idx.parse(data, SOMEWHERE, 3)
    assert caught.value.where == SOMEWHERE
    assert (caught.value.expected, caught.value.got) == ("0x00000803", got)
    assert caught.value.hint == AGAIN


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["plain", "named.gz"])
def test_stream_is_read_whatever_the_name_says(tmp_path, compress, name):
    path = tmp_path / name
    path.write_bytes(compress(STREAM))
    assert idx.read_stream(path, len(STREAM)) == STREAM


@pytest.mark.parametrize("keep", [3, 10, 20, -9, -8, -1])
def test_truncated_gzip(tmp_path, keep):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(STREAM)[:keep])
    with pytest.raises(SourceError, match="the gzip stream is truncated") as caught:
        idx.read_stream(path, len(STREAM))
    assert caught.value.where == path
    assert caught.value.hint == AGAIN


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_flipped_bytes_in_gzip_are_never_read_as_something_else(tmp_path_factory, at, change):
    data = np.random.RandomState(1).randint(0, 9, 5000).astype(np.uint8).tobytes()
    content = bytearray(gzip.compress(data, mtime=0))
    content[at % len(content)] ^= change
    path = tmp_path_factory.getbasetemp() / "flipped.gz"
    path.write_bytes(content)
    try:
        found = idx.read_stream(path, len(data))
    except SourceError as error:
        assert error.where == path
    else:  # no data was in the byte, or it is no gzip any more, or too long, as the caller is told
        assert found in (data, bytes(content)) or len(found) == len(data) + 1


@pytest.mark.parametrize("at", [2, 40, -6])
def test_corrupt_gzip(tmp_path, at):
    content = bytearray(gzip.compress(bytes(range(256)) * 9))
    content[at] ^= 0xFF
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="the gzip stream is corrupt") as caught:
        idx.read_stream(path, 256 * 9)
    assert caught.value.where == path
    assert str(caught.value.got)
    assert caught.value.hint == AGAIN


def test_decompression_bomb_takes_bounded_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 24)) * 64)  # 1 GiB of zeros
    tracemalloc.start()
    try:
        data = idx.read_stream(path, 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(data) == 100_001
    assert peak < 2_000_000


def test_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        idx.read_stream(tmp_path / "absent", 10)


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SourceError, match="the file cannot be read") as caught:
        idx.read_stream(tmp_path, 10)
    assert caught.value.where == tmp_path
    assert caught.value.got == "Is a directory"
