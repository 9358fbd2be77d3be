"""The table of annotated objects that the sources of photographs hand to the recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stirdata.errors import SourceError
from stirdata.sources.archives import Member

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLUMNS = ("picture", "label", "left", "top", "right", "bottom")


@dataclass(frozen=True)
class AnnotatedPictures:
    """Annotated objects in reading order, one row each, and the pictures they are in.

    Attributes:
        pictures: The archive members of all annotated pictures, in reading order.
        sizes: int32, (pictures, 2): width and height as the annotations give them; 0 if they do not.
        labels: Names of all classes that occur, sorted.
        picture: int32, (objects,): number of the picture.
        label: int32, (objects,): number of the class.
        left: int32, (objects,): left edge of the object's box in pixels; may lie outside the picture.
        top: int32, (objects,).
        right: int32, (objects,): the pixel after the last.
        bottom: int32, (objects,).
        sha256: Hex digest over all annotations read.
        skipped: How many objects the source itself left out, by reason.
    """

    pictures: tuple[Member, ...]
    sizes: NDArray[np.int32]
    labels: tuple[str, ...]
    picture: NDArray[np.int32]
    label: NDArray[np.int32]
    left: NDArray[np.int32]
    top: NDArray[np.int32]
    right: NDArray[np.int32]
    bottom: NDArray[np.int32]
    sha256: str
    skipped: Mapping[str, int]

    @property
    def width(self) -> NDArray[np.int32]:
        """int32, (objects,): widths of the boxes in pixels; not above 0 where a box is reversed."""
        return self.right - self.left

    @property
    def height(self) -> NDArray[np.int32]:
        """int32, (objects,): heights of the boxes in pixels."""
        return self.bottom - self.top


class TableBuilder:
    """Collects objects while annotations are read."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, int, int, int, int]] = []
        self._pictures: list[Member] = []
        self._sizes: list[tuple[int, int]] = []
        self._digest = hashlib.sha256()
        self.skipped: dict[str, int] = {}

    def add_text(self, name: str, content: bytes) -> None:
        """Take name and bytes of an annotation file into the digest."""
        self._digest.update(f"{name} {len(content)}\n".encode() + content)

    def add_picture(self, member: Member, width: int = 0, height: int = 0) -> None:
        """Begin a picture; the objects added next are in it."""
        self._pictures.append(member)
        self._sizes.append((width, height))

    def add_object(self, label: str, left: int, top: int, right: int, bottom: int) -> None:
        """Add an object of the picture begun last."""
        self._rows.append((len(self._pictures) - 1, label, left, top, right, bottom))

    def skip(self, reason: str) -> None:
        """Count an object that is left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def table(self) -> AnnotatedPictures:
        """Return everything added as a table."""
        import numpy as np

        labels = tuple(sorted({row[1] for row in self._rows}))
        numbers = {label: number for number, label in enumerate(labels)}
        rows = [(row[0], numbers[row[1]], *row[2:]) for row in self._rows]
        columns = np.array(rows, np.int32).reshape(-1, 6).T
        return AnnotatedPictures(
            pictures=tuple(self._pictures),
            sizes=np.array(self._sizes, np.int32).reshape(-1, 2),
            labels=labels,
            **dict(zip(_COLUMNS, columns, strict=True)),
            sha256=self._digest.hexdigest(),
            skipped=self.skipped,
        )


def digest_of_members(members: Iterable[Member]) -> str:
    """Return the SHA-256 over name, size and CRC-32 of archive members, in the order given.

    It names the pictures that a set is made of without reading tens of gigabytes: every picture is
    checked against its CRC-32 when it is read.
    """
    digest = hashlib.sha256()
    for member in members:
        digest.update(f"{member.name} {member.size} {member.crc:08x}\n".encode())
    return digest.hexdigest()


def decode_text(content: bytes, where: object) -> str:
    """Return UTF-8 text without its byte order mark, if it has one.

    Raises:
        SourceError: It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError("the text is not UTF-8", where=where, got=error) from error


def checked_numbers(values: Iterable[Any], where: object) -> list[float]:
    """Return coordinates that are numbers and fit into 32 bits.

    Raises:
        SourceError: One of them is not a number, is NaN or infinite, or is beyond 2**29.
    """
    numbers = []
    for value in values:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or not abs(number) <= 1 << 29:
            raise SourceError(
                "a coordinate is not a number of pixels",
                where=where,
                expected="a finite number",
                got=repr(value),
                hint="download the annotations again",
            )
        numbers.append(number)
    return numbers
