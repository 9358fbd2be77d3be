"""The DOTA annotations: what they become, and what damaged ones get."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from leftovers import litter
from photographs import Dota, line, write_zip

from stirdata.errors import MissingFileError, SourceError
from stirdata.sources import dota


@pytest.fixture
def small() -> Dota:
    """Return five pictures, one of them in the validation split."""
    made = Dota()
    for number in range(5):
        made.add(f"P{number}", [line(10 + number, 20, 80, 90), line(1, 2, 30, 40, "plane")])
    return made


def test_objects_in_reading_order(small: Dota, tmp_path: Path) -> None:
    table = dota.load(small.write(tmp_path))
    assert [member.name for member in table.pictures] == [f"images/P{n}.png" for n in (0, 1, 2, 4, 3)]
    assert table.labels == ("plane", "ship")
    assert table.left.tolist() == [10, 1, 11, 1, 12, 1, 14, 1, 13, 1]
    assert table.pictures[2].read() == small.pictures["P2"]
    assert table.sizes.max() == 0


def test_coordinates_are_cut_and_boxes_are_extents(tmp_path: Path) -> None:
    made = Dota()
    made.add("a", ["10.9 20.9 99.9 22.9 98.9 60.9 9.9 58.9 ship 0"])
    table = dota.load(made.write(tmp_path))
    assert (table.left[0], table.top[0], table.right[0], table.bottom[0]) == (9, 20, 99, 60)


@pytest.mark.parametrize(
    ("corners", "kept"),
    [
        ("0 0 100 0 100 50 0 50", True),
        ("0 0 100 5 100 50 0 50", True),  # 2.9 degrees
        ("0 5 100 0 100 50 0 50", True),
        ("0 0 100 6 100 50 0 50", False),  # 3.4 degrees
        ("100 0 0 0 0 50 100 50", False),  # points to the left
        ("0 50 0 0 100 0 100 50", False),
    ],
)
def test_turned_objects_are_left_out(corners: str, kept: bool, tmp_path: Path) -> None:
    made = Dota()
    made.add("a", [f"{corners} ship 0"])
    table = dota.load(made.write(tmp_path))
    assert len(table.label) == kept
    assert sum(table.skipped.values()) == (not kept)


def test_other_sources_are_left_out(small: Dota, tmp_path: Path) -> None:
    small.add("x", [line(1, 2, 3, 4)], source="GF")
    small.texts["y"] = f"{line(1, 2, 3, 4)}\n".encode()
    small.pictures["y"] = small.pictures["x"]
    table = dota.load(small.write(tmp_path))
    assert len(table.label) == 10
    assert table.skipped == {"the picture is not from GoogleEarth": 2}


def test_windows_line_ends_empty_lines_and_byte_order_mark(small: Dota, tmp_path: Path) -> None:
    expected = dota.load(small.write(tmp_path / "plain"))
    for name, text in small.texts.items():
        small.texts[name] = b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n\r\n  \r\n")
    table = dota.load(small.write(tmp_path / "windows"))
    assert table.left.tolist() == expected.left.tolist()
    assert table.labels == expected.labels


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    made = Dota()
    made.add("Luftbild-ß", [line(1, 2, 30, 40, "Schiff-ß")])
    table = dota.load(made.write(tmp_path))
    assert table.labels == ("Schiff-ß",)
    assert table.pictures[0].read() == made.pictures["Luftbild-ß"]


def test_all_missing_archives_are_named(small: Dota, tmp_path: Path) -> None:
    small.write(tmp_path)
    for name in ("train/part2.zip", "val/DOTA-v1.5_val.zip"):
        (tmp_path / name).unlink()
    with pytest.raises(MissingFileError, match="2 of the archives are missing") as caught:
        dota.load(tmp_path)
    assert "train/part2.zip" in str(caught.value)
    assert "val/DOTA-v1.5_val.zip" in str(caught.value)


def test_picture_in_no_archive(small: Dota, tmp_path: Path) -> None:
    del small.pictures["P2"]
    with pytest.raises(SourceError, match=r"1 of the pictures(.|\n)*P2\.png"):
        dota.load(small.write(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "1.0 2.0 3.0 ship 0",
        "1 2 3 4 5 6 7 8 ship 0 more",
        "1 2 3 4 5 6 7 nan ship 0",
        "inf 2 3 4 5 6 7 8 ship 0",
        "1 2 3 four 5 6 7 8 ship 0",
        "1e30 2 3 4 5 6 7 8 ship 0",
    ],
)
def test_line_that_is_no_object(text: str, small: Dota, tmp_path: Path) -> None:
    small.add("bad", [line(1, 2, 3, 4), text])
    with pytest.raises(SourceError, match=r"line 4 of bad\.txt in .*DOTA-v1\.5_train\.zip"):
        dota.load(small.write(tmp_path))


def test_annotation_that_is_not_utf8(small: Dota, tmp_path: Path) -> None:
    small.texts["P1"] += b"\xff\n"
    with pytest.raises(SourceError, match=r"not UTF-8(.|\n)*P1\.txt"):
        dota.load(small.write(tmp_path))


def test_annotation_beyond_all_bounds(small: Dota, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dota, "LARGEST_ANNOTATION", 100)
    with pytest.raises(SourceError, match="annotation is too large"):
        dota.load(small.write(tmp_path))


def test_files_of_other_systems_are_ignored(small: Dota, tmp_path: Path) -> None:
    small.write(tmp_path)
    texts = {f"{name}.txt": small.texts[name] for name in ("P0", "P1", "P2", "P4")}
    write_zip(
        tmp_path / "train/DOTA-v1.5_train.zip",
        {"__MACOSX/._P0.txt": b"\0\1", "._P1.txt": b"\0", "@eaDir/P2.txt": b"", "readme.md": b"x", **texts},
        zipfile.ZIP_DEFLATED,
    )
    litter(tmp_path)
    assert len(dota.load(tmp_path).pictures) == 5
