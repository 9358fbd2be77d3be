"""Large arrays where they lie on disk, read and written in blocks of consecutive bytes.

Blocks are asked for in ascending order, each with the buffer it goes to, so that neither the file nor
anything else is held in memory.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import available_cores, map_ordered, shutting_down, threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_INPUT = 1 << 16  # bytes of a deflated stream that are looked at together; what is left over is copied
_PIECE = 1 << 20  # bytes that are inflated together
_MOST_THREADS = 4
_READ = 1 << 20  # bytes that a thread reads at a time
_READ_BY_ONE = 1 << 23  # bytes in all that are not worth the start of threads

Filling = Generator[None, None, None]


class Block(NamedTuple):
    """Where a block begins, counted in bytes of the array, and where it goes."""

    start: int
    target: memoryview


class ImageBytes(Protocol):
    """The bytes of an array of images in C order."""

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Fill the targets of blocks in ascending order, and yield once for each that is full.

        Raises:
            MissingFileError: The file is gone.
            FormatError: It is damaged, or another one than when it was opened.
        """
        ...


@dataclass(frozen=True)
class FilePart:
    """Consecutive bytes of a file.

    Attributes:
        path: The file.
        offset: Where they begin.
        size: How many there are.
        stamp: What :func:`stamp_of` returned when the file was looked at.
    """

    path: Path
    offset: int
    size: int
    stamp: tuple[int, int]


def stamp_of(file: BinaryIO) -> tuple[int, int]:
    """Return what tells a file from one that replaced it: size in bytes, and time in nanoseconds."""
    facts = os.fstat(file.fileno())
    return facts.st_size, facts.st_mtime_ns


@contextmanager
def opened(part: FilePart) -> Iterator[BinaryIO]:
    """Open the file at the part; it has to be the file that was looked at."""
    try:
        with part.path.open("rb", buffering=0) as file:
            if stamp_of(file) != part.stamp:
                raise FormatError(
                    "the file was changed since it was opened", where=part.path, hint="open it again"
                )
            file.seek(part.offset)
            yield file
    except FileNotFoundError as error:
        raise MissingFileError("the file is gone since it was opened", where=part.path) from error


def damaged(path: Path, got: object, expected: object = None) -> FormatError:
    """Return the error for pixels that cannot be right."""
    return FormatError(
        "the images in the file are damaged",
        where=path,
        expected=expected,
        got=got,
        hint="generate or fetch it again",
    )


@dataclass(frozen=True)
class PlainBytes:
    """Pixels that lie in a file as they are.

    Attributes:
        part: The pixels.
        before: What a checksum covers before the pixels.
        checksum: CRC-32 of that and the pixels; None if there is none.
    """

    part: FilePart
    before: bytes = b""
    checksum: int | None = None

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Read blocks; the checksum is compared where they are all there are."""
        wanted = sum(len(block.target) for block in blocks)
        whole = self.checksum is not None and wanted == self.part.size
        checksum = zlib.crc32(self.before)
        with opened(self.part) as file, threads(_readers(wanted)) as executor:
            for start, target in blocks:
                _read_full(executor, file, self.part.offset + start, target, self.part.path)
                if whole:
                    checksum = zlib.crc32(target, checksum)
                    _check_sum(self, checksum, ended=start + len(target) == self.part.size)
                yield


def _check_sum(pixels: PlainBytes, checksum: int, *, ended: bool) -> None:
    if ended and checksum != pixels.checksum:
        raise damaged(pixels.part.path, f"CRC-32 {checksum:08x}", f"CRC-32 {pixels.checksum:08x}")


def _readers(size: int) -> int:
    """Return how many threads read so many bytes; on few cores they would be in the way of what follows."""
    if size < _READ_BY_ONE or not hasattr(os, "preadv"):
        return 1
    return max(1, min(_MOST_THREADS, available_cores() // 4))


def _read_full(executor: Executor, file: BinaryIO, start: int, target: memoryview, path: Path) -> None:
    """Fill a buffer from a place of a file on."""

    def read(at: int) -> None:
        part, done = target[at : at + _READ], 0
        while done < len(part):
            count = _read_at(file, start + at + done, part[done:])
            if not count:
                raise damaged(path, f"the end of the file {len(target) - at - done} bytes too early")
            done += count

    for _ in executor.map(read, range(0, len(target), _READ)):
        pass


def _read_at(file: BinaryIO, start: int, target: memoryview) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [target], start)
    file.seek(start)
    return int(file.readinto(target))  # type: ignore[attr-defined]


class _Cut:
    """Puts consecutive pieces of an array into the blocks that they belong to."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self._current = 0
        self._filled = 0

    @property
    def complete(self) -> bool:
        return self._current == len(self._blocks)

    def add(self, at: int, piece: memoryview) -> Iterator[None]:
        """Take in the bytes from ``at`` on, and yield for each block that they complete."""
        while not self.complete:
            start, target = self._blocks[self._current]
            place = start + self._filled
            if place >= at + len(piece):
                return
            part = piece[place - at : place - at + len(target) - self._filled]
            target[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled < len(target):
                return
            self._current, self._filled = self._current + 1, 0
            yield


@dataclass(frozen=True)
class DeflatedBytes:
    """Pixels in one deflated stream, which can be read from its beginning only.

    Attributes:
        part: The stream.
        before: Bytes of the npy header, which come first.
        size: Bytes of the pixels.
        checksum: CRC-32 of header and pixels.
    """

    part: FilePart
    before: int
    size: int
    checksum: int

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Inflate up to the last block; the checksum is compared if that is the end of the stream."""
        if not blocks:
            return
        to_the_end = blocks[-1].start + len(blocks[-1].target) == self.size
        cut, at, checksum = _Cut(blocks), -self.before, 0
        with opened(self.part) as file:
            for piece in _inflated(file, self.part):
                yield from cut.add(at, memoryview(piece))
                at += len(piece)
                if cut.complete and not to_the_end:
                    return
                if at > self.size:
                    break
                checksum = zlib.crc32(piece, checksum) if to_the_end else 0
        if at != self.size or checksum != self.checksum:
            expected = f"{self.size} bytes with the CRC-32 {self.checksum:08x}"
            raise damaged(self.part.path, f"{at} bytes with the CRC-32 {checksum:08x}", expected)


def _inflated(file: BinaryIO, part: FilePart) -> Iterator[bytes]:
    """Inflate a stream piece by piece."""
    stream, left = zlib.decompressobj(-zlib.MAX_WBITS), part.size
    while not stream.eof:
        data = stream.unconsumed_tail
        if not data:
            data = file.read(min(_INPUT, left))
            left -= len(data)
        try:
            piece = stream.decompress(data, _PIECE)
        except zlib.error as error:
            raise damaged(part.path, error) from error
        if piece:
            yield piece
        elif not data and not stream.eof:
            raise damaged(part.path, "the end of the compressed bytes too early")


@dataclass(frozen=True)
class JoinedBytes:
    """Arrays that are one array together, in this order.

    Attributes:
        parts: Their bytes, and how many there are.
    """

    parts: tuple[tuple[ImageBytes, int], ...]

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Fill blocks from the parts that they are in; one may reach over several."""
        end = 0
        for content, size in self.parts:
            begin, end = end, end + size
            own = [block for block in blocks if block.start < end and block.start + len(block.target) > begin]
            cut = [_within(block, begin, end) for block in own]
            for block, _ in zip(own, content.fill(cut), strict=True):
                if block.start + len(block.target) <= end:
                    yield


def _within(block: Block, begin: int, end: int) -> Block:
    """Return the part of a block that lies between two places, counted from the first."""
    first = max(block.start, begin)
    last = min(block.start + len(block.target), end)
    return Block(first - begin, block.target[first - block.start : last - block.start])


class Portion(NamedTuple):
    """Bytes of a deflated stream that can be inflated on their own."""

    offset: int
    length: int
    checksum: int


@dataclass(frozen=True)
class PortionedBytes:
    """Pixels in a deflated stream whose portions can be inflated on their own, at the same time.

    Where portions begin is what the file says; whether that is true is seen by their checksums.

    Attributes:
        part: The stream.
        size: Bytes of the pixels.
        step: Bytes of the pixels in each portion but the last.
        portions: In order.
    """

    part: FilePart
    size: int
    step: int
    portions: tuple[Portion, ...]

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Inflate the portions that hold a part of the blocks, on several threads."""
        cut = _Cut(blocks)
        numbers = self._needed(blocks)
        workers = min(available_cores(), _MOST_THREADS, len(numbers))
        with opened(self.part) as file, threads(workers) as executor:
            inflated = map_ordered(executor, self._inflate, self._read(file, numbers), ahead=workers + 2)
            for number, piece in zip(numbers, inflated, strict=True):
                yield from cut.add(number * self.step, memoryview(piece))

    def _needed(self, blocks: Sequence[Block]) -> list[int]:
        ends = ((block.start, block.start + len(block.target) - 1) for block in blocks)
        spans = (range(first // self.step, last // self.step + 1) for first, last in ends)
        return sorted({number for span in spans for number in span})

    def _read(self, file: BinaryIO, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        for number in numbers:
            file.seek(self.part.offset + self.portions[number].offset)
            yield number, file.read(self.portions[number].length)

    def _inflate(self, item: tuple[int, bytes]) -> bytes:
        number, data = item
        length = min(self.step, self.size - number * self.step)
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            piece = stream.decompress(data, length)
            piece += stream.decompress(stream.unconsumed_tail, 1)  # nothing, if the portion is right
        except zlib.error as error:
            raise damaged(self.part.path, error) from error
        checksum = zlib.crc32(piece)
        if len(piece) != length or checksum != self.portions[number].checksum:
            expected = f"{length} bytes with the CRC-32 {self.portions[number].checksum:08x}"
            raise damaged(self.part.path, f"{len(piece)} bytes with the CRC-32 {checksum:08x}", expected)
        return piece


def ahead(filling: Filling, count: int) -> Filling:
    """Run an iterator on a thread, up to ``count`` steps ahead of who takes them."""
    with closing(filling), shutting_down(ThreadPoolExecutor(1)) as executor:
        pending = [executor.submit(_step, filling) for _ in range(count)]
        while pending.pop(0).result():
            pending.append(executor.submit(_step, filling))
            yield


def _step(filling: Filling) -> bool:
    """Take one step; an iterator's end cannot be told through a future."""
    for _ in filling:
        return True
    return False


@dataclass(frozen=True)
class BlockedArray:
    """An array that never is in memory as a whole.

    Attributes:
        shape: Of the array.
        dtype: Of its values, little-endian or of one byte.
        blocks: Returns its parts in C order; each is valid until the next is asked for.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[NDArray[Any]]]

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def portions(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the array in portions of a size; the last may be shorter."""
        held = bytearray()
        for block in self.blocks():
            held += block.reshape(-1).view("u1").data
            whole = len(held) // size * size
            for start in range(0, whole, size):
                yield bytes(held[start : start + size])
            del held[:whole]
        if held:
            yield bytes(held)
