"""The synthetic digits, drawn once and then kept in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic, locks
from stirdata.cache import cache_folder
from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, MissingFileError, SourceError, TargetError
from stirdata.executors import available_cores
from stirdata.manifest import pinned
from stirdata.progress import bar
from stirdata.sources.idx import CLASS_NAMES, DigitImages
from stirdata.storage import npz

if TYPE_CHECKING:
    from stirdata.sources.labelled import LabelledImages


def load(*, cache: Path | str | None = None, workers: int = 1, quiet: bool = False) -> DigitImages:
    """Return the 70,000 synthetic digits, from the cache or freshly drawn into it.

    Args:
        cache: The cache folder; see :func:`stirdata.cache.cache_folder`. If it cannot be written to,
            the digits are drawn every time.
        workers: Threads for drawing; the result does not depend on it.
        quiet: Show no progress bar.

    Returns:
        Images uint8 (70000, 28, 28), labels uint8 (70000,).

    Raises:
        SourceError: The digits drawn on this machine are not the pinned ones.
    """
    path = path_in(cache_folder(cache))
    cached = _read(path)
    if cached is not None:
        return cached
    drawn = None
    try:
        with locks.locked(path):
            cached = _read(path)  # another process may have drawn them while this one waited
            if cached is not None:
                return cached
            drawn = _draw(workers, quiet)
            with atomic.new_file(path) as partial:
                npz.write(partial, vars(drawn))
            return drawn
    except TargetError:
        return drawn or _draw(workers, quiet)


def labelled(source_dir: Path | None = None) -> LabelledImages:
    """Return the digits as a source for recipes that take any; there is no folder to be named."""
    from stirdata.sources.labelled import LabelledImages, Subset
    from stirdata.sources.mnist import TRAINING

    def read(quiet: bool) -> dict[str, Subset]:
        digits = load(quiet=quiet, workers=available_cores())
        first, last = slice(TRAINING), slice(TRAINING, None)
        return {
            "train": Subset.of(digits.images[first], digits.labels[first]),
            "test": Subset.of(digits.images[last], digits.labels[last]),
        }

    return LabelledImages(CLASS_NAMES, {"train": TRAINING, "test": 10_000}, (28, 28), describe(), read)


def path_in(cache: Path) -> Path:
    """Return where the digits are in a cache."""
    return cache / "synthetic" / f"digits-{pinned('synthetic')['version']}.npz"


def check(path: Path) -> None:
    """Raise SourceError unless a file holds the pinned digits."""
    if _read(path) is None:
        raise SourceError("it does not hold the pinned digits", where=path)


def describe() -> dict[str, Any]:
    """Return name, version, hashes of the arrays, license and citation, for manifests."""
    return {"name": "synthetic", **pinned("synthetic")}


def _read(path: Path) -> DigitImages | None:
    """Return the digits in the cache, or None if they are not there or not the right ones."""
    try:
        digits = DigitImages(**npz.read(path, ["images", "labels"]))
    except (MissingFileError, FormatError):
        return None
    return digits if _hashes(digits) == pinned("synthetic")["sha256"] else None


def _draw(workers: int, quiet: bool) -> DigitImages:
    from stirdata.sources import synthetic

    with bar(synthetic.COUNT, "synthetic digits", "image", quiet=quiet) as shown:
        digits = DigitImages(*synthetic.draw_all(workers, shown.advance))
    if _hashes(digits) != pinned("synthetic")["sha256"]:
        raise SourceError(
            "the synthetic digits drawn on this machine are not the pinned ones",
            expected=pinned("synthetic")["sha256"],
            got=_hashes(digits),
            hint="this machine or its NumPy computes differently; please report it",
        )
    return digits


def _hashes(digits: DigitImages) -> dict[str, str]:
    return {name: sha256_of_array(array) for name, array in vars(digits).items()}
