"""The package: what is in it, what it exports, and how little it loads."""

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata, resources
from pathlib import Path

import pytest

import stirdata as package

CHECKOUT = Path(__file__).parents[1]
HEAVY = ["numpy", "torch", "h5py", "PIL", "tqdm", "requests", "sklearn"]
SOURCES = sorted([*(CHECKOUT / "stirdata").rglob("*.py"), *(CHECKOUT / "cli").rglob("*.py")])


def loaded_by(code):
    """Return which of the heavy libraries are loaded after some code ran in a fresh process."""
    report = f"import sys\nsys.stderr.write('loaded ' + str(sorted(set(sys.modules) & set({HEAVY}))))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, timeout=60
    )
    return ast.literal_eval(done.stderr.rpartition("loaded ")[2])


def test_every_folder_with_modules_is_a_package():
    folders = {file.parent for file in (CHECKOUT / "stirdata").rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    assert not (CHECKOUT / "stirdata" / "cli").exists(), "it would hide the folder cli"
    assert not (CHECKOUT / "stirdata" / "manifests").exists(), "it would hide the folder manifests"


def test_wheel_holds_every_module(tmp_path):
    for folder in ("stirdata", "cli", "manifests"):
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=leave_out)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, tmp_path)
    build = "from setuptools.build_meta import build_wheel; build_wheel('out')"
    (tmp_path / "out").mkdir()
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info" not in name}
    library = sorted((CHECKOUT / "stirdata").rglob("*.py"))
    expected = {path.relative_to(CHECKOUT).as_posix() for path in library} | {"stirdata/py.typed"}
    for folder in ("cli", "manifests"):
        files = (CHECKOUT / folder).glob("*.*")
        expected |= {f"stirdata/{folder}/{path.name}" for path in files}
    assert found == expected


def test_shipped_facts_are_readable_json():
    folder = resources.files("stirdata.manifests")
    names = sorted(path.name for path in (CHECKOUT / "manifests").glob("*.json"))
    assert {"mnist.json", "mnist-scale.json"} <= set(names)
    for name in names:
        assert isinstance(json.loads(folder.joinpath(name).read_text(encoding="utf-8")), dict)


def test_types_are_announced():
    assert resources.files("stirdata").joinpath("py.typed").is_file()


def test_version_is_that_of_the_distribution():
    assert metadata.version("stirdata") == package.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", package.__version__)


def test_what_is_to_be_cited_is_this_version():
    """The distribution's facts and those of CITATION.cff are the same."""
    lines = (CHECKOUT / "CITATION.cff").read_text().splitlines()
    said = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    keywords = [line.removeprefix("  - ") for line in lines[lines.index("keywords:") + 1 :]]
    found = metadata.metadata("stirdata")
    assert said["version"] == package.__version__
    assert said["license"] == found["License-Expression"]
    assert keywords == found["Keywords"].split(",")


@pytest.mark.parametrize("name", package.__all__)
def test_public_name_resolves(name):
    assert getattr(package, name) is not None
    assert name in dir(package)


def test_public_names_are_what_they_seem():
    assert package.MNISTScale.__name__ == "MNISTScale"
    assert issubclass(package.StirdataError, Exception)


def test_unknown_name_is_told():
    with pytest.raises(AttributeError, match="module 'stirdata' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_guard_against_heavy_imports_works():
    assert loaded_by("import numpy") == ["numpy"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["generate", "--help"],
        ["generate", "mnist-scale", "--help"],
        ["verify", "--help"],
        ["convert", "--help"],
        ["info", "--help"],
        ["show", "--help"],
        ["fetch", "--help"],
        ["fetch", "stir", "--help"],
        ["fetch", "mnist", "--help"],
        ["cache", "--help"],
        ["cache", "clean", "--help"],
        ["generate", "mnist-scale", "--seed", "-1"],
    ],
)
def test_help_loads_nothing_heavy(arguments):
    run = f"from stirdata.cli import main\ntry: main({arguments})\nexcept SystemExit: pass"
    assert loaded_by(run) == []


@pytest.mark.parametrize("code", ["import stirdata", "import stirdata.errors, stirdata.manifest"])
def test_import_loads_nothing_heavy(code):
    assert loaded_by(code) == []


def test_generate_and_verify_never_load_torch(small_process, fake_mnist, tmp_path):
    before = "import atexit; atexit.register(lambda: print('torch' in sys.modules))"
    options = ["--seed", 7, "--source-dir", fake_mnist.folder, "--out", tmp_path]
    made = small_process.run("generate", "mnist-scale", *options, before=before)
    verified = small_process.run("verify", made.lines[0], before=before)
    assert (made.code, made.lines[-1]) == (0, "False")
    assert (verified.code, verified.lines[-1]) == (0, "False")


def imports_when_loaded(tree):
    """Yield the modules that a file imports when it is imported itself."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_no_file_imports_heavy_libraries_when_loaded(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = {name.partition(".")[0] for name in imports_when_loaded(tree)}
    assert not roots & (set(HEAVY) - {"numpy"})
