"""Types and shapes of arrays in files and folders, without the arrays."""

import zipfile

import h5py
import numpy as np
import pytest
from numpy.lib import format as npy

from stirdata.errors import FormatError, MissingFileError
from stirdata.storage.stored import Header, open_stored

ARRAYS = {
    "imgs": np.zeros((2, 3), np.uint8),
    "big": np.zeros((4,), ">i4"),
    "names": np.array(["a", "bc"]),
    "one": np.float64(3.5),
}
EXPECTED = {
    "imgs": Header("uint8", (2, 3)),
    "big": Header("int32", (4,)),
    "names": Header("str", (2,)),
    "one": Header("float64", ()),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    assert dict(open_stored(tmp_path / "a.npz").headers) == EXPECTED


def test_folder_of_npy_files(tmp_path):
    for name, array in ARRAYS.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "note.txt").write_text("not an array")
    assert dict(open_stored(tmp_path).headers) == EXPECTED


def test_h5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/images"] = np.zeros((2, 28, 28), np.uint8)
        file["imgs"] = np.zeros((5,), ">i4")
    found = dict(open_stored(tmp_path / "a.h5").headers)
    assert found["train/images"] == Header("uint8", (2, 28, 28))
    assert found["imgs"] == Header("int32", (5,))


def test_later_versions_of_the_npy_format(tmp_path):
    for number in ((2, 0), (3, 0)):
        with (tmp_path / "a.npy").open("wb") as file:
            npy.write_array(file, np.zeros((2, 3), np.int16), version=number)
        assert dict(open_stored(tmp_path).headers) == {"a": Header("int16", (2, 3))}


def test_cut_short(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(10_000))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:200])
    with pytest.raises(FormatError, match="another size than its header says"):
        dict(open_stored(tmp_path).headers)


def damaged_member(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00"])
def test_damaged_headers(tmp_path, content):
    damaged_member(tmp_path / "a.npz", content)
    with pytest.raises(FormatError, match=r"where: +.*a\.npz"):
        dict(open_stored(tmp_path / "a.npz").headers)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FormatError, match=r"where: +.*a\.npy"):
        dict(open_stored(tmp_path).headers)


@pytest.mark.parametrize(("name", "what"), [("a.npz", "an npz file"), ("a.h5", "an HDF5 file")])
def test_what_is_no_archive(tmp_path, name, what):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(FormatError, match=what):
        dict(open_stored(tmp_path / name).headers)


def test_missing_h5(tmp_path):
    with pytest.raises(MissingFileError):
        dict(open_stored(tmp_path / "a.h5").headers)
