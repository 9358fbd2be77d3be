"""Verification tells which published realization a dataset is, whoever made it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import NAMES, change_one_pixel, encoded, identify, save
from numpy.typing import NDArray
from PIL import Image

from stirdata.digest import md5_of_png_tree, sha256_of_array
from stirdata.families.mnist_scale import recipe
from stirdata.manifest import pinned
from stirdata.operations.verify import Finding, verify
from stirdata.sources.idx import DigitImages
from stirdata.storage import hdf5, npz

Arrays = dict[str, NDArray[Any]]

every_format = pytest.mark.parametrize("form", list(NAMES))
file_formats = pytest.mark.parametrize("form", ["h5", "npz"])


@pytest.fixture
def published(
    monkeypatch: pytest.MonkeyPatch,
    small_digits: DigitImages,
    small_sizes: recipe.SplitSizes,
    small_realization: Arrays,
) -> dict[str, Any]:
    """Take two small realizations, of seeds 7 and 8, for the published ones; return their facts."""
    other = recipe.generate(small_digits.images, small_digits.labels, 8, sizes=small_sizes)
    facts = {
        str(seed): {
            "md5_of_png_files": md5_of_arrays(arrays),
            "arrays": {name: sha256_of_array(array) for name, array in arrays.items()},
        }
        for seed, arrays in ((7, small_realization), (8, recipe.as_arrays(other)))
    }
    monkeypatch.setitem(pinned("mnist-scale"), "realizations", facts)
    return facts


def md5_of_arrays(arrays: Arrays) -> str:
    """Return the MD5 of the tree that the original script would make of a realization."""
    files = []
    for split in ("train", "test", "val"):
        for image, label in zip(arrays[f"{split}/images"], arrays[f"{split}/labels"], strict=True):
            files.append((f"{split}/{label}/{len(files)}.png", encoded(image)))
    return md5_of_png_tree(files)


def reencode(folder: Path) -> dict[str, Path]:
    """Write every PNG file of a tree anew, the same pixels in other bytes; return the files by name."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.png"))}
    for path in files.values():
        before = path.read_bytes()
        path.write_bytes(encoded(np.asarray(Image.open(io.BytesIO(before))), compress_level=0))
        assert path.read_bytes() != before
    return files


def make_foreign(folder: Path) -> Path:
    """Leave of a tree what the original script makes: PNG files alone."""
    for name in ("manifest.json", "SHA256SUMS", "scales.csv"):
        (folder / name).unlink()
    return folder


@every_format
def test_a_published_realization_is_recognised(
    form: str, tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    target = tmp_path / NAMES[form]
    manifest = save(target, small_realization)
    report = verify(target)
    md5 = published["7"]["md5_of_png_files"]
    assert report.ok
    assert report.as_json()["published"] == {
        "dataset": "mnist-scale",
        "seed": 7,
        "arrays": list(small_realization),
        "published_md5": md5,
        "found_md5": md5 if form == "png" else None,
        "other_encoder": False,
    }
    assert json.loads(json.dumps(report.as_json()))["published"]["arrays"] == list(small_realization)
    sentence = report.identity.sentence()
    assert sentence.startswith("this is the published mnist-scale realization of seed 7: ")
    assert (f"have the published MD5 {md5}" in sentence) == (form == "png")
    assert identify(manifest) == report.identity


@every_format
def test_another_realization_is_not_taken_for_a_published_one(
    form: str, tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    target = tmp_path / NAMES[form]
    small_realization["val/labels"] = (small_realization["val/labels"] + 1) % 10
    manifest = save(target, small_realization)
    report = verify(target)
    assert report.ok
    assert report.identity is None
    assert identify(manifest) is None


def test_a_tree_of_another_encoder_is_told_apart_from_a_wrong_one(
    tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    """Against its manifest every file differs, and yet no array: it is the published realization."""
    folder = tmp_path / "tree"
    save(folder, small_realization)
    files = reencode(folder)
    found_md5 = md5_of_png_tree((name, path.read_bytes()) for name, path in files.items())
    report = verify(folder)
    assert not report.ok
    assert {finding.kind for finding in report.findings} == {"differs"}
    assert [finding.name for finding in report.findings] == sorted(files)
    assert report.identity.facts["other_encoder"]
    assert report.as_json()["published"]["other_encoder"]
    assert (report.identity.seed, report.identity.facts["found_md5"]) == (7, found_md5)
    assert found_md5 != report.identity.facts["published_md5"] == published["7"]["md5_of_png_files"]
    sentence = report.identity.sentence()
    assert "come from another encoder" in sentence
    assert found_md5 in sentence
    assert published["7"]["md5_of_png_files"] in sentence


def test_a_wrong_pixel_is_no_other_encoder(
    tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    change_one_pixel(next((folder / "val").glob("*/*.png")))
    report = verify(folder)
    assert [finding.kind for finding in report.findings] == ["differs", "differs"]
    assert report.findings[1].name == "array val/images"
    assert report.identity is None


def test_a_foreign_tree_is_recognised(
    tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    report = verify(make_foreign(folder), as_dataset="mnist-scale")
    assert report.ok
    assert report.root is None
    assert (report.identity.seed, report.identity.facts["other_encoder"]) == (7, False)
    assert report.identity.facts["found_md5"] == published["7"]["md5_of_png_files"]
    assert {name.partition("/")[2] for name in report.identity.arrays} == {"images", "labels"}


def test_a_foreign_tree_of_another_encoder_is_right(
    tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    reencode(make_foreign(folder))
    report = verify(folder, as_dataset="mnist-scale")
    assert report.ok
    assert report.identity.facts["other_encoder"]


@file_formats
def test_a_file_without_manifest_is_recognised(
    form: str, tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    report = verify(write_bare(tmp_path / f"mine.{form}", small_realization), as_dataset="mnist-scale")
    assert report.ok
    assert (report.root, report.identity.seed, report.identity.facts["found_md5"]) == (None, 7, None)
    assert report.identity.arrays == tuple(small_realization)
    assert report.identity.sentence().endswith("pixels, labels and scales are equal")


def write_bare(target: Path, arrays: Arrays) -> Path:
    """Write arrays as a .h5 or .npz file with nothing beside it."""
    if target.suffix == ".h5":
        hdf5.write(target, arrays, {})
    else:
        npz.write(target, {name.replace("/", "_"): np.asarray(array) for name, array in arrays.items()})
    return target


def assert_close_to_seed_7(findings: tuple[Finding, ...], name: str, arrays: Arrays, found: Any) -> None:
    """Expect nothing but that one array differs from the realization of seed 7."""
    expected = "the published realization of seed 7"
    assert findings == (
        Finding("unknown", "dataset", expected, "another one close to it"),
        Finding(
            "differs",
            f"array {name}",
            f"sha256 {sha256_of_array(arrays[name])}",
            f"sha256 {sha256_of_array(found)}",
        ),
    )


def test_a_foreign_tree_with_a_wrong_pixel_is_told_what_differs(
    tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    folder = tmp_path / "tree"
    save(folder, small_realization)
    numbers = sorted(int(path.stem) for path in (folder / "val").glob("*/*.png"))
    (first,) = (folder / "val").glob(f"*/{numbers[0]}.png")
    change_one_pixel(first)
    report = verify(make_foreign(folder), as_dataset="mnist-scale")
    assert not report.ok
    assert report.identity is None
    found = small_realization["val/images"].copy()
    found[0, 14, 14] ^= 1
    assert_close_to_seed_7(report.findings, "val/images", small_realization, found)


@file_formats
@pytest.mark.parametrize("name", ["train/images", "test/labels", "val/scales", "train/source_index"])
def test_a_foreign_file_with_a_wrong_value_is_told_what_differs(
    form: str, name: str, tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    found = small_realization[name].copy()
    found.reshape(-1)[0] = 5 if found.reshape(-1)[0] != 5 else 6
    target = write_bare(tmp_path / f"mine.{form}", small_realization | {name: found})
    report = verify(target, as_dataset="mnist-scale")
    assert not report.ok
    assert report.identity is None
    assert_close_to_seed_7(report.findings, name, small_realization, found)


@file_formats
@pytest.mark.parametrize("shape", [(-1, 784), (-1, 1, 28, 28), (-1,)])
def test_the_right_bytes_in_another_shape_are_not_the_published_arrays(
    form: str, shape: tuple[int, ...], tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    reshaped = small_realization["train/images"].reshape(shape)
    target = write_bare(tmp_path / f"mine.{form}", small_realization | {"train/images": reshaped})
    report = verify(target, as_dataset="mnist-scale")
    assert not report.ok
    assert report.identity is None
    (finding,) = report.findings
    assert (finding.kind, finding.name) == ("malformed", "array train/images")
    assert (finding.expected, finding.found) == ("uint8 (N, 28, 28)", f"uint8 {reshaped.shape}")


@file_formats
def test_text_in_place_of_an_array_is_a_finding(
    form: str, tmp_path: Path, small_realization: Arrays, published: dict[str, Any]
) -> None:
    arrays: dict[str, Any] = small_realization | {"train/images": "no images"}
    report = verify(write_bare(tmp_path / f"mine.{form}", arrays), as_dataset="mnist-scale")
    assert [finding.kind for finding in report.findings] == ["unreadable" if form == "h5" else "malformed"]


@every_format
def test_something_else_is_none_of_the_published_ones(
    form: str,
    tmp_path: Path,
    small_digits: DigitImages,
    small_sizes: recipe.SplitSizes,
    published: dict[str, Any],
) -> None:
    other = recipe.generate(small_digits.images, small_digits.labels, 9, sizes=small_sizes)
    target = tmp_path / NAMES[form]
    save(target, recipe.as_arrays(other), seed=9)
    assert verify(target).ok
    report = verify(target, as_dataset="mnist-scale")
    assert not report.ok
    assert report.root is not None
    assert report.findings == (
        Finding("unknown", "dataset", "one of the six published realizations", "none of them"),
    )
    assert report.findings[0].sentence() == (
        "unknown: dataset, expected one of the six published realizations, found none of them"
    )
    assert report.as_json()["findings"] == [
        {
            "kind": "unknown",
            "name": "dataset",
            "expected": "one of the six published realizations",
            "found": "none of them",
        }
    ]


def test_the_real_pins_know_no_small_realization(tmp_path: Path, small_realization: Arrays) -> None:
    save(tmp_path / NAMES["h5"], small_realization)
    report = verify(tmp_path / NAMES["h5"], as_dataset="mnist-scale")
    assert [finding.found for finding in report.findings] == ["none of them"]


def test_an_unreadable_dataset_is_no_published_one(tmp_path: Path, published: dict[str, Any]) -> None:
    (tmp_path / "mine.h5").write_bytes(b"nothing of the kind")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.txt").write_bytes(b"text")
    for name in ("mine.h5", "folder", "mine.txt"):
        report = verify(tmp_path / name, as_dataset="mnist-scale")
        assert not report.ok
        assert report.identity is None
        assert [(finding.kind, finding.name) for finding in report.findings] == [
            ("unreadable", str(tmp_path / name))
        ]
