"""Contact sheets: many small images in rows and columns, with labels, as one picture.

Where everything goes is decided by :func:`layout` from names and sizes alone; :func:`draw` follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from stirdata.imaging import lettering

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAPER = (236, 236, 236)
INK = (34, 34, 34)
BOX, BOX_EDGE = (255, 0, 170), (255, 255, 255)
"""Colours (red, green, blue): of the background, of the letters, and of the two lines of a box.

One line alone is lost among the colours of a photograph.
"""

MARGIN = 10
GAP = 5
"""Between images, in pixels: two neighbours' boxes, drawn around their images, leave one free."""

_LINES = ((2, BOX_EDGE), (1, BOX))  # of a box: their distance from the object, and their colours
_AROUND = _LINES[0][0]
_GROUP_GAP = 11
_TITLE_GAP = 8
_LABEL_GAP = 6
_CAPTION_GAP = 2
_BELOW_CAPTION = 4
_LONGEST_NAME = 160


@dataclass(frozen=True)
class Arrangement:
    """What is on a sheet, except for the pixels.

    Attributes:
        title: One line above everything.
        rows: The label of each row.
        groups: Columns that belong together: the label above them, and how many they are.
        side: Width and height of every image in pixels.
        captions: What is written below each image, by row and column; None for nothing.
    """

    title: str
    rows: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    side: int
    captions: tuple[tuple[str, ...], ...] | None = None

    @property
    def columns(self) -> int:
        """Number of images in a row."""
        return sum(count for _, count in self.groups)


@dataclass(frozen=True)
class Layout:
    """Where everything on a sheet is, in pixels from its top left corner.

    Attributes:
        height: Of the sheet.
        width: Of the sheet.
        heading: Top of the line with the labels of the groups.
        group_lefts: Where each group begins.
        group_widths: How wide each group is.
        lefts: Of the images of each column.
        tops: Of the images of each row.
    """

    height: int
    width: int
    heading: int
    group_lefts: tuple[int, ...]
    group_widths: tuple[int, ...]
    lefts: tuple[int, ...]
    tops: tuple[int, ...]


@dataclass(frozen=True)
class Boxes:
    """The box of the object in every image.

    Attributes:
        values: int, (rows, columns, 3): distance to the left and to the top edge, and scale, in pixels.
        square: Whether scale is both sides of the box. Otherwise it is the longer one, and only the
            corner at its left and top is drawn, with arms as long as that side.
    """

    values: NDArray[np.int32]
    square: bool


def layout(arrangement: Arrangement) -> Layout:
    """Decide where everything on a sheet goes."""
    names = [lettering.width(_short(name)) for name in arrangement.rows]
    left = MARGIN + max(names, default=0) + (_LABEL_GAP if any(names) else 0)
    pitch = _pitch(arrangement)
    widths = tuple(max(count * pitch - GAP, lettering.width(label)) for label, count in arrangement.groups)
    group_lefts = tuple(accumulate((width + _GROUP_GAP for width in widths[:-1]), initial=left))
    inset = (pitch - GAP - arrangement.side) // 2
    lefts = tuple(
        start + (width - count * pitch + GAP) // 2 + number * pitch + inset
        for start, width, (_, count) in zip(group_lefts, widths, arrangement.groups, strict=True)
        for number in range(count)
    )
    heading = MARGIN + lettering.HEIGHT + _TITLE_GAP
    labelled = any(label for label, _ in arrangement.groups)
    top = heading + (lettering.HEIGHT + _CAPTION_GAP if labelled else 0)
    row_pitch = _row_pitch(arrangement)
    tops = tuple(top + number * row_pitch for number in range(len(arrangement.rows)))
    right = max(group_lefts[-1] + widths[-1], MARGIN + lettering.width(arrangement.title))
    height = top + len(tops) * row_pitch - GAP + MARGIN
    return Layout(height, right + MARGIN, heading, group_lefts, widths, lefts, tops)


def _pitch(arrangement: Arrangement) -> int:
    """Return the distance between columns."""
    captions = [lettering.width(text) for row in arrangement.captions or () for text in row]
    return max([arrangement.side, *captions]) + GAP


def _row_pitch(arrangement: Arrangement) -> int:
    """Return the distance between rows."""
    below = _CAPTION_GAP + lettering.HEIGHT + _BELOW_CAPTION if arrangement.captions else 0
    return max(arrangement.side + below, lettering.HEIGHT) + GAP


def _short(name: str) -> str:
    return lettering.fitted(name, _LONGEST_NAME)


def draw(
    arrangement: Arrangement, images: NDArray[np.uint8], boxes: Boxes | None = None, zoom: int = 1
) -> NDArray[np.uint8]:
    """Return a sheet as a picture.

    Args:
        arrangement: What is on it.
        images: uint8, (rows, columns, side, side), or (…, 3) in colour.
        boxes: To draw around the objects, just outside of them.
        zoom: How many pixels wide and high every pixel becomes.

    Returns:
        uint8, (height, width, 3).
    """
    import numpy as np

    places = layout(arrangement)
    sheet = np.empty((places.height, places.width, 3), np.uint8)
    sheet[:] = PAPER
    _write(sheet, MARGIN, MARGIN, arrangement.title)
    for (label, _), left, width in zip(
        arrangement.groups, places.group_lefts, places.group_widths, strict=True
    ):
        _write(sheet, places.heading, left + (width - lettering.width(label)) // 2, label)
    for row, top in enumerate(places.tops):
        middle = top + (arrangement.side - lettering.HEIGHT + 2) // 2
        _write(sheet, middle, MARGIN, _short(arrangement.rows[row]))
        for column, left in enumerate(places.lefts):
            _place(sheet, top, left, images[row, column])
            if arrangement.captions:
                _write_below(sheet, top, left, arrangement.side, arrangement.captions[row][column])
    if boxes is not None:
        _frame_all(sheet, places, arrangement.side, boxes)
    return sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _write(sheet: NDArray[np.uint8], top: int, left: int, text: str) -> None:
    ink = lettering.lettered(text)
    sheet[top : top + lettering.HEIGHT, left : left + ink.shape[1]][ink] = INK


def _write_below(sheet: NDArray[np.uint8], top: int, left: int, side: int, text: str) -> None:
    middle = left + (side - lettering.width(text)) // 2
    _write(sheet, top + side + _CAPTION_GAP, middle, text)


def _place(sheet: NDArray[np.uint8], top: int, left: int, image: NDArray[np.uint8]) -> None:
    side = len(image)
    sheet[top : top + side, left : left + side] = image if image.ndim == 3 else image[..., None]


def _frame_all(sheet: NDArray[np.uint8], places: Layout, side: int, boxes: Boxes) -> None:
    for row, top in enumerate(places.tops):
        for column, left in enumerate(places.lefts):
            # The image and what is around it: a box may touch the edge.
            tile = sheet[top - _AROUND : top + side + _AROUND, left - _AROUND : left + side + _AROUND]
            _frame(tile, *boxes.values[row, column].tolist(), square=boxes.square)


def _frame(tile: NDArray[np.uint8], left: int, top: int, scale: int, *, square: bool) -> None:
    """Draw a box, or its corner, around the object; what leaves the tile is cut off."""
    for distance, colour in _LINES:
        first, start = left + _AROUND - distance, top + _AROUND - distance
        last, end = first + scale + 2 * distance - 1, start + scale + 2 * distance - 1
        tile[start, first : last + 1] = colour
        tile[start : end + 1, first] = colour
        if square:
            tile[end, first : last + 1] = colour
            tile[start : end + 1, last] = colour
