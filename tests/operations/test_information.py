"""What ``information`` says of datasets of every family and format."""

import json

import numpy as np
import pytest
from described import save_as, save_stir
from making import save_below
from stir_fixtures import small_frame, small_set

from stirdata.errors import FormatError, ManifestError
from stirdata.families.stir.axes import CITATION
from stirdata.manifest import manifest_path, pinned
from stirdata.operations.info import information


@pytest.fixture
def stir(tmp_path):
    path = tmp_path / "a.npz"
    save_stir(path, license="CC0", citation=["somebody"])
    return path


def test_stir_set(stir):
    found = information(stir)
    content = found.content
    assert (found.path, found.family, found.form, found.title) == (stir, "STIR", "npz", "T")
    assert found.size == stir.stat().st_size
    assert content.classes == ("a", "b")
    assert content.counts == {"train": (6, 6), "valid": (6, 6), "test": (6, 6)}
    assert content.images == 36
    assert content.image_shape == (12, 12)
    assert content.arrays["psts"] == ("int32", (3, 3, 2, 2, 2))
    assert content.metadata["author"] == "A"
    assert (found.license, found.citation) == ("CC0", ("somebody",))
    assert found.manifest.seed == 42
    assert found.doubts == ()


def test_range_of_scales_and_positions(stir):
    positions = small_set().psts
    latents = information(stir).content.latents
    assert (latents.unit, latents.smallest_scale, latents.largest_scale) == ("pixels", 3, 12)
    assert latents.different_scales == 3
    assert latents.left == (positions[..., 0].min(), positions[..., 0].max())
    assert latents.top == (positions[..., 1].min(), positions[..., 1].max())


def test_colour_and_a_single_scale(tmp_path):
    save_stir(tmp_path / "a.npz", small_set(small_frame(channels=3, scales=(5,))))
    content = information(tmp_path / "a.npz").content
    assert content.image_shape == (12, 12, 3)
    assert content.latents.different_scales == 1


def test_stir_set_without_manifest(stir):
    manifest_path(stir).unlink()
    found = information(stir)
    assert (found.license, found.citation) == ("L", (CITATION,))
    assert (found.manifest, found.identity, found.doubts) == (None, None, ())
    assert found.as_json()["published_by"] is None


@pytest.mark.parametrize(("name", "form"), [("b.npz", "npz"), ("b.h5", "h5"), ("folder", "npy")])
def test_every_format_of_a_stir_set(tmp_path, stir, name, form):
    found = information(save_as(tmp_path / name, small_set()))
    expected = information(stir).content
    assert (found.family, found.form) == ("STIR", form)
    assert list(found.content.arrays) == list(expected.arrays)
    assert found.as_json()["arrays"] == information(stir).as_json()["arrays"]
    assert (found.content.counts, found.content.latents) == (expected.counts, expected.latents)
    assert found.content.metadata == expected.metadata


@pytest.mark.parametrize("form", ["h5", "npz", "png"])
def test_mnist_scale(tmp_path, small_realization, form):
    path = save_below(tmp_path, form, small_realization)
    found = information(path)
    content = found.content
    assert (found.family, found.form, found.title) == ("MNIST-scale", form, "MNIST-scale")
    for split, images in {"train": 120, "val": 40, "test": 200}.items():
        labels = small_realization[f"{split}/labels"]
        assert content.counts[split] == tuple(np.bincount(labels, minlength=10).tolist())
        assert sum(content.counts[split]) == images
    assert {name: header.shape for name, header in content.arrays.items()} == {
        name: array.shape for name, array in small_realization.items()
    }
    assert {name: header.dtype for name, header in content.arrays.items()} == {
        name: array.dtype.name for name, array in small_realization.items()
    }
    factors = np.concatenate([small_realization[f"{split}/scales"] for split in content.counts])
    assert (content.latents.unit, content.latents.left) == ("factor", None)
    assert (content.latents.smallest_scale, content.latents.largest_scale) == (factors.min(), factors.max())
    assert (found.manifest.seed, found.doubts) == (7, ())


@pytest.mark.parametrize("form", ["h5", "npz", "png"])
def test_mnist_scale_without_manifest(tmp_path, small_realization, form):
    path = save_below(tmp_path, form, small_realization)
    manifest_path(path).unlink()
    found = information(path)
    assert found.license == "CC BY-SA 3.0"
    assert found.citation == tuple(pinned("mnist-scale")["citation"])
    assert found.content.metadata.get("seed") == (None if form == "png" else 7)


def test_size_of_a_tree_is_that_of_its_files(tmp_path, small_realization):
    path = save_below(tmp_path, "png", small_realization)
    listed = information(path).manifest.files
    assert information(path).size == sum(entry.size for entry in listed)


def test_tree_without_scales(tmp_path, small_realization):
    path = save_below(tmp_path, "png", small_realization)
    (path / "scales.csv").unlink()
    found = information(path)
    assert found.content.latents is None
    assert list(found.content.arrays) == [
        f"{split}/{name}" for split in ("train", "val", "test") for name in ("images", "labels")
    ]
    assert any("scales.csv should have" in doubt for doubt in found.doubts)


def test_published_dataset_by_its_manifest(tmp_path, stir, monkeypatch):
    arrays = {name: entry.sha256 for name, entry in information(stir).manifest.arrays.items()}
    monkeypatch.setitem(pinned("stir-mnist"), "arrays", arrays)
    assert information(stir).identity is None, "its manifest says that it is another dataset"
    save_stir(tmp_path / "b.npz", dataset="stir-mnist")
    found = information(tmp_path / "b.npz")
    assert found.identity.as_json()["dataset"] == "stir-mnist"
    assert found.as_json()["published"]["seed"] == 42
    assert "not recomputed" in found.as_json()["published_by"]


def test_manifest_of_another_file_is_doubted_and_proves_nothing(tmp_path, monkeypatch):
    save_stir(tmp_path / "a.npz", dataset="stir-mnist")
    arrays = {name: entry.sha256 for name, entry in information(tmp_path / "a.npz").manifest.arrays.items()}
    monkeypatch.setitem(pinned("stir-mnist"), "arrays", arrays)
    assert information(tmp_path / "a.npz").identity is not None
    manifest = manifest_path(tmp_path / "a.npz").read_bytes()
    save_stir(tmp_path / "a.npz", small_set(small_frame(instances=3)))
    manifest_path(tmp_path / "a.npz").write_bytes(manifest)
    found = information(tmp_path / "a.npz")
    assert found.identity is None
    assert any(doubt.startswith("a.npz should have") for doubt in found.doubts)
    assert any(doubt.startswith("the array imgs has shape (3, 3, 2, 3, 12, 12)") for doubt in found.doubts)


def test_renamed_file_is_doubted(tmp_path, stir):
    renamed = tmp_path / "renamed.npz"
    manifest_path(stir).rename(manifest_path(renamed))
    stir.rename(renamed)
    assert information(renamed).doubts[0] == "the manifest does not list renamed.npz"


def test_broken_manifest(stir):
    manifest_path(stir).write_text("{}")
    with pytest.raises(ManifestError):
        information(stir)


def test_set_that_breaks_the_schema(tmp_path):
    arrays = small_set().as_dict() | {"lbls": np.full((3, 3, 2, 2), 9, np.int32)}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FormatError, match="lbls"):
        information(tmp_path / "a.npz")


@pytest.mark.parametrize("form", ["h5", "png", "stir"])
def test_json_is_json(tmp_path, small_realization, stir, form):
    path = stir if form == "stir" else save_below(tmp_path / "below", form, small_realization)
    found = information(path)
    value = json.loads(json.dumps(found.as_json()))
    assert value["path"] == str(path)
    assert value["images"] == found.content.images
    assert value["root"] == found.manifest.root
    assert set(value["arrays"]["imgs" if form == "stir" else "val/images"]) == {"dtype", "shape"}
