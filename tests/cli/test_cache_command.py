"""``stirdata cache``: what is there, whether it is right, and that nothing else is ever removed."""

import json
import os
import sys
from unittest.mock import Mock

import pytest
from server import Server
from zenodo_site import npz_of, publish

from stirdata import atomic
from stirdata.cache import cache_folder
from stirdata.operations.cache import (
    LOCK,
    PARTIAL,
    PRESENT,
    UNKNOWN,
    cleanable,
    contents,
    groups,
    known_files,
    remove,
)


@pytest.fixture
def filled(stirdata, fake_mnist):
    """Fill the cache with MNIST, two published sets, an unfinished download, and a file of the user's."""
    folder = cache_folder()
    (folder / "mnist").mkdir(parents=True)
    for part, facts in fake_mnist.facts.items():
        (folder / "mnist" / facts["name"]).write_bytes(fake_mnist.path(part).read_bytes())
    with Server() as server:
        publish(server)
        assert (
            stirdata("fetch", "stir", "--zenodo", "--only", "emoji,mnist", "--base-url", server.url("")).code
            == 0
        )
    atomic.partial_of(folder / "stir" / "aerial.npz").write_bytes(b"half")
    (folder / "stir" / "notes.txt").write_text("mine")
    (folder / "mine.npz").write_text("mine")
    return folder


def state_of(entries, folder):
    return {entry.path.relative_to(folder).as_posix(): entry.state for entry in entries}


OF_STIR = [
    "stir/SHA256SUMS",
    "stir/emoji.npz",
    "stir/emoji.npz.manifest.json",
    "stir/mnist.npz",
    "stir/mnist.npz.manifest.json",
]


def test_list(stirdata, filled, fake_mnist):
    ran = stirdata("cache", "list")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[-1].endswith(str(filled))
    assert f"{os.sep}emoji.npz  present\n" in ran.out
    assert "mine.npz  unknown, never touched" in ran.out
    names = [f"mnist/{facts['name']}" for facts in fake_mnist.facts.values()]
    assert state_of(contents(), filled) == {
        **dict.fromkeys([*OF_STIR, *names, "stir/stir-zenodo.lock.json"], PRESENT),
        "stir/.aerial.npz.partial": PARTIAL,
        "stir/notes.txt": UNKNOWN,
        "mine.npz": UNKNOWN,
    }
    result = json.loads(stirdata("cache", "list", "--json").out)
    assert result["folder"] == str(filled)
    assert result["size"] == sum(file.stat().st_size for file in filled.rglob("*") if file.is_file())
    groups = {entry["path"]: entry["group"] for entry in result["files"]}
    assert groups[str(filled / "mine.npz")] is None
    assert groups[str(filled / "stir" / "emoji.npz")] == "stir"


@pytest.mark.parametrize("command", ["list", "verify"])
def test_empty_cache(stirdata, command):
    ran = stirdata("cache", command)
    assert (ran.code, ran.lines) == (0, [f"     0 B  {cache_folder()}"])


@pytest.mark.parametrize("command", ["list", "verify", "clean"])
def test_cache_that_is_a_file(stirdata, command, tmp_path, monkeypatch):
    (tmp_path / "mine").write_text("mine")
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path / "mine"))
    ran = stirdata("cache", command)
    assert (ran.code, ran.out) == (2, "")
    assert "a file is where the cache should be" in ran.err
    assert "set STIRDATA_HOME to a folder" in ran.err


def test_verify_tells_of_what_cannot_be_read(stirdata, filled, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("stirdata.operations.cache.sha256_of_file", fail)
    ran = stirdata("cache", "verify")
    assert ran.code == 1
    assert ran.out.count("damaged: Permission denied") == 2


def test_verify_proves_what_is_right(stirdata, filled):
    ran = stirdata("cache", "verify", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("  ok\n") == 10
    assert "notes.txt  unknown, never touched" in ran.out


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("stir/emoji.npz", b"x", "damaged: 1 bytes instead of"),
        ("stir/emoji.npz", b"x" * len(npz_of("emoji")), "damaged: another sha256"),
        ("stir/emoji.npz.manifest.json", b"{}", "damaged: the manifest has an unknown schema"),
        ("stir/SHA256SUMS", b"", "damaged: no right line for"),
        ("stir/stir-zenodo.lock.json", b"{", "damaged: the lock file is damaged"),
        ("stir/trafficsign.npz", b"x", "not proven: it is not in stir-zenodo.lock.json"),
        ("mnist/t10k-labels-idx1-ubyte.gz", b"x", "damaged: the file is not the original MNIST file"),
        ("fontawesome/5.15.3/tired.svg", b"x", "damaged: "),
        ("synthetic/digits-1.npz", b"x", "damaged: it does not hold the pinned digits"),
    ],
)
def test_verify_finds_what_is_wrong(stirdata, filled, name, content, told):
    (filled / name).parent.mkdir(parents=True, exist_ok=True)
    (filled / name).write_bytes(content)
    ran = stirdata("cache", "verify", "--json")
    assert ran.code == 1
    states = {entry["path"]: entry["state"] for entry in json.loads(ran.out)["files"]}
    assert told in states[str(filled / name)]


def test_verify_finds_the_manifest_of_other_bytes(stirdata, filled):
    path = filled / "stir" / "emoji.npz.manifest.json"
    path.write_bytes(path.with_name("mnist.npz.manifest.json").read_bytes())
    ran = stirdata("cache", "verify")
    assert ran.code == 1
    assert "emoji.npz.manifest.json  damaged: it describes another file than the lock file" in ran.out


def test_clean_removes_what_it_knows_and_nothing_else(stirdata, filled, content_of):
    ran = stirdata("cache", "clean", "--yes")
    assert ran.code == 0
    assert ran.out.startswith("removed 10 files, ")
    assert set(content_of(filled)) == {"mine.npz", "stir", "stir/notes.txt", "stir/stir-zenodo.lock.json"}
    assert stirdata("cache", "clean", "--yes").out == "removed 0 files, 0 B\n"


def test_clean_by_name(stirdata, filled, content_of):
    before = content_of(filled)
    result = json.loads(stirdata("cache", "clean", "mnist", "--yes", "--json").out)
    gone = {name for name in before if name.startswith("mnist")}
    assert content_of(filled) == {name: data for name, data in before.items() if name not in gone}
    assert result["removed"] == [str(filled / name) for name in sorted(gone - {"mnist"})]


def test_unknown_name(stirdata, filled, content_of):
    before = content_of(filled)
    ran = stirdata("cache", "clean", "mine", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "expected: stir, mnist, fashion-mnist, cifar10, stl10, fontawesome, synthetic" in ran.err
    assert content_of(filled) == before


def test_clean_asks_and_takes_no_for_no(stirdata, filled, content_of, monkeypatch):
    before = content_of(filled)
    ran = stirdata("cache", "clean")
    assert (ran.code, ran.out) == (2, "")
    assert "use --yes" in ran.err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answers, code in (("n\n", 1), ("\n", 1)):
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt, said=answers: said.strip())
        assert stirdata("cache", "clean").code == code
        assert content_of(filled) == before
    for reaction in (EOFError, KeyboardInterrupt):
        monkeypatch.setattr("click.termui.visible_prompt_func", Mock(side_effect=reaction))
        ran = stirdata("cache", "clean")
        assert (ran.code, ran.err.splitlines()[-1]) == (1, "nothing was removed")
        assert content_of(filled) == before
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "y")
    assert stirdata("cache", "clean", "mnist").code == 0
    assert not (filled / "mnist").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_never_followed(stirdata, filled, tmp_path, content_of):
    (tmp_path / "mine").mkdir()
    for name in ("tired.svg", "smile-beam.svg"):
        (tmp_path / "mine" / name).write_text("mine")
    (filled / "fontawesome").symlink_to(tmp_path / "mine", target_is_directory=True)
    (filled / "stir" / "trafficsign.npz").symlink_to(tmp_path / "mine" / "tired.svg")
    before = content_of(tmp_path)
    states = state_of(contents(), filled)
    assert (states["fontawesome"], states["stir/trafficsign.npz"]) == (UNKNOWN, UNKNOWN)
    assert stirdata("cache", "clean", "--yes").code == 0
    assert content_of(tmp_path) == before
    assert (filled / "fontawesome").is_symlink()
    assert (filled / "stir" / "trafficsign.npz").is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_file_that_became_a_link_is_left(filled, tmp_path):
    entries = cleanable(["stir"])
    (tmp_path / "own").write_text("mine")
    (filled / "stir" / "emoji.npz").unlink()
    (filled / "stir" / "emoji.npz").symlink_to(tmp_path / "own")
    remove(entries)
    assert (filled / "stir" / "emoji.npz").is_symlink()
    assert (tmp_path / "own").read_text() == "mine"


def test_locks_that_a_kill_has_left_are_removed(filled, content_of):
    for name in ("mnist/.train-images-idx3-ubyte.gz.lock", "stir/.stir-zenodo.lock.json.lock"):
        (filled / name).write_text("")
        assert state_of(contents(), filled)[name] == LOCK
    remove(cleanable())
    assert set(content_of(filled)) == {"mine.npz", "stir", "stir/notes.txt", "stir/stir-zenodo.lock.json"}


def test_every_group_can_be_cleaned():
    found = {file.group for file in known_files(cache_folder())}
    assert found == set(groups())


def test_help_of_the_commands(stirdata):
    out = stirdata("cache", "--help").out
    assert all(f"\n  {name} " in out for name in ("list", "verify", "clean"))
    assert stirdata("cache").code == 2
