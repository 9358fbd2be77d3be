"""Fixtures that many tests share: small digits, a small realization, MNIST itself, a safe environment."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from stirdata.cli import main

from stirdata.digest import sha256_of_bytes
from stirdata.families.mnist_scale import recipe
from stirdata.manifest import pinned
from stirdata.sources import mnist
from stirdata.sources.idx import DigitImages
from stirdata.transfer import backoff

collect_ignore_glob = ["*conftest.py"]  # as doctests: several modules cannot have one name

CHECKOUT = Path(__file__).parents[1]
# The same examples in every run; ``--hypothesis-profile explore`` draws others each time.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")
pytest.register_assert_rewrite("fetching")  # which the doctests of the folder import first

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # of commands that a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL_SEED = 7  # not one of the published seeds, whose pixels are checked
_REALIZATIONS: dict[recipe.SplitSizes, dict[str, NDArray[Any]]] = {}


@pytest.fixture(autouse=True)
def _apart_from_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test, and the processes it starts, off the user's cache and off the network."""
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("STIRDATA_OFFLINE", raising=False)
    monkeypatch.setattr(backoff, "_sleep", lambda seconds: None)  # mirrors that fail are tried again
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of the test data, or skip where it is absent."""
    folder = Path(os.environ.get("STIRDATA_TEST_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set STIRDATA_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def mnist_dir(test_data: Path) -> Path:
    """Return the folder of the four original MNIST files, or skip where it is absent."""
    folder = test_data / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST files in {folder}")
    return folder


@pytest.fixture(scope="session")
def mnist_digits(mnist_dir: Path) -> DigitImages:
    """Return the 70,000 digits of MNIST."""
    return mnist.load(mnist_dir, download=False, quiet=True)


@pytest.fixture(scope="session")
def small_digits() -> DigitImages:
    """Return 400 labelled 28 x 28 images of ten classes with a dark border, always the same."""
    values = np.random.RandomState(28)
    images = np.zeros((400, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = values.randint(0, 256, (400, 20, 20))
    images[:, ::3, ::5] = 0
    labels = values.permutation(np.arange(400) % 10).astype(np.uint8)
    return DigitImages(images, labels)


@pytest.fixture(scope="session")
def small_sizes() -> recipe.SplitSizes:
    """Return split sizes for which the small digits suffice; a module of tests may override them."""
    return recipe.SplitSizes(train=120, val=40, test=200)


@pytest.fixture
def small_realization(small_digits: DigitImages, small_sizes: recipe.SplitSizes) -> dict[str, NDArray[Any]]:
    """Return the twelve arrays ``<split>/<name>`` of a realization of the small digits, seed 7."""
    if small_sizes not in _REALIZATIONS:
        splits = recipe.generate(small_digits.images, small_digits.labels, SMALL_SEED, sizes=small_sizes)
        _REALIZATIONS[small_sizes] = recipe.as_arrays(splits)
    return {name: array.copy() for name, array in _REALIZATIONS[small_sizes].items()}


@pytest.fixture(scope="session")
def local_cluster() -> Callable[..., Any]:
    """Return a function that starts a Dask cluster of two workers here, or skip where there is no Dask."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: no Dask cluster")
    return partial(
        distributed.LocalCluster,
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return an array as an IDX stream."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder for many files: in memory where the system has room for 2 GiB there, else on disk."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 31
    with tempfile.TemporaryDirectory(dir=memory if roomy else tmp_path) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class FakeMnist:
    """Four IDX files of the small digits, which stirdata takes for MNIST while the fixture lasts."""

    folder: Path
    digits: DigitImages
    facts: dict[str, Any]

    def path(self, part: str) -> Path:
        """Return the file of a part such as ``train-images``."""
        return self.folder / self.facts[part]["name"]

    def stream(self, part: str) -> bytes:
        """Return the decompressed content of a file."""
        return gzip.decompress(self.path(part).read_bytes())


@pytest.fixture(scope="session")
def fake_files(small_digits: DigitImages) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Return content and facts of the four files of :func:`fake_mnist`, by part."""
    images, labels = small_digits.images, small_digits.labels
    arrays = dict(zip(mnist.PARTS, (images[:320], labels[:320], images[320:], labels[320:]), strict=True))
    files = {}
    for part, array in arrays.items():
        stream = idx_bytes(array)
        content = gzip.compress(stream, compresslevel=1, mtime=0)
        facts = {
            "name": pinned("mnist")["files"][part]["name"],
            "size": len(content),
            "size_decompressed": len(stream),
            "sha256_decompressed": sha256_of_bytes(stream),
        }
        files[part] = (content, facts)
    return files


@pytest.fixture
def fake_mnist(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    small_digits: DigitImages,
    fake_files: dict[str, tuple[bytes, dict[str, Any]]],
) -> FakeMnist:
    """Write the small digits as four gzipped IDX files (320 and 80) that are accepted as MNIST.

    The mirrors become a closed port of this machine. Generating from these digits takes
    ``small_recipe`` as well, which makes small splits of them.
    """
    folder = tmp_path_factory.mktemp("mnist")
    for content, facts in fake_files.values():
        (folder / facts["name"]).write_bytes(content)
    all_facts = {part: facts for part, (_, facts) in fake_files.items()}
    monkeypatch.setitem(pinned("mnist"), "files", all_facts)
    monkeypatch.setitem(pinned("mnist"), "mirrors", ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"])
    return FakeMnist(folder, small_digits, all_facts)


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch, small_sizes: recipe.SplitSizes) -> None:
    """Let ``stirdata generate mnist-scale`` make small splits: 120, 40 and 200 images."""
    monkeypatch.setattr(recipe, "generate", partial(recipe.generate, sizes=small_sizes))


@dataclass(frozen=True)
class Ran:
    """What a run of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return the lines of standard output."""
        return self.out.splitlines()


@pytest.fixture
def stirdata(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs the command line in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ran(exit_.value.code, captured.out, captured.err)

    return run


SCRIPT = """\
import json, sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    from stirdata.transfer import backoff
    from stirdata.cli import main
    from stirdata.manifest import pinned
    from stirdata.families.mnist_scale import recipe

    pinned("mnist").update(json.loads(Path(__file__).with_name("facts.json").read_text()))
    small = recipe.SplitSizes(*json.loads(sys.argv[1]))
    recipe.generate = partial(recipe.generate, sizes=small)
    backoff._sleep = lambda seconds: None
    {before}
    main(sys.argv[2:])
"""


@dataclass(frozen=True)
class SmallProcess:
    """Runs ``stirdata`` in a process of its own, with the fake MNIST and small splits."""

    folder: Path
    sizes: recipe.SplitSizes

    def command(self, *arguments: object, before: str = "pass") -> list[str]:
        """Return the command; ``before`` is Python to run first."""
        script = self.folder / f"small_{sha256_of_bytes(before.encode())[:8]}.py"
        script.write_text(SCRIPT.format(before=before))
        return [sys.executable, str(script), json.dumps(self.sizes), *map(str, arguments)]

    def run(self, *arguments: object, before: str = "pass", cwd: Path | None = None) -> Ran:
        """Run the command to its end."""
        done = subprocess.run(
            self.command(*arguments, before=before),
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
            cwd=cwd,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object, before: str = "pass") -> subprocess.Popen[str]:
        """Start the command, its outputs as pipes."""
        return subprocess.Popen(
            self.command(*arguments, before=before),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def small_process(
    tmp_path_factory: pytest.TempPathFactory, fake_mnist: FakeMnist, small_sizes: recipe.SplitSizes
) -> SmallProcess:
    """Return what runs ``stirdata`` in a fresh process on the fake MNIST with small splits."""
    folder = tmp_path_factory.mktemp("script")
    facts = {name: pinned("mnist")[name] for name in ("files", "mirrors")}
    (folder / "facts.json").write_text(json.dumps(facts))
    return SmallProcess(folder, small_sizes)


@pytest.fixture
def content_of() -> Callable[[Path], dict[str, bytes | None]]:
    """Return a function that lists everything below a folder: bytes of files, None for folders."""

    def listing(folder: Path) -> dict[str, bytes | None]:
        return {
            path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
            for path in sorted(folder.rglob("*"))
        }

    return listing
