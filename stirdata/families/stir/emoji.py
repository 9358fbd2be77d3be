"""STIR emoji: 36 faces at 48 sizes, white on black, each at a random place.

Source: arXiv 2211.10288 and the generator published with it. There a rendering is pasted on a
transparent canvas that masks white over black, which is turned to grey: what is left is its opacity.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from stirdata.errors import SourceError
from stirdata.executors import InProcess, Workers, map_ordered
from stirdata.families.family import Advance, Job, Made, Material
from stirdata.families.stir import EmojiParameters, described
from stirdata.families.stir.axes import SEED, Frame, Place, StirArrays, assemble, draw_positions, metadata
from stirdata.imaging.fitting import render_in_box, renderer_versions
from stirdata.sources import fontawesome

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATASET = "stir-emoji"
RECIPE_VERSION = 1
ICONS = (
    "tired",
    "surprise",
    "smile-wink",
    "smile-beam",
    "sad-tear",
    "sad-cry",
    "meh-rolling-eyes",
    "meh-blank",
    "laugh-wink",
    "laugh-squint",
    "laugh-beam",
    "laugh",
    "kiss-wink-heart",
    "kiss-beam",
    "kiss",
    "grin-wink",
    "grin-tongue-wink",
    "grin-tongue-squint",
    "grin-tongue",
    "grin-tears",
    "grin-stars",
    "grin-squint-tears",
    "grin-squint",
    "grin-hearts",
    "grin-beam-sweat",
    "grin-beam",
    "grin-alt",
    "grin",
    "grimace",
    "frown-open",
    "flushed",
    "dizzy",
    "angry",
    "smile",
    "meh",
    "frown",
)
FRAME = Frame(ICONS, instances=1)
LICENSE = "CC BY 4.0"

_FINGERPRINT_DIGITS = 8


def job(parameters: EmojiParameters, material: Material) -> Job:
    """Return the job of making the set."""

    def make(workers: Workers, advance: Advance) -> Made:
        versions = renderer_versions()  # first of all: without a renderer nothing needs to be fetched
        svgs = material.once("icons", lambda: fontawesome.load(parameters.source_dir, quiet=material.quiet))
        arrays = generate(
            svgs, parameters.seed, executor=workers.processes(), workers=workers.slots, advance=advance
        )
        return Made(arrays.as_dict(), versions)

    description = described(sys.modules[__name__], parameters.seed, fontawesome.describe())
    return Job(description, make, FRAME.count)


def generate(
    svgs: Mapping[str, bytes],
    seed: int = SEED,
    *,
    executor: Executor | None = None,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> StirArrays:
    """Make the set: 3 sets x 48 scales x 36 icons. Only the 1,728 distinct pictures are rendered.

    Args:
        svgs: Content of the SVG file of each icon, by name.
        seed: Of the positions; 42 is published.
        executor: Where icons are rendered; the result does not depend on it.
        workers: How many work there.
        advance: Called with the number of images finished, now and then.

    Raises:
        ParameterError: The seed is out of range.
        MissingLibraryError: CairoSVG or cairo is not installed.
        SourceError: An icon cannot be rendered, or not into its box.

    Source: arXiv 2211.10288, its generators.
    """
    positions = draw_positions(FRAME, seed)
    rows = metadata(
        title="STIR emoji",
        description="Faces at scales 17 to 64 pixels on a 64 x 64 canvas, with their positions",
        author="T. Altstidl et al. (STIR); Fonticons, Inc. (Font Awesome Free 5.15.3)",
        license=LICENSE,
        version=f"stirdata recipe {RECIPE_VERSION}",
        date="2026-11-21",
    )
    tasks = [(name, svgs[name]) for name in FRAME.classes]
    drawn = map_ordered(executor or InProcess(), _render, tasks, ahead=2 * workers)
    return assemble(FRAME, _images(drawn, positions, advance or (lambda count: None)), positions, rows)


def _render(icon: tuple[str, bytes]) -> list[NDArray[np.uint8]]:
    """Return the opacity of an icon at every scale, uint8, (scale, scale); runs in a worker."""
    name, svg = icon
    return [_opacity(svg, scale, f"{name}.svg") for scale in FRAME.scales]


def _opacity(svg: bytes, scale: int, where: str) -> NDArray[np.uint8]:
    opacity = render_in_box(svg, scale, where=where)[:, :, 3]
    if opacity.shape != (scale, scale):
        raise SourceError(
            "the icon is not rendered into its box",
            where=where,
            expected=f"{scale} x {scale} pixels",
            got=f"{opacity.shape[1]} x {opacity.shape[0]}",
        )
    return opacity


def _images(
    drawn: Iterator[list[NDArray[np.uint8]]],
    positions: NDArray[np.int32],
    advance: Callable[[int], None],
) -> Iterator[tuple[Place, NDArray[np.uint8]]]:
    """Yield each icon at each scale on the canvases of the three sets."""
    sets = positions.shape[0]
    for label, opacities in enumerate(drawn):
        for number, (scale, opacity) in enumerate(zip(FRAME.scales, opacities, strict=True)):
            canvases = np.zeros((sets, *FRAME.image_shape), np.uint8)
            for canvas, (left, top) in zip(canvases, positions[:, number, label, 0], strict=True):
                canvas[top : top + scale, left : left + scale] = opacity
            yield Place(slice(None), number, label, 0), canvases
        advance(sets * len(FRAME.scales))


def fingerprints(imgs: NDArray[np.uint8], positions: NDArray[np.int32]) -> dict[str, str]:
    """Return what tells renderings apart, to say how many differ: 8 hexadecimal digits per scale, by icon.

    Args:
        imgs: uint8, (3, 48, 36, 1, 64, 64).
        positions: int32, (3, 48, 36, 1, 2).
    """
    result = {}
    for label, name in enumerate(FRAME.classes):
        digests = []
        for number, scale in enumerate(FRAME.scales):
            left, top = positions[0, number, label, 0]
            box = imgs[0, number, label, 0, top : top + scale, left : left + scale]
            digests.append(hashlib.sha256(box.tobytes()).hexdigest()[:_FINGERPRINT_DIGITS])
        result[name] = "".join(digests)
    return result


def count_different(found: Mapping[str, str], expected: Mapping[str, str]) -> int:
    """Return how many of the 1,728 renderings have another fingerprint."""
    step = _FINGERPRINT_DIGITS
    return sum(
        found[name][at : at + step] != expected[name][at : at + step]
        for name in FRAME.classes
        for at in range(0, step * len(FRAME.scales), step)
    )
