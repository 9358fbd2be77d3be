"""Numbers of bytes as people read them."""

import pytest

from stirdata.progress import size_in_words


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9994, "9.99 kB"),
        (9995, "10.0 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (11_594_722, "11.6 MB"),
        (3_500_000_000, "3.50 GB"),
        (1 << 40, "1.10 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_three_digits_and_a_unit(size, text):
    assert size_in_words(size) == text
