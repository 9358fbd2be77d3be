"""Fetching the published STIR files: refusals, manifests, mirrors, and doing nothing twice."""

import socket

import numpy as np
import pytest
from server import Reply, json_reply, page
from zenodo_site import (
    API,
    BESIDE,
    EMOJI,
    NUMBER,
    md5,
    npz_of,
    paths,
    publish,
    published,
    record,
    record_of_2023,
    sha256,
    whole,
)

from stirdata import locks
from stirdata.cache import cache_folder
from stirdata.errors import (
    FormatError,
    ParameterError,
    SourceError,
    SourceUnavailableError,
    StirdataError,
    TargetError,
    TargetExistsError,
)
from stirdata.families.recognition import outputs_below
from stirdata.families.stir.published import published_files
from stirdata.manifest import load, pinned
from stirdata.operations.verify import verify
from stirdata.transfer.published import PublishedRequest


def test_all_files_arrive_with_lock_and_manifests(fetch, server, tmp_path, content_of):
    files = fetch()
    found = content_of(tmp_path / "dest")
    assert set(found) == BESIDE | set.union(*(whole(name) for name in files))
    for name, content in published().items():
        assert found[name] == content
    assert list(files) == ["emoji", "mnist", "trafficsign", "aerial"]
    assert not any(file.already_there for file in files.values())
    contents = [f"{API}/files/{name}/content" for name in published()]
    assert paths(server) == [API, *contents]
    assert all(verify(path).ok for path in outputs_below(tmp_path / "dest"))


def test_manifest_names_the_record(fetch, tmp_path):
    fetch("aerial")
    manifest = load(tmp_path / "dest" / "aerial.npz.manifest.json")
    content = npz_of("aerial")
    (source,) = manifest.sources
    assert (source["record"], source["md5"], source["sha256"]) == (NUMBER, md5(content), sha256(content))
    assert manifest.license == "CC BY-NC-SA 4.0"
    assert manifest.dataset == "stir"  # not at Zenodo itself, so nothing is known of its shape
    assert any("Xia" in text for text in manifest.citation)
    sums = (tmp_path / "dest" / "SHA256SUMS").read_text()
    assert sums == f"{sha256(content)}  aerial.npz\n"


def test_licenses_are_told_before_the_download(fetch, server):
    first = []
    server.on_served = lambda request: first.append(list(fetch.said)) if "content" in request.path else None
    fetch("emoji", "aerial")
    assert first[0] == fetch.said
    emoji, aerial = fetch.said
    assert emoji.startswith("emoji.npz: ")
    assert emoji.endswith("license CC BY 4.0 (made from Font Awesome Free 5.15.3)")
    assert "license CC BY-NC-SA 4.0, not for commercial use (made from DOTA v1.5)" in aerial


def test_again_asks_nobody_and_writes_nothing(fetch, server, tmp_path, content_of):
    fetch()
    before = content_of(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dest").iterdir()}
    files = fetch()
    assert all(file.already_there and file.url is None for file in files.values())
    assert (server.requests, fetch.said) == ([], [])
    assert content_of(tmp_path) == before
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "dest").iterdir()}


def test_again_works_offline_and_in_a_folder_that_takes_nothing(fetch, tmp_path, monkeypatch):
    fetch("emoji")

    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened, or a lock")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(locks, "locked", refuse)
    assert fetch("emoji", offline=True)["emoji"].already_there
    monkeypatch.setenv("STIRDATA_OFFLINE", "1")
    assert fetch("emoji")["emoji"].already_there


@pytest.mark.parametrize("with_lock", [False, True])
def test_offline_what_is_missing_is_unavailable(fetch, tmp_path, monkeypatch, content_of, with_lock):
    if with_lock:
        fetch("emoji")
        (tmp_path / "dest" / "emoji.npz").unlink()
    before = content_of(tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(locks, "locked", None)  # nor is a folder written to
    with pytest.raises(SourceUnavailableError, match=r"emoji\.npz is not there, and no connection") as caught:
        fetch("emoji", offline=True)
    assert caught.value.where == tmp_path / "dest" / "emoji.npz"
    assert content_of(tmp_path) == before


def test_form_of_2023(fetch, server, tmp_path):
    server.add(API, json_reply(record_of_2023(server, published())))
    fetch("emoji")
    assert (tmp_path / "dest" / "emoji.npz").read_bytes() == npz_of("emoji")
    assert paths(server) == [API, f"/records/{NUMBER}/files/emoji.npz"]
    assert server.requests[1].query == "download=1"


@pytest.mark.parametrize("key", ["../evil", "/evil", "C:\\evil", "NUL", "a\0b"])
def test_dangerous_names_write_nothing(fetch, server, tmp_path, content_of, key):
    server.add(API, json_reply(record(server, published() | {key: b"evil"})))
    with pytest.raises(SourceError, match="dangerous name"):
        fetch()
    assert content_of(tmp_path) == {}
    assert paths(server) == [API]


def test_other_files_of_a_record_are_left_alone(fetch, server, tmp_path, content_of):
    publish(server, published() | {"read me.txt": b"r", "owner/code.zip": b"c"})
    fetch("emoji")
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


def test_file_that_is_not_in_the_record(fetch, server, tmp_path, content_of):
    publish(server, {"mnist.npz": npz_of("mnist")})
    with pytest.raises(SourceUnavailableError, match=r"has no file emoji\.npz") as caught:
        fetch("emoji")
    assert caught.value.got == "mnist.npz"
    assert content_of(tmp_path) == {}


def test_right_file_without_lock_is_taken_over(fetch, server, tmp_path, content_of):
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "emoji.npz").write_bytes(npz_of("emoji"))
    assert fetch("emoji")["emoji"].already_there
    assert paths(server) == [API]
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


@pytest.mark.parametrize("with_lock", [False, True])
def test_own_file_of_the_same_name_is_never_replaced(fetch, server, tmp_path, content_of, with_lock):
    if with_lock:
        fetch("emoji")
    (tmp_path / "dest").mkdir(exist_ok=True)
    (tmp_path / "dest" / "emoji.npz").write_bytes(b"my own")
    before = content_of(tmp_path)
    with pytest.raises(TargetExistsError, match="another file has the name") as caught:
        fetch("mnist", "emoji")
    assert caught.value.where == tmp_path / "dest" / "emoji.npz"
    assert "--force" in caught.value.hint
    assert content_of(tmp_path) == before
    fetch("emoji", force=True)
    assert (tmp_path / "dest" / "emoji.npz").read_bytes() == npz_of("emoji")


def test_lost_manifest_and_sums_are_made_again(fetch, server, tmp_path, content_of):
    fetch("emoji")
    before = content_of(tmp_path)
    for name in ("emoji.npz.manifest.json", "SHA256SUMS"):
        (tmp_path / "dest" / name).unlink()
        fetch("emoji", offline=True)
        assert content_of(tmp_path) == before
    (tmp_path / "dest" / "emoji.npz.manifest.json").write_text("{}")
    fetch("emoji", offline=True)
    assert content_of(tmp_path) == before


def test_file_that_breaks_the_schema(fetch, server, tmp_path):
    publish(server, published() | {"emoji.npz": b"no archive"})
    with pytest.raises(FormatError, match="the one that the record announces, but no STIR set") as caught:
        fetch("emoji")
    assert caught.value.where == tmp_path / "dest" / "emoji.npz"
    assert (tmp_path / "dest" / "emoji.npz").read_bytes() == b"no archive"
    assert not (tmp_path / "dest" / "emoji.npz.manifest.json").exists()


@pytest.mark.parametrize(("classes", "message"), [(2, None), (3, "its axes are not those published")])
def test_pinned_record_has_the_pinned_shape(fetch, server, monkeypatch, classes, message, tmp_path):
    facts = pinned("stir-zenodo")
    monkeypatch.setitem(facts, "site", server.url("").rstrip("/"))
    monkeypatch.setitem(facts["sets"]["emoji"], "classes", classes)
    monkeypatch.setattr("stirdata.families.stir.axes.Frame.__init__.__defaults__", (1, (12, 7, 3), 12, True))
    if message:
        with pytest.raises(FormatError, match=message):
            fetch("emoji")
        return
    fetch("emoji")
    assert load(tmp_path / "dest" / "emoji.npz.manifest.json").dataset == "stir-emoji"


def test_mirrors_come_first_and_must_be_right(fetch, server):
    server.add("/a/emoji.npz", Reply(b"x" * len(npz_of("emoji"))))
    server.add("/b/emoji.npz", Reply(npz_of("emoji")))
    files = fetch("emoji", mirrors=(server.url("/a"), server.url("/b/")))
    assert paths(server) == [API, "/a/emoji.npz", "/b/emoji.npz"]
    assert files["emoji"].url == server.url("/b/emoji.npz")


def test_no_mirror_delivers(fetch, server, tmp_path, content_of):
    server.add(EMOJI, page())
    with pytest.raises(SourceUnavailableError) as caught:
        fetch("emoji", mirrors=(server.url("/a"),))
    assert server.url("/a/emoji.npz") in caught.value.got
    assert "web page" in caught.value.got
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"sets": ("emojis", "mnist")}, "sets"),
        ({"record": "latest"}, "record"),
        ({"base_url": "zenodo.org"}, "base_url"),
        ({"mirrors": ("ftp://a/",)}, "mirror"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_done(tmp_path, content_of, options, where):
    request = PublishedRequest(dest=tmp_path / "dest", **{"sets": (), **options})
    with pytest.raises(ParameterError) as caught:
        dict(published_files().fetch(request))
    assert caught.value.where == where
    assert content_of(tmp_path) == {}


def test_unknown_set_names_those_that_are(fetch):
    with pytest.raises(ParameterError, match="no such set is published") as caught:
        fetch("emojis")
    assert (caught.value.expected, caught.value.got) == ("emoji, mnist, trafficsign, aerial", "emojis")


def test_destination_that_is_a_file(fetch, server, tmp_path):
    (tmp_path / "dest").write_text("mine")
    with pytest.raises(TargetError, match="a file is where the folder should be"):
        fetch("emoji")
    assert server.requests == []
    assert (tmp_path / "dest").read_text() == "mine"


def test_destination_below_a_file(fetch, server, tmp_path):
    (tmp_path / "dest").write_text("mine")
    with pytest.raises(TargetError) as caught:
        fetch("emoji", dest=tmp_path / "dest" / "below")
    assert caught.value.hint == "a part of the path is a file: choose another folder"
    assert server.requests == []


def test_default_is_the_cache(server, fetch):
    assert fetch("emoji", dest=None)["emoji"].path == cache_folder() / "stir" / "emoji.npz"


def test_arrays_are_those_of_the_set(fetch, tmp_path):
    fetch("emoji")
    with np.load(tmp_path / "dest" / "emoji.npz") as archive:
        assert archive["imgs"].shape == (3, 3, 2, 1, 12, 12)


def test_every_error_is_one_of_stirdata(fetch, server):
    server.add(API, json_reply({"files": [{"key": "emoji.npz"}], "id": int(NUMBER)}))
    with pytest.raises(StirdataError):
        fetch("emoji")
