"""The examples run on small sets, as they would from a shell, and stay short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from described import save_as
from stir_fixtures import small_frame, small_set

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("channels", [1, 3])
def test_small2large_trains_and_reports(tmp_path, channels):
    frame = small_frame(scales=tuple(range(64, 16, -1)), canvas=64, instances=1, channels=channels)
    path = save_as(tmp_path / "set.h5", small_set(frame))
    command = [sys.executable, EXAMPLES / "small2large.py", path, "--epochs", "1", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"epoch  1  loss \d\.\d{3}  valid accuracy \d+\.\d%", lines[0])
    assert re.fullmatch(r"test accuracy at own scales, 17 to 32 pixels: \d+\.\d%", lines[1])
    assert re.fullmatch(r"test accuracy at larger scales, 33 to 64 pixels: \d+\.\d%", lines[3])
    assert lines[2].split()[::2] == [f"{scale}:" for scale in range(17, 33, 3)]
    assert lines[4].split()[::2] == [f"{scale}:" for scale in range(33, 65, 3)]


def test_small2large_tells_a_missing_file(tmp_path):
    command = [sys.executable, EXAMPLES / "small2large.py", tmp_path / "none.npz"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
    assert done.returncode != 0
    assert "there is no such file or folder" in done.stderr
