"""npz files: the same bytes for the same arrays, and nothing dangerous read."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from stirdata.errors import FormatError, MissingFileError
from stirdata.storage import npz
from stirdata.storage.stored import open_stored

ARRAYS = {
    "train_images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "train_labels": np.array([1, 2], np.int64),
    "metadata": np.array([["seed", "7"], ["title", "MNIST-scale"]]),
}
BROKEN = (
    "the file is not a complete npz archive of plain arrays|"
    "an array (holds objects, which are never unpickled|has another size than|has a header that|"
    "is not in the npy format|is encrypted or)"
)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "data.npz"
    npz.write(path, ARRAYS)
    return path


def same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_arrays_come_back(written):
    same(npz.read(written), ARRAYS)


def test_numpy_alone_reads_them(written):
    with np.load(written, allow_pickle=False) as archive:
        same(dict(archive), ARRAYS)


@given(
    arrays_of.arrays(
        st.sampled_from(["|u1", "<i4", ">i8", "<f8", "?", "<U5"]),
        arrays_of.array_shapes(min_dims=0, min_side=0),
    )
)
def test_any_plain_array_comes_back(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    npz.write(path, {"a": array})
    same(npz.read(path), {"a": array})


def test_bytes_depend_on_the_arrays_alone(written, tmp_path):
    again = tmp_path / "other name.npz"
    os.utime(written, (0, 0))
    npz.write(again, ARRAYS)
    assert again.read_bytes() == written.read_bytes()
    with zipfile.ZipFile(again) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert [member.filename for member in archive.infolist()] == [f"{name}.npy" for name in ARRAYS]


def test_only_the_named_arrays_are_read(written):
    same(npz.read(written, ["train_labels"]), {"train_labels": ARRAYS["train_labels"]})


def test_compressed_files_of_others_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **ARRAYS)
    same(npz.read(tmp_path / "a.npz"), ARRAYS)


def test_absent_arrays_are_named(written):
    with pytest.raises(FormatError, match="the npz file lacks arrays") as caught:
        npz.read(written, ["val_images", "train_images", "val_labels"])
    assert str(written) in str(caught.value.where)
    assert caught.value.expected == "val_images, val_labels"
    assert caught.value.got == "train_images, train_labels, metadata"


@pytest.mark.parametrize("name", ["absent.npz", ""])
def test_no_such_file(tmp_path, name):
    with pytest.raises(MissingFileError, match="there is no such file") as caught:
        npz.read(tmp_path / name)
    assert caught.value.where == tmp_path / name


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_payload_of_this_test_works(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "proof"))).close()
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("wrapped", ["member", "raw pickle"])
def test_pickled_objects_are_never_unpickled(tmp_path, wrapped):
    path, proof = tmp_path / "data.npz", tmp_path / "proof"
    payload = np.array([Payload(proof)], object)
    if wrapped == "member":
        np.savez(path, train_images=payload)
    else:
        path.write_bytes(pickle.dumps(payload))
    with pytest.raises(FormatError, match=BROKEN) as caught:
        npz.read(path)
    assert str(path) in str(caught.value.where)
    assert ("never unpickled" in caught.value.what) == (wrapped == "member")
    assert not proof.exists()


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        npz.write(tmp_path / "data.npz", {"a": np.array([{}], object)})


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_cut_short(written, share):
    content = written.read_bytes()
    written.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=BROKEN) as caught:
        npz.read(written)
    assert str(written) in str(caught.value.where)
    assert caught.value.got
    assert caught.value.hint.startswith("generate or fetch it again")


def test_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", ARRAYS["train_labels"])
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(FormatError, match=BROKEN):
        npz.read(tmp_path / "a.npz")
    with pytest.raises(FormatError, match="the file is not what its name says") as caught:
        open_stored(tmp_path / "a.npz")
    assert caught.value.got == "a single array"


def archive_with(path, content, name="a.npy"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


def test_member_that_is_no_array(tmp_path):
    path = archive_with(tmp_path / "a.npz", b"just text")
    with pytest.raises(FormatError, match="an array is not in the npy format") as caught:
        npz.read(path)
    assert (caught.value.where, caught.value.got) == (f"{path}: a.npy", repr(b"just tex"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note.txt", b"just text")
    with pytest.raises(FormatError, match="other things than arrays") as caught:
        npz.read(path)
    assert (caught.value.where, caught.value.got) == (path, "note.txt")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)",
        "__import__('os').getcwd()",
        "(" * 400,
    ],
)
def test_header_that_lies(tmp_path, header):
    stream = io.BytesIO()
    stream.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    path = archive_with(tmp_path / "a.npz", stream.getvalue())
    with pytest.raises(FormatError, match=BROKEN):
        npz.read(path)


def test_encrypted_member(tmp_path):
    path = tmp_path / "a.npz"
    npz.write(path, {"a": ARRAYS["train_labels"]})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of the member
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of its entry in the directory
    path.write_bytes(content)
    with pytest.raises(FormatError, match=BROKEN) as caught:
        npz.read(path)
    assert "encrypted" in str(caught.value)


@given(st.booleans(), st.integers(0, 100_000), st.integers(1, 255))
def test_flipped_bytes_give_an_error_or_what_the_checksum_covers(tmp_path_factory, compressed, at, change):
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    (np.savez_compressed if compressed else np.savez)(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= change
    path.write_bytes(content)
    try:
        found = npz.read(path, list(ARRAYS))
    except FormatError as error:
        assert str(path) in str(error.where)
    else:  # the byte belongs to a date or to another field that nothing depends on
        same(found, ARRAYS)
