"""``stirdata verify``: its answers and exit codes, for outputs that are right, wrong and none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stirdata.manifest import load, pinned

FORMS = ("h5", "npz", "png")
SUFFIXES = {"h5": ".h5", "npz": ".npz", "png": ""}


@pytest.fixture
def made(stirdata, fake_mnist, small_recipe, tmp_path):
    """Return a function that makes seed 7 in a format and returns its path."""

    def make(form, *options):
        source = ("--source-dir", fake_mnist.folder, "--out", tmp_path / "out", "--workers", 1)
        ran = stirdata("generate", "mnist-scale", "--seed", 7, "--format", form, *source, *options)
        assert ran.code == 0, ran.err
        return Path(ran.lines[-1])

    return make


@pytest.fixture
def verify(stirdata):
    return lambda *arguments: stirdata("verify", "--workers", 1, *arguments)


def manifest_of(path):
    return path / "manifest.json" if path.is_dir() else path.with_name(path.name + ".manifest.json")


@pytest.mark.parametrize("form", FORMS)
def test_right_output(made, verify, form, tmp_path, content_of):
    path = made(form)
    before = content_of(tmp_path)
    ran = verify(path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [f"ok: {path}", f"  root digest {load(manifest_of(path)).root}"]
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
def test_manifest_names_its_output(made, verify, form):
    path = made(form)
    assert verify(manifest_of(path)).lines[0] == f"ok: {path}"


def test_folder_names_all_outputs_below_it(made, verify, tmp_path):
    paths = sorted(made(form) for form in FORMS)
    ran = verify(tmp_path / "out")
    assert ran.code == 0
    assert [line for line in ran.lines if line.startswith("ok")] == [f"ok: {path}" for path in paths]


def test_json_is_for_machines(made, verify, tmp_path):
    good, bad = made("h5"), made("npz")
    bad.write_bytes(b"damaged")
    ran = verify("--json", good, bad, tmp_path / "absent")
    result = json.loads(ran.out)
    assert ran.code == 2
    assert [(report["path"], report["ok"]) for report in result["reports"]] == [
        (str(good), True),
        (str(bad), False),
    ]
    assert {finding["kind"] for finding in result["reports"][1]["findings"]} == {"differs", "unreadable"}
    assert [failure["path"] for failure in result["errors"]] == [str(tmp_path / "absent")]


@pytest.mark.parametrize("form", FORMS)
def test_one_flipped_bit(made, verify, form):
    path = made(form)
    changed = min(path.rglob("*.png")) if form == "png" else path
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    ran = verify(path)
    assert ran.code == 1
    assert ran.lines[0] == f"FAILED: {path}"
    name = changed.relative_to(path).as_posix() if form == "png" else path.name
    (line,) = [line for line in ran.lines if line.startswith(f"  differs: {name}, ")]
    assert f"expected {len(content)} bytes with sha256 " in line
    assert f"found {len(content)} bytes with sha256 " in line


def test_changed_array_is_named(made, verify, small_realization):
    path = made("h5")
    content = bytearray(path.read_bytes())
    content[content.index(small_realization["val/scales"].tobytes())] ^= 1
    path.write_bytes(content)
    ran = verify(path)
    assert ran.code == 1
    (line,) = [line for line in ran.lines if line.startswith("  differs: array ")]
    assert line.startswith("  differs: array val/scales, expected sha256 ")
    assert ", found sha256 " in line


def test_missing_and_extra_files_of_a_tree(made, verify):
    path = made("png")
    missing, kept = sorted(path.rglob("*.png"))[:2]
    missing.unlink()
    (path / "notes.txt").write_bytes(b"mine")
    ran = verify(path)
    assert ran.code == 1
    assert any(line.startswith(f"  missing: {missing.relative_to(path).as_posix()}") for line in ran.lines)
    assert any(line.startswith("  extra: notes.txt, found 4 bytes") for line in ran.lines)
    assert not any(kept.name in line for line in ran.lines)


@pytest.mark.parametrize("form", ["h5", "npz"])
def test_missing_file(made, verify, form):
    path = made(form)
    path.unlink()
    ran = verify(path)
    assert ran.code == 1
    assert any(line.startswith(f"  missing: {path.name}, expected ") for line in ran.lines)


@pytest.mark.parametrize("form", ["h5", "npz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_file_cut_short(made, verify, form, share):
    path = made(form)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    ran = verify(path)
    assert (ran.code, ran.err) == (1, "")
    kind = {"h5": "HDF5 file", "npz": "npz archive of plain arrays"}[form]
    assert any(f"unreadable: {path}" in line and f"not a complete {kind}" in line for line in ran.lines)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_objects_are_never_unpickled(made, verify, tmp_path):
    path = made("npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"val_labels": np.array([Payload(tmp_path / "proof")], object)})
    ran = verify(path)
    assert ran.code == 1
    assert any("unreadable" in line and "never unpickled" in line for line in ran.lines)
    assert not (tmp_path / "proof").exists()


def test_nothing_there(verify, tmp_path):
    ran = verify(tmp_path / "absent.h5")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        f"stirdata: there is no such file or folder\n  where:    {tmp_path / 'absent.h5'}\n"
    )
    assert "next:" in ran.err


def test_output_without_manifest(made, verify):
    path = made("h5")
    manifest_of(path).unlink()
    ran = verify(path)
    assert (ran.code, ran.out) == (2, "")
    assert "the dataset has no manifest" in ran.err
    assert f"  expected: {manifest_of(path)}" in ran.err
    assert "use --as mnist-scale" in ran.err


def test_folder_without_outputs(verify, tmp_path):
    ran = verify(tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "there is no dataset with a manifest in this folder" in ran.err


MANIFESTS = {
    "not json": "the manifest is not valid JSON",
    '{"schema": "stirdata/manifest/9"}': "the manifest has an unknown schema",
    '{"schema": "stirdata/manifest/1"}': "the manifest lacks fields",
}


@pytest.mark.parametrize(("text", "message"), MANIFESTS.items())
def test_manifest_that_is_none(made, verify, tmp_path, content_of, text, message):
    path = made("h5")
    manifest_of(path).write_text(text)
    before = content_of(tmp_path)
    ran = verify(path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"stirdata: {message}\n  where:    {manifest_of(path)}\n")
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "C:\\\\secret", "..\\\\secret"])
def test_manifest_with_a_dangerous_path(made, verify, name):
    path = made("h5")
    text = manifest_of(path).read_text()
    manifest_of(path).write_text(text.replace('"path": "scale_0.3_1.0.h5"', f'"path": "{name}"'))
    assert name in manifest_of(path).read_text()
    ran = verify(path)
    assert (ran.code, ran.out) == (2, "")
    assert "a path leads out of the folder" in ran.err
    assert "do not trust this manifest" in ran.err


def test_manifest_changed_by_hand(made, verify):
    path = made("h5")
    text = manifest_of(path).read_text()
    manifest_of(path).write_text(text.replace('"seed": 7', '"seed": 8'))
    ran = verify(path)
    assert (ran.code, ran.out) == (2, "")
    assert "its root digest does not fit its content" in ran.err


def test_file_that_may_not_be_read(made, verify, monkeypatch):
    path, opened = made("h5"), Path.open

    def refused(self, *arguments, **options):
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    ran = verify(path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"stirdata: Permission denied\n  where:    {path}\n"


def test_others_are_verified_though_one_fails(made, verify, tmp_path):
    path = made("h5")
    ran = verify(tmp_path / "absent", path)
    assert ran.code == 2
    assert ran.lines[0] == f"ok: {path}"
    assert "there is no such file or folder" in ran.err


@pytest.fixture
def published(made, monkeypatch):
    """Let the small realization be the published one of seed 3; return its tree."""
    path = made("png")
    manifest = load(path / "manifest.json")
    arrays = {name: entry.sha256 for name, entry in manifest.arrays.items()}
    facts = {"md5_of_png_files": manifest.checksums["md5_of_png_files"], "arrays": arrays}
    monkeypatch.setitem(pinned("mnist-scale")["realizations"], "3", facts)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_published_realization_is_told(published, made, verify, form):
    ran = verify(made(form))
    assert ran.code == 0
    text = "this is the published mnist-scale realization of seed 3"
    assert any(line.startswith(f"  {text}") for line in ran.lines)


def test_tree_of_the_original_script_needs_no_manifest(published, verify):
    for name in ("manifest.json", "SHA256SUMS", "scales.csv"):
        (published / name).unlink()
    assert verify(published).code == 2
    ran = verify(published, "--as", "mnist-scale")
    assert ran.code == 0
    assert "the PNG files have the published MD5" in ran.out


def test_other_data_are_not_the_published_ones(made, verify):
    path = made("h5")
    ran = verify(path, "--as", "mnist-scale")
    assert ran.code == 1
    assert any("expected one of the six published realizations" in line for line in ran.lines)


def test_rests_of_a_killed_process_are_no_outputs(made, verify, tmp_path):
    path = made("png")
    shutil.copytree(path, path.with_name(f".{path.name}.partial"))
    ran = verify(tmp_path / "out")
    assert ran.code == 0
    assert [line for line in ran.lines if not line.startswith(" ")] == [f"ok: {path}"]
