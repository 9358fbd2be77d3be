"""Opening what is no STIR set, or a damaged one: which error names what."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from opened_set import open_set
from stir_fixtures import small_set

from stirdata.errors import FormatError, MissingFileError
from stirdata.families.recognition import recognize
from stirdata.families.stir import schema as stir_schema
from stirdata.families.stir.axes import KEYS
from stirdata.storage import hdf5, npy

ARRAYS = small_set().as_dict()


def test_a_missing_file_is_told_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"")
    (tmp_path / "unlike.txt").write_bytes(b"")
    with pytest.raises(MissingFileError, match="there is no such file or folder") as caught:
        open_set(tmp_path / "minst.npz")
    assert caught.value.got == "files of a similar name: mnist.npz"
    assert "stirdata fetch" in caught.value.hint
    assert "minst" not in caught.value.hint  # no command makes a set of that name
    with pytest.raises(MissingFileError) as caught:
        open_set(tmp_path / "nowhere" / "mnist.npz")
    assert caught.value.got is None
    assert "stirdata generate stir mnist" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "got", "hint"),
    [
        ("a.npz", b"", "an empty file", "generate or fetch"),
        ("a.npz", b"text", "something else", "generate or fetch"),
        ("a.h5", b"PK\3\4", "an npz file", "rename it"),
        ("a.npz", b"\x89HDF\r\n\x1a\n", "an HDF5 file", "rename it"),
        ("a.npz", b"\x93NUMPY", "a single array", "name the folder"),
        ("a.txt", b"text", "something else", "generate or fetch"),
        ("imgs.npy", b"\x93NUMPY", "a single array", "name the folder"),
    ],
)
def test_what_is_something_else(tmp_path: Path, name: str, content: bytes, got: str, hint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError) as caught:
        open_set(tmp_path / name)
    assert caught.value.where == tmp_path / name
    assert caught.value.got == got
    assert caught.value.expected in ("an npz file", "an HDF5 file", "an npz or HDF5 file")
    assert hint in caught.value.hint


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises((FormatError, MissingFileError)) as caught:
        open_set(tmp_path / "a.npz" / "b.npz")
    assert caught.value.hint


def test_any_other_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    (tmp_path / "a.npz").rename(tmp_path / "a.data")
    assert open_set(tmp_path / "a.data").frame.canvas == 12


def write_as(form: str, folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / {"npz": "a.npz", "h5": "a.h5", "npy": "a"}[form]
    if form == "npz":
        np.savez_compressed(path, **arrays)
    elif form == "h5":
        hdf5.write(path, arrays, {})
    else:
        path.mkdir()
        for key, array in arrays.items():
            npy.write(path / f"{key}.npy", array)
    return path


forms = pytest.mark.parametrize("form", ["npz", "h5", "npy"])


@forms
def test_all_missing_arrays_are_listed(tmp_path: Path, form: str) -> None:
    path = write_as(form, tmp_path, {key: ARRAYS[key] for key in ("imgs", "lbls", "scls")})
    with pytest.raises(FormatError, match="arrays are missing") as caught:
        open_set(path)
    assert caught.value.got == "no psts, metadata, lbldata"
    assert caught.value.expected == ", ".join(KEYS)
    assert "stirdata.load opens datasets of every family" in caught.value.hint


def test_what_is_no_set_is_told_by_what_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", train_images=np.zeros(3))
    with pytest.raises(FormatError, match="arrays are missing") as caught:
        open_set(tmp_path / "other.npz")
    assert "stirdata.load opens datasets of every family" in caught.value.hint
    with pytest.raises(FormatError, match="arrays are missing") as caught:
        open_set(tmp_path)
    assert "name an .npz or .h5 file of a STIR set, or its folder" in caught.value.hint


@forms
def test_further_arrays_are_passed_over(tmp_path: Path, form: str) -> None:
    assert open_set(write_as(form, tmp_path, ARRAYS | {"more": np.zeros(3)})).frame.instances == 2


@forms
@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("imgs", lambda array: array.astype(np.float32)),
        ("imgs", lambda array: array[:2]),
        ("imgs", lambda array: array[..., :-1]),
        ("imgs", lambda array: array[0, 0, 0]),
        ("imgs", lambda array: array[:, :0]),
        ("lbls", lambda array: array.astype(np.int64)),
        ("lbls", lambda array: array + 1),
        ("lbls", lambda array: array[..., 0]),
        ("scls", lambda array: array[:, ::-1]),
        ("scls", lambda array: array + 1),
        ("psts", lambda array: array + 12),
        ("psts", lambda array: array[..., :1]),
        ("metadata", lambda array: array[:5]),
        ("lbldata", lambda array: array[:1]),
        ("lbldata", lambda array: np.arange(2)),
    ],
)
def test_what_breaks_the_schema(tmp_path: Path, form: str, key: str, change: Any) -> None:
    path = write_as(form, tmp_path, ARRAYS | {key: np.ascontiguousarray(change(ARRAYS[key]))})
    with pytest.raises(FormatError) as caught:
        open_set(path)
    assert caught.value.where == path
    assert caught.value.hint


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("key", ["imgs", "lbldata"])
@pytest.mark.parametrize("form", ["npz", "npy"])
def test_objects_are_never_unpickled(tmp_path: Path, key: str, form: str) -> None:
    proof = tmp_path / "proof"
    stream = io.BytesIO()
    np.save(stream, np.array([Payload(proof)], object))
    path = write_as(form, tmp_path, {name: ARRAYS[name] for name in KEYS if name != key})
    if form == "npz":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{key}.npy", stream.getvalue())
    else:
        (path / f"{key}.npy").write_bytes(stream.getvalue())
    with pytest.raises(FormatError, match="never unpickled"):
        open_set(path)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Payload(proof))).close()
    assert proof.exists(), "the payload of this test does nothing"


def raw(header: str, content: bytes = b"", version: int = 1) -> bytes:
    length = len(header).to_bytes({1: 2}.get(version, 4), "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + content


LIE = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "member",
    [
        raw(LIE.format("|u1", "(4611686018427387904,)")),
        raw(LIE.format("|u1", "(3, 3, 2, 2, 12, 12)"), b"short"),
        raw(LIE.format("|u1", "(3,)"), b"too long"),
        raw(LIE.format("|u1", "(-1,)")),
        raw(LIE.format("|u1", "(True,)"), b"1"),
        raw(LIE.format("|u1", "[1]"), b"1"),
        raw(LIE.format("nonsense", "(1,)"), b"1"),
        raw("{'descr': '|u1', 'shape': (1,)}", b"1"),
        raw("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,)}", b"1"),
        raw("__import__('os').getcwd()"),
        raw("(" * 400),
        raw(" " * 20_000),
        raw("{}", version=9),
        raw("\xff\xfe"),
        b"\x93NUMPY\1",
        b"text",
        b"",
    ],
)
@pytest.mark.parametrize("form", ["npz", "npy"])
def test_headers_that_lie(tmp_path: Path, member: bytes, form: str) -> None:
    path = write_as(form, tmp_path, {key: ARRAYS[key] for key in KEYS if key != "imgs"})
    if form == "npz":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("imgs.npy", member)
    else:
        (path / "imgs.npy").write_bytes(member)
    with pytest.raises(FormatError):
        open_set(path)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_npy_format(tmp_path: Path, version: tuple[int, int]) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in ARRAYS.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, version=version)
    opened = open_set(tmp_path / "a.npz")
    assert np.array_equal(opened.read(1, [1])[0].reshape(2, 2, 12, 12), ARRAYS["imgs"][1, 1])


class NoSeek(io.BytesIO):
    """A stream that zipfile cannot go back in, so that sizes follow the data."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: Any) -> int:
        raise OSError


def test_sizes_behind_the_data(tmp_path: Path) -> None:
    stream = NoSeek()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in ARRAYS.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(f"{key}.npy", content.getvalue())
    (tmp_path / "a.npz").write_bytes(stream.getvalue())
    opened = open_set(tmp_path / "a.npz")
    assert np.array_equal(opened.read(2, [2])[0].reshape(2, 2, 12, 12), ARRAYS["imgs"][2, 2])


@pytest.mark.parametrize("name", ["../more.npy", "folder/imgs.npy", "/imgs.npy", "a\\b.npy"])
def test_names_with_folders(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "a.npz", **ARRAYS)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(FormatError, match="has a folder in it"):
        open_set(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path: Path, method: int) -> None:
    np.savez(tmp_path / "plain.npz", **ARRAYS)
    with (
        zipfile.ZipFile(tmp_path / "plain.npz") as plain,
        zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    with pytest.raises(FormatError, match="compressed in an unknown way"):
        open_set(tmp_path / "a.npz")


def test_encrypted_images(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match="encrypted"):
        open_set(path)


def test_more_bytes_than_deflate_can_give(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(FormatError, match="cannot be as large"):
        open_set(path)


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_images_in_fortran_order_are_refused(tmp_path: Path, form: str) -> None:
    turned = np.asfortranarray(ARRAYS["imgs"])
    path = write_as(form, tmp_path, ARRAYS | {"imgs": turned} if form == "npz" else ARRAYS)
    if form == "npy":
        np.save(path / "imgs.npy", turned)
    with pytest.raises(FormatError, match="Fortran order") as caught:
        open_set(path)
    assert "ascontiguousarray" in caught.value.hint


@pytest.mark.parametrize("count", [-1, 0, 1 << 40])
def test_texts_of_impossible_length_in_hdf5(tmp_path: Path, count: int) -> None:
    path = write_as("h5", tmp_path, ARRAYS)
    with h5py.File(path, "a") as file:
        file["lbldata"].attrs["characters"] = count
    with pytest.raises(FormatError):
        open_set(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@forms
def test_cut_short(tmp_path: Path, form: str, share: float) -> None:
    path = write_as(form, tmp_path, ARRAYS)
    victim = path / "imgs.npy" if form == "npy" else path
    victim.write_bytes(victim.read_bytes()[: int(victim.stat().st_size * share)])
    with pytest.raises(FormatError):
        open_set(path)


@pytest.mark.parametrize("kind", ["external", "virtual"])
def test_images_in_another_file_are_refused(tmp_path: Path, kind: str) -> None:
    """HDF5 would read the pixels from any file on the machine, and convert would write them down."""
    secret, shape = tmp_path / "secret.h5", ARRAYS["imgs"].shape
    with h5py.File(secret, "w") as file:
        file["imgs"] = ARRAYS["imgs"]
    hdf5.write(tmp_path / "a.h5", {key: array for key, array in ARRAYS.items() if key != "imgs"}, {})
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        if kind == "external":
            file.create_dataset("imgs", shape, "u1", external=[(str(secret), 0, ARRAYS["imgs"].size)])
        else:
            layout = h5py.VirtualLayout(shape, "u1")
            layout[...] = h5py.VirtualSource(str(secret), "imgs", shape)
            file.create_virtual_dataset("imgs", layout)
    for look in (open_set, recognize):
        with pytest.raises(FormatError, match="lies in other files") as caught:
            look(tmp_path / "a.h5")
        assert caught.value.hint == "do not trust this file"


def test_images_in_chunks_of_a_file_that_was_replaced_are_refused(tmp_path: Path) -> None:
    for name, change in (("a.h5", 0), ("b.h5", 1)):
        with h5py.File(tmp_path / name, "w") as file:
            for key, array in ARRAYS.items():
                if key == "imgs":
                    file.create_dataset(key, data=array ^ change, chunks=(1, 1, *array.shape[2:]))
                else:
                    hdf5.write_array(file, key, array)
    opened = open_set(tmp_path / "a.h5")
    assert np.array_equal(opened.read(1, [2])[0].ravel(), ARRAYS["imgs"][1, 2].ravel())
    os.utime(tmp_path / "b.h5", ns=(0, 0))
    (tmp_path / "b.h5").replace(tmp_path / "a.h5")
    with pytest.raises(FormatError, match="was changed since it was opened"):
        opened.read(1, [2])


@pytest.mark.parametrize("form", ["npz", "h5", "npy"])
def test_labels_of_one_file_and_images_of_another_are_never_mixed(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after its small arrays were read and before its images were found."""
    target = tmp_path / ("a" if form == "npy" else f"a.{form}")
    other = dict(ARRAYS) | {"imgs": ARRAYS["imgs"] ^ 1}

    def write(arrays: dict[str, Any]) -> Path:
        if form == "npy":
            target.mkdir(exist_ok=True)
            for key, array in arrays.items():
                np.save(target / f"{key}.npy", array)
            return target / "imgs.npy"
        np.savez(target, **arrays) if form == "npz" else hdf5.write(target, arrays, {})
        return target

    os.utime(write(ARRAYS), ns=(0, 0))
    check = stir_schema.check

    def replace_and_check(arrays: Any, where: object = None) -> Any:
        write(other)
        return check(arrays, where)

    monkeypatch.setattr(stir_schema, "check", replace_and_check)
    opened = open_set(target)
    with pytest.raises(FormatError, match="was changed since it was opened"):
        opened.read(0, [0])
