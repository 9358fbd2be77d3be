"""``stirdata generate stir trafficsign`` and ``aerial``: files, messages and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from photographs import Dota, Mapillary, enough_ships, enough_signs
from stirdata.cli import main

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


@pytest.mark.parametrize("name", MAKERS)
def test_file_manifest_sums_and_again(name: str, run: Run, tmp_path: Path) -> None:
    source, out = MAKERS[name]().write(tmp_path / "source"), tmp_path / "made" / f"{name}.npz"
    code, stdout, stderr = run(name, "--source-dir", source, "--out", out, "--workers", 1)
    assert (code, stdout.splitlines()[-1]) == (0, str(out))
    assert "1 of 1 classes qualified" in stderr
    assert files_in(out.parent) == ["SHA256SUMS", f"{name}.npz", f"{name}.npz.manifest.json"]
    described = manifest.load(manifest.manifest_path(out))
    assert described.dataset == f"stir-{name}"
    assert described.sources[0]["objects"]["taken"] == 75
    assert str(tmp_path) not in manifest.manifest_path(out).read_text()
    before = out.read_bytes()
    code, stdout, stderr = run(name, "--source-dir", source, "--out", out, "--json")
    assert (code, json.loads(stdout)["outputs"][0]["already_there"]) == (0, True)
    code, _, _ = run(name, "--source-dir", source, "--out", out, "--force", "--seed", 7, "--quiet")
    assert code == 0
    assert out.read_bytes() != before
    assert run(name, "--source-dir", source, "--out", out, "--quiet")[0] == 2  # of another seed


@pytest.mark.parametrize("name", MAKERS)
def test_same_bytes_with_two_workers(name: str, run: Run, tmp_path: Path) -> None:
    source = MAKERS[name]().write(tmp_path / "source")
    outs = [tmp_path / str(workers) / "set.npz" for workers in (1, 2)]
    for workers, out in enumerate(outs, 1):
        assert run(name, "--source-dir", source, "--out", out, "--workers", workers)[0] == 0
    for path in ("set.npz", "set.npz.manifest.json", "SHA256SUMS"):
        assert (outs[0].parent / path).read_bytes() == (outs[1].parent / path).read_bytes()


def test_check_compares_with_the_manifest(run: Run, tmp_path: Path) -> None:
    signs = enough_signs()
    source, out = signs.write(tmp_path / "source"), tmp_path / "made" / "set.npz"
    arguments = ("trafficsign", "--source-dir", source, "--out", out)
    assert run(*arguments, "--check")[0] == 2  # nothing to compare with
    assert files_in(out.parent) == []
    assert run(*arguments)[0] == 0
    code, stdout, _ = run(*arguments, "--check")
    assert (code, stdout.startswith("equal to")) == (0, True)
    signs.pictures["pic000"] = signs.pictures["pic016"]
    signs.write(source)
    code, _, stderr = run(*arguments, "--check")
    assert (code, "the manifest is of another dataset" in stderr) == (2, True)


def test_quiet_is_quiet(run: Run, tmp_path: Path) -> None:
    source = enough_ships().write(tmp_path / "source")
    code, stdout, stderr = run("aerial", "--source-dir", source, "--out", tmp_path / "a.npz", "--quiet")
    assert (code, stdout, stderr) == (0, f"{tmp_path / 'a.npz'}\n", "")


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
        key = list(made.pictures)[2]
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
def test_same_bytes_on_a_dask_cluster(run: Run, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: no Dask cluster")
    source = enough_ships().write(tmp_path / "source")
    outs = [tmp_path / where / "set.npz" for where in ("here", "there")]
    assert run("aerial", "--source-dir", source, "--out", outs[0])[0] == 0
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        assert run("aerial", "--source-dir", source, "--out", outs[1], "--dask", address)[0] == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by a signal")
@pytest.mark.parametrize("after", [0.7, 1.2, 1.8, 2.5])
def test_killed_command_leaves_nothing_half_written(after: float, run: Run, tmp_path: Path) -> None:
    source, out = enough_signs().write(tmp_path / "source"), tmp_path / "made" / "set.npz"
    arguments = ["generate", "stir", "trafficsign", "--source-dir", str(source), "--out", str(out)]
    command = "import sys; from stirdata.cli import main; main(sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments, "--workers", "1", "--quiet"]
    ) as process:
        time.sleep(after)
        process.kill()
    assert run("trafficsign", "--source-dir", source, "--out", out)[0] == 0
    assert run("trafficsign", "--source-dir", source, "--out", out, "--check")[0] == 0
    assert files_in(out.parent) == ["SHA256SUMS", "set.npz", "set.npz.manifest.json"]
