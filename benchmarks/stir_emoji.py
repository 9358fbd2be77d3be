"""STIR emoji to a finished file, against its 1,728 CairoSVG renderings alone.

Run as ``python -m benchmarks.stir_emoji ICON_FOLDER [--rounds N]``, in one process and in turns. The
limit of the project is a ratio of 1.5.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cairosvg

from stirdata import generate
from stirdata.families.stir.axes import SCALES
from stirdata.sources import fontawesome

LIMIT_RATIO = 1.5


def main() -> None:
    """Measure and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source_dir", type=Path, help="Font Awesome folder")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    svgs = fontawesome.load(arguments.source_dir)
    render(svgs)  # loads the libraries
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = [], []
        for number in range(arguments.rounds):
            target = Path(folder) / f"{number}.npz"
            make = partial(generate, "stir-emoji", source_dir=arguments.source_dir, out=target, workers=1)
            ours.append(clock(make))
            theirs.append(clock(partial(render, svgs)))
    ratio = statistics.median(mine / plain for mine, plain in zip(ours, theirs, strict=True))
    print(f"stirdata generate stir emoji  {statistics.median(ours):6.2f} s")
    print(f"1,728 renderings by CairoSVG  {statistics.median(theirs):6.2f} s")
    print(f"ratio {ratio:.2f} (limit {LIMIT_RATIO})")


def render(svgs: Mapping[str, bytes]) -> None:
    """Render every icon at every scale, as the published generator does, and drop the pictures."""
    for svg in svgs.values():
        for scale in SCALES:
            cairosvg.svg2png(bytestring=svg, parent_width=scale, parent_height=scale)


def clock(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
