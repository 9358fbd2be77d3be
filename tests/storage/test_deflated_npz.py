"""Compressed npz files: readable by everyone, the same bytes from any number of threads."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stirdata.executors import InProcess, threads
from stirdata.storage import deflated_npz

ARRAYS = {
    "numbers": np.random.RandomState(0).randint(0, 9, (300, 70, 13)).astype(np.uint8),
    "text": np.array(["a", "Ähre"]),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 4), np.int32),
    "turned": np.arange(12, dtype=np.int32).reshape(3, 4).T,
}


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated_npz, "_PORTION", 50_000)


@pytest.mark.usefixtures("small_portions")
def test_arrays_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    deflated_npz.write(path, ARRAYS, InProcess())
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert archive[name].dtype == array.dtype
            assert np.array_equal(archive[name], array)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.infolist()[0].compress_size < ARRAYS["numbers"].nbytes / 2


@pytest.mark.usefixtures("small_portions")
def test_threads_do_not_show(tmp_path: Path) -> None:
    paths = [tmp_path / f"{workers}.npz" for workers in (1, 2, 3)]
    for workers, path in enumerate(paths, 1):
        with threads(workers) as executor:
            deflated_npz.write(path, ARRAYS, executor, workers)
    assert len({path.read_bytes() for path in paths}) == 1


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 70))
def test_any_bytes_in_any_portions(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    array = np.frombuffer(content, np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deflated_npz, "_PORTION", size)
        deflated_npz.write(path, {"a": array}, InProcess())
    with np.load(path) as archive:
        assert np.array_equal(archive["a"], array)


@pytest.mark.usefixtures("small_portions")
def test_every_portion_is_inflated_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    deflated_npz.write(path, ARRAYS, InProcess())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("numbers.npy")
        plain = archive.read(info)
    listed = deflated_npz.listed_portions(info.extra, info.compress_size)
    assert listed is not None
    step, (header, *portions) = listed
    assert (step, len(portions)) == (50_000, 6)
    start = path.read_bytes().index(b"numbers.npy") + len("numbers.npy") + 20
    content = path.read_bytes()[start : start + info.compress_size]
    found = b""
    for portion in (header, *portions):
        data = content[portion.offset : portion.offset + portion.length]
        found += zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
    assert found == plain


def test_what_lists_no_portions(tmp_path: Path) -> None:
    entry = struct.pack("<II", 7, 1)
    good = struct.pack("<HHI", 0x5453, 12, 50) + entry
    other = struct.pack("<HHQ", 1, 8, 9)
    assert deflated_npz.listed_portions(other + good, 7) == (50, [(0, 7, 1)])
    assert deflated_npz.listed_portions(good, 8) is None, "not the size of the member"
    assert deflated_npz.listed_portions(other, 7) is None
    assert deflated_npz.listed_portions(b"", 0) is None
    assert deflated_npz.listed_portions(good[:-1], 7) is None
    assert deflated_npz.listed_portions(good[:8] + entry + b"abc", 7) is not None
    assert deflated_npz.listed_portions(struct.pack("<HHI", 0x5453, 12, 0) + entry, 7) is None


def test_more_portions_than_a_directory_can_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflated_npz, "_PORTION", 1)
    array = np.arange(9000, dtype=np.uint8)
    deflated_npz.write(tmp_path / "a.npz", {"a": array}, InProcess())
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        info = archive.getinfo("a.npy")
    assert deflated_npz.listed_portions(info.extra, info.compress_size) is None
    with np.load(tmp_path / "a.npz") as loaded:
        assert np.array_equal(loaded["a"], array)
