"""The bitmap letters: every one there, different, and text cut to fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.imaging import lettering

ASCII = "".join(map(chr, range(32, 127)))


def test_every_printable_ascii_character_has_a_letter_of_its_own():
    letters = [lettering.lettered(character) for character in ASCII + "…"]
    shapes = {(letter.shape, letter.tobytes()) for letter in letters}
    assert len(shapes) == len(letters)
    frame = lettering.lettered("é")
    assert (frame.shape, frame.tobytes()) not in shapes


def test_letters_have_no_empty_columns_beside_them():
    for character in ASCII[1:]:
        ink = lettering.lettered(character)
        assert ink.shape[0] == lettering.HEIGHT
        assert 1 <= ink.shape[1] <= 5
        assert ink[:, 0].any() and ink[:, -1].any(), character


def test_only_letters_with_a_tail_go_below_the_base_line():
    below = {character for character in ASCII if lettering.lettered(character)[7:].any()}
    assert below == set(",;gjpqy|")


def test_text_is_its_letters_with_a_column_between():
    parts = [lettering.lettered("a"), np.zeros((9, 1), bool), lettering.lettered("b")]
    assert np.array_equal(lettering.lettered("ab"), np.concatenate(parts, axis=1))


def test_no_text():
    assert lettering.lettered("").shape == (9, 0)
    assert lettering.width("") == 0


@given(st.text(max_size=30), st.integers(5, 200))
def test_fitted_text_fits(text, room):
    fitted = lettering.fitted(text, room)
    assert lettering.width(fitted) <= room
    if lettering.width(text) <= room:
        assert fitted == text
    else:
        assert fitted.endswith("…")
        assert text.startswith(fitted.removesuffix("…").rstrip())


@pytest.mark.parametrize("text", ["a\nb", "\t", "日本", "\x7f"])
def test_what_has_no_letter_is_a_frame(text):
    assert lettering.lettered(text).any()


def test_very_long_text_is_cut_at_once():
    assert lettering.fitted("l" * 1_000_000, 100) == "l" * 23 + "…"
