"""Fetching the published STIR files: lock file, refusals, manifests, mirrors, and doing nothing twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from server import Reply, Server, json_reply, page
from zenodo_site import NUMBER, md5, npz_of, paths, publish, published, record, record_of_2023, sha256

from stirdata import atomic, stir_download
from stirdata.cache import cache_folder
from stirdata.errors import (
    FormatError,
    LockError,
    ParameterError,
    SourceError,
    SourceUnavailableError,
    StirdataError,
    TargetError,
    TargetExistsError,
)
from stirdata.manifest import load
from stirdata.pinned import pinned
from stirdata.stir_download import PublishedRequest, fetch_published
from stirdata.verification import outputs_below, verify

API = f"/api/records/{NUMBER}"
EMOJI = f"{API}/files/emoji.npz/content"
LOCK = "stir-zenodo.lock.json"
BESIDE = {LOCK, "SHA256SUMS"}


@pytest.fixture
def server():
    with Server() as started:
        publish(started)
        yield started


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch sets into ``dest`` and return the files by set; what was said is in ``fetch.said``."""

    def run(*sets, **options):
        options = {"dest": tmp_path / "dest", "base_url": server.url(""), "quiet": True, **options}
        server.requests.clear()
        run.said.clear()
        return dict(fetch_published(PublishedRequest(sets, **options), run.said.append))

    run.said = []
    return run


def whole(name):
    return {f"{name}.npz", f"{name}.npz.manifest.json"}


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


def test_lock_file_says_what_the_record_said(fetch, server, tmp_path):
    fetch("emoji")
    content = npz_of("emoji")
    text = (tmp_path / "dest" / LOCK).read_text()
    assert json.loads(text) == {
        "schema": "stirdata/zenodo-lock/1",
        "asked": NUMBER,
        "record": NUMBER,
        "doi": f"10.5281/zenodo.{NUMBER}",
        "files": {
            "emoji.npz": {
                "size": len(content),
                "md5": md5(content),
                "sha256": sha256(content),
                "url": server.url(EMOJI),
            }
        },
    }


def test_lock_file_depends_on_its_content_only(fetch, tmp_path):
    fetch("mnist")
    fetch("emoji")
    fetch("emoji", "mnist", dest=tmp_path / "b")
    first, second = (tmp_path / folder / LOCK for folder in ("dest", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert list(json.loads(first.read_text())["files"]) == ["emoji.npz", "mnist.npz"]


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
    monkeypatch.setattr(atomic, "locked", refuse)
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
    with pytest.raises(SourceUnavailableError, match="no connection is to be made"):
        fetch("emoji", offline=True)
    assert content_of(tmp_path) == before


def test_form_of_2023(fetch, server, tmp_path):
    server.add(API, json_reply(record_of_2023(server, published())))
    fetch("emoji")
    assert (tmp_path / "dest" / "emoji.npz").read_bytes() == npz_of("emoji")
    assert paths(server) == [API, f"/records/{NUMBER}/files/emoji.npz"]
    assert server.requests[1].query == "download=1"


def test_number_of_all_versions_is_pinned_to_one(fetch, server, tmp_path):
    publish(server, number="77")
    server.add(f"{API}/versions/latest", json_reply(record(server, published(), "77", concept=NUMBER)))
    server.add(API, json_reply({"status": 404}, 404))
    fetch("emoji")
    lock = json.loads((tmp_path / "dest" / LOCK).read_text())
    assert (lock["asked"], lock["record"]) == (NUMBER, "77")
    server.add(f"{API}/versions/latest", json_reply(record(server, {}, "78", concept=NUMBER)))
    fetch("mnist")
    assert paths(server) == ["/api/records/77", "/api/records/77/files/mnist.npz/content"]
    assert fetch("mnist", record="77")["mnist"].already_there


@pytest.mark.parametrize(
    "change",
    [
        {"emoji.npz": b"x" * len(npz_of("emoji"))},
        {"emoji.npz": npz_of("mnist")},
        {"mnist.npz": npz_of("emoji")},
    ],
    ids=["md5", "size", "another file"],
)
def test_record_that_says_something_else_is_an_error(fetch, server, tmp_path, content_of, change):
    fetch("emoji", "mnist")
    (tmp_path / "dest" / "emoji.npz").unlink()
    before = content_of(tmp_path)
    publish(server, published() | change)
    with pytest.raises(LockError, match="something else than when its files were first fetched") as caught:
        fetch("emoji")
    name, content = next(iter(change.items()))
    assert caught.value.got == f"{name} of {len(content)} bytes with md5 {md5(content)}"
    assert caught.value.where == tmp_path / "dest" / LOCK
    assert "--dest" in caught.value.hint
    assert "remove this lock file" in caught.value.hint
    assert paths(server) == [API]
    assert content_of(tmp_path) == before


def test_record_that_lost_a_file_is_an_error(fetch, server):
    fetch("emoji")
    publish(server, {"mnist.npz": npz_of("mnist")})
    with pytest.raises(LockError) as caught:
        fetch("mnist")
    assert caught.value.got == "no such file in the record"


def test_other_bytes_than_in_the_lock_are_not_taken(fetch, server, tmp_path):
    fetch("emoji")
    (tmp_path / "dest" / "emoji.npz").unlink()
    server.add(EMOJI, Reply(b"x" * len(npz_of("emoji"))))
    with pytest.raises(SourceUnavailableError, match=r"emoji\.npz could not be downloaded") as caught:
        fetch("emoji")
    assert "md5" in caught.value.got
    assert not (tmp_path / "dest" / "emoji.npz").exists()


def test_lock_of_another_record(fetch, server):
    fetch("emoji")
    with pytest.raises(LockError, match="another record") as caught:
        fetch("emoji", record="5")
    assert (caught.value.expected, caught.value.got) == ("record 5", f"record {NUMBER}")
    assert server.requests == []


def test_record_that_cannot_be_asked_is_replaced_by_the_lock(fetch, server, tmp_path):
    fetch("emoji", "mnist")
    for name in ("emoji", "mnist"):
        (tmp_path / "dest" / f"{name}.npz").unlink()
    server.add(API, page(403))
    files = fetch("emoji", "mnist")
    assert [file.already_there for file in files.values()] == [False, False]
    assert paths(server).count(API) == 1
    assert "403 Forbidden, a web page; going on with what the lock file says" in fetch.said[0]


def test_record_that_cannot_be_asked_is_asked_once(fetch, server):
    fetch("emoji")
    server.add(API, page(403))
    with pytest.raises(SourceUnavailableError, match="not available"):
        fetch("mnist", "trafficsign", "emoji")
    assert paths(server) == [API]


def test_lock_file_that_is_a_folder(fetch, server, tmp_path):
    (tmp_path / "dest" / LOCK).mkdir(parents=True)
    with pytest.raises(LockError, match="the lock file is damaged") as caught:
        fetch("emoji")
    assert caught.value.expected == "a file that can be read"
    assert server.requests == []


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"schema": "stirdata/zenodo-lock/2"}', "[" * 99999])
def test_damaged_lock_file(fetch, server, tmp_path, damage):
    fetch("emoji")
    (tmp_path / "dest" / LOCK).write_text(damage)
    with pytest.raises(LockError, match="the lock file is damaged"):
        fetch("emoji")
    assert server.requests == []


@pytest.mark.parametrize(
    "change",
    [{"size": "1"}, {"size": True}, {"md5": "x"}, {"md5": 10**31}, {"sha256": 3}, {"url": None}, {"more": 1}],
)
def test_lock_file_with_a_damaged_entry(fetch, tmp_path, change):
    fetch("emoji")
    path = tmp_path / "dest" / LOCK
    content = json.loads(path.read_text())
    content["files"]["emoji.npz"] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(LockError, match="the lock file is damaged"):
        fetch("emoji")


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
    monkeypatch.setattr("stirdata.recipes.stir.Frame.__init__.__defaults__", (1, (12, 7, 3), 12, True))
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
        dict(fetch_published(request))
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


RUN = """\
import sys
from stirdata.stir_download import PublishedRequest, fetch_published
request = PublishedRequest(("emoji",), base_url=sys.argv[1], dest=__import__("pathlib").Path(sys.argv[2]))
print(*(file.already_there for _, file in fetch_published(request)))
"""


def start(server, dest):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, server.url(""), str(dest)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_several_processes_make_one_transfer(server, tmp_path, content_of):
    server.add(EMOJI, Reply(npz_of("emoji"), pace=len(npz_of("emoji"))))
    running = [start(server, tmp_path / "dest") for _ in range(4)]
    done = [process.communicate(timeout=60) for process in running]
    assert sorted(out for out, _ in done) == ["False\n", "True\n", "True\n", "True\n"], done
    assert paths(server) == [API, EMOJI]
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if os.name != "nt" else [])
def test_stopped_transfer_is_gone_on_with(server, fetch, tmp_path, content_of, number):
    content = npz_of("emoji")
    server.add(EMOJI, Reply(content, pace=len(content) / 5), Reply(content))
    process = start(server, tmp_path / "dest")
    partial = atomic.partial_of(tmp_path / "dest" / "emoji.npz")
    deadline = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=30)
    kept = partial.stat().st_size
    assert 0 < kept < len(content)
    fetch("emoji")
    assert server.requests[1].range == f"bytes={kept}-"
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


def test_stop_between_file_and_lock_is_made_good(fetch, server, tmp_path, monkeypatch, content_of):
    with monkeypatch.context() as patched:
        patched.setattr(stir_download.zenodo_lock, "write", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch("emoji")
    assert set(content_of(tmp_path / "dest")) == {"emoji.npz"}
    assert fetch("emoji")["emoji"].already_there
    assert paths(server) == [API]
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


def test_arrays_are_those_of_the_set(fetch, tmp_path):
    fetch("emoji")
    with np.load(tmp_path / "dest" / "emoji.npz") as archive:
        assert archive["imgs"].shape == (3, 3, 2, 1, 12, 12)


def test_every_error_is_one_of_stirdata(fetch, server):
    server.add(API, json_reply({"files": [{"key": "emoji.npz"}], "id": int(NUMBER)}))
    with pytest.raises(StirdataError):
        fetch("emoji")
