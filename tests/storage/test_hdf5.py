"""HDF5 files: the same bytes for the same arrays, and a clear error for everything else."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stirdata.errors import FormatError, MissingFileError
from stirdata.storage import hdf5

ARRAYS = {
    "train/images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "train/labels": np.array([1, 2], np.int64),
    "val/scales": np.array([0.3, 1.0]),
    "val/source_index": np.array([5, 6], np.int32),
}
ATTRIBUTES = {"title": "MNIST-scale", "seed": 7, "min_scale": 0.3, "citation": "Ä. Author\nB. Author"}
BROKEN = "the file is not a complete HDF5 file"


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "data.h5"
    hdf5.write(path, ARRAYS, ATTRIBUTES)
    return path


def same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_arrays_and_attributes_come_back(written):
    same(hdf5.read(written), ARRAYS)
    assert hdf5.read_attributes(written) == ATTRIBUTES


def test_attributes_are_python_values(written):
    kinds = {name: type(value) for name, value in hdf5.read_attributes(written).items()}
    assert kinds == {"title": str, "seed": int, "min_scale": float, "citation": str}


def test_h5py_alone_reads_them(written):
    with h5py.File(written) as file:
        assert sorted(file) == ["train", "val"]
        np.testing.assert_array_equal(file["train/images"], ARRAYS["train/images"])
        assert file["train/images"].chunks is None, "not contiguous"
        assert file["train/images"].compression is None


def test_bytes_depend_on_arrays_and_attributes_alone(written, tmp_path):
    os.utime(written, (0, 0))
    hdf5.write(tmp_path / "other name.h5", dict(ARRAYS), dict(ATTRIBUTES))
    assert (tmp_path / "other name.h5").read_bytes() == written.read_bytes()
    hdf5.write(tmp_path / "other seed.h5", ARRAYS, ATTRIBUTES | {"seed": 8})
    assert (tmp_path / "other seed.h5").read_bytes() != written.read_bytes()


def test_bytes_are_those_of_a_file_that_hdf5_writes_itself(written, tmp_path, monkeypatch):
    file, other = h5py.File, tmp_path / "other.h5"
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: None)
    monkeypatch.setattr(
        h5py, "File", lambda path, mode, libver, **options: file(path, mode, libver=libver, track_order=False)
    )
    hdf5.write(other, ARRAYS, ATTRIBUTES)
    assert other.read_bytes() == written.read_bytes()


def test_only_the_named_arrays_are_read_and_in_that_order(written):
    found = hdf5.read(written, ["val/scales", "train/labels"])
    assert list(found) == ["val/scales", "train/labels"]
    same(found, {name: ARRAYS[name] for name in found})


def test_absent_arrays_are_named(written):
    with pytest.raises(FormatError, match="the HDF5 file lacks arrays") as caught:
        hdf5.read(written, ["test/images", "train/images", "train"])
    assert caught.value.where == written
    assert caught.value.expected == "test/images, train"
    assert caught.value.got == ", ".join(sorted(ARRAYS))


def test_file_without_arrays(tmp_path):
    hdf5.write(tmp_path / "a.h5", {}, {})
    with pytest.raises(FormatError, match="lacks arrays") as caught:
        hdf5.read(tmp_path / "a.h5", ["train/images"])
    assert caught.value.got == "no arrays"


@pytest.mark.parametrize("read", [hdf5.read, hdf5.read_attributes])
@pytest.mark.parametrize("name", ["absent.h5", ""])
def test_no_such_file(tmp_path, read, name):
    with pytest.raises(MissingFileError, match="there is no such file") as caught:
        read(tmp_path / name)
    assert caught.value.where == tmp_path / name


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(500)])
@pytest.mark.parametrize("read", [hdf5.read, hdf5.read_attributes])
def test_no_hdf5(tmp_path, content, read):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=BROKEN) as caught:
        read(path)
    assert caught.value.where == path
    assert caught.value.got
    assert caught.value.hint == "generate or fetch it again"


@given(st.integers(0, 100_000))
def test_every_cut_is_told(tmp_path_factory, at):
    path = tmp_path_factory.getbasetemp() / "cut.h5"
    hdf5.write(path, ARRAYS, ATTRIBUTES)
    content = path.read_bytes()
    path.write_bytes(content[: at % len(content)])
    with pytest.raises(FormatError, match=BROKEN) as caught:
        hdf5.read(path)
    assert caught.value.where == path


@settings(derandomize=True)  # there are damages over which the HDF5 library itself never returns
@given(st.integers(0, 100_000), st.integers(1, 255))
def test_flipped_bytes_are_read_or_refused_but_never_a_fault(tmp_path_factory, at, change):
    path = tmp_path_factory.getbasetemp() / "flipped.h5"
    hdf5.write(path, ARRAYS, ATTRIBUTES)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= change
    path.write_bytes(content)
    try:
        found = hdf5.read(path, list(ARRAYS))
    except FormatError as error:
        assert error.where == path
    else:
        assert list(found) == list(ARRAYS)


def test_names_that_are_no_text_are_told(written):
    content = written.read_bytes()
    written.write_bytes(content.replace(b"labels", b"\xff\xfebels"))
    with pytest.raises(FormatError, match="lacks arrays") as caught:
        hdf5.read(written, ["train/labels"])
    assert caught.value.expected == "train/labels"


@pytest.mark.parametrize("value", [h5py.Empty("f"), ["a", "b"], np.array([(1, 2)], "i4,i4"), 1j])
def test_what_is_no_array_of_numbers(tmp_path, value):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/images"] = value
    with pytest.raises(FormatError, match="something else than an array of numbers") as caught:
        hdf5.read(tmp_path / "a.h5")
    assert caught.value.where == tmp_path / "a.h5"
    assert caught.value.got.startswith("/train/images of type ")


def test_array_larger_than_the_memory(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("train/images", shape=(10**17,), dtype="u1")
    with pytest.raises(FormatError, match=BROKEN) as caught:
        hdf5.read(tmp_path / "a.h5")
    assert "Unable to allocate" in caught.value.got


@pytest.mark.parametrize("kind", ["external", "virtual"])
def test_arrays_in_other_files_are_not_read(tmp_path, written, kind):
    (tmp_path / "secret").write_bytes(b"secret")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if kind == "external":
            file.create_dataset("a", (6,), "u1", external=[(str(tmp_path / "secret"), 0, 6)])
        else:
            layout = h5py.VirtualLayout((2,), "i8")
            layout[:] = h5py.VirtualSource(str(written), "train/labels", (2,))
            file.create_virtual_dataset("a", layout)
    with pytest.raises(FormatError, match="lies in other files") as caught:
        hdf5.read(tmp_path / "a.h5")
    assert (caught.value.where, caught.value.hint) == (tmp_path / "a.h5", "do not trust this file")


def test_links_to_other_files_are_not_followed(tmp_path, written):
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["train/images"] = h5py.ExternalLink("data.h5", "train/images")
    with pytest.raises(FormatError, match="lacks arrays"):
        hdf5.read(tmp_path / "link.h5", ["train/images"])
