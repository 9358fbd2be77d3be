"""The STIR commands: what they print, and with which code they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stir_fixtures import DISC, SVG, data, needs_cairo, picture_folder, run

from stirdata.families import asks
from stirdata.families.stir.emoji import ICONS


def custom(pictures: Path, out: Path, *more: object) -> list[object]:
    start = ["generate", "stir", "custom", "--source-dir", pictures, "--out", out]
    return [*start, "--scales", "5-8", "--canvas", 12, *more]


def test_custom_prints_the_path_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, out = picture_folder(tmp_path / "own", {"b": 3, "a": 4}), tmp_path / "own.npz"
    (pictures / "notes.txt").write_text("")
    made = run(capsys, *custom(pictures, out))
    assert (made.code, made.out) == (0, f"{out}\n")
    assert "2 classes with 1 instances" in made.err
    assert "1 pictures were left out: more than these instances need" in made.err
    assert "notes.txt" in made.err
    with np.load(out) as archive:
        assert archive["imgs"].shape == (3, 4, 2, 1, 12, 12, 3)
        assert archive["scls"][0, :, 0, 0].tolist() == [8, 7, 6, 5]
    again = run(capsys, *custom(pictures, out, "--quiet"))
    assert (again.code, again.out, again.err) == (0, f"{out}\n", "")
    (result,) = json.loads(run(capsys, *custom(pictures, out, "--json")).out)["outputs"]
    assert result["already_there"]
    assert run(capsys, "verify", out).code == 0
    assert run(capsys, *custom(pictures, out, "--check")).out == f"equal to the manifest of {out}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--scales", "8-5"],
        ["--scales", "x"],
        ["--scales", "1-99999999999"],
        ["--scales", "0-3"],
        ["--canvas", "7"],
        ["--instances", "0"],
        ["--instances", "9"],
        ["--background", "green"],
        ["--seed", "-1"],
        ["--workers", "0"],
        ["--out", "own.zarr"],
        ["--out", "own.h5", "--format", "npz"],
        ["--source-dir", "nowhere"],
    ],
)
def test_wrong_options_exit_with_2_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    pictures = picture_folder(tmp_path / "own", {"a": 3})
    result = run(capsys, *custom(pictures, tmp_path / "out" / "own.npz", *wrong))
    assert result.code == 2
    assert result.out == ""
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_sources_that_are_nowhere_exit_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    result = run(capsys, "generate", "stir", "mnist", "--out", tmp_path / "m.npz")
    assert result.code == 3
    assert "--source-dir" in result.err
    assert not (tmp_path / "m.npz").exists()


@needs_cairo
def test_emoji_names_missing_and_refused_icons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "stir", "emoji", "--source-dir", tmp_path, "--out", tmp_path / "e.npz"]
    missing = run(capsys, *command)
    assert missing.code == 2
    assert "36 of the 36 icons are missing" in missing.err
    for name in ICONS:
        (tmp_path / f"{name}.svg").write_bytes(DISC)
    (tmp_path / "tired.svg").write_text(SVG.format("<script/>"))
    assert "active content" in run(capsys, *command).err
    (tmp_path / "tired.svg").write_bytes(DISC)
    assert "not the icon tired" in run(capsys, *command).err


@needs_cairo
def test_emoji_is_made_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    icons, out = data("fontawesome"), tmp_path / "emoji.npz"
    command = ["generate", "stir", "emoji", "--source-dir", icons, "--out", out]
    assert run(capsys, *command, "--check").code in (0, 1)
    assert not out.exists()
    assert run(capsys, *command, "--seed", "7", "--workers", "1").code == 0
    assert run(capsys, "verify", out).code == 0
    assert run(capsys, "verify", "--as", "stir-emoji", out).code == 1


def test_what_can_be_asked_for_is_what_verification_knows(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "verify", "--help").out
    assert f"[{'|'.join(asks())}]" in text


def test_help_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys\nfrom stirdata.cli import cli\n"
        "cli(['generate', 'stir', 'custom', '--help'], standalone_mode=False)\n"
        "assert not {'torch', 'numpy', 'cairosvg'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
