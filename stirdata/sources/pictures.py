"""Pictures from archives: their size without decoding them, and their pixels part by part.

Decoding is bounded: formats are those that the datasets use, chosen by name and not by content, and a
picture that promises more pixels than :data:`LARGEST_PICTURE` is refused before any is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from stirdata.errors import SourceError
from stirdata.sources.archives import Member

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

LARGEST_PICTURE = 1 << 29
"""Most pixels of a picture (23,170 x 23,170); the largest of DOTA have about 20,000 x 20,000."""

_COPIED_PICTURE = 1 << 24
"""Most pixels of a picture that is copied into an array, line by line and channel by channel; from
larger ones only parts are, which takes longer for each part but no second picture's memory."""
_HEADER_BYTES = 1 << 16
_AGAIN = "download the archive again and compare its checksum with the official one"


class PictureInfo(NamedTuple):
    """What a picture's header says.

    Attributes:
        width: In pixels.
        height: In pixels.
        mode: Pillow's name of the pixel format; ``RGB`` is 8 bits in each of three channels.
    """

    width: int
    height: int
    mode: str


class Picture:
    """A decoded picture in memory.

    Attributes:
        info: Its size and pixel format.
    """

    def __init__(self, image: ImageFile, info: PictureInfo) -> None:
        import numpy as np

        self._image = image
        self.info = info
        self._lines: NDArray[np.uint8] | None = None
        if info.width * info.height <= _COPIED_PICTURE:
            self._lines = np.ascontiguousarray(np.asarray(image).transpose(0, 2, 1))

    def part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """Return some pixels, uint8, shape (bottom - top, right - left, 3)."""
        import numpy as np

        if self._lines is not None:
            return self._lines[top:bottom, :, left:right].transpose(0, 2, 1)
        return np.asarray(self._image.crop((left, top, right, bottom)), np.uint8)


def read_info(member: Member) -> PictureInfo:
    """Return size and pixel format of a picture from its header.

    Raises:
        SourceError: It is not a picture of the format that its name says, or too large.
    """
    try:
        return _info(_open(member, member.read_start(_HEADER_BYTES)), member)
    except SourceError:
        # Metadata before the size can be longer than the start; the whole picture decides.
        return _info(_open(member, member.read()), member)


@contextmanager
def decoded(member: Member) -> Iterator[Picture]:
    """Yield a picture with all its pixels decoded.

    Raises:
        SourceError: It is corrupt, of another format than its name says, too large, or has other than
            three channels of 8 bits.
    """
    image = _open(member, member.read())
    info = _info(image, member)
    if info.mode != "RGB":
        raise SourceError(
            "the picture has not three channels of 8 bits", where=member.where, expected="RGB", got=info.mode
        )
    try:
        image.load()
    except Exception as error:  # decoders raise errors of many kinds on damaged data
        raise _corrupt(member, error) from error
    with image:
        yield Picture(image, info)


def _open(member: Member, content: bytes) -> ImageFile:
    """Parse a header with the decoder that the name asks for.

    The decoders are called by themselves: Pillow's ``open`` would apply its limit of pixels, which is
    one for the whole process and smaller than pictures of DOTA are.
    """
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    decoder = PngImageFile if member.name.lower().endswith(".png") else JpegImageFile
    try:
        return decoder(io.BytesIO(content))
    except Exception as error:  # decoders raise errors of many kinds on damaged data
        raise _corrupt(member, error) from error


def _info(image: ImageFile, member: Member) -> PictureInfo:
    info = PictureInfo(*image.size, image.mode)
    if info.width * info.height > LARGEST_PICTURE:
        raise SourceError(
            "the picture is too large",
            where=member.where,
            expected=f"at most {LARGEST_PICTURE} pixels",
            got=f"{info.width} x {info.height}",
            hint="this is not the official picture",
        )
    return info


def _corrupt(member: Member, error: Exception) -> SourceError:
    reason = str(error) or type(error).__name__
    return SourceError("the picture is corrupt", where=member.where, got=reason, hint=_AGAIN)
