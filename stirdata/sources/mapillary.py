"""The Mapillary Traffic Sign Dataset v2, read from its archives as they are downloaded.

Source: C. Ertler, J. Mislej, T. Ollmann, L. Porzi, G. Neuhold, Y. Kuang, "The Mapillary Traffic Sign
Dataset for Detection and Classification on a Global Scale", ECCV 2020.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from stirdata.errors import MissingFileError, SourceError
from stirdata.sources.annotations import AnnotatedPictures, TableBuilder, checked_numbers, decode_text
from stirdata.sources.archives import Member, check_named, find_archives, index_by_name

NAME = "mapillary-traffic-sign-v2"
LICENSE = "CC BY-NC-SA 4.0"
CITATION = (
    "C. Ertler, J. Mislej, T. Ollmann, L. Porzi, G. Neuhold, Y. Kuang. The Mapillary Traffic Sign Dataset "
    "for Detection and Classification on a Global Scale. European Conference on Computer Vision (ECCV), 2020."
)
SPLITS = ("train", "val")
ANNOTATIONS = "mtsd_v2_fully_annotated"
ARCHIVES = tuple(
    (f"{part}.zip", f"mtsd_fully_annotated_images.{part}.zip")
    for part in ("train.0", "train.1", "train.2", "val")
)
"""The archives of pictures, each by the names it has been published under."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_GET = "download the fully annotated set from Mapillary into one folder, and unpack its annotations there"


def load(source_dir: Path) -> AnnotatedPictures:
    """Read all annotations of the train and the validation split.

    Boxes are widened to whole pixels. Objects with any true property (occluded, ambiguous, …) are left
    out and counted.

    Args:
        source_dir: Folder with ``mtsd_v2_fully_annotated/`` and the four archives of pictures.

    Returns:
        Objects of the train split, then the validation split, in the order of the lists and then of
        the annotations.

    Raises:
        MissingFileError: Archives, lists or annotations are missing; all missing ones are named.
        SourceError: An archive or an annotation is damaged, or a picture is in no archive.
    """
    folder = Path(source_dir).absolute()
    lists = [(f"{ANNOTATIONS}/splits/{split}.txt",) for split in SPLITS]
    found = find_archives(folder, [*ARCHIVES, *lists], _GET)
    archives, lists_found = found[: len(ARCHIVES)], found[len(ARCHIVES) :]
    index = index_by_name(archives, ".jpg")
    builder = TableBuilder()
    keys = [key for path in lists_found for key in _keys(path, builder)]
    check_named(keys, index, archives, ".jpg")
    _check_annotations(folder, keys)
    for key in keys:
        _add_annotated(index[key], _annotation_path(folder, key), builder)
    return builder.table()


def _read(path: Path, builder: TableBuilder) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError("the annotation cannot be read", where=path, got=error.strerror) from error
    builder.add_text(path.name, content)
    return decode_text(content, path)


def _keys(path: Path, builder: TableBuilder) -> list[str]:
    """Return the names in a list; empty lines and Windows line ends are nothing special."""
    keys = [line.strip() for line in _read(path, builder).splitlines()]
    for key in keys:
        if "/" in key or "\\" in key or key in (".", "..") or "\0" in key:
            raise SourceError(
                "a name in the list leads out of the folder",
                where=path,
                expected="a plain name",
                got=repr(key),
            )
    return [key for key in keys if key]


def _annotation_path(folder: Path, key: str) -> Path:
    return folder / ANNOTATIONS / "annotations" / f"{key}.json"


def _check_annotations(folder: Path, keys: list[str]) -> None:
    """Raise MissingFileError if pictures have no annotation."""
    present = {path.stem for path in (folder / ANNOTATIONS / "annotations").glob("*.json")}
    absent = [f"{key}.json" for key in keys if key not in present]
    if absent:
        raise MissingFileError(
            f"{len(absent)} of the annotations are missing",
            where=folder / ANNOTATIONS / "annotations",
            expected=", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else ""),
            hint=_GET,
        )


def _add_annotated(picture: Member, path: Path, builder: TableBuilder) -> None:
    """Add a picture and the objects that its annotation file lists."""
    try:
        content = json.loads(_read(path, builder))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError("the annotation is not valid JSON", where=path, got=error) from error
    width, height = checked_numbers([_get(content, name, int, path) for name in ("width", "height")], path)
    builder.add_picture(picture, int(width), int(height))
    for number, entry in enumerate(_get(content, "objects", list, path)):
        _add_object(entry, f"object {number} of {path}", builder)


def _add_object(entry: Any, where: str, builder: TableBuilder) -> None:
    if any(_get(entry, "properties", dict, where).values()):
        builder.skip("a property is true (occluded, ambiguous, …)")
        return
    box = _get(entry, "bbox", dict, where)
    corners = checked_numbers([_get(box, name, (int, float), where) for name in _CORNERS], where)
    left, top = (math.floor(value) for value in corners[:2])
    right, bottom = (math.ceil(value) for value in corners[2:])
    builder.add_object(_get(entry, "label", str, where), left, top, right, bottom)


def _get(content: Any, key: str, kind: type | tuple[type, ...], where: object) -> Any:
    """Return a field of a JSON object, or say that it is missing or of another type."""
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise SourceError(
            f"the annotation lacks {key}",
            where=where,
            expected=f"{key}: {' or '.join(entry.__name__ for entry in kinds)}",
            got=repr(value)[:60],
            hint="download the annotations again",
        )
    return value
