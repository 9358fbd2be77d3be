"""Numbers of bytes as people read them."""

from __future__ import annotations


def size_in_words(size: int) -> str:
    """Return a number of bytes with three digits and a unit of powers of 1000.

    Example:
        >>> size_in_words(999), size_in_words(28881), size_in_words(9912422)
        ('999 B', '28.9 kB', '9.91 MB')
    """
    if size < 1000:
        return f"{size} B"
    value, unit = float(size), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is used
        value /= 1000
        if value < 999.5:
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"
