"""``stirdata show``: options, output, and the bytes of a sheet."""

import json
import subprocess
import sys

import pytest
from described import save_stir
from making import save_below

from stirdata.digest import sha256_of_file

SHEET = "7ddae93fd271e315d295a3822fc80343b22a1dec7c847f440614c3ca1f6f5639"
"""Of the sheet in :func:`test_bytes_are_the_same_everywhere`."""


@pytest.fixture
def stir(tmp_path):
    save_stir(tmp_path / "a.npz")
    return tmp_path / "a.npz"


def test_path_is_printed_last(stirdata, stir, tmp_path):
    target = tmp_path / "sheet.png"
    ran = stirdata("show", stir, "--out", target)
    assert (ran.code, ran.lines) == (0, [str(target)])
    assert ran.err.startswith("made, ") and ran.err.endswith(" pixels\n")
    ran = stirdata("show", stir, "--out", target)
    assert ran.err.startswith("already there, ")
    assert stirdata("show", stir, "--out", target, "--quiet").err == ""


def test_bytes_are_the_same_everywhere(stirdata, stir, tmp_path):
    options = ["--split", "val", "--scales", "3,7,12", "--classes", "0-1", "--instances", "1"]
    ran = stirdata("show", stir, "--out", tmp_path / "sheet.png", *options, "--boxes", "--zoom", 3)
    assert ran.code == 0
    assert sha256_of_file(tmp_path / "sheet.png") == SHEET


def test_json(stirdata, tmp_path, small_realization):
    path, target = save_below(tmp_path, "h5", small_realization), tmp_path / "sheet.png"
    ran = stirdata("show", path, "--out", target, "--columns", 3, "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    result = json.loads(ran.out)
    assert (result["path"], result["already_there"]) == (str(target), False)
    assert result["width"] > 0 < result["height"]


def test_existing_output_is_left_alone_without_force(stirdata, stir, tmp_path):
    target = tmp_path / "sheet.png"
    target.write_bytes(b"somebody's work")
    ran = stirdata("show", stir, "--out", target)
    assert (ran.code, ran.out, target.read_bytes()) == (2, "", b"somebody's work")
    assert "--force" in ran.err
    assert stirdata("show", stir, "--out", target, "--force").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Missing option '--out'"),
        (["--out", "a.png", "--split", "all"], "unknown split"),
        (["--out", "a.png", "--scales", "small"], "expected numbers and ranges such as"),
        (["--out", "a.png", "--scales", "3,7-8"], "there are no such scales"),
        (["--out", "a.png", "--classes", "7-0"], "the range 7-0 runs backwards"),
        (["--out", "a.png", "--instances", "0-99999999"], "at most 10000 instances"),
        (["--out", "a.png", "--columns", "0"], "0 is not in the range"),
        (["--out", "a.png", "--zoom", "17"], "17 is not in the range"),
        (["--out", "a.jpg"], "a contact sheet is a PNG file"),
        (
            ["--out", "a.png", "--columns", "3"],
            "columns can be chosen where every image has a scale of its own only",
        ),
    ],
)
def test_wrong_usage(stirdata, stir, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    ran = stirdata("show", stir, *options)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("command", ["info", "show"])
def test_torch_is_never_loaded(stir, small_realization, tmp_path, command):
    digits = save_below(tmp_path, "h5", small_realization)
    more = ["--out", str(tmp_path / "sheet.png"), "--force"] if command == "show" else []
    for path in (stir, digits):
        code = (
            "import atexit, sys; from stirdata.cli import main;"
            "atexit.register(lambda: print('torch' in sys.modules));"
            f"main({[command, str(path), *more]!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "False")
