"""Finding the realization of MNIST-scale that a loader is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from stirdata.downloads import mnist_scale
from stirdata.errors import MissingFileError, ParameterError
from stirdata.families.mnist_scale.recipe import MAX_SCALE, MIN_SCALE
from stirdata.manifest import FILE_SUFFIX
from stirdata.storage import mnist_scale as storage
from stirdata.storage import png_tree

_FILE_SUFFIXES = {".h5", ".npz"}


class Wanted(NamedTuple):
    """Which realization is asked for; None where it is left open."""

    seed: int | None
    min_scale: float | None
    max_scale: float | None

    def below_a_folder(self) -> tuple[int, float, float]:
        """Return seed and scales with the published ones for what is left open: seed 0, 0.3 to 1.0."""
        return (
            0 if self.seed is None else self.seed,
            MIN_SCALE if self.min_scale is None else self.min_scale,
            MAX_SCALE if self.max_scale is None else self.max_scale,
        )

    def check(self, path: Path, facts: dict[str, Any]) -> None:
        """Raise ParameterError if a file says that it is another realization than the one asked for.

        Args:
            path: The file or folder.
            facts: What it says of itself; a PNG tree without manifest says nothing.
        """
        for name, value in self._asdict().items():
            if value is not None and facts.get(name, value) != value:
                raise ParameterError(
                    "the file holds another realization",
                    where=path,
                    expected=f"{name} {value}",
                    got=f"{name} {facts[name]}",
                    hint=f"leave out {name}, or name the folder of several realizations",
                )


def locate(path: Path, wanted: Wanted, *, download: bool) -> Path:
    """Return the file or folder of a realization that a path names directly or by a root.

    Args:
        path: A file, the folder of a PNG tree, or a folder with ``MNIST_scale/seed_<seed>/…``.
        wanted: Which one, below a folder of several.
        download: Make it of MNIST if it is missing below a folder.

    Raises:
        MissingFileError: There is no such realization.
        SourceUnavailableError: MNIST is neither in the cache nor can it be downloaded.
    """
    seed, min_scale, max_scale = wanted.below_a_folder()
    try:
        return _found(path, seed, min_scale, max_scale)
    except MissingFileError:
        if not download or path.suffix in _FILE_SUFFIXES:  # a file is meant, not the folder of several
            raise
    return mnist_scale(_root(path), seed, min_scale, max_scale)


def _found(path: Path, seed: int, min_scale: float, max_scale: float) -> Path:
    if not path.exists():
        raise MissingFileError(
            "there is no such file or folder",
            where=path,
            hint=f"stirdata generate mnist-scale --seed {seed} --out DIR makes it",
        )
    if path.is_file() or png_tree.looks_like_tree(path):
        return path
    root = _root(path)
    candidates = [storage.target_path(root, seed, min_scale, max_scale, form) for form in storage.FORMATS]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise MissingFileError(
        "there is no such realization of MNIST-scale",
        where=path,
        expected=" or ".join(str(candidate) for candidate in candidates),
        got=_realizations_below(root),
        hint=f"stirdata generate mnist-scale --seed {seed} --min-scale {min_scale} --max-scale {max_scale} "
        f"--out {root} makes it",
    )


def _root(path: Path) -> Path:
    return path.resolve().parent if path.resolve().name == "MNIST_scale" else path


def _realizations_below(root: Path) -> str:
    found = sorted((root / "MNIST_scale").glob("seed_*/scale_*"))
    names = [f"{path.parent.name}/{path.name}" for path in found if not path.name.endswith(FILE_SUFFIX)]
    return ", ".join(names) or "no realization at all"
