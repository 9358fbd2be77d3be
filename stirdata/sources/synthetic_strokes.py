"""Pen strokes of the `synthetic` digits: templates, and how they become polylines.

A stroke is a control polygon, and its curve is the chain of quadratic Bezier pieces that start and end
halfway between neighbouring control points (a uniform quadratic B-spline that is clamped at both ends). It
stays smooth however the control points are moved, so moving them is all it takes to vary a hand. A point
given twice in a row is a corner.

Only integers and plain IEEE arithmetic are used, so every machine computes the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Point = tuple[int, int]
Vertex = tuple[list[int], list[float]]

#: Straight segments per curved Bezier piece. Reason: with four, the chords of a digit 19 px tall stay within
#: 0.18 px of the curve, 0.1 px nearly everywhere; the time to draw grows with their number.
CHORDS = 4

#: (digit, weight in percent within the digit, strokes separated by "/"). Each point is "x,y" in hundredths of
#: the digit's height, x to the right and y down; strokes in the order and direction of writing.
TEMPLATES: tuple[tuple[int, int, str], ...] = (
    # 0: plain oval; begun at the right with an overlap; narrow with an open top; wide and begun at the left
    (0, 40, "52,2 25,0 8,30 10,75 35,102 70,98 90,65 88,25 70,0 46,3"),
    (0, 30, "74,14 52,-6 18,8 6,55 24,104 68,104 92,60 84,10 58,-2 40,8"),
    (0, 15, "48,2 24,4 14,55 28,104 64,102 80,60 78,10 54,-2"),
    (0, 15, "22,16 0,40 4,90 40,106 88,98 104,50 86,2 46,-6 14,10 8,34"),
    # 1: bare stem; with a flag; with flag and foot
    (1, 62, "50,0 50,50 50,100"),
    (1, 26, "39,31 47,18 54,0 54,0 53,50 52,100"),
    (1, 12, "38,31 46,18 54,0 54,0 53,50 52,100 / 26,100 52,99 80,99"),
    # 2: corner at the foot; loop; wavy foot; small head and long foot; large head and flat loop
    (2, 32, "14,24 20,-2 62,-8 86,16 74,48 38,76 12,98 12,98 50,97 90,97"),
    (2, 24, "14,22 26,-4 66,-6 84,22 66,62 38,98 10,102 8,80 32,76 60,96 94,94"),
    (2, 16, "20,14 44,-8 82,4 76,42 44,74 16,96 16,96 46,86 66,104 92,92"),
    (2, 14, "34,26 34,4 58,-6 80,14 66,46 30,78 0,96 0,96 52,98 104,94"),
    (2, 14, "6,30 10,-6 70,-12 98,30 76,84 34,106 4,98 18,80 54,88 100,108"),
    # 3: two bows; flat top; small loop in the middle; small head; small belly
    (3, 36, "14,12 36,-6 82,-2 84,36 44,46 44,46 88,46 98,86 64,106 26,104 8,86"),
    (3, 16, "16,3 50,2 82,1 82,1 44,42 44,42 88,40 96,86 60,108 12,92"),
    (3, 20, "14,14 40,-8 84,4 74,40 42,54 40,42 80,46 96,80 64,108 10,94"),
    (3, 14, "30,8 50,-6 78,2 74,26 46,34 46,34 94,32 106,84 60,112 4,92"),
    (3, 14, "8,14 34,-10 96,-4 94,48 46,60 46,60 84,58 86,92 56,104 16,96"),
    # 4: open with a separate stem; closed; open and in one go; high bar; low bar with a short stem
    (4, 34, "26,2 20,30 10,58 10,58 50,57 92,55 / 72,6 68,50 64,100"),
    (4, 20, "64,1 36,32 6,66 6,66 50,66 96,64 / 66,0 66,50 64,100"),
    (4, 24, "18,4 6,48 34,64 74,50 82,2 82,2 76,50 70,100"),
    (4, 12, "18,0 16,20 12,46 12,46 50,46 94,44 / 78,4 76,50 74,100"),
    (4, 10, "34,2 18,40 2,74 2,74 50,73 104,70 / 70,28 66,60 62,100"),
    # 5: roof drawn last; in one go; round as an S; small belly; large belly
    (5, 30, "28,4 24,24 20,46 20,46 54,30 92,46 90,92 50,110 10,92 / 27,4 56,4 90,1"),
    (5, 26, "88,2 58,4 30,4 30,4 24,46 24,46 58,32 92,50 84,96 44,110 8,92"),
    (5, 18, "86,6 46,-4 16,14 26,44 76,46 94,80 58,108 10,92"),
    (5, 13, "98,0 66,2 38,2 38,2 28,54 28,54 58,48 80,66 68,102 32,106 4,96"),
    (5, 13, "34,2 28,22 24,44 24,44 70,26 106,52 94,102 44,112 2,90 / 34,1 56,1 82,-4"),
    # 6: leaning stem; upright stem; hook at the top; small loop; large loop
    (6, 30, "72,0 40,14 10,54 12,92 46,108 82,94 82,62 52,50 24,62 16,84"),
    (6, 25, "44,0 22,30 10,72 26,106 72,104 84,72 60,50 28,62 20,82"),
    (6, 15, "86,14 68,-6 30,8 6,54 20,104 68,106 88,74 62,48 30,56 16,76"),
    (6, 15, "60,0 28,24 8,66 14,100 44,106 66,94 62,74 40,70 22,82 24,96"),
    (6, 15, "64,2 30,12 2,52 4,96 44,110 94,100 94,62 58,46 26,54 10,76"),
    # 7: plain; with a bar; with a serif; with a serif and a bar; round shoulder; wavy roof
    (7, 34, "10,5 50,4 88,2 88,2 64,40 42,100"),
    (7, 16, "10,4 50,3 88,2 88,2 62,46 42,100 / 36,57 60,54 86,51"),
    (7, 16, "9,19 12,4 12,4 50,4 86,4 86,4 58,44 52,100"),
    (7, 8, "8,15 11,4 11,4 50,4 86,4 86,4 64,46 46,100 / 34,60 84,55"),
    (7, 14, "2,10 34,0 86,-6 92,16 66,50 60,100"),
    (7, 12, "4,8 26,-6 56,14 92,0 92,0 60,34 34,66 22,100"),
    # 8: in one go from the top right; two circles; from the middle; open at the top
    (8, 40, "78,14 56,-6 16,2 18,36 52,50 90,66 84,104 44,108 8,96 20,62 56,46 88,26 76,4"),
    (8, 15, "54,2 24,0 18,40 50,52 84,40 78,0 48,2 / 50,48 14,52 6,96 50,108 94,96 86,52 48,48"),
    (8, 25, "50,48 20,34 22,-2 56,-6 86,8 72,40 34,58 8,84 28,108 76,106 90,72 48,46"),
    (8, 20, "84,10 60,-6 22,-2 10,28 40,48 72,62 84,92 54,110 20,98 24,70 52,50 84,24 96,4"),
    # 9: straight stem; curled tail; written round; small loop; large loop and short tail
    (9, 34, "80,14 60,-6 20,0 10,38 38,58 72,44 82,8 82,8 80,50 74,100"),
    (9, 18, "78,14 58,-6 18,0 12,40 44,56 76,40 84,8 84,8 88,62 74,106 18,96"),
    (9, 22, "76,12 50,-8 12,8 12,46 44,58 78,38 84,10 80,58 56,100"),
    (9, 13, "78,10 60,-4 34,2 30,26 52,38 74,28 80,4 80,4 74,52 58,100"),
    (9, 13, "84,14 56,-10 2,2 2,50 44,66 82,48 88,6 88,6 84,62 66,100"),
)


@dataclass(frozen=True)
class Glyph:
    """One way of writing one digit, ready to be flattened.

    Attributes:
        label: The digit, 0 to 9.
        weight: Share of this way among those of the digit, in percent.
        points: Control points, float64 (points, 2) as x and y; about -0.5 to 0.5, y down.
            A corner is one point.
        taps: For every vertex the three control points that it is mixed from, (vertices, 3).
        mix: The shares of these three, float64 (vertices, 3); every row adds up to 1.
        segments: For every segment its first and last vertex, (segments, 2).
        progress: For every segment where on its stroke it lies, float64 (segments,), 0 to 1.
    """

    label: int
    weight: int
    points: Floats
    taps: Indices
    mix: Floats
    segments: Indices
    progress: Floats

    def flatten(self, coordinate: Floats) -> Floats:
        """Return one coordinate of the polylines' vertices.

        Args:
            coordinate: x or y of the control points, float64 (points, n).

        Returns:
            The same coordinate of the vertices, float64 (vertices, n).
        """
        first, middle, last = (self.mix[:, tap, None] * coordinate[self.taps[:, tap]] for tap in range(3))
        return first + middle + last


def _piece(before: int, control: int, after: int, is_first: bool, is_last: bool) -> list[Vertex]:
    """Return taps and mix of the vertices that end the chords of one piece."""
    straight = control in (before, after)
    chords = 1 if straight else CHORDS
    vertices = []
    for step in range(1, chords + 1):
        t = step / chords
        start, pull, end = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
        start_share = 1.0 if is_first else 0.5
        end_share = 1.0 if is_last else 0.5
        middle = pull + start * (1 - start_share) + end * (1 - end_share)
        vertices.append(([before, control, after], [start * start_share, middle, end * end_share]))
    return vertices


def _stroke_vertices(controls: list[int]) -> list[Vertex]:
    """Return taps and mix of all the vertices of a stroke; corners are listed twice."""
    vertices = [([controls[0]] * 3, [1.0, 0.0, 0.0])]
    if len(controls) == 2:
        return [*vertices, ([controls[1]] * 3, [1.0, 0.0, 0.0])]
    last = len(controls) - 2
    for i in range(1, last + 1):
        vertices += _piece(controls[i - 1], controls[i], controls[i + 1], i == 1, i == last)
    return vertices


def _points(stroke: str) -> list[Point]:
    """Return the control points of one stroke of a template."""
    pairs = (pair.split(",") for pair in stroke.split())
    return [(int(x), int(y)) for x, y in pairs]


def _compile(label: int, weight: int, strokes: str) -> Glyph:
    """Return the glyph of one template."""
    points: list[Point] = []
    vertices: list[Vertex] = []
    segments: list[tuple[int, int]] = []
    progress: list[float] = []
    for stroke in map(_points, strokes.split("/")):
        controls: list[int] = []
        for i, point in enumerate(stroke):
            if i == 0 or point != stroke[i - 1]:
                points.append(point)
            controls.append(len(points) - 1)
        drawn = _stroke_vertices(controls)
        first, count = len(vertices), len(drawn) - 1
        vertices += drawn
        segments += [(first + i, first + i + 1) for i in range(count)]
        progress += [(i + 0.5) / count for i in range(count)]
    return Glyph(
        label=label,
        weight=weight,
        points=(np.array(points, dtype=np.float64) - 50.0) / 100.0,
        taps=np.array([taps for taps, _ in vertices], dtype=np.intp),
        mix=np.array([mix for _, mix in vertices], dtype=np.float64),
        segments=np.array(segments, dtype=np.intp),
        progress=np.array(progress, dtype=np.float64),
    )


#: Every glyph, those of one digit side by side.
GLYPHS: tuple[Glyph, ...] = tuple(_compile(*template) for template in TEMPLATES)
