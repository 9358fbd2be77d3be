"""Pictures from archives: their headers, their pixels, and what damaged ones get."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from photographs import encoded, jpeg, pixels, png, write_zip
from PIL import Image

from stirdata.errors import SourceError
from stirdata.sources import pictures
from stirdata.sources.archives import Member, members
from stirdata.sources.pictures import decoded, read_info

FORMS = {"images/a.jpg": jpeg, "images/a.png": png}


def member_of(tmp_path: Path, content: bytes, name: str = "images/a.png") -> Member:
    write_zip(tmp_path / "part.zip", {name: content})
    return members(tmp_path / "part.zip")[0]


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises a size and holds hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("name", FORMS)
def test_parts_are_those_of_the_picture(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = FORMS[name](50, 40)
    member = member_of(tmp_path, content, name)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    assert read_info(member) == (50, 40, "RGB")
    for largest_copied in (1 << 24, 0):  # the second way is that of large pictures
        monkeypatch.setattr(pictures, "_COPIED_PICTURE", largest_copied)
        with decoded(member) as picture:
            np.testing.assert_array_equal(picture.part(3, 5, 20, 40), expected[5:40, 3:20])
            np.testing.assert_array_equal(picture.part(0, 0, 50, 40), expected)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16", "LA"])
def test_other_than_three_channels(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.zeros((30, 40), np.uint16))
    else:
        picture = pixels(40, 30).convert(mode)
    member = member_of(tmp_path, encoded(picture, "PNG"))
    assert read_info(member)[:2] == (40, 30)
    assert read_info(member).mode != "RGB"
    with pytest.raises(SourceError, match="not three channels"), decoded(member):
        pass


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("damage", ["empty", "noise", "cut", "header only"])
def test_corrupt_picture_is_named_with_its_archive(name: str, damage: str, tmp_path: Path) -> None:
    content = FORMS[name](300, 300)
    keep = {"cut": len(content) // 2, "header only": 4}.get(damage, 0)
    content = b"\x13" * 1000 if damage == "noise" else content[:keep]
    member = member_of(tmp_path, content, name)
    with pytest.raises(SourceError, match=rf"corrupt(.|\n)*{name} in .*part\.zip"), decoded(member):
        pass


def test_flipped_bytes_of_a_png(tmp_path: Path) -> None:
    content = bytearray(png(200, 200))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(SourceError, match="corrupt"), decoded(member_of(tmp_path, bytes(content))):
        pass


def test_formats_are_chosen_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="corrupt"):
        read_info(member_of(tmp_path, jpeg(), "images/a.png"))
    with pytest.raises(SourceError, match="corrupt"):
        read_info(member_of(tmp_path, encoded(pixels(30, 30), "TIFF"), "images/a.jpg"))


def test_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    member = member_of(tmp_path, png_header(100_000, 100_000))
    for attempt in (lambda: read_info(member), lambda: decoded(member).__enter__()):
        with pytest.raises(SourceError, match=r"too large(.|\n)*100000 x 100000"):
            attempt()


def test_largest_pictures_of_dota_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_info(member_of(tmp_path, png_header(20_000, 20_000))) == (20_000, 20_000, "RGB")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # of Pillow's own open, which is not used
    with decoded(member_of(tmp_path, png(50, 50))) as picture:
        assert picture.part(0, 0, 5, 2).shape == (2, 5, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_metadata_longer_than_the_start(tmp_path: Path) -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + b"x" * 60_000
    content = jpeg(50, 40)[:2] + 2 * comment + jpeg(50, 40)[2:]
    assert read_info(member_of(tmp_path, content, "images/a.jpg")) == (50, 40, "RGB")
