"""Compressed npz files: readable by everyone, the same bytes from any number of threads."""

from __future__ import annotations

import zipfile
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
