"""A converted dataset has the bytes that writing it directly gives, and nothing wrong is converted."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import NAMES, change_one_pixel, save, save_below
from numpy.typing import NDArray

from stirdata.digest import sha256_of_array
from stirdata.errors import (
    FormatError,
    ManifestError,
    MissingFileError,
    ParameterError,
    TargetError,
    TargetExistsError,
)
from stirdata.families.mnist_scale import LAYOUT
from stirdata.manifest import describe_array, load, manifest_path, pinned
from stirdata.operations.convert import convert
from stirdata.operations.verify import verify
from stirdata.storage import hdf5, npz
from stirdata.storage.forms import form_of
from stirdata.storage.stored import open_stored


def load_all(path: Path) -> dict[str, NDArray[Any]]:
    tree = LAYOUT.tree if path.is_dir() else None
    return open_stored(path, LAYOUT.names, tree).read(list(LAYOUT.names))


Arrays = dict[str, NDArray[Any]]
Listing = Callable[[Path], dict[str, "bytes | None"]]

from_every_format = pytest.mark.parametrize("source_form", list(NAMES))
to_every_format = pytest.mark.parametrize("form", list(NAMES))


@from_every_format
@to_every_format
def test_conversion_gives_the_bytes_of_writing_directly(
    source_form: str, form: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path / "source", source_form, small_realization)
    before = content_of(tmp_path / "source")
    manifest = save(tmp_path / "direct" / NAMES[form], small_realization)
    target = tmp_path / "converted" / NAMES[form]
    outcome = convert(source, target)
    assert content_of(tmp_path / "converted") == content_of(tmp_path / "direct")
    assert content_of(tmp_path / "source") == before
    assert (outcome.path, outcome.seed, outcome.root) == (target, 7, manifest.root)
    assert not outcome.already_there
    assert outcome.identity is None
    assert verify(target).ok


@pytest.mark.parametrize(("source_form", "form"), [("h5", "png"), ("png", "npz")])
def test_workers_never_show(
    source_form: str, form: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path / "source", source_form, small_realization)
    for workers in (1, 2):
        convert(source, tmp_path / str(workers) / NAMES[form], workers=workers)
    assert content_of(tmp_path / "2") == content_of(tmp_path / "1")


def test_there_and_back_again_gives_the_same_file(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    before = source.read_bytes(), manifest_path(source).read_bytes()
    convert(source, source.with_name(NAMES["png"]))
    for path in (source, manifest_path(source)):
        path.unlink()
    convert(source.with_name(NAMES["png"]), source)
    assert (source.read_bytes(), manifest_path(source).read_bytes()) == before


def test_outputs_in_one_folder_share_their_checksums(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    convert(source, source.with_name(NAMES["npz"]))
    lines = (source.parent / "SHA256SUMS").read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == [NAMES["h5"], NAMES["npz"]]


def test_a_published_realization_is_recognised(
    tmp_path: Path, small_realization: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {name: sha256_of_array(array) for name, array in small_realization.items()}
    facts = {"7": {"md5_of_png_files": "0" * 32, "arrays": arrays}}
    monkeypatch.setitem(pinned("mnist-scale"), "realizations", facts)
    outcome = convert(save_below(tmp_path, "h5", small_realization), tmp_path / "mine.npz")
    assert outcome.identity is not None
    assert outcome.identity.seed == 7


def test_images_read_and_written_are_counted(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "png", small_realization)
    counts: list[int] = []
    convert(source, tmp_path / "tree", advance=counts.append)
    assert sum(counts) == 2 * 360
    counts.clear()
    convert(source, tmp_path / "mine.npz", advance=counts.append)
    assert sum(counts) == 360


def change_h5(source: Path, arrays: Arrays) -> None:
    arrays["val/images"][0, 14, 14] ^= 1
    hdf5.write(source, arrays, hdf5.read_attributes(source))


def change_npz(source: Path, arrays: Arrays) -> None:
    arrays["test/scales"][3] = 0.5
    members = {name.replace("/", "_"): array for name, array in arrays.items()}
    npz.write(source, {**members, "metadata": npz.read(source, ["metadata"])["metadata"]})


def change_pixel(source: Path, arrays: Arrays) -> None:
    change_one_pixel(next((source / "train").glob("*/*.png")))


def change_scale(source: Path, arrays: Arrays) -> None:
    scale = repr(float(arrays["test/scales"][0])).encode()
    content = (source / "scales.csv").read_bytes()
    assert scale in content
    (source / "scales.csv").write_bytes(content.replace(scale, b"0.5"))


@pytest.mark.parametrize(
    ("source_form", "change", "name"),
    [
        ("h5", change_h5, "val/images"),
        ("npz", change_npz, "test/scales"),
        ("png", change_pixel, "train/images"),
        ("png", change_scale, "test/scales"),
    ],
)
def test_a_source_that_differs_from_its_manifest_is_refused(
    source_form: str,
    change: Callable[[Path, Arrays], None],
    name: str,
    tmp_path: Path,
    small_realization: Arrays,
    content_of: Listing,
) -> None:
    source = save_below(tmp_path, source_form, small_realization)
    change(source, small_realization)
    before = content_of(tmp_path)
    for form in ("h5", "npz", "png"):
        with pytest.raises(FormatError, match=f"the array {name} differs from the manifest") as error:
            convert(source, tmp_path / "new" / NAMES[form])
        assert error.value.where == source
        assert "stirdata verify" in error.value.hint
    assert content_of(tmp_path) == before


def cut(source: Path) -> None:
    source.write_bytes(source.read_bytes()[:-100])


def lose_scales(source: Path) -> None:
    (source / "scales.csv").unlink()


def lose_image(source: Path) -> None:
    next((source / "train").glob("*/*.png")).unlink()


@pytest.mark.parametrize(
    ("source_form", "damage"), [("h5", cut), ("npz", cut), ("png", lose_scales), ("png", lose_image)]
)
def test_a_damaged_source_is_refused(
    source_form: str,
    damage: Callable[[Path], None],
    tmp_path: Path,
    small_realization: Arrays,
    content_of: Listing,
) -> None:
    source = save_below(tmp_path, source_form, small_realization)
    damage(source)
    before = content_of(tmp_path)
    with pytest.raises(FormatError) as error:
        convert(source, tmp_path / "new" / "mine.npz")
    assert error.value.where == source
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("layout", ["flat images", "scales of another type"])
def test_the_right_bytes_in_another_layout_are_refused(
    layout: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    if layout == "flat images":
        small_realization["val/images"] = small_realization["val/images"].reshape(-1, 784)
    else:
        small_realization["val/scales"] = small_realization["val/scales"].view(np.int64)
    hdf5.write(source, small_realization, hdf5.read_attributes(source))
    before = content_of(tmp_path)
    with pytest.raises(FormatError, match="is not of MNIST-scale"):
        convert(source, tmp_path / "new" / "mine.npz")
    assert content_of(tmp_path) == before


@from_every_format
def test_a_source_without_manifest_is_refused(
    source_form: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path, source_form, small_realization)
    manifest_path(source).unlink()
    before = content_of(tmp_path)
    with pytest.raises(MissingFileError, match="has no manifest") as error:
        convert(source, tmp_path / "new" / "mine.npz")
    assert (error.value.where, error.value.expected) == (source, manifest_path(source))
    assert "--as mnist-scale" in error.value.hint
    assert content_of(tmp_path) == before


def test_a_manifest_of_something_else_is_refused(tmp_path: Path, small_realization: Arrays) -> None:
    """A manifest may be valid and yet say nothing of the arrays that are converted."""
    source = save_below(tmp_path, "h5", small_realization)
    path = manifest_path(source)
    arrays = {"else": describe_array(small_realization["val/images"])}
    path.write_text(dataclasses.replace(load(path), arrays=arrays).dumps())
    with pytest.raises(FormatError, match="the array train/images differs from the manifest"):
        convert(source, tmp_path / "mine.npz")


def test_a_changed_manifest_is_refused(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    text = manifest_path(source).read_text()
    manifest_path(source).write_text(text.replace('"seed": 7', '"seed": 6'))
    with pytest.raises(ManifestError, match="was changed"):
        convert(source, tmp_path / "mine.npz")


@pytest.mark.parametrize("name", ["absent.h5", "absent.npz", "absent"])
def test_a_source_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file or folder") as error:
        convert(tmp_path / name, tmp_path / "new" / "mine.npz")
    assert error.value.where == tmp_path / name
    assert list(tmp_path.iterdir()) == []


def test_a_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"text")
    with pytest.raises(FormatError, match="unknown kind of file"):
        convert(tmp_path / "mine.txt", tmp_path / "mine.npz")


@from_every_format
def test_source_and_target_must_differ_however_they_are_written(
    source_form: str,
    tmp_path: Path,
    small_realization: Arrays,
    content_of: Listing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = save_below(tmp_path, source_form, small_realization)
    before = content_of(tmp_path)
    monkeypatch.chdir(source.parent)
    for target in (source, Path(source.name), source.parent / os.curdir / ".." / "seed_7" / source.name):
        for force in (False, True):
            with pytest.raises(ParameterError, match="source and target are the same") as error:
                convert(source, target, force=force)
            assert error.value.where == source
    assert content_of(tmp_path) == before


@to_every_format
def test_an_existing_target_that_is_right_is_left_alone(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    source = save_below(tmp_path, "npz" if form == "h5" else "h5", small_realization)
    target = tmp_path / "new" / NAMES[form]
    made = convert(source, target)
    files = [target, *target.rglob("*")]
    times = [path.stat().st_mtime_ns for path in files]
    for force in (False, True):
        again = convert(source, target, force=force)
        assert again.already_there
        assert (again.path, again.root) == (made.path, made.root)
    assert [path.stat().st_mtime_ns for path in files] == times


@to_every_format
def test_an_existing_target_that_is_another_one_needs_force(
    form: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path / "source", "npz" if form == "h5" else "h5", small_realization)
    target = tmp_path / "new" / NAMES[form]
    save(target, small_realization, seed=8)
    before = content_of(tmp_path)
    with pytest.raises(TargetExistsError, match="not what was asked for") as error:
        convert(source, target)
    assert error.value.where == target
    assert "its seed is 8, not 7" in str(error.value.got)
    assert "--force" in error.value.hint
    assert content_of(tmp_path) == before
    assert not convert(source, target, force=True).already_there
    save(tmp_path / "direct" / NAMES[form], small_realization)
    assert content_of(tmp_path / "new") == content_of(tmp_path / "direct")


@pytest.mark.parametrize("form", ["h5", "png"])
def test_a_damaged_target_needs_force(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "npz", small_realization)
    target = tmp_path / "new" / NAMES[form]
    convert(source, target)
    victim = target / "scales.csv" if form == "png" else target
    victim.write_bytes(victim.read_bytes() + b"\n")
    with pytest.raises(TargetExistsError) as error:
        convert(source, target)
    assert "it does not verify: differs" in str(error.value.got)
    convert(source, target, force=True)
    assert verify(target).ok


def test_a_file_that_is_no_dataset_is_not_overwritten(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    (tmp_path / "mine.npz").write_bytes(b"precious")
    with pytest.raises(TargetExistsError) as error:
        convert(source, tmp_path / "mine.npz")
    assert error.value.got == "it has no manifest"
    assert (tmp_path / "mine.npz").read_bytes() == b"precious"


def test_a_target_below_a_file_cannot_be_written(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TargetError):
        convert(source, tmp_path / "file" / "mine.npz")


def test_converted_arrays_are_the_original_ones(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    for form, name in NAMES.items():
        target = tmp_path / "new" / name
        convert(source, target)
        loaded = load_all(target)
        assert sorted(loaded) == sorted(small_realization), form
        for array_name, array in small_realization.items():
            assert loaded[array_name].dtype == array.dtype
            np.testing.assert_array_equal(loaded[array_name], array)


def test_source_and_target_must_not_lie_in_one_another(
    tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    tree = save_below(tmp_path, "png", small_realization)
    before = content_of(tmp_path)
    for target in (tree / "mine.h5", tree / "as_tree", tree.parent, tmp_path):
        for force in (False, True):
            with pytest.raises(ParameterError, match="lies in the other") as error:
                convert(tree, target, force=force)
            assert error.value.got == target
    assert content_of(tmp_path) == before


@to_every_format
def test_a_folder_of_other_things_is_never_replaced(
    form: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path / "source", "npz" if form == "h5" else "h5", small_realization)
    target = tmp_path / NAMES[form]
    target.mkdir()
    (target / "thesis.tex").write_bytes(b"years of work")
    before = content_of(tmp_path)
    with pytest.raises(TargetExistsError, match="holds something else than a dataset"):
        convert(source, target, force=True)
    assert content_of(tmp_path) == before


def test_an_empty_folder_is_replaced_by_force(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    (tmp_path / "tree").mkdir()
    convert(source, tmp_path / "tree", force=True)
    assert verify(tmp_path / "tree").ok


@pytest.mark.parametrize("name", ["a.png", "a.NPZ", "a.hdf5", "a.npy", "a.npz.manifest.json"])
def test_names_of_other_formats_are_refused(
    name: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    source = save_below(tmp_path, "h5", small_realization)
    before = content_of(tmp_path)
    with pytest.raises(ParameterError, match="no format has names that end so"):
        convert(source, tmp_path / name)
    assert content_of(tmp_path) == before


def test_the_source_may_be_named_by_its_manifest_or_its_folder(
    tmp_path: Path, small_realization: Arrays
) -> None:
    source = save_below(tmp_path / "source", "h5", small_realization)
    for number, named in enumerate([source, manifest_path(source), tmp_path / "source"]):
        target = tmp_path / str(number) / "a.npz"
        convert(named, target)
        assert target.read_bytes() == (tmp_path / "0" / "a.npz").read_bytes()


def test_a_file_is_told_by_its_content(tmp_path: Path, small_realization: Arrays) -> None:
    source = save_below(tmp_path, "npz", small_realization)
    renamed = tmp_path / "download"
    source.rename(renamed)
    assert form_of(renamed) == "npz"
    loaded = load_all(renamed)
    np.testing.assert_array_equal(loaded["val/images"], small_realization["val/images"])


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("left", ["whole", "half", "nothing"])
def test_a_replacement_that_was_killed_before_its_last_step_is_finished(
    old: bool, left: str, tmp_path: Path, small_realization: Arrays, content_of: Listing
) -> None:
    """The manifest has its name already, the data not yet."""
    source = save_below(tmp_path / "source", "npz", small_realization)
    convert(source, tmp_path / "new" / "a.h5")
    new = content_of(tmp_path / "new")
    target = tmp_path / "out" / "a.h5"
    save(target, small_realization, seed=8)
    whole = (tmp_path / "new" / "a.h5").read_bytes()
    rest = {"whole": whole, "half": whole[:-1], "nothing": None}[left]
    for name in ("a.h5.manifest.json", "SHA256SUMS"):
        (tmp_path / "out" / name).write_bytes((tmp_path / "new" / name).read_bytes())
    (tmp_path / "out" / ".SHA256SUMS.lock").write_bytes(b"")
    if not old:
        target.unlink()
    if rest is not None:
        (tmp_path / "out" / ".a.h5.partial").write_bytes(rest)
    if old and left != "whole":
        with pytest.raises(TargetExistsError, match="not what was asked for"):
            convert(source, target)
    else:
        assert convert(source, target).already_there == (left == "whole")
        assert content_of(tmp_path / "out") == new
