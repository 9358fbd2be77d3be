"""Exports of every family to every form, read back by the libraries that they are for."""

import csv
import io
import json
import os
import tarfile

import numpy as np
import pytest
from making import EXPORTS
from PIL import Image

import stirdata
from stirdata.errors import FormatError
from stirdata.manifest import load as load_manifest
from stirdata.operations.export import export
from stirdata.operations.verify import verify
from stirdata.sharing.image_folder import UNLABELLED, folder_names
from stirdata.storage.forms import column_of

# The readers leave files open, and say so of each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


class Expected:
    """What every record of a split has to be."""

    def __init__(self, dataset, split):
        self.images = dataset.stored(dataset.select(split))
        if self.images.dtype != np.uint8:
            self.rounded = np.clip(np.rint(self.images), 0, 255).astype(np.uint8)
        else:
            self.rounded = self.images
        self.labels = dataset.targets(split)
        self.values = {}
        try:
            self.values = {column_of(name): array for name, array in dataset.latents(split).items()}
            self.values["source_index"] = dataset.source_index(split)
        except FormatError:
            pass

    def check(self, images, labels, values):
        assert len(images) == len(self.rounded)
        for one, other in zip(images, self.rounded, strict=True):
            assert np.array_equal(np.asarray(one), other)
        assert list(labels) == self.labels.tolist()
        assert set(values) == set(self.values)
        for name, column in values.items():
            assert np.array_equal(np.asarray(column), self.values[name]), name


def exported(dataset, folder, form, **options):
    """Return the folder of an export, and what is expected of each split."""
    out = export(dataset.path, folder / "out", form, lossy=True, **options).path
    loaded = dataset.load()
    return out, {split: Expected(loaded, split) for split in loaded.splits}


def hugging_face(found, expected):
    assert list(found) == list(expected)
    for split, wanted in expected.items():
        rows = found[split]
        others = [name for name in rows.column_names if name not in ("image", "label")]
        wanted.check(rows["image"], rows["label"], {name: rows[name] for name in others})


def test_image_folders_are_walked(dataset, tmp_path):
    out, expected = exported(dataset, tmp_path, "imagefolder")
    names = folder_names(dataset.load().classes)
    for split, wanted in expected.items():
        with (out / split / "metadata.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        images = [np.asarray(Image.open(out / split / row["file_name"])) for row in rows]
        values = {}
        for name, array in wanted.values.items():
            parts = [name] if array.ndim == 1 else [f"{name}_x", f"{name}_y"]
            table = np.array([[float(row[part]) for part in parts] for row in rows])
            values[name] = table[:, 0] if array.ndim == 1 else table
        wanted.check(images, [int(row["label"]) for row in rows], values)
        folders = [row["file_name"].partition("/")[0] for row in rows]
        assert folders == [names[int(row["label"])] if int(row["label"]) >= 0 else UNLABELLED for row in rows]
        if UNLABELLED not in folders:  # the labels that torchvision's ImageFolder gives
            there = sorted({entry.name for entry in os.scandir(out / split) if entry.is_dir()})
            assert [there.index(folder) for folder in folders] == wanted.labels.tolist()


@pytest.mark.tools
def test_image_folders_are_read_by_datasets(dataset, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    out, expected = exported(dataset, tmp_path, "imagefolder")
    found = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    for split, wanted in expected.items():
        rows = found[split]
        assert len(rows) == len(wanted.labels)
        assert rows["label"] == wanted.labels.tolist()
        for row, image in zip(rows, wanted.rounded, strict=True):
            assert np.array_equal(np.asarray(row["image"]), image)


@pytest.mark.tools
def test_web_datasets_are_read(dataset, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    out, expected = exported(dataset, tmp_path, "webdataset", shard_size=7)
    classes, decoder = dataset.load().classes, "pil" if dataset.load().num_channels == 3 else "pill"
    for split, wanted in expected.items():
        shards = sorted(map(str, out.glob(f"{split}-*.tar")))
        assert len(shards) == -(-len(wanted.labels) // 7)
        found = list(webdataset.WebDataset(shards, shardshuffle=False).decode(decoder))
        told = [sample["json"] for sample in found]
        assert [sample["class"] for sample in told] == [
            classes[label] if label >= 0 else None for label in wanted.labels
        ]
        wanted.check(
            [sample["png"] for sample in found],
            [sample["cls"] for sample in found],
            {name: [sample[name] for sample in told] for name in wanted.values},
        )


def test_web_datasets_are_plain_archives(dataset, tmp_path):
    out, expected = exported(dataset, tmp_path, "webdataset", shard_size=7)
    for split, wanted in expected.items():
        members = []
        for shard in sorted(out.glob(f"{split}-*.tar")):
            with tarfile.open(shard, "r:") as archive:
                members += [(member, archive.extractfile(member).read()) for member in archive]
        images = [np.asarray(Image.open(io.BytesIO(data))) for member, data in members[::3]]
        told = [json.loads(data) for _, data in members[2::3]]
        labels = [int(data) for _, data in members[1::3]]
        wanted.check(images, labels, {name: [row[name] for row in told] for name in wanted.values})
        assert {(member.mtime, member.uid, member.mode, member.type) for member, _ in members} == {
            (0, 0, 0o644, tarfile.REGTYPE)
        }


@pytest.mark.parametrize("form", ["parquet", "huggingface"])
@pytest.mark.tools
def test_tables_are_read_by_datasets(dataset, form, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    out, expected = exported(dataset, tmp_path, form, shard_size=16)
    if form == "parquet":
        found = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    else:
        found = datasets.load_from_disk(str(out))
    hugging_face(found, expected)
    for rows in found.values():
        assert rows.features["label"].names == dataset.load().classes
        if form == "huggingface":
            assert rows.info.license == stirdata.load(dataset.path).metadata["license"]


@pytest.mark.tools
def test_parquet_is_read_by_pyarrow(dataset, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    out, expected = exported(dataset, tmp_path, "parquet", shard_size=16)
    for split, wanted in expected.items():
        rows = [
            row
            for path in sorted(out.glob(f"data/{split}-*"))
            for row in parquet.read_table(path).to_pylist()
        ]
        images = [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
        wanted.check(
            images,
            [row["label"] for row in rows],
            {name: [row[name] for row in rows] for name in wanted.values},
        )


def test_arrays_are_read(dataset, tmp_path):
    out, expected = exported(dataset, tmp_path, "numpy")
    for split, wanted in expected.items():
        assert np.array_equal(np.load(out / f"{split}_images.npy"), wanted.images)
        assert np.load(out / f"{split}_images.npy").dtype == wanted.images.dtype
        assert np.array_equal(np.load(out / f"{split}_labels.npy"), wanted.labels)
        names = {path.stem.removeprefix(f"{split}_") for path in out.glob(f"{split}_*.npy")} - {
            "images",
            "labels",
        }
        assert {column_of(name) for name in names} == set(wanted.values)
        for name in names:
            assert np.array_equal(np.load(out / f"{split}_{name}.npy"), wanted.values[column_of(name)])


def test_tensors_are_read(dataset, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    out, expected = exported(dataset, tmp_path, "torch")
    loaded = dataset.load()
    for split, wanted in expected.items():
        found = torch.load(out / f"{split}.pt", weights_only=True)
        same_type = torch.uint8 if wanted.images.dtype == np.uint8 else torch.float32
        levels, _ = loaded.to_torch(split, shuffle=False, dtype=same_type)
        if same_type == torch.uint8:
            assert torch.equal(found["images"], levels)
        else:
            images = wanted.images.reshape(len(levels), *levels.shape[2:], levels.shape[1])
            assert np.array_equal(found["images"].numpy(), images.transpose(0, 3, 1, 2))
        assert found["labels"].tolist() == wanted.labels.tolist()
        assert found["about"]["classes"] == loaded.classes
        for name, array in wanted.values.items():
            key = name if name in found else f"{name}s"
            assert np.array_equal(found[key].numpy(), array)


@pytest.mark.parametrize("form", EXPORTS)
def test_export_says_what_it_is_and_proves_it(dataset, form, tmp_path):
    if form in ("parquet", "huggingface"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    if form == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    out, expected = exported(dataset, tmp_path, form)
    report, manifest = verify(out), load_manifest(out / "manifest.json")
    assert report.ok
    for split, wanted in expected.items():
        images = manifest.arrays[f"{split}/images"]
        assert images.shape == wanted.images.shape
        assert images.sha256 == _digest(wanted.images)
        assert manifest.arrays[f"{split}/labels"].sha256 == _digest(wanted.labels)
    told = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    metadata = dataset.load().metadata
    assert told["license"] == metadata["license"]
    assert told["classes"] == dataset.load().classes
    assert told["splits"] == {split: len(wanted.labels) for split, wanted in expected.items()}
    assert set(told["columns"]) == set(next(iter(expected.values())).values)
    assert f"# {metadata['title']}" in (out / "README.md").read_text(encoding="utf-8")
    again = export(dataset.path, tmp_path / "again" / "elsewhere", form, lossy=True, workers=3).path
    assert (again / "SHA256SUMS").read_bytes() == (out / "SHA256SUMS").read_bytes()
    assert (again / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()


def _digest(array):
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.tools
def test_in_memory_for_datasets(dataset):
    pytest.importorskip("datasets", reason="datasets is not installed")
    loaded = dataset.load()
    found = loaded.to_hf(lossy=True)
    hugging_face(found, {split: Expected(loaded, split) for split in loaded.splits})
    assert found[loaded.splits[0]].features["label"].names == loaded.classes


def test_levels_between_whole_numbers_are_not_rounded_unasked(dataset, tmp_path):
    loaded = dataset.load()
    images = loaded.stored(loaded.select("train"))
    if np.array_equal(images, np.rint(images)):
        assert export(dataset.path, tmp_path / "out", "webdataset").path.is_dir()
        return
    with pytest.raises(FormatError, match="between whole numbers"):
        export(dataset.path, tmp_path / "out", "webdataset")
    assert not (tmp_path / "out").exists()
