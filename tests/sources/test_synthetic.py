import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stirdata.sources import synthetic
from stirdata.sources.synthetic_strokes import CHORDS, GLYPHS

FIRST_1000 = {
    "images": "3755c046887012d355c1fe27c1f42ff270731ec6fbe409c96eaab86eaabd2143",
    "labels": "52ecc66047555ecb6224c61234fa54fcb6a8e01a48d0f9fa56a7f24ccc61480b",
}
ALL = {
    "images": "ed6edccf9198d4d91ee51893746b4b61ba8887d7ea1bb5d0c34ff2339e013b32",
    "labels": "e6ba4c9071d00e41cd5b819e5a977a1fb923fc2537ef3809bf6b40641f9e2247",
}


@pytest.fixture(scope="module")
def everything():
    return synthetic.draw_all(workers=2)


def digests(images, labels):
    return {
        "images": hashlib.sha256(images.tobytes()).hexdigest(),
        "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
    }


def test_shapes_and_types(everything):
    images, labels = everything
    assert images.shape == (synthetic.COUNT, 28, 28)
    assert labels.shape == (synthetic.COUNT,)
    assert images.dtype == labels.dtype == np.uint8
    assert images.flags.c_contiguous
    assert synthetic.TRAIN_COUNT == 60_000


def test_first_images_have_the_pinned_bytes():
    assert digests(*synthetic.draw(0, 1000)) == FIRST_1000


def test_all_images_have_the_pinned_bytes(everything):
    assert digests(*everything) == ALL


def test_number_of_workers_does_not_show(everything):
    """Two have drawn everything."""
    assert digests(*synthetic.draw_all(1)) == digests(*everything)


@settings(deadline=None, max_examples=40)
@given(start=st.integers(0, synthetic.COUNT), length=st.integers(0, 300))
def test_part_equals_slice_of_the_whole(everything, start, length):
    stop = min(start + length, synthetic.COUNT)
    images, labels = synthetic.draw(start, stop)
    assert np.array_equal(images, everything[0][start:stop])
    assert np.array_equal(labels, everything[1][start:stop])


@pytest.mark.parametrize("number", [0, 1, 59_999, 60_000, 69_999])
def test_single_image_equals_that_of_the_whole(everything, number):
    images, labels = synthetic.draw(number, number + 1)
    assert np.array_equal(images[0], everything[0][number])
    assert labels[0] == everything[1][number]


@pytest.mark.parametrize("block", [1, 7, 100])
def test_size_of_blocks_does_not_show(monkeypatch, everything, block):
    monkeypatch.setattr(synthetic, "_BLOCK", block)
    assert np.array_equal(synthetic.draw(100, 400)[0], everything[0][100:400])


def test_empty_range_gives_empty_arrays():
    images, labels = synthetic.draw(5, 5)
    assert images.shape == (0, 28, 28)
    assert labels.shape == (0,)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (6, 5), (0, 70_001), (70_001, 70_002)])
def test_bad_range_is_refused(start, stop):
    with pytest.raises(ValueError, match=f"(?s)70000.*start={start}, stop={stop}"):
        synthetic.draw(start, stop)


@pytest.mark.parametrize("workers", [0, -2])
def test_bad_number_of_workers_is_refused(workers):
    with pytest.raises(ValueError, match=f"(?s)workers >= 1.*{workers}"):
        synthetic.draw_all(workers)


def test_advance_counts_every_image(monkeypatch):
    monkeypatch.setattr(synthetic, "COUNT", 2000)
    counts = []
    synthetic.draw_all(2, counts.append)
    assert sum(counts) == 2000
    assert len(counts) > 10
    assert min(counts) > 0


def test_error_in_advance_stops_drawing(monkeypatch):
    drawn = []
    draw_block = synthetic._draw_block

    def draw_and_count(glyph, numbers):
        drawn.append(len(numbers))
        return draw_block(glyph, numbers)

    def fail(count):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_draw_block", draw_and_count)
    with pytest.raises(KeyboardInterrupt):
        synthetic.draw_all(1, fail)
    assert sum(drawn) < synthetic.COUNT / 2


def test_ink_is_centred_by_mass(everything):
    images = everything[0].astype(np.int64)
    places = np.arange(28)
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        moment = (images.sum(axis=axis) * places).sum(axis=1)
        # |moment / mass - 13.5| <= 0.5 in integers
        assert np.all(np.abs(2 * moment - 27 * mass) <= mass)


def test_ink_never_touches_the_border(everything):
    images = everything[0]
    assert not images[:, [0, -1], :].any()
    assert not images[:, :, [0, -1]].any()


def test_digits_are_about_20_pixels_tall(everything):
    rows = everything[0].any(axis=2)
    heights = 28 - rows.argmax(axis=1) - rows[:, ::-1].argmax(axis=1)
    assert np.median(heights) == 20
    assert np.mean((heights >= 16) & (heights <= 23)) > 0.97
    assert heights.min() >= 9


def test_pixels_span_the_whole_range(everything):
    images = everything[0]
    assert np.all(images.reshape(len(images), -1).max(axis=1) >= 200)
    assert len(np.unique(images[:1000])) == 256


def test_every_class_has_about_a_tenth(everything):
    for labels in (everything[1][:60_000], everything[1][60_000:]):
        shares = np.bincount(labels, minlength=10) / len(labels)
        assert shares.shape == (10,)
        assert np.all((shares > 0.09) & (shares < 0.11))


def test_no_image_occurs_twice(everything):
    assert len({image.tobytes() for image in everything[0]}) == synthetic.COUNT


def test_draws_are_uniform_and_independent():
    draws = synthetic._uniform(np.arange(20_000), range(8))
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.allclose(draws.mean(axis=1), 0.5, atol=0.01)
    assert np.allclose(draws.var(axis=1), 1 / 12, atol=0.003)
    assert np.abs(np.corrcoef(draws) - np.eye(8)).max() < 0.04
    assert np.abs(np.corrcoef(draws[:, :-1], draws[:, 1:]) - np.eye(16))[:8, 8:].max() < 0.04


def test_output_function_is_that_of_splitmix64():
    # First outputs for seed 1234567, as published with the reference implementation's ports.
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * synthetic._GOLDEN
    assert synthetic._mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_weights_of_each_digit_add_up_to_100():
    for digit in range(10):
        assert sum(glyph.weight for glyph in GLYPHS if glyph.label == digit) == 100


def test_draws_of_style_and_points_do_not_overlap():
    assert synthetic._STYLE_DRAW + len(synthetic._Style._fields) <= synthetic._POINT_DRAW
    assert set(synthetic._STYLE_RANGES) == set(synthetic._Style._fields)


@pytest.mark.parametrize("glyph", GLYPHS)
def test_glyph_is_consistent(glyph):
    assert np.allclose(glyph.mix.sum(axis=1), 1)
    assert glyph.taps.max() == len(glyph.points) - 1
    assert glyph.segments.max() == len(glyph.mix) - 1
    assert len(glyph.segments) == len(glyph.progress)
    assert np.all((glyph.progress > 0) & (glyph.progress < 1))
    assert np.abs(glyph.points).max() < 0.65


@pytest.mark.parametrize("glyph", GLYPHS)
def test_curves_have_no_gaps(glyph):
    x, y = (glyph.flatten(glyph.points[:, [axis]])[:, 0] for axis in (0, 1))
    lengths = np.hypot(np.diff(x[glyph.segments]), np.diff(y[glyph.segments]))
    assert lengths.max() < 0.6
    for (_, end), (start, _) in pairwise(glyph.segments):
        assert start in (end, end + 1)


def test_curved_piece_lies_on_its_bezier_curve():
    glyph = next(glyph for glyph in GLYPHS if glyph.label == 0)
    p0, p1, p2 = glyph.points[:3]
    end = (p1 + p2) / 2
    for step in range(CHORDS + 1):
        t = step / CHORDS
        expected = (1 - t) ** 2 * p0 + 2 * t * (1 - t) * p1 + t * t * end
        found = [glyph.flatten(glyph.points[:, [axis]])[step, 0] for axis in (0, 1)]
        assert np.allclose(found, expected)
