"""Exports: what stands is left, losses are told, what does not verify is refused; whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import EXPORTS, save, small_dataset

from stirdata import atomic
from stirdata.errors import (
    FormatError,
    MissingFileError,
    MissingLibraryError,
    ParameterError,
    TargetError,
    TargetExistsError,
)
from stirdata.executors import Workers
from stirdata.families import families
from stirdata.families.recognition import load, recognize
from stirdata.manifest import load as load_manifest
from stirdata.operations.convert import convert
from stirdata.operations.export import export
from stirdata.operations.verify import verify
from stirdata.sharing import targets
from stirdata.sharing.image_folder import folder_names


@pytest.fixture
def source(tmp_path):
    return small_dataset(tmp_path)


def test_what_stands_is_verified_and_left(source, tmp_path):
    first = export(source, tmp_path / "out", "webdataset")
    before = (tmp_path / "out" / "train-000000.tar").stat().st_mtime_ns
    again = export(source, tmp_path / "out", "webdataset")
    assert (first.already_there, again.already_there) == (False, True)
    assert again.root == first.root
    assert (tmp_path / "out" / "train-000000.tar").stat().st_mtime_ns == before
    with pytest.raises(TargetExistsError, match="shard_size"):
        export(source, tmp_path / "out", "webdataset", shard_size=9)
    assert export(source, tmp_path / "out", "webdataset", shard_size=9, force=True).root != first.root
    assert len(list((tmp_path / "out").glob("train-*"))) == 5


def test_what_stands_and_is_damaged_is_told(source, tmp_path):
    export(source, tmp_path / "out", "numpy")
    path = tmp_path / "out" / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    report = verify(tmp_path / "out")
    assert [finding.name for finding in report.findings] == ["train_images.npy"]
    with pytest.raises(TargetExistsError, match="does not verify"):
        export(source, tmp_path / "out", "numpy")


def test_folders_of_others_are_never_replaced(source, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    convert(source, tmp_path / "other.npz")
    kept = (tmp_path / "other.npz").read_bytes()
    for force in (False, True):
        for name in ("thesis", "other.npz"):
            with pytest.raises(TargetExistsError, match="is no export"):
                export(source, tmp_path / name, "numpy", force=force)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "mine"
    assert (tmp_path / "other.npz").read_bytes() == kept


@pytest.mark.parametrize("form", ["numpy", "imagefolder", "torch"])
def test_an_export_is_no_other_dataset_of_its_folder(source, tmp_path, form):
    export(source, tmp_path / "out", form)
    assert load(tmp_path).path == source
    assert recognize(tmp_path).path == source


def test_a_manifest_that_only_says_export_is_no_fault(source, tmp_path):
    out = export(source, tmp_path / "out", "numpy").path
    path = out / "manifest.json"
    manifest = replace(load_manifest(path), sources=[])
    path.write_bytes(manifest.dumps().encode())
    assert verify(out).ok
    beside = tmp_path / "data.h5.manifest.json"
    beside.write_bytes(manifest.dumps().encode())
    assert not verify(source).ok


def test_an_empty_folder_is_filled(source, tmp_path):
    (tmp_path / "out").mkdir()
    assert export(source, tmp_path / "out", "numpy", force=True).path.is_dir()


def test_source_and_target_lie_apart(source, tmp_path):
    tree = tmp_path / "tree"
    convert(source, tree)
    with pytest.raises(ParameterError, match="lies in the other"):
        export(tree, tree / "out", "numpy")
    with pytest.raises(ParameterError, match="the same"):
        export(tree, tree, "numpy")


def test_what_does_not_verify_is_refused_unless_asked(source, tmp_path):
    manifest = tmp_path / "data.h5.manifest.json"
    kept = manifest.read_bytes()
    manifest.unlink()
    with pytest.raises(MissingFileError, match="--unverified"):
        export(source, tmp_path / "out", "numpy")
    assert not (tmp_path / "out").exists()
    export(source, tmp_path / "out", "numpy", unverified=True)
    assert np.load(tmp_path / "out" / "train_labels.npy").shape == (40,)
    manifest.write_bytes(kept)
    with source.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    with pytest.raises(FormatError, match="does not verify"):
        export(source, tmp_path / "other", "numpy")


def test_room_is_told_before_anything_is_written(source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for form in ("numpy", "webdataset", "imagefolder"):
        with pytest.raises(TargetError, match=r"(?s)not enough room.*\(1000 bytes\) free"):
            export(source, tmp_path / "out", form)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", EXPORTS)
def test_room_asked_for_is_about_what_is_needed(source, tmp_path, form, monkeypatch):
    if form in ("parquet", "huggingface"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    asked = []
    monkeypatch.setattr(atomic, "check_room", lambda target, needed, hint: asked.append(needed))
    out = export(source, tmp_path / "out", form).path
    beside = {"README.md", "dataset.json", "manifest.json", "SHA256SUMS", "dataset_info.json", "metadata.csv"}
    beside |= {"state.json", "dataset_dict.json"}
    block = 4096 if form == "imagefolder" else 1
    written = sum(
        -(-path.stat().st_size // block) * block
        for path in out.rglob("*")
        if path.is_file() and path.name not in beside
    )
    headers = 9 * 4096  # of files, which the estimate leaves out
    assert written - headers <= asked[0] <= 2.2 * written + headers


def test_missing_package_is_named(source, tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"pyarrow.*\n.*\n.*stirdata\[export\]"):
        export(source, tmp_path / "out", "parquet")


def test_wrong_arguments(source, tmp_path):
    with pytest.raises(ParameterError, match="unknown form"):
        export(source, tmp_path / "out", "tfrecord")
    with pytest.raises(ParameterError, match="shard_size"):
        export(source, tmp_path / "out", "webdataset", shard_size=0)
    with pytest.raises(MissingFileError):
        export(tmp_path / "nothing.h5", tmp_path / "out", "numpy")


def test_classes_without_an_image_are_told(tmp_path):
    with Workers(1) as workers:
        arrays = dict(families()["mnist-scale"].specimen().make(workers, lambda count: None).arrays)
    arrays["val/labels"] = np.where(arrays["val/labels"] == 3, 4, arrays["val/labels"])
    save(tmp_path / "data.h5", arrays)
    with pytest.raises(FormatError, match="val has no image of 3"):
        export(tmp_path / "data.h5", tmp_path / "out", "imagefolder")
    outcome = export(tmp_path / "data.h5", tmp_path / "out", "imagefolder", lossy=True)
    assert "val has no image of 3" in outcome.notes[0]
    assert "val has no image of 3" in (outcome.path / "README.md").read_text()


@pytest.mark.parametrize(
    ("classes", "folders"),
    [
        (["0", "1"], ["0", "1"]),
        ([str(number) for number in range(11)], [f"{number:02}_{number}" for number in range(11)]),
        (["a", "A"], ["0_a", "1_A"]),
        (["..", "x"], ["0", "1_x"]),
        (["", "a/b"], ["0", "1_a-b"]),
        (["con.", "e"], ["0_con", "1_e"]),
    ],
)
def test_folders_are_in_the_order_of_the_labels(classes, folders):
    assert folder_names(classes) == folders == sorted(folders)
    assert len({name.casefold() for name in folders}) == len(folders)


def test_killed_it_leaves_nothing(source, tmp_path):
    script = (
        "import os, signal\n"
        "from stirdata.operations.export import export\n"
        f"export({str(source)!r}, {str(tmp_path / 'out')!r}, 'webdataset', shard_size=1,\n"
        "       advance=lambda count: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert export(source, tmp_path / "out", "webdataset").path.is_dir()
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_by_command(stirdata, source, tmp_path):
    ran = stirdata("export", source, tmp_path / "out", "--to", "torch", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["path"] == str(tmp_path / "out")
    assert "root digest" in ran.err
    ran = stirdata("verify", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "made of mnist-scale" in ran.out + ran.err
    assert stirdata("export", source, tmp_path / "out", "--to", "numpy").code == 2
    assert stirdata("export", source, tmp_path / "out", "--to", "tfrecord").code == 2
    assert stirdata("export", tmp_path / "none", tmp_path / "new", "--to", "numpy").code == 2
    (tmp_path / "out" / "train.pt").unlink()
    assert stirdata("verify", tmp_path / "out").code == 1


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell the peak memory"
)
def test_memory_does_not_grow_with_the_dataset(tmp_path):
    """An export of 60 MB of images takes little more than one of 20 MB."""
    rng = np.random.default_rng(0)
    peaks = []
    for number, count in enumerate((2000, 6000)):
        arrays = {}
        for split in ("train", "val", "test"):
            size = count if split == "train" else 10
            arrays[f"{split}/images"] = rng.integers(0, 256, (size, 100, 100), np.uint8)
            arrays[f"{split}/labels"] = np.arange(size) % 10
            arrays[f"{split}/factors"] = np.ones(size)
            arrays[f"{split}/positions"] = np.zeros((size, 2), np.int32)
            arrays[f"{split}/sizes"] = np.full((size, 2), 100, np.int32)
            arrays[f"{split}/source_index"] = np.arange(size, dtype=np.int32)
        folder = tmp_path / f"set{number}"
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name.replace('/', '_')}.npy", array)
        out = tmp_path / f"out{number}"
        script = (
            "from pathlib import Path\nfrom stirdata.operations.export import export\n"
            f"export({str(folder)!r}, {str(out)!r}, 'webdataset', unverified=True)\n"
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=300
        )
        peaks.append(int(ran.stdout) / 1024)
    assert peaks[1] - peaks[0] < 10
