"""Kills, full disks, damage, and what file systems leave behind: for every family in every form."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from leftovers import litter
from specimens import CASES, target_in, write

from stirdata.errors import StirdataError, TargetError
from stirdata.operations.verify import verify

HERE = Path(__file__).parent


def struck(specimen, kind, folder, *old):
    """Run ``struck.py``, which says what every strike left and what writing once more made of it."""
    command = [sys.executable, HERE / "struck.py", specimen.family.name, specimen.form, kind, folder, *old]
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_all_or_nothing(told, form):
    """Expect the old data, none or the new data after every kill, and the new data after another run."""
    (old_data, _), (new_data, new) = told["before"], told["after"]
    left = set()
    for step, code, (data, _), proven, (_, again) in told["steps"]:
        assert (code, proven, again) == (-signal.SIGKILL, True, new), step
        assert data in (old_data, new_data) or (data is None and form in ("png", "npy")), step
        left.add(data)
    assert {old_data, new_data} <= left


def _one_of_several_alike(specimen):
    """Skip a family whose files are written by the very same code as those of one before it."""
    family, form = specimen.family, specimen.form
    alike = [
        other
        for other, form_ in CASES
        if form_ == form and bool(other.layout.streamed) == bool(family.layout.streamed)
    ]
    if alike[0] is not family:
        pytest.skip(f"written as {alike[0].name} is")


def _one_form_of_file(specimen):
    _one_of_several_alike(specimen)
    if specimen.form == "npz" and "h5" in specimen.family.layout.forms:
        pytest.skip("one form of file is enough: they get their names alike")


def test_killed_at_every_step_there_is_all_or_nothing(specimen, tmp_path):
    _one_form_of_file(specimen)
    is_all_or_nothing(struck(specimen, "SIGKILL", tmp_path), specimen.form)


def test_killed_while_replacing_there_is_all_or_nothing(specimen, tmp_path):
    _one_form_of_file(specimen)
    is_all_or_nothing(struck(specimen, "SIGKILL", tmp_path, "old"), specimen.form)


def test_interrupted_at_every_step_nothing_is_left_behind(dataset, tmp_path):
    _one_of_several_alike(dataset)
    told = struck(dataset, "SIGINT", tmp_path, "old")
    for step, code, (_, everything), proven, (_, again) in told["steps"]:
        assert (proven, again) == (True, told["after"][1]), step
        assert (code, everything) in ((130, told["before"][1]), (130, again), (0, again)), step


@contextmanager
def largest_file(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_leaves_nothing(specimen, tmp_path):
    largest = max(path.stat().st_size for path in specimen.files())
    for size in (0, 100, largest - 1):
        target = target_in(tmp_path / "out", specimen.form)
        with pytest.raises(TargetError), largest_file(size):
            write(specimen.family, specimen.form, target)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def _data_files(specimen):
    files = [path for path in specimen.files() if "manifest" not in path.name and path.name != "SHA256SUMS"]
    by_size = sorted(files, key=lambda path: path.stat().st_size)
    return {by_size[0], by_size[len(by_size) // 2], by_size[-1]}


def test_damage_is_found(own_specimen):
    for path in sorted(_data_files(own_specimen)):
        content = path.read_bytes()
        places = sorted({0, 1, len(content) // 3, len(content) // 2, len(content) - 1})
        cut = [content[:place] for place in places]
        flipped = [content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :] for at in places]
        for damaged in (*cut, *flipped, content + b"x"):
            path.write_bytes(damaged)
            report = verify(own_specimen.path)
            assert not report.ok
            assert report.identity is None or report.findings
        path.write_bytes(content)
        assert verify(own_specimen.path).ok


def test_loaders_of_damaged_files_raise_errors_of_ours_or_read_right(own_specimen):
    split = own_specimen.load().splits[0]
    right = own_specimen.load().to_torch(split).images
    for path in sorted(_data_files(own_specimen)):
        content = path.read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place])
            try:
                images = own_specimen.load().to_torch(split).images
            except StirdataError:
                continue
            finally:
                path.write_bytes(content)
            assert images.equal(right)


def test_missing_and_extra_files_are_found(own_specimen):
    if own_specimen.path.is_file():
        pytest.skip("a file has no other files in it")
    victim = max(_data_files(own_specimen))
    content = victim.read_bytes()
    victim.unlink()
    assert any(finding.kind in ("missing", "unreadable") for finding in verify(own_specimen.path).findings)
    victim.write_bytes(content)
    (own_specimen.path / "notes.txt").write_text("mine")
    assert [(one.kind, one.name) for one in verify(own_specimen.path).findings] == [("extra", "notes.txt")]


def test_what_systems_leave_behind_is_no_part_of_it(own_specimen):
    folder = own_specimen.path if own_specimen.path.is_dir() else own_specimen.path.parent
    before = own_specimen.load().to_torch(own_specimen.load().splits[0]).images
    litter(folder)
    report = verify(own_specimen.path)
    assert report.ok
    assert own_specimen.load().to_torch(own_specimen.load().splits[0]).images.equal(before)
    if own_specimen.path.is_dir():
        assert any(".DS_Store" in remark for remark in report.remarks)
