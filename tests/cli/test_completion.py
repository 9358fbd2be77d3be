"""Shells complete commands, options, values and file names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(sys.executable).parent
needs_bash = pytest.mark.skipif(
    shutil.which("bash") is None or not (HERE / "stirdata").exists(), reason="no bash, or not installed"
)


def in_bash(script: str, folder: Path) -> list[str]:
    environment = os.environ | {"PATH": f"{HERE}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-c", script], check=True, env=environment, capture_output=True, text=True, cwd=folder
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


def completed(words: str, folder: Path) -> list[str]:
    """Return what bash proposes for the last of some words."""
    last = len(words.split(" ")) - 1
    return in_bash(
        f'eval "$(stirdata completion bash)"; COMP_WORDS=({words}); COMP_CWORD={last}; '
        '_stirdata_completion stirdata; printf "%s\\n" "${COMPREPLY[@]}"',
        folder,
    )


@needs_bash
@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        ("stirdata au", ["audit"]),
        ("stirdata co", ["completion", "convert"]),
        ("stirdata generate mnist-", ["mnist-large-scale", "mnist-scale"]),
        ("stirdata audit --fail-on ", ["leak", "blank", "imbalance"]),
        ("stirdata audit --fa", ["--fail-on"]),
        ("stirdata generate mnist-scale --format ", ["h5", "npz", "png"]),
    ],
)
def test_bash_proposes_what_there_is(words: str, proposed: list[str], tmp_path: Path) -> None:
    assert completed(words.replace("  ", " ''"), tmp_path) == proposed


@needs_bash
def test_bash_is_left_to_complete_files(tmp_path: Path) -> None:
    script = 'eval "$(stirdata completion bash)"; complete -p stirdata'
    (registered,) = in_bash(script, tmp_path)
    assert "_stirdata_completion" in registered
    told = in_bash(
        "COMP_WORDS='stirdata info ' COMP_CWORD=2 _STIRDATA_COMPLETE=bash_complete stirdata", tmp_path
    )
    assert told == ["file,"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_ask_the_command_that_is_installed(shell: str, stirdata: object, tmp_path: Path) -> None:
    ran = stirdata("completion", shell)  # type: ignore[operator]
    assert ran.code == 0
    assert f"_STIRDATA_COMPLETE={shell}_complete" in ran.out
    if shutil.which(shell):
        (tmp_path / "script").write_text(ran.out)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, capture_output=True)


def test_an_unknown_shell_is_refused(stirdata: object) -> None:
    ran = stirdata("completion", "tcsh")  # type: ignore[operator]
    assert ran.code == 2
    assert "'bash', 'zsh', 'fish'" in ran.err
