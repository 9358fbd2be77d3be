"""``stirdata convert``: the bytes are those of generating, and bad input changes nothing."""

import json
import shutil
from itertools import permutations
from pathlib import Path

import pytest

FORMS = ("h5", "npz", "png")
NAMES = {"h5": "scale_0.3_1.0.h5", "npz": "scale_0.3_1.0.npz", "png": "scale_0.3_1.0"}


@pytest.fixture
def made(stirdata, fake_mnist, small_recipe, tmp_path):
    """Return a function that makes seed 7 in a format and returns its path."""

    def make(form):
        source = ("--source-dir", fake_mnist.folder, "--out", tmp_path / f"from {form}", "--workers", 1)
        ran = stirdata("generate", "mnist-scale", "--seed", 7, "--format", form, *source)
        assert ran.code == 0, ran.err
        return Path(ran.lines[-1])

    return make


@pytest.fixture
def convert(stirdata):
    return lambda *arguments: stirdata("convert", "--workers", 1, *arguments)


@pytest.mark.parametrize(("source", "target"), list(permutations(FORMS, 2)))
def test_bytes_are_those_of_generating(made, convert, tmp_path, content_of, source, target):
    expected = made(target)
    converted = tmp_path / "converted" / NAMES[target]
    ran = convert(made(source), converted)
    assert (ran.code, ran.lines) == (0, [str(converted)])
    assert ran.err.startswith("made, root digest ")
    assert content_of(converted.parent) == content_of(expected.parent)


def test_second_time_it_is_already_there(made, convert, tmp_path, content_of):
    source, target = made("h5"), tmp_path / "new" / "data.npz"
    assert convert(source, target).code == 0
    before = content_of(tmp_path)
    ran = convert(source, target)
    assert (ran.code, ran.lines) == (0, [str(target)])
    assert ran.err.startswith("already there, verified, root digest ")
    assert content_of(tmp_path) == before


def test_json_and_quiet(made, convert, tmp_path):
    source, target = made("h5"), tmp_path / "new" / "data.npz"
    ran = convert(source, target, "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    result = json.loads(ran.out)
    assert (result["path"], result["already_there"]) == (str(target), False)
    assert len(result["root"]) == 64


def refused(ran, message):
    """Expect exit code 2 and a message, and nothing else."""
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_same_source_and_target(made, convert, tmp_path, content_of):
    source = made("h5")
    before = content_of(tmp_path)
    refused(convert(source, source), "source and target are the same")
    refused(convert(source, source.parent / "." / source.name, "--force"), "source and target are the same")
    assert content_of(tmp_path) == before


def test_no_such_source(convert, tmp_path, content_of):
    refused(convert(tmp_path / "absent.h5", tmp_path / "new" / "a.npz"), "there is no such file or folder")
    assert content_of(tmp_path) == {}


def test_unknown_kind_of_file(convert, tmp_path, content_of):
    (tmp_path / "a.txt").write_bytes(b"text")
    refused(convert(tmp_path / "a.txt", tmp_path / "new" / "a.npz"), "unknown kind of file")
    assert content_of(tmp_path) == {"a.txt": b"text"}


@pytest.mark.parametrize("form", FORMS)
def test_source_without_manifest(made, convert, tmp_path, content_of, form):
    source = made(form)
    manifest = source / "manifest.json" if form == "png" else Path(f"{source}.manifest.json")
    manifest.unlink()
    before = content_of(tmp_path)
    ran = convert(source, tmp_path / "new" / "a.npz")
    refused(ran, "the source has no manifest, so its seed and parameters are unknown")
    assert f"  expected: {manifest}" in ran.err
    assert "stirdata verify --as mnist-scale" in ran.err
    assert content_of(tmp_path) == before


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("form", "damage", "message"),
    [
        ("h5", lambda data: data[:-100], "the file is not a complete HDF5 file"),
        ("npz", lambda data: data[:-100], "the file is not a complete npz archive"),
        ("h5", lambda data: flip(data, len(data) // 2), "differs from the manifest"),
    ],
)
def test_damaged_source(made, convert, tmp_path, content_of, form, damage, message):
    source = made(form)
    source.write_bytes(damage(source.read_bytes()))
    before = content_of(tmp_path)
    ran = convert(source, tmp_path / "new" / "a.png tree")
    refused(ran, message)
    assert f"  where:    {source}" in ran.err
    assert content_of(tmp_path) == before


def test_tree_without_scales(made, convert, tmp_path, content_of):
    source = made("png")
    (source / "scales.csv").unlink()
    before = content_of(tmp_path)
    ran = convert(source, tmp_path / "new" / "a.h5")
    refused(ran, "the PNG tree does not say its scale factors and source indices")
    assert content_of(tmp_path) == before


def test_target_that_is_something_else(made, convert, tmp_path, content_of):
    source, target = made("h5"), tmp_path / "a.npz"
    target.write_bytes(b"somebody's work")
    before = content_of(tmp_path)
    refused(convert(source, target), "the output exists and is not what was asked for")
    assert content_of(tmp_path) == before
    assert convert(source, target, "--force").code == 0
    assert "already there" in convert(source, target).err


def test_target_below_a_file(made, convert, tmp_path, content_of):
    source = made("h5")
    (tmp_path / "file").write_bytes(b"a file")
    before = content_of(tmp_path)
    refused(convert(source, tmp_path / "file" / "a.npz"), "the output cannot be written")
    assert content_of(tmp_path) == before


def test_format_under_the_name_of_another(made, convert, tmp_path):
    source = made("npz")
    wrong = tmp_path / "wrong.h5"
    shutil.copy(source, wrong)
    shutil.copy(f"{source}.manifest.json", f"{wrong}.manifest.json")
    refused(convert(wrong, tmp_path / "new" / "a.npz"), "the file is not what its name says")
