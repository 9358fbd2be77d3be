"""``stirdata generate stir trafficsign`` and ``aerial``: files, messages and exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from photographs import Dota, Mapillary, enough_ships, enough_signs
from stirdata.cli import main

import stirdata
from stirdata import manifest

Run = Callable[..., tuple[int, str, str]]
MAKERS: dict[str, Callable[[], Mapillary | Dota]] = {"trafficsign": enough_signs, "aerial": enough_ships}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["generate", "stir", *map(str, arguments)])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return call


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        source = MAKERS[name]().write(folder / "source")
        stirdata.generate(f"stir-{name}", source_dir=source, out=folder / "made" / "set.npz", workers=1)
        return folder

    return make


@pytest.fixture
def folder_of(_made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies ``source`` and, made of it by one worker, ``made/set.npz``."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(_made(name), tmp_path / name))

    return copy


def is_equal(first: Path, second: Path) -> bool:
    """Tell whether two folders hold the same set: file, manifest and sums."""
    names = ["SHA256SUMS", "set.npz", "set.npz.manifest.json"]
    assert files_in(first) == names
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


@pytest.mark.parametrize("name", MAKERS)
def test_file_manifest_sums_and_again(name: str, run: Run, folder_of: Callable[[str], Path]) -> None:
    folder = folder_of(name)
    source, out = folder / "source", folder / "made" / "set.npz"
    assert files_in(out.parent) == ["SHA256SUMS", "set.npz", "set.npz.manifest.json"]
    described = manifest.load(manifest.manifest_path(out))
    assert described.dataset == f"stir-{name}"
    assert described.sources[0]["objects"]["taken"] == 75
    assert "/source" not in manifest.manifest_path(out).read_text()
    code, stdout, _ = run(name, "--source-dir", source, "--out", out, "--json")
    assert (code, json.loads(stdout)["outputs"][0]["already_there"]) == (0, True)
    assert run(name, "--source-dir", source, "--out", out, "--quiet", "--seed", 7)[0] == 2  # of another seed


def test_force_makes_it_of_another_seed(run: Run, folder_of: Callable[[str], Path]) -> None:
    folder = folder_of("aerial")
    source, out = folder / "source", folder / "made" / "set.npz"
    before = out.read_bytes()
    code, stdout, stderr = run("aerial", "--source-dir", source, "--out", out, "--force", "--seed", 7)
    assert (code, stdout.splitlines()[-1]) == (0, str(out))
    assert "1 of 1 classes qualified" in stderr
    assert out.read_bytes() != before


def test_same_bytes_with_two_workers_and_quiet_is_quiet(run: Run, folder_of: Callable[[str], Path]) -> None:
    folder = folder_of("trafficsign")
    out = folder / "two" / "set.npz"
    done = run("trafficsign", "--source-dir", folder / "source", "--out", out, "--workers", 2, "--quiet")
    assert done == (0, f"{out}\n", "")
    assert is_equal(out.parent, folder / "made")


def test_check_compares_with_the_manifest(run: Run, folder_of: Callable[[str], Path]) -> None:
    folder = folder_of("trafficsign")
    arguments = ("trafficsign", "--source-dir", folder / "source", "--check", "--out")
    assert run(*arguments, folder / "none" / "set.npz")[0] == 2  # nothing to compare with
    assert files_in(folder / "none") == []
    out = folder / "made" / "set.npz"
    code, stdout, _ = run(*arguments, out)
    assert (code, stdout.startswith("equal to")) == (0, True)
    signs = enough_signs()
    signs.pictures["pic000"] = signs.pictures["pic016"]
    signs.write(folder / "source")
    code, _, stderr = run(*arguments, out)
    assert (code, "the manifest is of another dataset" in stderr) == (2, True)


def test_source_folder_is_required(run: Run, tmp_path: Path) -> None:
    code, _, stderr = run("aerial", "--out", tmp_path / "a.npz")
    assert code == 2
    assert "--source-dir" in stderr


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("trafficsign", "missing", "2 of the archives are missing"),
        ("aerial", "missing", "2 of the archives are missing"),
        ("trafficsign", "picture", "the picture is corrupt"),
        ("aerial", "picture", "the picture is corrupt"),
        ("trafficsign", "few", "no class has 75"),
        ("aerial", "few", "no class has 75"),
    ],
)
def test_bad_input_leaves_nothing(name: str, damage: str, message: str, run: Run, tmp_path: Path) -> None:
    made = enough_signs(count=74 if damage == "few" else 75) if name == "trafficsign" else None
    made = made or enough_ships(count=74 if damage == "few" else 75)
    if damage == "picture":
        key = next(iter(made.pictures))
        made.pictures[key] = made.pictures[key][:3000]
    source = made.write(tmp_path / "source")
    if damage == "missing":
        for path in sorted(source.rglob("*.zip"))[:2]:
            path.unlink()
    code, stdout, stderr = run(name, "--source-dir", source, "--out", tmp_path / "made" / "a.npz")
    assert (code, stdout) == (2, "")
    assert message in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "made").exists()


@pytest.mark.filterwarnings("default")  # Dask warns of its own affairs
def test_scheduler_that_does_not_answer(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed: no Dask cluster")
    monkeypatch.setattr("stirdata.executors.DASK_TIMEOUT", 0.5)
    source = enough_ships().write(tmp_path / "source")
    out = tmp_path / "a.npz"
    code, _, stderr = run("aerial", "--source-dir", source, "--out", out, "--dask", "tcp://127.0.0.1:9")
    assert code == 3
    assert "the Dask scheduler cannot be reached" in stderr
    assert not out.exists()


@pytest.mark.filterwarnings("default")
def test_same_bytes_on_a_dask_cluster(
    run: Run, folder_of: Callable[[str], Path], local_cluster: Callable[..., Any]
) -> None:
    folder = folder_of("aerial")
    out = folder / "there" / "set.npz"
    with local_cluster() as cluster:
        address = cluster.scheduler_address
        assert run("aerial", "--source-dir", folder / "source", "--out", out, "--dask", address)[0] == 0
    assert is_equal(out.parent, folder / "made")
