"""Cutting STIR's crops out of photographs, against the plain way, on the stand-in pictures.

Run `python -m benchmarks.stir_crops`. The plain way does for each crop: open the archive, decode the
picture, resize all of it, cut. It is timed on a sample of the same crops, whose pixels must agree.
Then the time per crop for pictures of 700, 2000 and 4000 pixels. Prints the ratios, and exits with 1 when
one misses its bound with as many workers as the commands use by default, which is one per core.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stirdata.executors import available_cores, processes
from stirdata.families.stir import aerial as stir_aerial
from stirdata.families.stir import trafficsign as stir_trafficsign
from stirdata.families.stir.axes import SCALES, metadata
from stirdata.families.stir.crops import PictureTask, Plan, cut, render
from stirdata.sources import dota, mapillary
from stirdata.sources.archives import Member, members

#: Reason: the issue asks for 20 times the speed of the plain way.
AT_LEAST = 20.0
SAMPLE = 120
DATA = Path(os.environ.get("STIRDATA_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")

Pixels = NDArray[np.uint8]


def plain(member: Member, window: NDArray[np.int64]) -> Pixels:
    """Cut one crop the plain way."""
    width, height, left, top = window.tolist()
    with zipfile.ZipFile(member.archive) as archive:
        picture = Image.open(io.BytesIO(archive.read(member.name)))
        resized = picture.resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(resized.crop((left, top, left + 64, top + 64)))


def seconds_of_plain(plan: Plan, imgs: Pixels) -> float:
    """Return the time per crop of the plain way, over a sample whose pixels must agree with ours."""
    places = np.random.RandomState(0).permutation(plan.frame.count)[:SAMPLE]
    started = time.perf_counter()
    for place in zip(*np.unravel_index(places, plan.frame.shape), strict=True):
        member = plan.members[int(plan.pictures[place[0], place[2], place[3]])]
        pixels = plain(member, plan.windows[place])
        if abs(pixels.astype(int) - imgs[place]).max() > 1:
            raise SystemExit(f"other pixels than the plain way at {place}")
    return (time.perf_counter() - started) / SAMPLE


def compare(name: str, make_plan: Callable[[], Plan], workers: int) -> bool:
    """Time both ways and print a line; tell whether ours is fast enough."""
    started = time.perf_counter()
    plan = make_plan()
    with processes(workers) as executor:
        imgs = render(plan, metadata(*([""] * 6)), executor).imgs
    ours = (time.perf_counter() - started) / plan.frame.count
    if not isinstance(imgs, np.ndarray):
        raise TypeError("crops are in memory")
    slow = seconds_of_plain(plan, imgs)
    print(
        f"{name}, {workers} worker(s): {ours * 1e3:.2f} ms a crop with annotations and start-up, "
        f"plain {slow * 1e3:.1f} ms, {slow / ours:.0f} times faster (at least {AT_LEAST:.0f})",
        flush=True,
    )
    return slow / ours >= AT_LEAST


def growth(folder: Path, side: int, extent: int) -> None:
    """Time one picture of a given size with three objects that take the same share of it."""
    noise = np.random.RandomState(side).randint(0, 256, (side // 8, side // 8, 3)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).resize((side, side)).save(content, "JPEG", quality=90)
    archive = folder / f"{side}.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("images/picture.jpg", content.getvalue())
    member = members(archive)[0]
    resized = np.rint(side * np.array(SCALES) / extent).astype(np.int64)
    corners = (resized - 64) // 2
    windows = np.tile(np.stack([resized, resized, corners, corners], axis=1), (3, 1))
    started = time.perf_counter()
    cut(PictureTask(member, windows))
    ours = (time.perf_counter() - started) / len(windows)
    started = time.perf_counter()
    for window in windows[:48:12]:
        plain(member, window)
    slow = (time.perf_counter() - started) / 4
    print(
        f"{side} px, objects of {extent} px: {ours * 1e3:.2f} ms a crop, plain {slow * 1e3:.0f} ms, "
        f"{slow / ours:.0f} times faster",
        flush=True,
    )


def main() -> int:
    """Run all comparisons; return the exit code."""
    corpus = DATA / "corpus"
    fast = False
    plans: dict[str, Callable[[], Plan]] = {
        "trafficsign": lambda: stir_trafficsign.plan(mapillary.load(corpus / "mapillary")),
        "aerial": lambda: stir_aerial.plan(dota.load(corpus / "dota")),
    }
    for workers in sorted({1, available_cores()}):
        enough = [compare(name, make_plan, workers) for name, make_plan in plans.items()]
        fast = all(enough)
    with tempfile.TemporaryDirectory() as folder:
        for side, extent in ((700, 90), (2000, 90), (4000, 90), (2000, 257), (4000, 514)):
            growth(Path(folder), side, extent)
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())
