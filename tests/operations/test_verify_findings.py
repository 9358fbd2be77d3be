"""Verification tells what is wrong with a dataset, and which published realization it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import NAMES, change_one_pixel, save, save_below
from numpy.typing import NDArray

from stirdata.digest import sha256_of_array, sha256_of_bytes, sha256_of_file
from stirdata.errors import ManifestError, MissingFileError, ParameterError
from stirdata.executors import Workers
from stirdata.families import families
from stirdata.families.recognition import outputs_below
from stirdata.manifest import manifest_path
from stirdata.operations.verify import Finding, verify

Arrays = dict[str, NDArray[Any]]

every_format = pytest.mark.parametrize("form", list(NAMES))
file_formats = pytest.mark.parametrize("form", ["h5", "npz"])


def described(path: Path) -> str:
    return f"{path.stat().st_size} bytes with sha256 {sha256_of_file(path)}"


@every_format
def test_what_was_written_verifies(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    target = tmp_path / NAMES[form]
    manifest = save(target, small_realization)
    report = verify(target)
    assert report.ok
    assert (report.path, report.root, report.findings) == (target, manifest.root, ())
    assert report.identity is None
    assert report.as_json() == {
        "path": str(target),
        "ok": True,
        "root": manifest.root,
        "published": None,
        "findings": [],
        "remarks": [],
    }


@file_formats
def test_a_changed_byte_of_a_file_is_told(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    """In an h5 file the array is read and differs; in an npz its checksum makes it unreadable."""
    target = tmp_path / NAMES[form]
    save(target, small_realization)
    expected, good = described(target), sha256_of_array(small_realization["val/images"])
    content = bytearray(target.read_bytes())
    content[content.index(small_realization["val/images"].tobytes()) + 300] ^= 128
    target.write_bytes(content)
    small_realization["val/images"].reshape(-1)[300] ^= 128
    bad = sha256_of_array(small_realization["val/images"])
    report = verify(target)
    assert not report.ok
    assert report.findings[0] == Finding("differs", target.name, expected, described(target))
    (second,) = report.findings[1:]
    if form == "h5":
        assert second == Finding("differs", "array val/images", f"sha256 {good}", f"sha256 {bad}")
    else:
        assert (second.kind, second.name) == ("unreadable", str(target))
        assert "CRC" in second.found


@file_formats
@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_an_unreadable_file_is_told(
    form: str, content: bytes, tmp_path: Path, small_realization: Arrays
) -> None:
    target = tmp_path / NAMES[form]
    save(target, small_realization)
    expected = described(target)
    target.write_bytes(content)
    differs, unreadable = verify(target).findings
    found = f"{len(content)} bytes with sha256 {sha256_of_bytes(content)}"
    assert differs == Finding("differs", target.name, expected, found)
    assert (unreadable.kind, unreadable.name) == ("unreadable", str(target))
    assert unreadable.found.startswith("the file is not what its name says")


@file_formats
def test_a_missing_file_is_told(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    target = tmp_path / NAMES[form]
    manifest = save(target, small_realization)
    expected = described(target)
    target.unlink()
    report = verify(target)
    assert report.findings == (Finding("missing", target.name, expected),)
    assert report.root == manifest.root
    assert report.findings[0].sentence() == f"missing: {target.name}, expected {expected}"


def test_missing_extra_and_different_files_of_a_tree_are_told(
    tmp_path: Path, small_realization: Arrays
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    gone, changed = sorted((folder / "test").glob("*/*.png"))[3:5]
    expected = described(gone), described(changed)
    arrays = {name: sha256_of_array(array) for name, array in small_realization.items()}
    gone.unlink()
    change_one_pixel(changed)
    (folder / "notes.txt").write_bytes(b"mine")
    names = [path.relative_to(folder).as_posix() for path in (gone, changed)]
    report = verify(folder)
    assert not report.ok
    assert [finding for finding in report.findings if not finding.name.startswith("array ")] == [
        Finding("missing", names[0], expected[0]),
        Finding("differs", names[1], expected[1], described(changed)),
        Finding("extra", "notes.txt", found=described(folder / "notes.txt")),
    ]
    different = [finding for finding in report.findings if finding.name.startswith("array ")]
    assert {finding.name for finding in different} == {
        f"array test/{name}" for name in ("images", "labels", "scales", "source_index")
    }
    for finding in different:
        assert finding.kind == "differs"
        assert finding.expected == f"sha256 {arrays[finding.name.removeprefix('array ')]}"
        assert finding.found.startswith("sha256 ")
        assert finding.found != finding.expected


def test_lost_scales_of_a_tree_are_told(tmp_path: Path, small_realization: Arrays) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    expected = described(folder / "scales.csv")
    (folder / "scales.csv").unlink()
    lost = [name for name in small_realization if name.endswith(("scales", "source_index"))]
    assert verify(folder).findings == (
        Finding("missing", "scales.csv", expected),
        *[
            Finding("missing", f"array {name}", f"sha256 {sha256_of_array(small_realization[name])}")
            for name in lost
        ],
    )


def cut_short(folder: Path) -> Path:
    victim = sorted(folder.rglob("*.png"))[7]
    victim.write_bytes(victim.read_bytes()[:50])
    return victim


def put_beside(folder: Path) -> Path:
    (folder / "val" / "3" / "notes.db").write_bytes(b"")
    return folder / "val" / "3" / "notes.db"


def take_a_split(folder: Path) -> Path:
    shutil.rmtree(folder / "val")
    return folder


def forget_an_image(folder: Path) -> Path:
    lines = (folder / "scales.csv").read_bytes().splitlines(keepends=True)
    (folder / "scales.csv").write_bytes(b"".join(lines[:-1]))
    return folder / "scales.csv"


def misfile(folder: Path) -> Path:
    victim = next((folder / "train" / "9").iterdir())
    (folder / "train" / "10").mkdir()
    return victim.rename(folder / "train" / "10" / victim.name)


@pytest.mark.parametrize(
    ("damage", "kind", "text"),
    [
        (cut_short, "differs", "the PNG file is damaged"),
        (put_beside, "extra", "a file does not belong into the tree (val/3/notes.db)"),
        (take_a_split, "missing", "this is no tree of PNG files"),
        (forget_an_image, "differs", "scales.csv does not list every image"),
        (misfile, "missing", "a file does not belong into the tree (train/10/"),
    ],
)
def test_an_unreadable_tree_is_told_by_its_files(
    damage: Callable[[Path], Path], kind: str, text: str, tmp_path: Path, small_realization: Arrays
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    where = damage(folder)
    findings = verify(folder).findings
    assert (findings[-1].kind, findings[-1].name) == ("unreadable", str(where))
    assert findings[-1].found.startswith(text)
    assert "None" not in findings[-1].sentence()
    assert kind in {finding.kind for finding in findings[:-1]}
    assert {finding.kind for finding in findings[:-1]} <= {"missing", "extra", "differs"}


@pytest.mark.parametrize("name", ["absent.h5", "absent.npz", "absent"])
@pytest.mark.parametrize("as_dataset", [None, "mnist-scale"])
def test_nothing_there_is_an_error(name: str, as_dataset: str | None, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file or folder") as error:
        verify(tmp_path / name, as_dataset=as_dataset)
    assert error.value.where == tmp_path / name


@every_format
def test_a_lost_manifest_is_an_error_with_a_way_out(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    target = tmp_path / NAMES[form]
    save(target, small_realization)
    manifest_path(target).unlink()
    with pytest.raises(MissingFileError, match="has no manifest") as error:
        verify(target)
    assert (error.value.where, error.value.expected) == (target, manifest_path(target))
    assert "--as mnist-scale" in error.value.hint


@every_format
def test_a_changed_manifest_is_an_error(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    target = tmp_path / NAMES[form]
    save(target, small_realization)
    text = manifest_path(target).read_text()
    manifest_path(target).write_text(text.replace('"seed": 7', '"seed": 6'))
    with pytest.raises(ManifestError, match="was changed"):
        verify(target)


def test_an_unknown_dataset_is_refused(tmp_path: Path, small_realization: Arrays) -> None:
    save(tmp_path / NAMES["h5"], small_realization)
    with pytest.raises(ParameterError, match="unknown dataset") as error:
        verify(tmp_path / NAMES["h5"], as_dataset="mnist")
    known = ", ".join(name for family in families().values() for name in family.asks)
    assert known.startswith("mnist-scale, stir-mnist, stir-emoji, stir")
    assert (error.value.where, error.value.expected, error.value.got) == ("as", known, "mnist")


def test_processes_find_the_same_and_every_image_is_counted(
    tmp_path: Path, small_realization: Arrays
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    change_one_pixel(next((folder / "val").glob("*/*.png")))
    counts: list[int] = []
    with Workers(2) as workers:
        report = verify(folder, workers=workers, advance=counts.append)
    assert sum(counts) == 360
    assert report == verify(folder)
    cut_short(folder)
    with Workers(2) as workers:
        assert verify(folder, workers=workers) == verify(folder)


def test_a_root_folder_names_all_datasets_below_it(tmp_path: Path, small_realization: Arrays) -> None:
    outputs = [save_below(tmp_path, form, small_realization, seed=seed) for seed in (0, 1) for form in NAMES]
    (tmp_path / "MNIST_scale" / "notes.txt").write_bytes(b"")
    for root in (tmp_path, tmp_path / "MNIST_scale"):
        assert outputs_below(root) == sorted(outputs)
    assert outputs_below(tmp_path / "MNIST_scale" / "seed_1") == sorted(outputs[3:])
    for output in outputs:
        assert outputs_below(output) == [output]
        assert outputs_below(manifest_path(output)) == [output]
        assert verify(output).ok


def test_unfinished_outputs_are_passed_over(tmp_path: Path, small_realization: Arrays) -> None:
    output = save_below(tmp_path, "png", small_realization)
    shutil.copytree(output, output.with_name(f".{output.name}.partial"))
    assert outputs_below(tmp_path) == [output]


def test_a_missing_file_is_still_found_by_its_manifest(tmp_path: Path, small_realization: Arrays) -> None:
    output = save_below(tmp_path, "h5", small_realization)
    output.unlink()
    assert outputs_below(tmp_path) == [output]
    assert [finding.kind for finding in verify(output).findings] == ["missing"]


def test_a_tree_without_manifest_names_itself(tmp_path: Path, small_realization: Arrays) -> None:
    folder = save_below(tmp_path, "png", small_realization)
    manifest_path(folder).unlink()
    for root in (folder, tmp_path, tmp_path / "MNIST_scale"):
        assert outputs_below(root) == [folder]


def test_a_folder_without_datasets_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no dataset with a manifest") as error:
        outputs_below(tmp_path)
    assert error.value.where == tmp_path
    assert "--as mnist-scale" in error.value.hint
