"""``stirdata generate mnist-scale``: what it prints and writes, and what bad input gets."""

import csv
import errno
import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stirdata.manifest import load, pinned
from stirdata.sources import synthetic_cache
from stirdata.storage import hdf5, npz

NAMES = {"h5": "scale_0.3_1.0.h5", "npz": "scale_0.3_1.0.npz", "png": "scale_0.3_1.0"}


@pytest.fixture
def generate(stirdata, fake_mnist, small_recipe, tmp_path):
    """Generate seed 7 from the small digits into ``out``, with further options."""

    def run(*options, seed=("--seed", 7), source=("--source-dir", fake_mnist.folder)):
        command = ("generate", "mnist-scale", "--out", tmp_path / "out", "--workers", 1)
        return stirdata(*command, *seed, *source, *options)

    return run


@pytest.mark.parametrize("form", NAMES)
def test_last_line_is_the_path_written(generate, tmp_path, form):
    ran = generate("--format", form)
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES[form]
    assert (ran.code, ran.lines) == (0, [str(target)])
    root = load(target / "manifest.json" if form == "png" else Path(f"{target}.manifest.json")).root
    assert ran.err == f"seed 7: made, root digest {root}\n"


def test_all_formats_hold_the_same_arrays(generate, tmp_path, small_realization):
    for form in NAMES:
        assert generate("--format", form).code == 0
    folder = tmp_path / "out" / "MNIST_scale" / "seed_7"
    stored = hdf5.read(folder / NAMES["h5"])
    flat = npz.read(folder / NAMES["npz"])
    assert set(stored) == set(small_realization)
    for name, array in small_realization.items():
        np.testing.assert_array_equal(stored[name], array)
        np.testing.assert_array_equal(flat[name.replace("/", "_")], array)
        assert stored[name].dtype == flat[name.replace("/", "_")].dtype == array.dtype
    with (folder / NAMES["png"] / "scales.csv").open(newline="") as file:
        scales = {row["path"]: float(row["scale"]) for row in csv.DictReader(file)}
    assert list(scales.values())[:120] == small_realization["train/scales"].tolist()
    manifests = [load(Path(f"{folder / NAMES[form]}.manifest.json")) for form in ("h5", "npz")]
    manifests.append(load(folder / NAMES["png"] / "manifest.json"))
    assert manifests[0].arrays == manifests[1].arrays == manifests[2].arrays


def test_attributes_say_what_it_is(generate, tmp_path):
    generate()
    attributes = hdf5.read_attributes(tmp_path / "out/MNIST_scale/seed_7/scale_0.3_1.0.h5")
    assert attributes["title"] == "MNIST-scale"
    assert (attributes["seed"], attributes["min_scale"], attributes["max_scale"]) == (7, 0.3, 1.0)
    assert attributes["source"] == "mnist"


def test_numbers_in_names_are_as_python_prints_them(generate, tmp_path):
    ran = generate("--min-scale", "1e-5", "--max-scale", 2)
    assert ran.lines == [str(tmp_path / "out" / "MNIST_scale" / "seed_7" / "scale_1e-05_2.0.h5")]


def test_seeds_are_made_in_order(generate):
    ran = generate(seed=("--seeds", "9,7-8"))
    assert ran.code == 0
    assert [Path(line).parent.name for line in ran.lines] == ["seed_7", "seed_8", "seed_9"]
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["seed 7", "seed 8", "seed 9"]


def test_json_is_for_machines(generate, tmp_path):
    ran = generate("--json", seed=("--seeds", "7,8"))
    outputs = json.loads(ran.out)["outputs"]
    assert [output["seed"] for output in outputs] == [7, 8]
    for output in outputs:
        assert output["path"] == f"{tmp_path}/out/MNIST_scale/seed_{output['seed']}/scale_0.3_1.0.h5"
        assert output["root"] == load(Path(output["path"] + ".manifest.json")).root
        assert (output["already_there"], output["published"]) == (False, None)


def test_quiet_prints_the_result_alone(generate):
    ran = generate("--quiet")
    assert (len(ran.lines), ran.err) == (1, "")


@pytest.mark.parametrize("form", NAMES)
def test_second_run_verifies_and_leaves_everything(generate, tmp_path, content_of, form):
    first = generate("--format", form)
    before = content_of(tmp_path)
    second = generate("--format", form)
    assert (second.code, second.out) == (0, first.out)
    assert second.err == first.err.replace("made", "already there, verified")
    assert content_of(tmp_path) == before
    assert json.loads(generate("--format", form, "--json").out)["outputs"][0]["already_there"] is True


def test_no_dot_files_are_left(generate, tmp_path):
    for form in NAMES:
        generate("--format", form)
    assert list(tmp_path.rglob(".*")) == []


WRONG_USAGE = {
    ("--seed", "-1"): "Invalid value for '--seed': -1 is not in the range 0<=x<=4294967295",
    ("--seed", "4294967296"): "Invalid value for '--seed': 4294967296 is not in the range",
    ("--seed", "x"): "Invalid value for '--seed': 'x' is not a valid integer",
    ("--seeds", "5-2"): "Invalid value for '--seeds': the range 5-2 runs backwards; write 2-5",
    ("--seeds", "-1"): "Invalid value for '--seeds': expected numbers and ranges such as 0-5,8, got '-1'",
    ("--seed", "1", "--seeds", "1"): "give either --seed or --seeds, not both",
    ("--min-scale", "x"): "Invalid value for '--min-scale': 'x' is not a valid float",
    ("--workers", "0"): "Invalid value for '--workers'",
    ("--format", "zip"): "Invalid value for '--format'",
    ("--source", "cifar"): "Invalid value for '--source'",
}


@pytest.mark.parametrize(("options", "message"), WRONG_USAGE.items())
def test_wrong_usage(generate, tmp_path, content_of, options, message):
    before = content_of(tmp_path)
    ran = generate(*options, seed=())
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert content_of(tmp_path) == before


NO_SCALES = [("--min-scale", value) for value in ("0", "-0.5", "nan", "inf", "-inf", "1e-320")]
NO_SCALES += [("--max-scale", value) for value in ("0", "-1", "nan", "inf")]


@pytest.mark.parametrize(("option", "value"), NO_SCALES)
def test_scales_that_are_none(generate, tmp_path, content_of, option, value):
    before = content_of(tmp_path)
    ran = generate(option, value)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "stirdata: a scale factor must be a number above 0\n"
        f"  where:    {option.strip('-').replace('-', '_')}\n"
        "  expected: above 0\n"
        f"  got:      {float(value)}\n"
        "  next:     the published ones are 0.3 and 1.0\n"
    )
    assert content_of(tmp_path) == before


def test_swapped_scales(generate, tmp_path, content_of):
    before = content_of(tmp_path)
    ran = generate("--min-scale", 1, "--max-scale", 0.3)
    assert (ran.code, ran.out) == (2, "")
    assert "the smallest scale is above the largest" in ran.err
    assert "expected: min_scale of at most 0.3" in ran.err
    assert "next:     were the two swapped?" in ran.err
    assert content_of(tmp_path) == before


def test_folder_for_the_synthetic_source(generate, tmp_path, content_of):
    ran = generate("--source", "synthetic")
    assert (ran.code, ran.out) == (2, "")
    assert "the synthetic source needs no folder" in ran.err
    assert "leave out --source-dir, or use --source mnist" in ran.err
    assert content_of(tmp_path) == {}


def damage_stream(part, change):
    def damage(fake):
        fake.path(part).write_bytes(gzip.compress(change(bytearray(fake.stream(part)))))
        return fake.path(part)

    return damage


def damage_file(part, change):
    def damage(fake):
        fake.path(part).write_bytes(change(fake.path(part).read_bytes()))
        return fake.path(part)

    return damage


def flip(data, at, value=0xFF):
    data = bytearray(data)
    data[at] ^= value
    return data


DAMAGES = {
    "the gzip stream is truncated": damage_file("train-images", lambda data: data[:-100]),
    "the gzip stream is corrupt": damage_file("t10k-labels", lambda data: flip(data, -6)),
    "wrong magic number": damage_stream("train-images", lambda data: flip(data, 3)),
    "the IDX file is truncated": damage_stream("t10k-images", lambda data: data[:-1]),
    "the IDX file is longer": damage_stream("t10k-images", lambda data: data + bytes(1 << 24)),
    "images and labels are of different length": damage_stream(
        "train-labels", lambda data: flip(data[:-1], 7, 0x40 ^ 0x3F)
    ),
    "the file is not the original MNIST file": damage_stream("train-labels", lambda data: flip(data, -1, 1)),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_damaged_source(generate, fake_mnist, tmp_path, content_of, message):
    path = DAMAGES[message](fake_mnist)
    before = content_of(tmp_path), content_of(fake_mnist.folder)
    ran = generate()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("stirdata: ")
    assert message in ran.err.splitlines()[0]
    assert f"  where:    {path}\n" in ran.err
    assert "  next:     " in ran.err
    assert (content_of(tmp_path), content_of(fake_mnist.folder)) == before


def test_source_folder_without_files(generate, fake_mnist, tmp_path, content_of):
    shutil.rmtree(fake_mnist.folder)
    assert "the source folder does not exist" in generate().err
    fake_mnist.folder.mkdir()
    ran = generate()
    assert ran.code == 2
    assert "4 of the 4 MNIST files are missing" in ran.err
    assert content_of(tmp_path) == {}


def test_neither_mnist_nor_network(generate, tmp_path, monkeypatch, content_of):
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path / "home"))
    ran = generate(source=())
    assert (ran.code, ran.out) == (3, "")
    assert "\nstirdata: MNIST is not available\n" in ran.err
    for way_out in ("--source-dir DIR", "STIRDATA_HOME", "--source synthetic"):
        assert way_out in ran.err
    assert content_of(tmp_path) == {}


def test_synthetic_digits_when_asked_for(generate, tmp_path, monkeypatch, small_digits):
    monkeypatch.setattr(synthetic_cache, "load", lambda **options: small_digits)
    ran = generate("--source", "synthetic", source=(), seed=("--seed", 0))
    assert ran.code == 0
    manifest = load(Path(ran.lines[0] + ".manifest.json"))
    assert [source["name"] for source in manifest.sources] == ["synthetic"]
    assert manifest.license == pinned("synthetic")["license"]
    assert hdf5.read_attributes(Path(ran.lines[0]))["source"] == "synthetic"


def test_pixels_that_differ_from_the_published_ones(generate, tmp_path, content_of):
    ran = generate(seed=("--seed", 3))
    assert (ran.code, ran.out) == (2, "")
    assert "the arrays are not the published ones; nothing was written" in ran.err
    assert "the arrays of seed 3 in manifests/mnist-scale.json" in ran.err
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("form", NAMES)
def test_target_that_is_something_else(generate, tmp_path, content_of, form):
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES[form]
    target.parent.mkdir(parents=True)
    target.write_bytes(b"somebody's work")
    before = content_of(tmp_path)
    ran = generate("--format", form)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "stirdata: the output exists and is not what was asked for\n"
        f"  where:    {target}\n"
        "  got:      it has no manifest\n"
        "  next:     use --force to replace it, or choose another output\n"
    )
    assert content_of(tmp_path) == before
    forced = generate("--format", form, "--force")
    assert (forced.code, forced.lines) == (0, [str(target)])
    assert "already there" in generate("--format", form).err


def test_folder_in_place_of_a_file_is_never_replaced(generate, tmp_path, content_of):
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES["h5"]
    target.mkdir(parents=True)
    (target / "manifest.json").write_bytes(b"somebody's work")
    before = content_of(tmp_path)
    assert generate().code == 2
    ran = generate("--force")
    assert ran.code == 2
    assert "a folder is where a file should go" in ran.err
    assert content_of(tmp_path) == before


def test_changed_target_is_told_and_kept_then_replaced(generate, tmp_path, content_of):
    target = Path(generate().lines[0])
    right = content_of(tmp_path)
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    before = content_of(tmp_path)
    ran = generate()
    assert ran.code == 2
    assert "it does not verify: differs: scale_0.3_1.0.h5" in ran.err
    assert content_of(tmp_path) == before
    assert generate("--force").code == 0
    assert content_of(tmp_path) == right


@pytest.mark.parametrize("way", ["file", "permission", "read-only"])
def test_folder_that_cannot_be_written(generate, tmp_path, content_of, monkeypatch, way):
    if way == "file":
        (tmp_path / "out").write_bytes(b"a file")
    else:
        code = {"permission": errno.EACCES, "read-only": errno.EROFS}[way]

        def refused(*arguments, **options):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(Path, "mkdir", refused)
    before = content_of(tmp_path)
    ran = generate()
    assert (ran.code, ran.out) == (2, "")
    assert "stirdata: the output cannot be written" in ran.err
    assert f"  where:    {tmp_path / 'out' / 'MNIST_scale' / 'seed_7' / NAMES['h5']}" in ran.err
    assert "choose another folder" in ran.err or "choose a folder you may write to" in ran.err
    assert content_of(tmp_path) == before


def test_checksums_of_several_outputs_share_a_file(generate, tmp_path):
    folder = tmp_path / "out" / "MNIST_scale" / "seed_7"
    folder.mkdir(parents=True)
    (folder / "mine").write_bytes(b"mine")
    mine = "3fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff  mine"
    (folder / "SHA256SUMS").write_bytes(mine.encode())  # without a line end, as editors may leave it
    for options in (["--format", "npz"], ["--format", "h5"], ["--min-scale", "0.5"], ["--format", "npz"]):
        assert generate(*options).code == 0
    text = (folder / "SHA256SUMS").read_text()
    names = ["mine", NAMES["h5"], NAMES["npz"], "scale_0.5_1.0.h5"]
    assert [line.partition("  ")[2] for line in text.splitlines()] == names
    assert text.endswith("\n")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no program sha256sum")
@pytest.mark.parametrize("form", NAMES)
def test_checksums_work_without_stirdata(generate, tmp_path, form):
    target = Path(generate("--format", form).lines[0])
    folder = target if form == "png" else target.parent
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=folder, check=True)
    changed = min(folder.rglob("*.png")) if form == "png" else target
    changed.write_bytes(changed.read_bytes() + b"x")
    assert subprocess.run(check, cwd=folder, capture_output=True, check=False).returncode == 1
