"""The Mapillary annotations: what they become, and what damaged ones get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import photographs
import pytest
from leftovers import litter
from photographs import Mapillary, annotation, sign

from stirdata.errors import MissingFileError, SourceError
from stirdata.sources import mapillary


@pytest.fixture
def small() -> Mapillary:
    """Return five pictures, one of them in the validation split."""
    made = Mapillary()
    for number, key in enumerate("abcde"):
        made.add(key, [sign(10.5 + number, 20.0, 30.2, 40.9), sign(1, 2, 3, 4, "yield")])
    return made


def broken(made: Mapillary, entry: Any) -> Mapillary:
    made.annotations["b"] = annotation([entry])
    return made


def test_objects_in_reading_order_widened_to_whole_pixels(small: Mapillary, tmp_path: Path) -> None:
    table = mapillary.load(small.write(tmp_path))
    assert [member.name for member in table.pictures] == [f"images/{key}.jpg" for key in "abced"]
    assert table.labels == ("stop", "yield")
    assert table.picture.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert table.label.tolist() == [0, 1] * 5
    assert (table.left[0], table.top[0], table.right[0], table.bottom[0]) == (10, 20, 31, 41)
    assert table.sizes.tolist() == [[photographs.SIDE] * 2] * 5
    assert table.pictures[1].read() == small.pictures["b"]


def test_what_systems_leave_behind_does_not_matter(small: Mapillary, tmp_path: Path) -> None:
    expected = mapillary.load(small.write(tmp_path))
    litter(tmp_path)
    table = mapillary.load(tmp_path)
    assert [member.name for member in table.pictures] == [member.name for member in expected.pictures]
    assert table.left.tolist() == expected.left.tolist()


def test_both_names_of_the_archives(small: Mapillary, tmp_path: Path) -> None:
    small.archive_name = "mtsd_fully_annotated_images.{}.zip"
    assert len(mapillary.load(small.write(tmp_path)).pictures) == 5


def test_true_properties_are_left_out_and_counted(small: Mapillary, tmp_path: Path) -> None:
    small.add("f", [sign(1, 1, 9, 9, dummy=True), sign(1, 1, 9, 9, "yield", occluded=True)])
    table = mapillary.load(small.write(tmp_path))
    assert len(table.label) == 10
    assert sum(table.skipped.values()) == 2


def test_windows_line_ends_empty_lines_and_byte_order_mark(small: Mapillary, tmp_path: Path) -> None:
    expected = mapillary.load(small.write(tmp_path / "plain"))
    small.lists = {"train": b"\xef\xbb\xbfa\r\nb\r\n\r\n c \r\ne", "val": b"\n\nd\n"}
    table = mapillary.load(small.write(tmp_path / "windows"))
    assert [member.name for member in table.pictures] == [member.name for member in expected.pictures]
    assert table.left.tolist() == expected.left.tolist()


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    made = Mapillary()
    made.add("straße", [sign(1, 2, 30, 40, "Überholverbot – 停")])
    table = mapillary.load(made.write(tmp_path))
    assert table.labels == ("Überholverbot – 停",)
    assert table.pictures[0].read() == made.pictures["straße"]


def test_reversed_and_empty_boxes_have_no_size(small: Mapillary, tmp_path: Path) -> None:
    # They are left to the recipe, which counts them: one such box must not stop the whole run.
    small.add("f", [sign(50, 1, 9, 9), sign(7, 7, 7, 9)])
    table = mapillary.load(small.write(tmp_path))
    assert (table.width < 0).sum() == 1
    assert (table.width == 0).sum() == 1


def test_pictures_without_objects(tmp_path: Path) -> None:
    made = Mapillary()
    made.add("a", [])
    table = mapillary.load(made.write(tmp_path))
    assert len(table.label) == 0
    assert table.labels == ()


def test_all_missing_archives_are_named(small: Mapillary, tmp_path: Path) -> None:
    small.write(tmp_path)
    for name in ("train.1.zip", "val.zip", "mtsd_v2_fully_annotated/splits/val.txt"):
        (tmp_path / name).unlink()
    with pytest.raises(MissingFileError, match="3 of the archives are missing") as caught:
        mapillary.load(tmp_path)
    for name in ("train.1.zip", "mtsd_fully_annotated_images.val.zip", "splits/val.txt"):
        assert name in str(caught.value)
    assert "train.0.zip" not in str(caught.value)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="source folder does not exist"):
        mapillary.load(tmp_path / "nowhere")


def test_missing_annotations(small: Mapillary, tmp_path: Path) -> None:
    small.write(tmp_path)
    (tmp_path / "mtsd_v2_fully_annotated/annotations/b.json").unlink()
    with pytest.raises(MissingFileError, match=r"1 of the annotations are missing(.|\n)*b\.json"):
        mapillary.load(tmp_path)


def test_picture_in_no_archive(small: Mapillary, tmp_path: Path) -> None:
    del small.pictures["b"], small.pictures["e"]
    with pytest.raises(SourceError, match=r"2 of the pictures(.|\n)*b\.jpg, e\.jpg"):
        mapillary.load(small.write(tmp_path))


@pytest.mark.parametrize("missing", ["label", "bbox", "properties"])
def test_object_without_a_key(missing: str, small: Mapillary, tmp_path: Path) -> None:
    entry = sign(1, 2, 3, 4)
    del entry[missing]
    with pytest.raises(SourceError, match=rf"lacks {missing}(.|\n)*object 0 of .*b\.json"):
        mapillary.load(broken(small, entry).write(tmp_path))


@pytest.mark.parametrize("missing", ["xmin", "ymin", "xmax", "ymax"])
def test_box_without_a_corner(missing: str, small: Mapillary, tmp_path: Path) -> None:
    entry = sign(1, 2, 3, 4)
    del entry["bbox"][missing]
    with pytest.raises(SourceError, match=f"lacks {missing}"):
        mapillary.load(broken(small, entry).write(tmp_path))


@pytest.mark.parametrize("missing", ["width", "height", "objects"])
def test_annotation_without_a_key(missing: str, small: Mapillary, tmp_path: Path) -> None:
    del small.annotations["b"][missing]
    with pytest.raises(SourceError, match=f"lacks {missing}"):
        mapillary.load(small.write(tmp_path))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300, True])
def test_corner_that_is_no_number(value: float, small: Mapillary, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"not a number of pixels(.|\n)*b\.json"):
        mapillary.load(broken(small, sign(value, 2, 3, 4)).write(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"null", b'{"objects": 3}', b"[" * 100_000])
def test_annotation_that_is_no_annotation(content: bytes, small: Mapillary, tmp_path: Path) -> None:
    small.annotations["b"] = content
    with pytest.raises(SourceError, match=r"b\.json"):
        mapillary.load(small.write(tmp_path))


def test_annotation_that_is_not_utf8(small: Mapillary, tmp_path: Path) -> None:
    small.annotations["b"] = json.dumps(annotation([])).encode() + b"\xff"
    with pytest.raises(SourceError, match="not UTF-8"):
        mapillary.load(small.write(tmp_path))


@pytest.mark.parametrize("key", ["../a", "/etc/passwd", "x\\..\\a", ".."])
def test_names_that_lead_out_of_the_folder(key: str, small: Mapillary, tmp_path: Path) -> None:
    small.lists = {"train": f"a\n{key}\n".encode()}
    with pytest.raises(SourceError, match="leads out of the folder"):
        mapillary.load(small.write(tmp_path))


def test_digest_tells_annotations_apart(small: Mapillary, tmp_path: Path) -> None:
    first = mapillary.load(small.write(tmp_path / "1")).sha256
    assert mapillary.load(small.write(tmp_path / "2")).sha256 == first
    small.annotations["c"]["objects"][0]["bbox"]["xmin"] += 0.25
    assert mapillary.load(small.write(tmp_path / "3")).sha256 != first
