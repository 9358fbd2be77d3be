"""Members of archives: found, read, bounded, and refused where they are dangerous."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photographs import write_zip

from stirdata.errors import MissingFileError, SourceError
from stirdata.sources import archives
from stirdata.sources.archives import index_by_name, members

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    method=st.sampled_from(METHODS),
    count=st.integers(0, 4000),
)
def test_content_comes_back(contents: list[bytes], method: int, count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {f"d/{n}": content for n, content in enumerate(contents)}, method)
    for member, content in zip(members(path), contents, strict=True):
        assert member.read() == content
        assert member.read_start(count) == content[:count]


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/x.png", "C:/x.png", "a\\..\\x.png", "\\x.png"]
)
def test_dangerous_names_are_refused(name: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {name: b"content"})
    with pytest.raises(SourceError, match=r"refused(.|\n)*leads out of the folder"):
        members(tmp_path / "a.zip")


def test_harmless_dots_are_not_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a..b/c...png": b"content"})
    assert members(tmp_path / "a.zip")[0].read() == b"content"


def test_unknown_compression_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"content"}, zipfile.ZIP_BZIP2)
    with pytest.raises(SourceError, match="compression method 12"):
        members(tmp_path / "a.zip")


def test_passwords_are_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"content"})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SourceError, match="with a password"):
        members(tmp_path / "a.zip")


def test_too_large_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1000)
    write_zip(tmp_path / "a.zip", {"x": b"0" * 100_000}, zipfile.ZIP_DEFLATED)
    with pytest.raises(SourceError, match="100000 bytes"):
        members(tmp_path / "a.zip")


@pytest.mark.parametrize("promised", [0, 1, 500])
def test_bomb_inflates_no_further_than_it_promises(promised: int, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, promised)
    (tmp_path / "a.zip").write_bytes(data)
    member = members(tmp_path / "a.zip")[0]
    assert len(member.read_start(10_000)) == promised
    with pytest.raises(SourceError, match=r"x in .*a\.zip"):
        member.read()


def test_changed_content_is_found(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"content"})
    data = (tmp_path / "a.zip").read_bytes().replace(b"content", b"c0ntent")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged(.|\n)*x in .*a\.zip"):
        members(tmp_path / "a.zip")[0].read()


def test_changed_stream_is_found(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": bytes(range(256)) * 20}, zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[31:60] = b"\xff" * 29
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SourceError, match="damaged"):
        members(tmp_path / "a.zip")[0].read()


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_archive_cut_short(keep: int, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"content" * 100})
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:keep])
    with pytest.raises(SourceError, match="not a complete zip archive"):
        members(tmp_path / "a.zip")


def test_archive_cut_short_after_it_was_indexed(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"x": b"content" * 100})
    member = members(tmp_path / "a.zip")[0]
    data = (tmp_path / "a.zip").read_bytes()
    for keep in (0, 20, 100):
        (tmp_path / "a.zip").write_bytes(data[:keep])
        with pytest.raises(SourceError, match="damaged"):
            member.read()
    (tmp_path / "a.zip").write_bytes(b"X" * len(data))
    with pytest.raises(SourceError, match="no member where its directory says"):
        member.read()
    (tmp_path / "a.zip").unlink()
    with pytest.raises(MissingFileError, match="same paths"):
        member.read()


def test_index_takes_the_first_of_equal_names(tmp_path: Path) -> None:
    write_zip(
        tmp_path / "a.zip",
        {"images/x.png": b"1", "images/x.txt": b"", "__MACOSX/y.png": b"", "@eaDir/w.png": b""},
    )
    write_zip(tmp_path / "b.zip", {"images/x.png": b"2", "deep/er/z.PNG": b"3"})
    index = index_by_name([tmp_path / "a.zip", tmp_path / "b.zip"], ".png")
    assert {name: member.read() for name, member in index.items()} == {"x": b"1", "z": b"3"}
