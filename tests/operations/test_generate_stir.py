"""From pictures to a finished file: once, completely, and never half."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import check_job as check_stir
from making import make_job as generate_stir
from stir_fixtures import picture_folder, small_description, small_set

from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, ParameterError, SourceError, TargetExistsError
from stirdata.executors import Workers
from stirdata.families.family import Advance, Job, Made, Material
from stirdata.families.stir import FAMILY, CustomParameters, MNISTParameters
from stirdata.families.stir import published as pinned
from stirdata.manifest import manifest_path
from stirdata.operations.verify import verify

CUSTOM = FAMILY.recipes[-1]


def job(**changes: object) -> Job:
    def make(workers: Workers, advance: Advance) -> Made:
        return Made(small_set().as_dict(), {"x": "1"}, ("a note",))

    return Job(small_description(**changes), make)


def own_job(folder: Path, seed: int = 42) -> Job:
    parameters = CustomParameters(folder, seed=seed, scales=(16, 9), canvas=20)
    return CUSTOM.plan(parameters, Material(quiet=True))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_set_is_made_once(tmp_path: Path) -> None:
    target = tmp_path / "new" / "own.npz"
    made = generate_stir(job(), target)
    assert (made.already_there, made.notes) == (False, ("a note",))
    before = files_in(target.parent)
    assert set(before) == {"own.npz", "own.npz.manifest.json", "SHA256SUMS"}
    again = generate_stir(job(), target)
    assert (again.already_there, again.root) == (True, made.root)
    assert files_in(target.parent) == before


def test_another_output_is_left_alone_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "own.npz"
    generate_stir(job(), target)
    before = files_in(tmp_path)
    with pytest.raises(TargetExistsError, match="its seed is 42, not 43"):
        generate_stir(job(seed=43), target)
    assert files_in(tmp_path) == before
    generate_stir(job(seed=43), target, force=True)
    assert json.loads(manifest_path(target).read_text())["seed"] == 43
    target.write_bytes(target.read_bytes()[:-100])
    with pytest.raises(TargetExistsError, match="does not verify"):
        generate_stir(job(seed=43), target)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_bytes_with_any_workers_and_again(tmp_path: Path, workers: int) -> None:
    pictures = picture_folder(tmp_path / "pictures", {"a": 40, "b": 40}, 12)
    for name, count in (("one", 1), ("other", workers)):
        generate_stir(own_job(pictures), tmp_path / name / "own.npz", workers=count)
    assert files_in(tmp_path / "one") == files_in(tmp_path / "other")


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures", {"a": 3})
    made = own_job(pictures)
    (pictures / "a" / "2.png").write_bytes(b"nonsense")
    with pytest.raises(SourceError, match=r"2\.png"):
        generate_stir(made, tmp_path / "new" / "own.npz")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["own.zarr", "own.zip", "own.png", "own.npy"])
def test_the_name_must_be_that_of_a_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="no format has names that end so") as caught:
        generate_stir(job(), tmp_path / name)
    assert "a name ending in .npz, or a name ending in .h5, or a folder" in str(caught.value.expected)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["own.npz", "own.h5", "own"])
def test_every_form_is_made_and_verifies(tmp_path: Path, name: str) -> None:
    made = generate_stir(job(), tmp_path / name)
    assert verify(made.path).ok
    assert {sha for _, sha in _digests(made.path)} >= {sha256_of_array(small_set().imgs)}


def _digests(path: Path) -> list[tuple[str, str]]:
    arrays = json.loads(manifest_path(path).read_text())["arrays"]
    return [(name, entry["sha256"]) for name, entry in arrays.items()]


_KILLED = """
import os, signal, sys
from pathlib import Path
from stirdata import generate
from stirdata.storage import deflated_npz

def half(path, *rest):
    path.write_bytes(b"PK half a file")
    os.kill(os.getpid(), signal.SIGKILL)

deflated_npz.write = half
generate(
    "stir-custom",
    source_dir=Path(sys.argv[1]),
    seed=43,
    scales=(16, 9),
    canvas=20,
    out=sys.argv[2],
    force=True,
)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_leaves_the_old_file_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures", {"a": 3})
    target = tmp_path / "out" / "own.npz"
    generate_stir(own_job(pictures), target)
    before = files_in(target.parent)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(pictures), str(target)], env=os.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    after = files_in(target.parent)
    assert {name: after[name] for name in before} == before
    generate_stir(own_job(pictures, seed=43), target, force=True)
    assert set(files_in(target.parent)) == set(before)
    assert verify(target).ok


def pin(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, str]], None]) -> None:
    """Pin the small set as ``stir-mnist`` and ``stir-emoji``, changed in some way."""
    digests = {name: sha256_of_array(array) for name, array in small_set().as_dict().items()}
    change(digests)
    facts = {"seed": 42, "arrays": digests, "renderings": {}, "versions": {}}
    monkeypatch.setattr(pinned, "pinned", lambda name: facts)
    monkeypatch.setattr(pinned, "_renderings", lambda arrays, facts: f"renderings of {len(arrays)} arrays")
    frame = replace(
        pinned._frames()["stir-mnist"], classes=("a", "b"), instances=2, scales=(12, 7, 3), canvas=12
    )
    for name in ("stir-mnist", "stir-emoji"):
        monkeypatch.setitem(pinned._frames(), name, frame)


def test_a_set_that_must_be_the_pinned_one_is_refused_if_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = job(dataset="stir-mnist")
    pin(monkeypatch, lambda digests: None)
    assert generate_stir(exact, tmp_path / "a.npz").identity is not None
    assert check_stir(exact, tmp_path / "none.npz").findings == ()
    pin(monkeypatch, lambda digests: digests.update(imgs="0" * 64))
    with pytest.raises(FormatError, match="not the pinned ones; nothing was written"):
        generate_stir(exact, tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()
    loose = generate_stir(job(dataset="stir-emoji"), tmp_path / "c.npz")
    assert loose.identity is None
    assert "it differs in imgs; renderings of 6 arrays" in loose.notes[-1]
    assert [finding.name for finding in check_stir(exact, tmp_path / "none.npz").findings] == ["array imgs"]


def test_a_check_writes_nothing_and_compares_with_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="nothing to compare with"):
        check_stir(job(), tmp_path / "own.npz")
    assert not list(tmp_path.iterdir())
    generate_stir(job(), tmp_path / "own.npz")
    before = files_in(tmp_path)
    assert check_stir(job(), tmp_path / "own.npz").findings == ()
    with pytest.raises(ParameterError, match="manifest is of another dataset"):
        check_stir(job(seed=1), tmp_path / "own.npz")

    def other(workers: Workers, advance: Advance) -> Made:
        return Made(replace(small_set(), imgs=small_set().imgs ^ np.uint8(1)).as_dict())

    assert check_stir(replace(job(), make=other), tmp_path / "own.npz").findings[0].name == "array imgs"
    assert files_in(tmp_path) == before


def test_verification_knows_schema_digests_and_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, lambda digests: None)
    target = tmp_path / "mnist.npz"
    generate_stir(job(dataset="stir-mnist"), target)
    report = verify(target)
    assert report.ok
    assert "the pinned stir-mnist set of seed 42" in report.identity.sentence()
    manifest_path(target).unlink()
    assert verify(target, as_dataset="stir").ok
    assert verify(target, as_dataset="stir-mnist").ok
    assert {f.kind for f in verify(target, as_dataset="mnist-scale").findings} == {"malformed"}
    broken = small_set().as_dict() | {"psts": small_set().psts + 9}
    np.savez(target, **broken)
    (finding,) = verify(target, as_dataset="stir-mnist").findings
    assert (finding.kind, finding.name) == ("malformed", "array psts")
    np.savez(target, **(small_set().as_dict() | {"imgs": small_set().imgs ^ np.uint8(1)}))
    report = verify(target, as_dataset="stir-mnist")
    assert [finding.name for finding in report.findings] == ["array imgs"]
    assert "it differs in imgs" in report.remarks[0]


def test_the_difference_of_emoji_counts_renderings() -> None:
    facts = pinned.pinned("stir-emoji")
    identity = FAMILY.identify("stir-emoji", facts["arrays"], None)
    assert identity is not None
    assert identity.seed == 42
    assert len("".join(facts["renderings"].values())) == 8 * 1_728


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_parameters_refuse_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(ParameterError, match="seed"):
        MNISTParameters(seed=seed)


def test_a_custom_set_needs_a_folder() -> None:
    with pytest.raises(ParameterError, match="source_dir"):
        CustomParameters()
