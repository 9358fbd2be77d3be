"""DOTA v1.5, objects in aerial images, read from its archives as they are downloaded.

Source: G.-S. Xia, X. Bai, J. Ding, Z. Zhu, S. Belongie, J. Luo, M. Datcu, M. Pelillo, L. Zhang, "DOTA: A
Large-scale Dataset for Object Detection in Aerial Images", CVPR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stirdata.errors import SourceError
from stirdata.manifest import is_leftover
from stirdata.sources.annotations import AnnotatedPictures, TableBuilder, checked_numbers, decode_text
from stirdata.sources.archives import Member, check_named, find_archives, index_by_name, members

NAME = "dota-v1.5"
LICENSE = "CC BY-NC-SA 4.0"
CITATION = (
    "G.-S. Xia, X. Bai, J. Ding, Z. Zhu, S. Belongie, J. Luo, M. Datcu, M. Pelillo, L. Zhang. DOTA: A "
    "Large-scale Dataset for Object Detection in Aerial Images. IEEE Conference on Computer Vision and "
    "Pattern Recognition (CVPR), 2018."
)
ANNOTATIONS = ("train/DOTA-v1.5_train.zip", "val/DOTA-v1.5_val.zip")
PICTURES = ("train/part1.zip", "train/part2.zip", "train/part3.zip", "val/part1.zip")
LARGEST_ANNOTATION = 1 << 26
"""Most bytes of one text file; the largest of DOTA have about 200,000."""
SOURCE = "GoogleEarth"
LARGEST_TILT = 3.0
"""Degrees that the edge from corner 1 to corner 2 may deviate from pointing to the right."""

_CORNERS = 8
_FIELDS = _CORNERS + 2
_GET = "download DOTA v1.5 (annotations and pictures) from its website into the folders train and val"


def load(source_dir: Path) -> AnnotatedPictures:
    """Read all annotations of the train and the validation split.

    Coordinates are cut to whole pixels; a box is the extent of the four corners. Objects of pictures
    that are not from GoogleEarth and objects that are turned are left out and counted.

    Args:
        source_dir: Folder with ``train/`` and ``val/``, which hold the archives.

    Returns:
        Objects of the train split, then the validation split, in the order of the archives of
        annotations and then of their lines.

    Raises:
        MissingFileError: Archives are missing; all missing ones are named.
        SourceError: An archive or an annotation is damaged, or a picture is in no archive.
    """
    folder = Path(source_dir).absolute()
    found = find_archives(folder, [(name,) for name in ANNOTATIONS + PICTURES], _GET)
    archives = found[len(ANNOTATIONS) :]
    index = index_by_name(archives, ".png")
    texts = [text for path in found[: len(ANNOTATIONS)] for text in _texts(path)]
    check_named([_name(text) for text in texts], index, archives, ".png")
    builder = TableBuilder()
    for text in texts:
        builder.add_picture(index[_name(text)])
        _add_objects(text, builder)
    return builder.table()


def _name(text: Member) -> str:
    return PurePosixPath(text.name).stem


def _texts(archive: Path) -> Iterator[Member]:
    """Yield the annotation files of an archive in its order."""
    for member in members(archive):
        path = PurePosixPath(member.name)
        if path.suffix.lower() != ".txt" or is_leftover(path):
            continue
        if member.size > LARGEST_ANNOTATION:
            raise SourceError(
                "the annotation is too large",
                where=member.where,
                expected=f"at most {LARGEST_ANNOTATION} bytes",
                got=f"{member.size} bytes",
                hint="this is not the official archive",
            )
        yield member


def _add_objects(text: Member, builder: TableBuilder) -> None:
    """Parse one annotation file; empty lines and Windows line ends are nothing special."""
    content = text.read()
    builder.add_text(PurePosixPath(text.name).name, content)
    source = ""
    for number, line in enumerate(decode_text(content, text.where).splitlines(), 1):
        name, colon, value = line.strip().partition(":")
        if colon and name in ("imagesource", "gsd"):
            source = value.strip() if name == "imagesource" else source
        elif name:
            _add_object(line.split(), source, f"line {number} of {text.where}", builder)


def _add_object(words: list[str], source: str, where: str, builder: TableBuilder) -> None:
    corners, label = _parsed(words, where)
    if source != SOURCE:
        builder.skip(f"the picture is not from {SOURCE}")
        return
    xs, ys = corners[0::2], corners[1::2]
    if not abs(math.degrees(math.atan2(ys[1] - ys[0], xs[1] - xs[0]))) < LARGEST_TILT:
        builder.skip(f"the object is turned by {LARGEST_TILT:g} degrees or more")
        return
    builder.add_object(label, min(xs), min(ys), max(xs), max(ys))


def _parsed(words: list[str], where: str) -> tuple[list[int], str]:
    """Return the corners' coordinates in whole pixels and the label of one line."""
    if len(words) != _FIELDS:
        raise SourceError(
            "the line is not an object",
            where=where,
            expected="x1 y1 x2 y2 x3 y3 x4 y4 label difficult",
            got=" ".join(words)[:60],
            hint="download the annotations again",
        )
    numbers = checked_numbers([_number(word) for word in words[:_CORNERS]], where)
    return [int(number) for number in numbers], words[_CORNERS]


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
