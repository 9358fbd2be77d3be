"""Pictures of one's own, good and bad."""

from __future__ import annotations

import io
import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from leftovers import litter
from PIL import Image
from stir_fixtures import DISC, SVG, picture_folder

from stirdata.errors import MissingFileError, SourceError
from stirdata.sources import class_folders
from stirdata.sources.class_folders import decode, find, read


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def test_classes_and_pictures_come_by_name(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"b": 2, "a": 1})
    (tmp_path / "a" / "z.SVG").write_bytes(DISC)
    (tmp_path / "a" / ".hidden.png").write_bytes(b"")
    (tmp_path / "a" / "list.txt").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".git").mkdir()
    found = find(tmp_path)
    assert list(found.classes) == ["a", "b"]
    assert [picture.identity for picture in found.classes["a"]] == ["a/0.png", "a/z.SVG"]
    assert [picture.is_svg for picture in found.classes["a"]] == [False, True]
    assert found.ignored == ["notes.txt", "a/list.txt"]


def test_what_systems_leave_behind_is_no_class_and_no_picture(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"b": 2, "a": 1})
    expected = find(tmp_path)
    litter(tmp_path)
    assert find(tmp_path) == expected
    assert expected.ignored == []


def test_names_are_composed(tmp_path: Path) -> None:
    picture_folder(tmp_path, {unicodedata.normalize("NFD", "Ähre"): 1})
    assert list(find(tmp_path).classes) == ["Ähre"]
    (tmp_path / "Ähre").mkdir(exist_ok=True)
    if len(list(tmp_path.iterdir())) == 2:  # the file system keeps the two apart
        with pytest.raises(SourceError, match="same name"):
            find(tmp_path)


def test_missing_and_empty_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        find(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match="no classes"):
        find(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(SourceError, match=r"(?s)without pictures.*a, b"):
        find(tmp_path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_pixel_format_is_decoded(mode: str) -> None:
    values = np.full((4, 6), 200, np.uint16) * 256
    plain = Image.new("RGB", (6, 4), (200, 200, 200))
    image = Image.fromarray(values) if mode == "I;16" else plain.convert(mode)
    form = "TIFF" if mode == "CMYK" else "PNG"
    decoded = decode(encoded(image, form), "x")
    assert decoded.shape == (4, 6, 4)
    assert decoded.dtype == np.uint8
    assert (decoded[..., 3] == 255).all()
    tolerance = {"1": 255, "P": 5}.get(mode, 1)  # of black and white, and of Pillow's palette
    assert (abs(decoded[..., :3].astype(int) - 200) <= tolerance).all()


def test_pictures_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decode(encoded(Image.new("RGB", (6, 4)), "JPEG", exif=exif), "x").shape == (6, 4, 4)


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(Image.effect_noise((30, 30), 90))[:-200]])
def test_corrupt_pictures_are_named(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"(?s)corrupt.*cats/tom\.png"):
        decode(content, "cats/tom.png")


def test_decompression_bombs_are_refused_unopened() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(SourceError, match=r"too large|corrupt"):
        decode(bomb, "bomb.png")


def test_large_pictures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_folders, "LARGEST_PICTURE", 10)
    with pytest.raises(SourceError, match=r"(?s)too large.*4 x 4"):
        decode(encoded(Image.new("L", (4, 4))), "x.png")


def test_a_harmful_svg_is_refused_when_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.svg").write_text(SVG.format("<script/>"))
    (picture,) = find(tmp_path).classes["a"]
    with pytest.raises(SourceError, match="active content"):
        read(picture)
    picture.path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        read(picture)
