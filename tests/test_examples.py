"""The examples run on small sets, as they would from a shell, and stay short."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from described import save_as
from stir_fixtures import small_frame, small_set

from stirdata.families.stir import scenarios
from stirdata.storage import hdf5

EXAMPLES = Path(__file__).parents[1] / "examples"


LONGEST = {"mnist_scale_cnn.py": 120}
"""Lines; of the others at most 80."""


def run(name, *arguments):
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=240)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST.get(path.name, 80)


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


@pytest.mark.parametrize("size", [28, 56])
def test_mnist_scale_cnn_has_the_sizes_of_the_article(size):
    model = runpy.run_path(str(EXAMPLES / "mnist_scale_cnn.py"))["network"](size)
    assert model(torch.zeros(2, 1, size, size)).shape == (2, 10)
    weights = [tuple(one.shape) for one in model.parameters() if one.ndim > 1]
    assert weights == [(32, 1, 7, 7), (63, 32, 7, 7), (95, 63, 7, 7), (256, 380), (10, 256)]


def test_mnist_scale_cnn_trains_and_compares(tmp_path, small_realization):
    for seed in (0, 1):
        folder = tmp_path / "MNIST_scale" / f"seed_{seed}"
        folder.mkdir(parents=True)
        hdf5.write(folder / "scale_0.3_1.0.h5", small_realization, {"seed": seed, "source": "mnist"})
    done = run("mnist_scale_cnn.py", tmp_path, "--regime", "28+", "--seeds", 0, 1, "--epochs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for seed in (0, 1):
        assert re.fullmatch(rf"seed {seed}  error \d+\.\d\d %  \d+ s", lines[seed])
    assert re.fullmatch(r"28\+: error [\d.]+ \+- [\d.]+ % over 2 realizations", lines[2])
    assert lines[5].split() == ["CNN", "1.9600", "0.0700"]


def test_stir_scenarios_end_in_reports(tmp_path):
    frame = small_frame(scales=tuple(range(64, 16, -1)), canvas=64, instances=1)
    path = save_as(tmp_path / "set.h5", small_set(frame))
    done = run("stir_scenarios.py", path, "--epochs", 1, "--device", "cpu", "--out", tmp_path / "reports")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == list(scenarios.ALL)
    assert re.search(r"trained [\d.]+%, others [\d.]+%; rank \d+ of 12 \(trained\)", lines[0])
    for name in scenarios.ALL:
        assert (tmp_path / "reports" / name / "report.html").is_file()
