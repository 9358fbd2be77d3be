"""The `synthetic` source: 70,000 handwritten-looking digits that are drawn, not downloaded.

Image i depends on nothing but (`VERSION`, `SEED`, i): it has its own counter-based random stream, and only
integer arithmetic and single IEEE 754 operations (+ - * / sqrt floor min max) in a fixed order turn it into
pixels. So the bytes are the same on every machine and with every NumPy, a part equals the same part of the
whole, and the number of workers never shows.

How an image comes about: a label and a way of writing it (`synthetic_strokes.GLYPHS`); the control points
are moved, one by one and together (bends, proportions, aspect, slant, rotation); the curves are flattened,
scaled to the wanted height and put around the middle; every pixel gets the ink that its distance from the
strokes leaves; the image is moved by whole pixels until its centre of mass is the canvas's, as in MNIST.

Source: http://yann.lecun.com/exdb/mnist/ for the layout (digits 20 px tall, centred by mass in 28x28).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stirdata.errors import ParameterError
from stirdata.executors import map_ordered, threads
from stirdata.sources.synthetic_strokes import GLYPHS, Floats, Glyph, Indices

#: Images in all, and how many of them, from the first on, are for training. Reason: as in MNIST.
COUNT = 70_000
TRAIN_COUNT = 60_000
#: Raised whenever a byte of the output changes.
VERSION = 1
#: Key of all the random streams. Reason: none, any would do; frozen with `VERSION`.
SEED = 28_070_000

_SIZE = 28
_MIDDLE = (_SIZE - 1) / 2
#: Images drawn together. Reason: a segment's window on the canvas is about 13 x 13 pixels of 4 bytes, so
#: three windows of 512 images fit in 1 MiB of L2 cache; with fewer images, threads spend their time waiting
#: for each other between steps.
_BLOCK = 512

#: Farthest that ink may lie from the centre of the strokes, px. Reason: the border is 13.5 px from the
#: middle, the centre of mass may end 0.5 px off the middle, and 1 px is for strokes that overlap and so count
#: twice; a test makes sure that no image touches the border.
_REACH = 12.0
#: Widest that a digit may be, px. Reason: the box of MNIST's digits is 20 px wide.
_WIDEST = 20.0

#: Increment and multipliers of SplitMix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
#: Generators", OOPSLA 2014 (gamma), with the multipliers and shifts of Stafford's variant 13.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

#: Numbers of an image's draws: label, glyph, one for each field of `_Style`, two for each control point.
_LABEL_DRAW, _GLYPH_DRAW, _STYLE_DRAW, _POINT_DRAW = 0, 1, 2, 32

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Distances = NDArray[np.float32]


class _Style(NamedTuple):
    """What distinguishes one writing from another; each float64 (n,)."""

    sloppiness: Floats  # farthest that a single control point moves, in heights
    bow: Floats  # x grows by bow * y * y: stems bend
    taper: Floats  # x grows by taper * x * y: the lower half is wider than the upper
    drift: Floats  # x grows by drift * x * x: the right half is wider than the left
    squat: Floats  # y shrinks by squat * y * y: the upper half is taller than the lower
    lean: Floats  # y grows by lean * x * y: the right half is taller than the left
    sag: Floats  # y grows by sag * x * x: bars bend
    aspect: Floats  # factor on x
    slant: Floats  # shear: the top moves right
    turn: Floats  # tangent of half the angle of rotation
    height: Floats  # of the strokes with the pen's width, px
    radius: Floats  # of the pen, px
    swell: Floats  # pen wider in the middle of a stroke
    fade: Floats  # pen wider at the start of a stroke
    off_x: Floats  # where the centre of the strokes lies, px right of the middle
    off_y: Floats  # and below it


#: Middle and greatest deviation of every field. Reason: chosen by eye, and such that a linear classifier errs
#: about as often as on MNIST while a small network hardly ever does (benchmarks/synthetic_task.py).
_STYLE_RANGES = {
    "sloppiness": (0.072, 0.045),
    "bow": (0.0, 0.65),
    "taper": (0.0, 0.7),
    "drift": (0.0, 0.65),
    "squat": (0.0, 0.65),
    "lean": (0.0, 0.65),
    "sag": (0.0, 0.65),
    "aspect": (0.9, 0.36),
    "slant": (0.15, 0.52),
    "turn": (0.0, 0.18),
    "height": (19.5, 1.5),
    "radius": (1.15, 0.5),
    "swell": (0.0, 0.15),
    "fade": (0.0, 0.2),
    "off_x": (0.0, 0.5),
    "off_y": (0.0, 0.5),
}


def draw(start: int = 0, stop: int = COUNT) -> tuple[Images, Labels]:
    """Draw a part of the digits.

    Args:
        start: Number of the first image, 0 to `COUNT`.
        stop: Number after the last image, `start` to `COUNT`.

    Returns:
        Images, uint8 (stop - start, 28, 28), 0 background to 255 ink, and their labels, uint8
        (stop - start,), 0 to 9.

    Raises:
        ParameterError: A `ValueError`; `start` and `stop` are not a range within 0 to `COUNT`.
    """
    if not 0 <= start <= stop <= COUNT:
        raise ParameterError(
            "no such range of synthetic digits",
            expected=f"0 <= start <= stop <= {COUNT}",
            got=f"start={start}, stop={stop}",
            hint="ask for images that exist",
        )
    return _draw_range(start, stop, 1, None)


def draw_all(workers: int = 1, advance: Callable[[int], object] | None = None) -> tuple[Images, Labels]:
    """Draw all the digits with threads; NumPy lets them run side by side.

    Args:
        workers: Number of threads, at least 1. The result does not depend on it.
        advance: Called in the calling thread with the number of images finished since the last call.

    Returns:
        Images, uint8 (70000, 28, 28), 0 background to 255 ink, and their labels, uint8 (70000,), 0 to 9.
        The first 60,000 are for training, the others for testing.

    Raises:
        ParameterError: A `ValueError`; `workers` is less than 1.
    """
    if workers < 1:
        raise ParameterError(
            "synthetic digits need a thread that draws them",
            expected="workers >= 1",
            got=workers,
            hint="ask for at least one worker",
        )
    return _draw_range(0, COUNT, workers, advance)


def _draw_range(
    start: int, stop: int, workers: int, advance: Callable[[int], object] | None
) -> tuple[Images, Labels]:
    """Return images and labels from `start` up to `stop`, drawn by so many threads."""
    numbers = np.arange(start, stop, dtype=np.intp)
    labels, choice = _choose(numbers)
    images = np.zeros((len(numbers), _SIZE, _SIZE), dtype=np.uint8)

    def finish(block: tuple[Glyph, Indices]) -> int:
        glyph, members = block
        images[members - start] = _draw_block(glyph, members)
        return len(members)

    with threads(workers) as executor:
        for done in map_ordered(executor, finish, _blocks(numbers, choice), ahead=2 * workers):
            if advance is not None:
                advance(done)
    return images, labels


def _blocks(numbers: Indices, choice: Indices) -> Iterator[tuple[Glyph, Indices]]:
    """Yield every glyph with the numbers of up to `_BLOCK` images that show it."""
    for index, glyph in enumerate(GLYPHS):
        members = numbers[choice == index]
        for first in range(0, len(members), _BLOCK):
            yield glyph, members[first : first + _BLOCK]


def _choose(numbers: Indices) -> tuple[Labels, Indices]:
    """Return label and index into `GLYPHS` of each image."""
    uniform = _uniform(numbers, [_LABEL_DRAW, _GLYPH_DRAW])
    labels = np.floor(uniform[0] * 10.0).astype(np.uint8)
    percent = np.floor(uniform[1] * 100.0).astype(np.intp)
    choice = np.zeros(len(numbers), dtype=np.intp)
    for digit in range(10):
        members = [index for index, glyph in enumerate(GLYPHS) if glyph.label == digit]
        by_percent = np.repeat(members, [GLYPHS[index].weight for index in members])
        choice[labels == digit] = by_percent[percent[labels == digit]]
    return labels, choice


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the output function of SplitMix64, a bijection on 64 bits."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def _uniform(numbers: Indices, draws: Iterable[int]) -> Floats:
    """Return draws of each image's stream, float64 (draws, n) in [0, 1)."""
    keys = _mix(_mix(numbers.astype(np.uint64) * _GOLDEN + _GOLDEN) ^ np.uint64(SEED))
    counters = (np.array(list(draws), dtype=np.uint64) + np.uint64(1)) * _GOLDEN
    bits = _mix(keys[None, :] + counters[:, None]) >> np.uint64(11)
    return bits.astype(np.float64) * (1.0 / 9007199254740992.0)


def _bell(uniform: Floats) -> Floats:
    """Return deviations in [-1, 1), near 0 four times as often as near the ends."""
    deviation = uniform * 2.0 - 1.0
    return deviation * (1.0 + deviation * deviation) * 0.5


def _draw_block(glyph: Glyph, numbers: Indices) -> Images:
    """Return the finished images of these numbers, uint8 (n, 28, 28)."""
    style = _choose_style(numbers)
    x, y = _write(glyph, numbers, style)
    x, y = _place(glyph, style, glyph.flatten(x), glyph.flatten(y))
    return _centre(_ink(glyph, style, x, y))


def _choose_style(numbers: Indices) -> _Style:
    """Return the style of each image."""
    draws = range(_STYLE_DRAW, _STYLE_DRAW + len(_Style._fields))
    fields = {}
    for name, deviation in zip(_Style._fields, _bell(_uniform(numbers, draws)), strict=True):
        middle, greatest = _STYLE_RANGES[name]
        fields[name] = middle + greatest * deviation
    return _Style(**fields)


def _write(glyph: Glyph, numbers: Indices, style: _Style) -> tuple[Floats, Floats]:
    """Return x and y of the control points as this hand sets them, float64 (points, n) in heights."""
    draws = range(_POINT_DRAW, _POINT_DRAW + 2 * len(glyph.points))
    moves = _uniform(numbers, draws) * 2.0 - 1.0
    x = glyph.points[:, :1] + moves[0::2] * style.sloppiness
    y = glyph.points[:, 1:] + moves[1::2] * style.sloppiness
    xx, xy, yy = x * x, x * y, y * y
    x = (x + style.bow * yy + style.taper * xy + style.drift * xx) * style.aspect
    y = y - style.squat * yy + style.lean * xy + style.sag * xx
    x = x - style.slant * y
    # Rational points of the circle: no sine or cosine, whose last bit depends on the machine.
    square = style.turn * style.turn
    cosine, sine = (1.0 - square) / (1.0 + square), 2.0 * style.turn / (1.0 + square)
    return x * cosine - y * sine, x * sine + y * cosine


def _place(glyph: Glyph, style: _Style, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the vertices in pixels: as tall as wanted unless that is too wide or would reach the border."""
    centre_x, centre_y = _centroid(glyph, x, y)
    x, y = x - centre_x, y - centre_y
    top, left, bottom, right = y.min(axis=0), x.min(axis=0), y.max(axis=0), x.max(axis=0)
    farthest = np.maximum(np.maximum(-top, bottom), np.maximum(-left, right))
    edge = (style.radius + 0.5) * _pressure(glyph, style).max(axis=0)
    scale = (style.height - 2.0 * style.radius) / (bottom - top)
    scale = np.minimum(scale, (_WIDEST - 2.0 * style.radius) / (right - left))
    scale = np.minimum(scale, (_REACH - edge) / farthest)
    return x * scale + (_MIDDLE + style.off_x), y * scale + (_MIDDLE + style.off_y)


def _centroid(glyph: Glyph, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return x and y of the strokes' centre of mass, float64 (n,)."""
    head, tail = glyph.segments[:, 0], glyph.segments[:, 1]
    dx, dy = x[tail] - x[head], y[tail] - y[head]
    length = np.sqrt(dx * dx + dy * dy)
    # Added one by one: the order of np.sum depends on the array's shape.
    total = reduce(np.add, length)
    sum_x = reduce(np.add, length * (x[head] + x[tail]))
    sum_y = reduce(np.add, length * (y[head] + y[tail]))
    return sum_x / (total * 2.0), sum_y / (total * 2.0)


def _pressure(glyph: Glyph, style: _Style) -> Floats:
    """Return the pen's width in every segment as a factor around 1, float64 (segments, n)."""
    along = glyph.progress[:, None] * 2.0 - 1.0
    return 1.0 - style.fade * along + style.swell * (0.5 - along * along)


def _ink(glyph: Glyph, style: _Style, x: Floats, y: Floats) -> Images:
    """Return antialiased images of the polylines, uint8 (28, 28, n) as row, column, image."""
    edge = style.radius + 0.5
    width = _pressure(glyph, style)
    reach = np.max(edge * width) + 0.01
    squares = np.full((_SIZE, _SIZE, x.shape[1]), 1e4, dtype=np.float32)
    for (head, tail), factor in zip(glyph.segments, width, strict=True):
        ends_x, ends_y = x[[head, tail]], y[[head, tail]]
        # Outside the window this segment leaves no ink in any image, so its size does not show.
        columns, rows = _window(ends_x, reach), _window(ends_y, reach)
        window = squares[rows, columns]
        np.minimum(window, _squared_distance(ends_x, ends_y, factor, rows, columns), out=window)
    ink = edge.astype(np.float32) - np.sqrt(squares, out=squares)
    np.clip(ink, np.float32(0), np.float32(1), out=ink)
    return (ink * np.float32(255)).astype(np.uint8)


def _window(ends: Floats, reach: np.float64) -> slice:
    """Return the rows or columns of the canvas that are within reach of a segment in some image."""
    low, high = np.floor(ends.min() - reach), np.floor(ends.max() + reach) + 1.0
    return slice(max(int(low), 0), min(int(high), _SIZE))


def _squared_distance(x: Floats, y: Floats, factor: Floats, rows: slice, columns: slice) -> Distances:
    """Return squared distances of pixels from a segment over the pen's factor, float32 (rows, columns, n)."""
    dx, dy = x[1] - x[0], y[1] - y[0]
    length = np.maximum(np.sqrt(dx * dx + dy * dy), 1e-6)
    unit = length * factor
    to_x = np.arange(columns.start, columns.stop, dtype=np.float64)[:, None] - x[0]
    to_y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] - y[0]
    along_x, along_y = (to_x * dx / unit).astype(np.float32), (to_y * dy / unit).astype(np.float32)
    across_x, across_y = (to_x * dy / unit).astype(np.float32), (to_y * dx / unit).astype(np.float32)
    along: Distances = along_y[:, None] + along_x
    along -= np.clip(along, np.float32(0), (length / factor).astype(np.float32))
    across: Distances = across_y[:, None] - across_x
    along *= along
    across *= across
    along += across
    return along


def _centre(ink: Images) -> Images:
    """Return the images, uint8 (n, 28, 28), its centre of mass moved to within 0.5 px of the middle."""
    images = np.ascontiguousarray(np.moveaxis(ink, 2, 0))
    places = np.arange(_SIZE, dtype=np.int64)
    mass = images.sum(axis=(1, 2), dtype=np.int64)
    moves = []
    for axis in (2, 1):
        moment = (images.sum(axis=axis, dtype=np.int64) * places).sum(axis=1)
        # The nearest whole number to (13.5 - moment / mass), in integers.
        moves.append((_SIZE * mass - 2 * moment) // (2 * mass))
    for down, right in set(zip(*(move.tolist() for move in moves), strict=True)):
        same = (moves[0] == down) & (moves[1] == right)
        images[same] = np.roll(images[same], (down, right), axis=(1, 2))
    return images
