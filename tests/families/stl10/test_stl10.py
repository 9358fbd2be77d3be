"""STL-10 as one file: from the official layout, read back, and what is refused."""

import json

import numpy as np
import pytest
import torch
from making import make_job
from standins import STL_COUNTS, UNLABELED, fake_stl, stl_files, unpack

import stirdata
from stirdata.errors import FormatError, MissingFileError, ParameterError, SourceError
from stirdata.families.stl10 import FAMILY
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.operations.verify import verify
from stirdata.sources import stl10 as source

RAW = {name.rpartition("/")[2]: content for name, content in stl_files().items()}


def images_in(name):
    """Return the images of an official file, pixel by pixel as its makers describe it."""
    planes = np.frombuffer(RAW[name], np.uint8).reshape(-1, 3, 96, 96)
    return np.stack([planes[:, channel].swapaxes(1, 2) for channel in range(3)], axis=-1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "official").mkdir()
    return fake_stl(tmp_path / "official", monkeypatch)


@pytest.mark.parametrize("unlabeled", [False, True])
@pytest.mark.parametrize("form", ["h5", "npz"])
def test_the_official_archive_in_one_file(folder, tmp_path, unlabeled, form):
    out = tmp_path / f"set.{form}"
    made = stirdata.generate("stl10", source_dir=folder, unlabeled=unlabeled, out=out)
    dataset = stirdata.load(made.path)
    assert isinstance(dataset, stirdata.STL10)
    assert dataset.splits == ("train", "test", *(["unlabeled"] if unlabeled else []))
    for split in ("train", "test"):
        assert np.array_equal(dataset.stored(dataset.select(split)), images_in(f"{split}_X.bin"))
        assert dataset.targets(split).tolist() == [at % 10 for at in range(STL_COUNTS[split])]
    assert dataset.folds.tolist() == [list(range(5))] * 3
    manifest = load_manifest(manifest_path(made.path))
    assert manifest.parameters == {"unlabeled": unlabeled}
    names = {"train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"}
    assert set(manifest.sources[0]["md5"]) == names | ({"unlabeled_X.bin"} if unlabeled else set())
    assert "AISTATS" in manifest.citation[0]
    assert verify(made.path).ok
    assert verify(made.path, as_dataset="stl10").ok
    if unlabeled:
        images, labels = dataset.to_torch("unlabeled", dtype=torch.uint8)
        assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), images_in("unlabeled_X.bin"))
        assert labels.tolist() == [-1] * UNLABELED
    assert stirdata.generate("stl10", source_dir=folder, unlabeled=unlabeled, out=out).already_there


def test_information_and_sheet(folder, tmp_path, stirdata):
    made = stirdata("generate", "stl10", "--source-dir", folder, "--unlabeled", "--out", tmp_path / "a.h5")
    assert made.code == 0, made.err
    told = json.loads(stirdata("info", "--json", tmp_path / "a.h5").out)
    assert told["splits"] == {**STL_COUNTS, "unlabeled": UNLABELED}
    assert told["images"] == sum(STL_COUNTS.values()) + UNLABELED
    assert told["latents"] is None
    text = stirdata("info", tmp_path / "a.h5").out
    assert f"unlabeled {UNLABELED} without labels" in text
    assert "scales" not in text
    assert stirdata("show", tmp_path / "a.h5", "--out", tmp_path / "a.png").code == 0
    refused = stirdata("show", tmp_path / "a.h5", "--split", "unlabeled", "--out", tmp_path / "b.png")
    assert (refused.code, "no images in unlabeled" in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["train_X.bin", "test_y.bin", "fold_indices.txt", "unlabeled_X.bin"])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_file_that_is_not_the_official_one(folder, tmp_path, name, damage):
    (folder / "stl10_binary.tar.gz").unlink()
    file = unpack(folder, stl_files()) / source.FOLDER / name
    content = file.read_bytes()
    if damage == "missing":
        if name == "train_X.bin":
            pytest.skip("the folder is told by it")
        file.unlink()
    else:
        file.write_bytes(content[:-7] if damage == "cut" else content[:-1] + b"\xff")
    expected = MissingFileError if damage == "missing" else SourceError
    with pytest.raises(expected) as told:
        stirdata.generate("stl10", source_dir=folder, unlabeled=True, out=tmp_path / "set.h5")
    assert name in str(told.value)
    if damage != "missing" and name != "fold_indices.txt":
        assert str(told.value.got).startswith("md5 ")
        assert str(told.value.expected).startswith("md5 ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official"]


@pytest.fixture
def specimen(tmp_path):
    make_job(FAMILY.specimen(), tmp_path / "stl10.h5")
    return stirdata.STL10(tmp_path / "stl10.h5")


def test_one_fold(specimen):
    everything = specimen.to_torch("train", dtype=torch.uint8).images
    for fold in range(10):
        images, labels = specimen.to_torch("train", fold=fold, dtype=torch.uint8)
        members = specimen.folds[fold].tolist()
        assert members == [2 * fold + 1, 2 * fold]  # the order of the list, not that of the file
        assert images.equal(everything[members])
        assert labels.tolist() == [member % 10 for member in members]
    assert len(list(specimen.batches("train", fold=np.int64(3), batch_size=1))) == 2


@pytest.mark.parametrize(
    ("split", "fold"), [("train", 10), ("train", -1), ("train", "3"), ("train", True), ("test", 0)]
)
def test_no_such_fold(specimen, split, fold):
    with pytest.raises(ParameterError, match="no such fold"):
        specimen.to_torch(split, fold=fold)


def test_published_statistics(specimen):
    images = specimen.to_torch("test", normalize=True).images
    plain = specimen.to_torch("test").images
    levels = (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)
    mean, std = (torch.tensor(level)[:, None, None] for level in levels)
    assert images.equal((plain - mean) / std)


def test_folds_that_are_no_positions(tmp_path):
    arrays = dict(FAMILY.specimen().make(None, lambda count: None).arrays)
    assert FAMILY.problems(arrays, "stl10", "h5") == []
    for folds in (arrays["folds"] + 1, arrays["folds"] - 1):
        (problem,) = FAMILY.problems({**arrays, "folds": folds}, "stl10", "h5")
        assert (problem.name, problem.expected) == ("folds", "positions of training images, 0 to 19")
    np.savez(tmp_path / "a.npz", **{name.replace("/", "_"): array for name, array in arrays.items()})
    assert stirdata.load(tmp_path / "a.npz").splits == ("train", "test", "unlabeled")
    arrays["folds"] = arrays["folds"] + 1
    np.savez(tmp_path / "a.npz", **{name.replace("/", "_"): array for name, array in arrays.items()})
    with pytest.raises(FormatError, match="folds"):
        stirdata.load(tmp_path / "a.npz").to_torch("train", fold=0)
