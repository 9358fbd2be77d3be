"""A STIR set in another format: the same arrays, the same bytes again, and nothing wrong is converted."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import h5py
import numpy as np
import pytest
from making import save_dataset
from stir_fixtures import run, small_description, small_frame, small_set

from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, ManifestError, MissingFileError, ParameterError, TargetExistsError
from stirdata.executors import Workers
from stirdata.families.recognition import outputs_below
from stirdata.families.stir import FAMILY
from stirdata.families.stir.axes import KEYS, StirArrays, metadata, with_latents
from stirdata.manifest import FileEntry, load, manifest_path
from stirdata.operations.convert import convert
from stirdata.operations.verify import _read, verify
from stirdata.storage import hdf5
from stirdata.storage.stored import open_stored

Listing = Callable[[Path], dict[str, "bytes | None"]]
NAMES = {"npz": "own.npz", "h5": "own.h5", "npy": "own"}
SET = small_set()


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """Return a set as ``stirdata generate`` writes it."""
    target = tmp_path / "made" / "own.npz"
    save_dataset(target, SET.as_dict(), small_description(), {"cairo": "1.16"})
    return target


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    return open_stored(path, KEYS).read(KEYS)


@pytest.mark.parametrize(("first", "second"), list(permutations(NAMES, 2)))
def test_every_direction_and_back_gives_the_same_bytes(
    tmp_path: Path, generated: Path, content_of: Listing, first: str, second: str
) -> None:
    before = content_of(generated.parent)
    one, two = tmp_path / "1" / NAMES[first], tmp_path / "2" / NAMES[second]
    convert(generated, one)
    outcome = convert(one, two)
    assert (outcome.path, outcome.seed, outcome.already_there) == (two, 42, False)
    for path in (one, two):
        assert verify(path).ok
        assert load(manifest_path(path)).arrays == load(manifest_path(generated)).arrays
        for key, array in arrays_of(path).items():
            assert np.array_equal(array, getattr(SET, key))
            assert array.dtype == getattr(SET, key).dtype
    back = tmp_path / "3" / "own.npz"
    convert(two, back, workers=2)
    assert content_of(back.parent) == content_of(generated.parent) == before
    again = tmp_path / "4" / NAMES[second]
    convert(generated, again)
    assert content_of(again.parent) == content_of(two.parent)


def test_versions_of_what_drew_the_pictures_are_kept(tmp_path: Path, generated: Path) -> None:
    convert(generated, tmp_path / "own.h5")
    versions = load(manifest_path(tmp_path / "own.h5")).versions
    assert versions["cairo"] == "1.16"
    assert versions["h5py"] == h5py.__version__


def test_checksums_of_all_files(tmp_path: Path, generated: Path) -> None:
    convert(generated, generated.with_name("own.h5"))
    convert(generated, tmp_path / "folder")
    lines = (generated.parent / "SHA256SUMS").read_text().splitlines()
    lines += (tmp_path / "folder" / "SHA256SUMS").read_text().splitlines()
    names = [line.partition("  ")[2] for line in lines]
    assert names == ["own.h5", "own.npz", *(f"{key}.npy" for key in KEYS)]
    for line in lines[2:]:
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "folder" / name).read_bytes()).hexdigest() == digest


def test_hdf5_is_read_by_h5py_alone_and_lies_in_one_piece(tmp_path: Path, generated: Path) -> None:
    convert(generated, tmp_path / "own.h5")
    with h5py.File(tmp_path / "own.h5") as file:
        assert sorted(file) == sorted(KEYS)
        assert np.array_equal(file["imgs"][1, 2], SET.imgs[1, 2])
        assert file["imgs"].chunks is None
        assert file["lbldata"].asstr()[...].tolist() == ["a", "b"]
        assert file["metadata"].asstr()[0, 1] == "T"


def test_npy_files_are_those_that_numpy_writes(tmp_path: Path, generated: Path) -> None:
    convert(generated, tmp_path / "own")
    for key in KEYS:
        np.save(tmp_path / "numpy.npy", getattr(SET, key))
        assert (tmp_path / "own" / f"{key}.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize("form", NAMES)
def test_what_is_there_already_is_verified_and_left(tmp_path: Path, generated: Path, form: str) -> None:
    target = tmp_path / "new" / NAMES[form]
    made = convert(generated, target)
    for force in (False, True):
        again = convert(generated, target, force=force)
        assert again.already_there
        assert again.root == made.root
    victim = target / "imgs.npy" if form == "npy" else target
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    with pytest.raises(TargetExistsError, match="not what was asked for"):
        convert(generated, target)
    assert not convert(generated, target, force=True).already_there
    assert verify(target).ok


def published(folder: Path, made: StirArrays = SET, title: str = "STIR Leaves") -> Path:
    """Write a set as its authors do: an npz file alone."""
    rows = made.metadata.astype("<U30")
    rows[0, 1] = title
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "leaves.npz", **(made.as_dict() | {"metadata": rows}))
    return folder / "leaves.npz"


def test_a_published_file_gets_a_manifest_that_names_it(tmp_path: Path) -> None:
    source = published(tmp_path / "source")
    convert(source, tmp_path / "a.h5")
    manifest = load(manifest_path(tmp_path / "a.h5"))
    assert manifest.dataset == "stir-leaves"
    assert manifest.recipe == {"name": "published", "version": 1}
    assert manifest.license == "L"
    assert manifest.sources == [
        {
            "name": "leaves.npz",
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "license": "L",
            "citation": "A",
        }
    ]
    assert verify(tmp_path / "a.h5").ok
    assert convert(source, tmp_path / "a.h5").already_there
    assert [path.name for path in source.parent.iterdir()] == ["leaves.npz"]
    for name, array in np.load(source).items():
        assert arrays_of(tmp_path / "a.h5")[name].dtype == array.dtype


def test_boxes_of_a_published_set_may_be_longer_than_wide(tmp_path: Path) -> None:
    positions = SET.psts.copy()
    positions[:, 1, :, :, 0] = 9  # 9 + 7 is beyond 12, but the box may be narrow
    positions[:, 1, :, :, 1] = 0
    made = StirArrays(**(SET.as_dict() | {"psts": positions}))
    convert(published(tmp_path / "source", made), tmp_path / "a.npz")
    assert verify(tmp_path / "a.npz").ok


@pytest.mark.parametrize("name", ["own", "a.npz"])
def test_a_folder_without_manifest(tmp_path: Path, generated: Path, name: str) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    for key in KEYS:
        np.save(folder / f"{key}.npy", getattr(SET, key))
    assert outputs_below(folder) == [folder]
    assert verify(folder, as_dataset="stir").ok
    convert(folder, tmp_path / "new" / name)
    assert set(load(manifest_path(tmp_path / "new" / name)).sources[0]["sha256"]) == {
        f"{key}.npy" for key in KEYS
    }


def break_images(path: Path) -> None:
    changed = SET.imgs.copy()
    changed[2, 2, 1, 1, 3, 3] ^= 1
    np.savez_compressed(path, **(SET.as_dict() | {"imgs": changed}))


def break_names(path: Path) -> None:
    np.savez_compressed(path, **(SET.as_dict() | {"lbldata": np.array(["a", "c"])}))


@pytest.mark.parametrize(("damage", "name"), [(break_images, "imgs"), (break_names, "lbldata")])
@pytest.mark.parametrize("form", NAMES)
def test_a_source_that_differs_from_its_manifest_is_refused(
    tmp_path: Path,
    generated: Path,
    content_of: Listing,
    damage: Callable[[Path], None],
    name: str,
    form: str,
) -> None:
    damage(generated)
    before = content_of(tmp_path)
    with pytest.raises(FormatError, match=f"the array {name} differs from the manifest"):
        convert(generated, tmp_path / "new" / NAMES[form])
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("form", NAMES)
def test_a_damaged_source_leaves_nothing_behind(
    tmp_path: Path, generated: Path, content_of: Listing, form: str
) -> None:
    source = published(tmp_path / "source")
    content = bytearray(source.read_bytes())
    content[source.stat().st_size // 2] ^= 0xFF  # in the images, whose checksum is looked at in the end
    source.write_bytes(content)
    before = content_of(tmp_path)
    with pytest.raises(FormatError):
        convert(source, tmp_path / "new" / NAMES[form])
    assert content_of(tmp_path) == before


def test_what_cannot_be_converted(tmp_path: Path, generated: Path) -> None:
    with pytest.raises(ParameterError, match="the same"):
        convert(generated, generated.parent / ".." / "made" / "own.npz")
    with pytest.raises(MissingFileError):
        convert(tmp_path / "none.npz", tmp_path / "a.h5")
    text = manifest_path(generated).read_text()
    manifest_path(generated).write_text(text.replace('"seed": 42', '"seed": 6'))
    with pytest.raises(ManifestError, match="was changed"):
        convert(generated, tmp_path / "a.h5")


@pytest.mark.parametrize("form", ["h5", "npy"])
def test_verification_tells_what_is_wrong_with_files_and_folders(
    tmp_path: Path, generated: Path, form: str
) -> None:
    target = tmp_path / NAMES[form]
    convert(generated, target)
    assert verify(target, as_dataset="stir").ok
    assert not verify(target, as_dataset="stir-mnist").ok
    victim = target / "imgs.npy" if form == "npy" else target
    content = victim.read_bytes()
    place = content.index(SET.imgs.tobytes())
    victim.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    names = {finding.name for finding in verify(target).findings}
    assert names == {victim.name, "array imgs"}
    victim.write_bytes(content[:-1])
    assert "unreadable" in {finding.kind for finding in verify(target).findings}
    if form == "npy":
        (target / "lbls.npy").unlink()
        assert {finding.kind for finding in verify(target).findings} >= {"missing", "unreadable"}


def test_the_commands_take_every_format(
    tmp_path: Path, generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("own.h5", "own"):
        made = run(capsys, "convert", generated, tmp_path / name)
        assert (made.code, made.out) == (0, f"{tmp_path / name}\n")
        assert "made, root digest" in made.err
        assert "already there, verified" in run(capsys, "convert", generated, tmp_path / name).err
        assert run(capsys, "diff", generated, tmp_path / name).code == 0
        assert run(capsys, "diff", tmp_path / name, generated).code == 0
        assert run(capsys, "verify", tmp_path / name).code == 0
        assert run(capsys, "verify", "--as", "stir", tmp_path / name).code == 0
    positions = np.load(tmp_path / "own" / "psts.npy")
    np.save(tmp_path / "own" / "psts.npy", positions + 1)
    differs = run(capsys, "diff", tmp_path / "own.h5", tmp_path / "own")
    assert differs.code == 1
    assert "psts: 72 of 72 values differ, by at most 1" in differs.out
    assert run(capsys, "verify", tmp_path / "own").code == 1


CONVERT = """
import resource, sys
from pathlib import Path
from stirdata.operations.convert import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]).with_name("warm" + Path(sys.argv[2]).name))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert(Path(sys.argv[3]), Path(sys.argv[2]))
unit = 1 if sys.platform == "darwin" else 1024
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
@pytest.mark.parametrize("form", NAMES)
def test_memory_is_a_few_blocks(tmp_path: Path, form: str) -> None:
    large, imgs = large_set(tmp_path / "large")
    small = published(tmp_path / "small")
    command = [sys.executable, "-c", CONVERT, str(small), str(tmp_path / NAMES[form]), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert imgs.nbytes > 45e6
    assert int(done.stdout) < 25e6


def large_set(folder: Path) -> tuple[Path, np.ndarray]:
    """Write a set of 49 MB of images that compress well."""
    frame = small_frame(instances=50, scales=tuple(range(64, 24, -1)), canvas=64)
    positions = np.zeros((*frame.shape, 2), np.int32)
    imgs = np.zeros(frame.shape + frame.image_shape, np.uint8)
    made = with_latents(frame, imgs, positions, metadata("T", "D", "A", "L", "1", "2026"))
    return published(folder, made), imgs


VERIFY = """
import resource, sys
from pathlib import Path
from stirdata.operations.verify import verify
verify(Path(sys.argv[1]), as_dataset="stir")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = verify(Path(sys.argv[2]), as_dataset="stir")
assert report.ok, report
unit = 1 if sys.platform == "darwin" else 1024
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
@pytest.mark.parametrize("form", NAMES)
def test_verification_holds_a_few_blocks(tmp_path: Path, form: str) -> None:
    large, imgs = large_set(tmp_path / "large")
    small = published(tmp_path / "small")
    for source in (small, large):
        convert(source, source.parent / NAMES[form])
    paths = [str(source.parent / NAMES[form]) for source in (small, large)]
    done = subprocess.run([sys.executable, "-c", VERIFY, *paths], capture_output=True, text=True, check=True)
    assert int(done.stdout) < imgs.nbytes / 2


@pytest.mark.parametrize("change", ["chunks", "big-endian", "another shape", "another type"])
def test_verification_hashes_what_is_there_however_it_lies(tmp_path: Path, change: str) -> None:
    imgs = SET.imgs
    if change == "another shape":
        imgs = imgs.reshape(-1)
    elif change == "another type":
        imgs = imgs.astype(">i4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key, array in (SET.as_dict() | {"imgs": imgs}).items():
            if key == "imgs":
                file.create_dataset(key, data=array, chunks=(1,) * array.ndim if change == "chunks" else None)
            else:
                stored = array.astype(">i4") if change == "big-endian" and array.dtype.kind == "i" else array
                hdf5.write_array(file, key, stored)
    known: dict[str, FileEntry] = {}
    arrays, hashes, _ = _read(FAMILY, tmp_path / "a.h5", known, Workers(), None)
    assert hashes == {key: sha256_of_array(array) for key, array in arrays_of(tmp_path / "a.h5").items()}
    assert {key: array.shape for key, array in arrays.items()}["imgs"] == imgs.shape
    assert verify(tmp_path / "a.h5", as_dataset="stir").ok == (change in ("chunks", "big-endian"))
