"""Images that lie in a file as they are, read by one thread or by several."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from stirdata.errors import FormatError
from stirdata.storage import image_bytes
from stirdata.storage.image_bytes import Block, FilePart, PlainBytes, stamp_of

CONTENT = os.urandom(9_001)


def part_of(path: Path, size: int) -> FilePart:
    with path.open("rb") as file:
        return FilePart(path, 7, size, stamp_of(file))


@pytest.fixture(params=[(1, True), (3, True), (1, False)], ids=["one", "three", "without preadv"])
def path(request: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    readers, by_place = request.param
    monkeypatch.setattr(image_bytes, "_READ", 100)
    monkeypatch.setattr(image_bytes, "_readers", lambda size: readers)
    if not by_place:
        monkeypatch.delattr(os, "preadv")
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


def read(source: PlainBytes, places: list[tuple[int, int]]) -> list[bytes]:
    targets = [bytearray(count) for _, count in places]
    blocks = [Block(start, memoryview(target)) for (start, _), target in zip(places, targets, strict=True)]
    assert len(list(source.fill(blocks))) == len(places)
    return [bytes(target) for target in targets]


@pytest.mark.parametrize(
    "places", [[(0, 8_994)], [(0, 1), (5, 99), (104, 100), (204, 101), (4_000, 3_333)], []]
)
def test_blocks_are_the_bytes_of_their_places(path: Path, places: list[tuple[int, int]]) -> None:
    expected = [CONTENT[7 + start : 7 + start + count] for start, count in places]
    assert read(PlainBytes(part_of(path, 8_994)), places) == expected
    summed = PlainBytes(part_of(path, 8_994), b"before", zlib.crc32(b"before" + CONTENT[7:]))
    assert read(summed, places) == expected


def test_a_wrong_sum_is_noticed(path: Path) -> None:
    with pytest.raises(FormatError, match="damaged"):
        read(PlainBytes(part_of(path, 8_994), b"", 1), [(0, 8_000), (8_000, 994)])


def test_a_file_that_ends_too_early_is_told_with_the_bytes_that_are_missing(path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        read(PlainBytes(part_of(path, 20_000)), [(8_000, 2_000)])
    assert caught.value.got == "the end of the file 1006 bytes too early"


def test_many_cores_read_large_files_with_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, size, threads in ((2, 1 << 27, 1), (16, 1 << 27, 4), (64, 1 << 27, 4), (16, 1 << 20, 1)):
        monkeypatch.setattr(image_bytes, "available_cores", lambda cores=cores: cores)
        assert image_bytes._readers(size) == threads
