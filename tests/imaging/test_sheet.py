"""The layout of contact sheets: nothing overlaps, nothing leaves the sheet, images stay what they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging import lettering
from stirdata.imaging.sheet import BOX, BOX_EDGE, GAP, INK, PAPER, Arrangement, Boxes, draw, layout

names = st.text("abc 0é", max_size=12)
groups = st.lists(st.tuples(names, st.integers(1, 3)), min_size=1, max_size=3)


@st.composite
def arrangements(draw):
    rows = tuple(draw(st.lists(names, min_size=1, max_size=3)))
    columns = tuple(draw(groups))
    count = sum(number for _, number in columns)
    captioned = draw(st.booleans())
    captions = tuple(tuple(draw(names) for _ in range(count)) for _ in rows) if captioned else None
    return Arrangement(draw(names), rows, columns, draw(st.integers(1, 20)), captions)


def rectangles(arrangement):
    """Return (top, left, height, width) of everything on a sheet."""
    places, side, height = layout(arrangement), arrangement.side, lettering.HEIGHT
    found = [(10, 10, height, lettering.width(arrangement.title))]
    for (label, _), left, width in zip(
        arrangement.groups, places.group_lefts, places.group_widths, strict=True
    ):
        if label:
            found.append((places.heading, left, height, width))
    for row, top in enumerate(places.tops):
        for column, left in enumerate(places.lefts):
            below = 2 + height if arrangement.captions else 0
            width = lettering.width(arrangement.captions[row][column]) if arrangement.captions else 0
            wide = max(side, width)
            found.append((top, left - (wide - side) // 2, side + below, wide))
    return found


@given(arrangements())
def test_nothing_overlaps_and_nothing_leaves_the_sheet(arrangement):
    places = layout(arrangement)
    used = np.zeros((places.height, places.width), int)
    for top, left, height, width in rectangles(arrangement):
        assert top >= 10 and left >= 10
        assert top + height <= places.height - 10 + (0 if arrangement.captions is None else 4)
        assert left + width <= places.width - 10
        used[top : top + height, left : left + width] += 1
    assert used.max() <= 1


@given(arrangements(), st.integers(1, 3))
def test_sheet_has_the_size_of_its_layout_and_every_image_where_it_belongs(arrangement, zoom):
    places, side = layout(arrangement), arrangement.side
    shape = (len(arrangement.rows), arrangement.columns, side, side)
    images = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    sheet = draw(arrangement, images, zoom=zoom)
    assert sheet.shape == (places.height * zoom, places.width * zoom, 3)
    small = sheet[::zoom, ::zoom]
    assert np.array_equal(sheet, small.repeat(zoom, 0).repeat(zoom, 1))
    for row, top in enumerate(places.tops):
        for column, left in enumerate(places.lefts):
            tile = small[top : top + side, left : left + side]
            assert np.array_equal(tile, images[row, column][..., None].repeat(3, -1))


ONE = Arrangement("", ("",), (("", 2),), 8)


def drawn(boxes, square, images=None):
    images = np.full((1, 2, 8, 8, 3), 90, np.uint8) if images is None else images
    sheet = draw(ONE, images, Boxes(np.array([boxes], np.int32), square))
    places = layout(ONE)
    top = places.tops[0]
    return [sheet[top - 2 : top + 10, left - 2 : left + 10] for left in places.lefts]


def boxed(tile, colour=BOX):
    return {(y - 2, x - 2) for y, x in np.argwhere((tile == colour).all(-1)).tolist()}


def ring(left, top, scale, distance=1):
    first, last = -distance, scale + distance - 1
    span = range(first, last + 1)
    return {(top + y, left + x) for y in span for x in span if {y, x} & {first, last}}


def test_boxes_are_just_outside_the_object():
    first, second = drawn([(2, 3, 4), (0, 0, 8)], square=True)
    assert boxed(first) == ring(2, 3, 4)
    assert boxed(second) == ring(0, 0, 8)
    assert (first[2:-2, 2:-2][3:7, 2:6] == 90).all()
    assert boxed(first, BOX_EDGE) == ring(2, 3, 4, distance=2)
    assert boxed(second, BOX_EDGE) == ring(0, 0, 8, distance=2)


@given(*[st.integers(0, 7)] * 2, st.integers(1, 8))
def test_corner_has_arms_as_long_as_the_scale_and_is_cut_off_at_the_edge(left, top, scale):
    tile = drawn([(left, top, scale), (0, 0, 1)], square=False)[0]
    for distance, colour in ((1, BOX), (2, BOX_EDGE)):
        arm = range(-distance, scale + distance)
        expected = {(top - distance, left + x) for x in arm} | {(top + y, left - distance) for y in arm}
        assert boxed(tile, colour) == {(y, x) for y, x in expected if y <= 9 and x <= 9}


def test_gap_keeps_the_boxes_of_neighbours_apart():
    images = np.full((1, 2, 8, 8, 3), 90, np.uint8)
    sheet = draw(ONE, images, Boxes(np.array([[(0, 0, 8), (0, 0, 8)]], np.int32), square=True))
    between = layout(ONE).lefts[0] + 8 + GAP // 2
    assert (sheet[:, between] == PAPER).all()


def test_letters_are_written_in_ink_on_paper():
    arrangement = Arrangement("title", ("row",), (("17", 1),), 8, (("0.3",),))
    sheet = draw(arrangement, np.zeros((1, 1, 8, 8), np.uint8))
    count = sum(int(lettering.lettered(text).sum()) for text in ("title", "row", "17", "0.3"))
    assert int((sheet == INK).all(-1).sum()) == count
    assert int((sheet == PAPER).all(-1).sum()) == sheet[..., 0].size - count - 64


def test_long_class_name_is_cut_short():
    wide = layout(Arrangement("", ("x" * 500,), (("", 1),), 8))
    assert wide.lefts[0] < 200


@pytest.mark.parametrize("label", ["", "17"])
def test_heading_takes_room_only_if_there_is_one(label):
    places = layout(Arrangement("", ("a",), ((label, 1),), 8))
    assert places.tops[0] == places.heading + (11 if label else 0)
