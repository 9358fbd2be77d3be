"""The lock file beside published STIR files: it decides, and a record that changes is an error."""

import json

import pytest
from server import Reply, json_reply, page
from zenodo_site import API, EMOJI, LOCK, NUMBER, md5, npz_of, paths, publish, published, record, sha256

from stirdata.errors import (
    LockError,
    SourceUnavailableError,
)


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


def test_both_hashes_of_the_lock_decide(fetch, tmp_path):
    fetch("emoji")
    path = tmp_path / "dest" / LOCK
    path.write_text(path.read_text().replace(sha256(npz_of("emoji")), "0" * 64))
    (tmp_path / "dest" / "emoji.npz").unlink()
    with pytest.raises(SourceUnavailableError) as caught:
        fetch("emoji")
    assert f"it has the sha256 {sha256(npz_of('emoji'))} instead of 000" in caught.value.got
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
