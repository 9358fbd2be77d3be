"""Rescaled sets against the plain way: Pillow or scikit-image one image at a time, stacked, written by h5py.

Run as ``python -m benchmarks.scaled [--rounds N] [--workers N] [--mnist MNIST_FOLDER]``. The first part
makes the test part of rescaled-cifar10, 90,000 images of 64 x 64, of a stand-in of 10,000 images of noise;
both ways run as whole processes, in turns, and make the same pixels. The limits of the project are a ratio of
5 with two workers, and a peak of 800 MB and of a third of the plain way's. With ``--mnist`` the second part
times mnist-large-scale's pixels for 500 test images at all factors, against scikit-image (which has to be
installed) one image at a time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure import clock, in_turns, median_seconds, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT, SIDE, CANVAS = 10_000, 32, 64
FACTORS = tuple(2 ** (step / 4) for step in range(-4, 5))
LIMIT_RATIO, LIMIT_MEGABYTES = 5, 800
LARGE_SCALE_IMAGES, LIMIT_LARGE_SCALE = 500, 10


def main() -> None:
    """Measure and print the ratios and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mnist", type=Path, help="folder with the four MNIST files")
    parser.add_argument("--make", choices=["ours", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make == "plain":
        plain(arguments.out)
    elif arguments.make == "ours":
        ours(arguments.out, arguments.workers)
    else:
        rescaled_cifar10(arguments.rounds, arguments.workers)
        if arguments.mnist:
            large_scale(arguments.mnist, arguments.workers)


def stand_in() -> NDArray[np.uint8]:
    """Return 10,000 images of noise: uint8 (10000, 32, 32, 3)."""
    return np.random.RandomState(0).randint(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)


def ours(out: Path, workers: int) -> None:
    """Make the set by stirdata."""
    import stirdata
    from stirdata.sources.labelled import from_arrays

    for path in (out, out.with_name(f"{out.name}.manifest.json")):
        path.unlink(missing_ok=True)  # what is there already is not made again
    source = from_arrays({"test": stand_in()}, {"test": np.arange(COUNT) % 10})
    options: dict[str, Any] = {
        "factors": FACTORS,
        "canvas": CANVAS,
        "background": "mirror",
        "train_factor": None,
    }
    stirdata.generate("scaled", source=source, out=out, workers=workers, **options)


def plain(out: Path) -> None:
    """Make the same pixels as they are made by hand."""
    import h5py
    from PIL import Image

    made, images = [], stand_in()
    for factor in FACTORS:
        size = round(SIDE * factor)
        before = (CANVAS - size) // 2
        for image in images:
            resized = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
            room = (before, CANVAS - size - before)
            made.append(np.pad(resized, [room, room, (0, 0)], mode="symmetric"))
    with h5py.File(out, "w") as file:
        file["test/images"] = np.stack(made)
        file["test/labels"] = np.tile(np.arange(COUNT) % 10, len(FACTORS))


def rescaled_cifar10(rounds: int, workers: int) -> None:
    """Time both ways to make the set, and compare what they made."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.h5" for name in ("ours", "plain")}

        def making(name: str) -> list[str]:
            start = [sys.executable, "-m", "benchmarks.scaled", "--make", name, "--out", str(files[name])]
            return [*start, "--workers", str(workers)]

        runs = in_turns(rounds, ours=lambda: run(making("ours")), plain=lambda: run(making("plain")))
        with h5py.File(files["ours"]) as first, h5py.File(files["plain"]) as second:
            step = COUNT
            for start in range(0, COUNT * len(FACTORS), step):
                block = slice(start, start + step)
                assert np.array_equal(first["test/images"][block], second["test/images"][block])
    ratio = median_seconds(runs["plain"]) / median_seconds(runs["ours"])
    peaks = {name: max(one.megabytes for one in listed) for name, listed in runs.items()}
    print("test part of rescaled-cifar10, of a stand-in, 90,000 images of 64 x 64 x 3 as h5: equal pixels")
    print(
        f"  stirdata, {workers} workers   {median_seconds(runs['ours']):6.2f} s, peak {peaks['ours']:.0f} MB"
    )
    print(f"  image by image        {median_seconds(runs['plain']):6.2f} s, peak {peaks['plain']:.0f} MB")
    print(
        f"  {ratio:.1f} times as fast (limit {LIMIT_RATIO}); peak limit {LIMIT_MEGABYTES} MB, and "
        f"{peaks['plain'] / 3:.0f} MB, a third of the plain way's"
    )


def large_scale(source_dir: Path, workers: int) -> None:
    """Time the pixels of mnist-large-scale for a few test images, and extrapolate."""
    from stirdata.executors import Workers
    from stirdata.families.scaled import recipe
    from stirdata.families.scaled.benchmarks import large_scale as setting_of
    from stirdata.sources import mnist
    from stirdata.sources.labelled import from_arrays

    digits = mnist.load(source_dir, quiet=True)
    images, labels = (array[60_000 : 60_000 + LARGE_SCALE_IMAGES] for array in vars(digits).values())
    source, setting = from_arrays({"test": images}, {"test": labels}), setting_of()

    def by_stirdata() -> None:
        with Workers(workers) as places:
            arrays = recipe.make(source, source.read(True), setting, places, lambda count: None)
            for _ in arrays["test/images"].blocks():  # type: ignore[union-attr]
                pass

    by_stirdata()
    whole = len(digits.images[60_000:]) / LARGE_SCALE_IMAGES
    mine = clock(by_stirdata) * whole
    theirs = clock(lambda: by_scikit_image(images, setting.factors, setting.canvas)) * whole
    print(f"test part of mnist-large-scale, extrapolated from {LARGE_SCALE_IMAGES} of 10,000 images")
    print(f"  stirdata, {workers} workers   {mine:6.0f} s")
    print(f"  scikit-image          {theirs:6.0f} s")
    print(f"  {theirs / mine:.1f} times as fast (limit {LIMIT_LARGE_SCALE})")


def by_scikit_image(images: NDArray[np.uint8], factors: tuple[float, ...], canvas: int) -> None:
    """Make images of mnist-large-scale one at a time, as the article describes it."""
    from scipy.ndimage import gaussian_filter
    from skimage.transform import resize

    for factor in factors:
        size = round(images.shape[1] * factor)
        for image in images:
            resized = resize(image, (size, size), order=3, preserve_range=True, anti_aliasing=False)
            before = abs(canvas - size) // 2
            if size > canvas:
                placed = resized[before : before + canvas, before : before + canvas]
            else:
                room = (before, canvas - size - before)
                placed = np.pad(resized, [room, room])
            smoothed = 2 / np.pi * np.arctan(0.02 * (gaussian_filter(placed, 7 / 8 * factor) - 128))
            stretched = (smoothed - smoothed.min()) / (smoothed.max() - smoothed.min())
            (255 * stretched).astype(np.uint8)


if __name__ == "__main__":
    main()
