"""``stirdata fetch``: what it prints and writes, and what newcomers' mistakes get."""

import json
import os
import signal
import socket

import pytest
from server import Reply, Server, page
from standins import fake_cifar, fake_stl, md5
from zenodo_site import NUMBER, npz_of, paths, publish, sha256

from stirdata.cache import cache_folder
from stirdata.manifest import pinned
from stirdata.operations import fetch
from stirdata.sources import mnist


@pytest.fixture
def server():
    with Server() as started:
        publish(started)
        yield started


@pytest.fixture
def fetch_stir(stirdata, server, tmp_path):
    """Run ``stirdata fetch stir`` with the small Zenodo, into ``dest``."""

    def run(*options, dest=True):
        folder = ("--dest", tmp_path / "dest") if dest else ()
        return stirdata("fetch", "stir", "--zenodo", "--base-url", server.url("/"), *folder, *options)

    return run


def test_last_lines_are_the_paths(fetch_stir, stirdata, tmp_path):
    ran = fetch_stir("--only", "emoji,mnist")
    assert (ran.code, ran.lines) == (
        0,
        [str(tmp_path / "dest" / f"{name}.npz") for name in ("emoji", "mnist")],
    )
    assert "license CC BY 4.0 (made from MNIST)" in ran.err
    assert f"emoji.npz: fetched, verified, sha256 {sha256(npz_of('emoji'))}\n" in ran.err
    assert stirdata("verify", tmp_path / "dest").code == 0


def test_again_says_already_there(fetch_stir, server):
    first = fetch_stir("--only", "emoji")
    asked = len(server.requests)
    again = fetch_stir("--only", "emoji", "--offline")
    assert (again.code, again.out) == (0, first.out)
    assert again.err == f"emoji.npz: already there, verified, sha256 {sha256(npz_of('emoji'))}\n"
    assert len(server.requests) == asked


def test_all_four_into_the_cache(fetch_stir):
    ran = fetch_stir(dest=False)
    folder = cache_folder() / "stir"
    names = ("emoji", "mnist", "trafficsign", "aerial")
    assert ran.lines == [str(folder / f"{name}.npz") for name in names]
    assert ran.err.count("not for commercial use") == 2


def test_json_and_quiet(fetch_stir, tmp_path, server):
    ran = fetch_stir("--only", "emoji", "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    result = json.loads(ran.out)
    assert result["citation"] == pinned("stir-zenodo")["citation"]
    assert result["files"] == [
        {
            "set": "emoji",
            "license": "CC BY 4.0",
            "path": str(tmp_path / "dest" / "emoji.npz"),
            "size": len(npz_of("emoji")),
            "sha256": sha256(npz_of("emoji")),
            "already_there": False,
            "url": server.url(f"/api/records/{NUMBER}/files/emoji.npz/content"),
        }
    ]


def test_server_from_the_environment(stirdata, server, monkeypatch, tmp_path):
    monkeypatch.setenv("STIRDATA_ZENODO_URL", server.url("/"))
    ran = stirdata("fetch", "stir", "--zenodo", "--only", " emoji.npz ,", "--dest", tmp_path)
    assert (ran.code, ran.lines) == (0, [str(tmp_path / "emoji.npz")])


def test_mirror_goes_first(fetch_stir, server):
    server.add("/m/emoji.npz", Reply(npz_of("emoji")))
    ran = fetch_stir("--only", "emoji", "--mirror", server.url("/nothing"), "--mirror", server.url("/m/"))
    assert ran.code == 0
    assert paths(server)[1:] == ["/nothing/emoji.npz", "/m/emoji.npz"]


def test_record_by_its_page(fetch_stir, server):
    publish(server, number="77")
    ran = fetch_stir("--only", "emoji", "--record", "https://zenodo.org/records/77")
    assert ran.code == 0
    assert paths(server)[0] == "/api/records/77"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--only", "emojis"], 2, "expected: emoji, mnist, trafficsign, aerial"),
        (["--only", ","], 2, "--only names no set"),
        (["--record", "x"], 2, "expected: a number such as 6578038"),
        (["--base-url", "zenodo"], 2, "expected: https://HOST/"),
        (["--mirror", "ftp://x"], 2, "this is no address of a server"),
        (["--offline"], 3, "allow connections: without --offline"),
        (["--record", "4"], 3, "there is none of this number (404"),
        (["nothing"], 2, "unexpected extra argument"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(fetch_stir, tmp_path, options, code, message):
    ran = fetch_stir(*options)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "dest").exists()


def test_destination_that_is_a_file(fetch_stir, tmp_path):
    (tmp_path / "dest").write_text("mine")
    ran = fetch_stir()
    assert ran.code == 2
    assert "a file is where the folder should be" in ran.err


def test_own_file_is_kept_without_force(fetch_stir, tmp_path):
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "emoji.npz").write_text("mine")
    ran = fetch_stir("--only", "emoji")
    assert (ran.code, ran.out) == (2, "")
    assert "use --force to replace it" in ran.err
    assert (tmp_path / "dest" / "emoji.npz").read_text() == "mine"
    assert fetch_stir("--only", "emoji", "--force").code == 0


def test_zenodo_has_to_be_said(stirdata):
    ran = stirdata("fetch", "stir")
    assert (ran.code, ran.out) == (2, "")
    assert "say stirdata fetch stir --zenodo" in ran.err
    assert "stirdata generate stir" in ran.err


def test_no_mirror_delivers(fetch_stir, server):
    server.add(f"/api/records/{NUMBER}/files/emoji.npz/content", page(404))
    ran = fetch_stir("--only", "emoji", "--mirror", server.url("/m"))
    assert (ran.code, ran.out) == (3, "")
    assert f"{server.url('/m/emoji.npz')}: 404" in ran.err


@pytest.mark.parametrize("command", [["stir", "--zenodo"], ["mnist"]])
def test_interruption_says_that_the_rest_is_kept(stirdata, monkeypatch, command):
    def interrupt(*arguments):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("stirdata.transfer.published.PublishedFiles.fetch", interrupt)
    monkeypatch.setattr(fetch, "fetch_raw", interrupt)
    ran = stirdata("fetch", *command)
    assert (ran.code, ran.out) == (130, "")
    assert "stirdata: interrupted; the next run goes on from where this one stopped\n" in ran.err


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_ctrl_c_in_a_transfer_keeps_what_has_come(small_process, server, tmp_path):
    content = npz_of("emoji")
    url = server.add("/slow/emoji.npz", Reply(content, pace=len(content) / 20), Reply(content))
    command = ["fetch", "stir", "--zenodo", "--only", "emoji", "--base-url", server.url("/")]
    command += ["--mirror", url.removesuffix("emoji.npz"), "--dest", tmp_path / "dest"]
    partial = tmp_path / "dest" / ".emoji.npz.partial"
    process = small_process.start(*command)
    while not (partial.exists() and partial.stat().st_size):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "the next run goes on from where this one stopped" in err
    kept = partial.stat().st_size
    assert small_process.run(*command).code == 0
    assert server.requests[-1].range == f"bytes={kept}-"


@pytest.fixture
def mnist_server(fake_mnist, monkeypatch):
    """Serve the small digits as MNIST from its only mirror."""
    with Server() as started:
        for part, facts in fake_mnist.facts.items():
            started.add(f"/{facts['name']}", Reply(fake_mnist.path(part).read_bytes()))
        monkeypatch.setitem(pinned("mnist"), "mirrors", [started.url("/")])
        yield started


def test_mnist_goes_where_the_generators_look(stirdata, mnist_server, fake_mnist):
    ran = stirdata("fetch", "mnist")
    names = [facts["name"] for facts in fake_mnist.facts.values()]
    assert (ran.code, ran.lines) == (0, [str(cache_folder() / "mnist" / name) for name in names])
    assert ran.err.startswith("The MNIST database of handwritten digits: license CC BY-SA 3.0\n")
    assert len(mnist.load(download=False, quiet=True).images) == 400
    again = stirdata("fetch", "mnist", "--offline")
    assert (again.code, again.out) == (0, ran.out)
    assert again.err.count("already there, verified") == 4
    assert len(mnist_server.requests) == 4


def test_mnist_into_a_folder(stirdata, mnist_server, tmp_path, small_recipe):
    assert stirdata("fetch", "mnist", "--dest", tmp_path / "raw", "--quiet").err == ""
    assert not (cache_folder() / "mnist").exists()
    options = ("--source-dir", tmp_path / "raw", "--out", tmp_path / "out", "--seed", 7)
    assert stirdata("generate", "mnist-scale", *options).code == 0


def test_other_file_of_the_same_name_is_kept_without_force(stirdata, mnist_server, fake_mnist, tmp_path):
    own = tmp_path / fake_mnist.facts["t10k-labels"]["name"]
    own.write_bytes(b"fashion")
    ran = stirdata("fetch", "mnist", "--dest", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "another file has the name of one that is to be fetched" in ran.err
    assert (own.read_bytes(), mnist_server.requests) == (b"fashion", [])
    assert stirdata("fetch", "mnist", "--dest", tmp_path, "--force").code == 0
    assert own.read_bytes() == fake_mnist.path("t10k-labels").read_bytes()


@pytest.mark.parametrize("kind", ["much larger", "folder"])
def test_what_is_no_icon_is_kept_without_force(stirdata, tmp_path, kind):
    target = tmp_path / "tired.svg"
    if kind == "folder":
        target.mkdir()
    else:
        target.write_bytes(b"x" * 1_000_000)
    ran = stirdata("fetch", "fontawesome", "--dest", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    told = {"folder": "a folder is where a file should go", "much larger": "it has 1000000 bytes"}
    assert told[kind] in ran.err


def test_mnist_offline_opens_no_socket(stirdata, fake_mnist, monkeypatch, content_of):
    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    for options, variable in ((["--offline"], ""), ([], "1")):
        monkeypatch.setenv("STIRDATA_OFFLINE", variable)
        ran = stirdata("fetch", "mnist", *options)
        assert (ran.code, ran.out) == (3, "")
        assert "no connection is to be made" in ran.err
        assert content_of(cache_folder()) == {}


def test_mirror_of_mnist(stirdata, fake_mnist, mnist_server, monkeypatch):
    monkeypatch.setitem(pinned("mnist"), "mirrors", [])
    ran = stirdata("fetch", "mnist", "--mirror", mnist_server.url("/").rstrip("/"), "--json", "--quiet")
    files = json.loads(ran.out)["files"]
    assert [file["url"] for file in files] == [mnist_server.url(path) for path in paths(mnist_server)]


def test_fontawesome(stirdata, test_data, tmp_path, monkeypatch):
    icons = sorted((test_data / "fontawesome").rglob("*.svg"))
    with Server() as server:
        for icon in icons:
            server.add(f"/{icon.name}", Reply(icon.read_bytes()))
        monkeypatch.setitem(pinned("fontawesome"), "mirrors", [server.url("/")])
        ran = stirdata("fetch", "fontawesome", "--dest", tmp_path / "icons")
    assert ran.code == 0
    assert len(ran.lines) == len(pinned("fontawesome")["files"]) == 36
    assert stirdata("fetch", "fontawesome", "--dest", tmp_path / "icons", "--offline").code == 0


def test_list_says_what_there_is(stirdata, fetch_stir, mnist_server):
    before = stirdata("fetch", "--list")
    assert (before.code, before.err) == (0, "")
    assert "stirdata fetch stir --zenodo --only aerial\n" in before.out
    assert "CC BY-NC-SA 4.0, not for commercial use" in before.out
    assert "from https://zenodo.org/records/6578038" in before.out
    assert "size unknown before the first fetch" in before.out
    assert "  in the cache" not in before.out
    fetch_stir("--only", "emoji", dest=False)
    stirdata("fetch", "mnist")
    after = json.loads(stirdata("fetch", "--list", "--json").out)["fetchable"]
    state = {entry["command"]: (entry["cached"], entry["size"]) for entry in after}
    assert state["stir --zenodo --only emoji"] == (1, len(npz_of("emoji")))
    assert state["stir --zenodo --only mnist"] == (0, None)
    assert state["mnist"][0] == 4
    assert state["fontawesome"][0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: stirdata fetch"),
        (["nothing"], "No such command 'nothing'"),
        (["--list", "mnist"], "--list stands alone"),
        (["--json"], "--json goes with --list"),
        (["--json", "mnist"], "--json goes with --list"),
    ],
)
def test_wrong_usage(stirdata, arguments, message):
    ran = stirdata("fetch", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize(("name", "fake"), [("cifar10", fake_cifar), ("stl10", fake_stl)])
def test_archives_go_where_the_generators_look(stirdata, tmp_path, monkeypatch, name, fake):
    path = next(fake(tmp_path, monkeypatch).iterdir())
    facts = {**pinned(name)["archive"], "md5": md5(path.read_bytes()), "size": path.stat().st_size}
    monkeypatch.setitem(pinned(name), "archive", facts)
    with Server() as server:
        monkeypatch.setitem(pinned(name), "mirrors", [server.url("/")])
        server.add(f"/{path.name}", Reply(path.read_bytes()))
        out = tmp_path / "made.h5"
        made = stirdata("generate", f"rescaled-{name}", "--out", out)  # which downloads it
        assert made.code == 0, made.err
        ran = stirdata("fetch", name)
        assert (ran.code, ran.lines) == (0, [str(cache_folder() / name / path.name)])
        assert "already there, verified" in ran.err
        assert len(server.requests) == 1
    assert stirdata("generate", f"rescaled-{name}", "--out", out).code == 0
    cached = cache_folder() / name / path.name
    cached.write_bytes(cached.read_bytes()[:-100])
    again = stirdata("generate", f"rescaled-{name}", "--out", tmp_path / "again.h5")
    if (
        name == "cifar10"
    ):  # of STL-10 single files are proven, and what is behind the last of them is not read
        assert again.code == 2
        assert "delete this file; it is downloaded again when it is needed" in again.err
    wrong = Reply(b"another archive")
    with Server() as server:
        monkeypatch.setitem(pinned(name), "mirrors", [server.url("/")])
        server.add(f"/{path.name}", wrong, wrong)
        ran = stirdata("fetch", name, "--dest", tmp_path / "dest")
    assert (ran.code, ran.out) == (3, "")
    assert not list((tmp_path / "dest").glob("*.gz"))
