"""Shards of WebDataset: tar archives whose consecutive files with the same stem are one image's.

Source: POSIX.1-1988, the ustar interchange format, for the headers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stirdata.sharing.targets import Export, Target, encoded_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECORD = 512
_END = bytes(2 * _RECORD)
_ENDS = ("png", "cls", "json")
_SIZE, _CHECKSUM = slice(124, 135), slice(148, 154)
# Name, mode, owner, group, size, time, checksum, type: a plain file that everybody may read.
_TEMPLATE = (
    b"".join(
        [
            bytes(100),
            *(b"0000644\0", b"0000000\0", b"0000000\0"),
            *(b"00000000000\0", b"00000000000\0"),
            b" " * 8,  # counted so by the checksum itself
            b"0",
            bytes(100),
            b"ustar\00000",
        ]
    )
).ljust(_RECORD, b"\0")


class WebDataset(Target):
    """``<split>-<number>.tar``, in which every image has a ``.png``, a ``.cls`` and a ``.json`` file.

    The ``.cls`` file has the label, the ``.json`` file the name of the class and what else is known.
    """

    name = "webdataset"
    sharded = True
    bytes_depend_on = "Python's zlib library and its version"
    files = "{split}-*.tar"
    code = (
        "import webdataset\n\n"
        'shards = "{split}-{{000000..{last}}}.tar"\n'
        "dataset = webdataset.WebDataset(shards, shardshuffle=False)\n"
        'train = dataset.decode("{decoder}").to_tuple("png", "cls", "json")'
    )

    def reading(self, export: Export) -> str:
        """Return Python that reads the shards of the first split, in grey or in colour."""
        split = next(iter(export.records.counts))
        last = f"{max(export.shard_count(split) - 1, 0):06}"
        decoder = "pil" if export.records.dataset.num_channels == 3 else "pill"
        return self.code.format(split=split, last=last, decoder=decoder)

    def size(self, export: Export) -> int:
        """Return about how many bytes will be written: a header per file, and whole records."""
        return encoded_size(export, 6 * _RECORD) + sum(map(len, export.records.counts)) * 20 * _RECORD

    def write(self, folder: Path, export: Export) -> None:
        """Write the shards."""
        for split in export.records.counts:
            labels, told = export.records.labels(split).tolist(), _texts(export, split)
            for number, parts in export.shards(split):
                with (folder / f"{split}-{number:06}.tar").open("wb") as file:
                    for part, images in parts:
                        own = slice(part.start, part.start + len(part))
                        file.writelines(_members(part.start, images, labels[own], told[own]))
                        export.advance(len(part))
                    file.write(_END)


def _texts(export: Export, split: str) -> list[bytes]:
    """Return the content of every image's ``.json`` file."""
    classes, values = export.records.dataset.classes, export.records.values(split)
    labels = export.records.labels(split).tolist()
    columns = [column.tolist() for column in values.values()]
    return [
        json.dumps(
            {"class": classes[label] if label >= 0 else None, **dict(zip(values, row, strict=True))}
        ).encode()
        for label, *row in zip(labels, *columns, strict=True)
    ]


def _members(
    start: int, images: Sequence[bytes], labels: Sequence[int], told: Sequence[bytes]
) -> Iterator[bytes]:
    """Yield the files of consecutive images as members of an archive."""
    files = zip(images, labels, told, strict=True)
    contents = [content for image, label, text in files for content in (image, b"%d" % label, text)]
    names = [f"{number:08}.{end}" for number in range(start, start + len(images)) for end in _ENDS]
    for header, content in zip(_headers(names, list(map(len, contents))), contents, strict=True):
        yield header
        yield content
        yield bytes(-len(content) % _RECORD)


def _headers(names: Sequence[str], sizes: Sequence[int]) -> list[bytes]:
    """Return the headers of plain files, which differ in names and sizes only: no times, no owners."""
    headers = np.tile(np.frombuffer(_TEMPLATE, np.uint8), (len(names), 1))
    width = max(map(len, names))
    headers[:, :width] = np.array(names, f"S{width}").view(np.uint8).reshape(len(names), width)
    headers[:, _SIZE] = _octal(np.array(sizes), 11)
    headers[:, _CHECKSUM] = _octal(headers.sum(axis=1, dtype=np.int64), 6)
    headers[:, _CHECKSUM.stop] = 0
    return [header.tobytes() for header in headers]


def _octal(numbers: NDArray[np.int64], digits: int) -> NDArray[np.uint8]:
    """Return numbers as octal digits in ASCII: (N, digits)."""
    places = 3 * np.arange(digits - 1, -1, -1)
    return (ord("0") + (numbers[:, None] >> places & 7)).astype(np.uint8)
