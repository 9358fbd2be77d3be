"""PNG files whose bytes depend on nothing but the pixels.

Deflate libraries differ in their bytes, so nothing is compressed: the stream is made of stored blocks.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_LARGEST_BLOCK = 0xFFFF


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image as the bytes of a PNG file.

    Args:
        pixels: uint8, (height, width) for grey or (height, width, 3) for red, green and blue.

    Source: W3C, Portable Network Graphics; RFC 1950 and RFC 1951, section 3.2.4.
    """
    import numpy as np

    height, width = pixels.shape[:2]
    kind = _GREY if pixels.ndim == 2 else _COLOUR
    lines = np.zeros((height, 1 + pixels[0].size), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    content = _stored(lines.tobytes())
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _stored(data: bytes) -> bytes:
    """Return data as a zlib stream of stored blocks."""
    parts = [b"\x78\x01"]
    for at in range(0, len(data), _LARGEST_BLOCK):
        block = data[at : at + _LARGEST_BLOCK]
        last = at + _LARGEST_BLOCK >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])
