"""The published folder layout of MNIST-scale: ``<split>/<label>/<number>.png``, one file per image.

The numbers count on through train, test and val. PNG files carry the pixels only; scale factors and
source indices are in ``scales.csv`` beside the three folders, where the published checksum, which is
over the PNG files, does not see it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.digest import md5_of_png_tree, sha256_of_bytes
from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import map_ordered
from stirdata.manifest import FileEntry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLIT_ORDER = ("train", "test", "val")
SCALES_NAME = "scales.csv"
_SCALES_HEADER = ["path", "label", "scale", "source_index"]
_LABELS = frozenset("0123456789")
_BATCH = 500


class TreeDigest(NamedTuple):
    """The files of a tree in path order, and the MD5 over all PNG files as the authors publish it."""

    files: list[FileEntry]
    md5: str


class _Batch(NamedTuple):
    folder: Path
    names: list[str]


class _ReadFile(NamedTuple):
    entry: FileEntry
    content: bytes


def write(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    executor: Executor,
    advance: Callable[[int], None] | None = None,
) -> TreeDigest:
    """Write a realization as a PNG tree into an existing empty folder.

    Args:
        folder: Where the three split folders go.
        arrays: ``<split>/images`` uint8 (N, 28, 28), ``<split>/labels``, ``<split>/scales`` and
            ``<split>/source_index`` for each of train, test and val.
        executor: Where the encoding runs; processes help, threads do not.
        advance: Called with the number of images written, now and then.

    Returns:
        Size and SHA-256 of every file written, and the published kind of checksum.
    """
    names = _names(arrays)
    for parent in sorted({name.rpartition("/")[0] for split in names.values() for name in split}):
        (folder / parent).mkdir(parents=True)
    in_order = [name for split in names.values() for name in split]
    images = (arrays[f"{split}/images"] for split in SPLIT_ORDER)
    batches = (part[at : at + _BATCH] for part in images for at in range(0, len(part), _BATCH))
    contents: list[bytes] = []
    # Only this process creates files: several at once wait for each other's locks on the folders, which
    # takes longer than the writing itself.
    for batch in map_ordered(executor, _encode, batches):
        _write_batch(folder, in_order[len(contents) : len(contents) + len(batch)], batch)
        contents += batch
        if advance is not None:
            advance(len(batch))
    (folder / SCALES_NAME).write_bytes(_scales_text(names, arrays).encode())
    in_order = [name for split in names.values() for name in split]
    return _digest(
        [_described(name, content) for name, content in zip(in_order, contents, strict=True)], folder
    )


def prepare() -> None:
    """Import what encoding needs; a new process takes longer for this than for a thousand images."""
    import numpy as np  # noqa: F401
    from PIL import Image

    Image.preinit()


def _described(name: str, content: bytes) -> _ReadFile:
    return _ReadFile(FileEntry(name, len(content), sha256_of_bytes(content)), content)


def _names(arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[str]]:
    """Return the relative path of every image, numbered on through the splits."""
    names, number = {}, 0
    for split in SPLIT_ORDER:
        labels = arrays[f"{split}/labels"].tolist()
        names[split] = [f"{split}/{label}/{number + at}.png" for at, label in enumerate(labels)]
        number += len(labels)
    return names


def _encode(images: NDArray[np.uint8]) -> list[bytes]:
    from PIL import Image

    encoded = []
    for pixels in images:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        encoded.append(stream.getvalue())
    return encoded


def _write_batch(folder: Path, names: list[str], contents: list[bytes]) -> None:
    for name, content in zip(names, contents, strict=True):
        with (folder / name).open("xb", buffering=0) as file:
            file.write(content)


def _scales_text(names: Mapping[str, list[str]], arrays: Mapping[str, NDArray[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SCALES_HEADER)
    for split, paths in names.items():
        columns = [arrays[f"{split}/{name}"].tolist() for name in ("labels", "scales", "source_index")]
        writer.writerows(zip(paths, *columns, strict=True))
    return text.getvalue()


def _digest(images: list[_ReadFile], folder: Path) -> TreeDigest:
    md5 = md5_of_png_tree((file.entry.path, file.content) for file in images)
    entries = [file.entry for file in images]
    scales = folder / SCALES_NAME
    if scales.is_file():
        content = scales.read_bytes()
        entries.append(FileEntry(SCALES_NAME, len(content), sha256_of_bytes(content)))
    return TreeDigest(sorted(entries, key=lambda entry: entry.path), md5)


def looks_like_tree(folder: Path) -> bool:
    """Tell whether a folder has the three split folders."""
    return all((folder / split).is_dir() for split in SPLIT_ORDER)


def read(
    folder: Path, executor: Executor, advance: Callable[[int], None] | None = None
) -> tuple[dict[str, NDArray[Any]], TreeDigest]:
    """Read a PNG tree, whoever made it, in the order of its file numbers.

    Args:
        folder: Holds train, test and val.
        executor: Where reading and decoding run; threads help when the disk is slow, processes else.
        advance: Called with the number of images read, now and then.

    Returns:
        ``<split>/images`` uint8 (N, 28, 28) and ``<split>/labels`` int64 (N,); where ``scales.csv``
        exists also ``<split>/scales`` float64 and ``<split>/source_index`` int32. And the hashes of
        what was read.

    Raises:
        MissingFileError: The folder has not the layout.
        FormatError: A file has a name that is no number, cannot be decoded, or is not 28 x 28 grey; or
            scales.csv does not fit the images.
    """
    if not looks_like_tree(folder):
        raise MissingFileError(
            "this is no PNG tree of MNIST-scale",
            where=folder,
            expected="the folders train, test and val",
            hint="name the folder scale_<min>_<max>, or generate it with --format png",
        )
    arrays: dict[str, NDArray[Any]] = {}
    files: list[_ReadFile] = []
    scales = _read_scales(folder)
    for split in SPLIT_ORDER:
        names, labels = _list_split(folder, split)
        images, read_files = _read_images(folder, names, executor, advance)
        files += read_files
        arrays |= {f"{split}/images": images, f"{split}/labels": labels}
        if scales is not None:
            arrays |= _scales_of(scales, split, names, folder)
    return arrays, _digest(files, folder)


def read_latents(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of :func:`read` other than the images, without opening a PNG file.

    Raises:
        FormatError: A file has a name that does not belong, or scales.csv does not fit the files.
    """
    arrays: dict[str, NDArray[Any]] = {}
    scales = _read_scales(folder)
    for split in SPLIT_ORDER:
        names, labels = _list_split(folder, split)
        arrays[f"{split}/labels"] = labels
        if scales is not None:
            arrays |= _scales_of(scales, split, names, folder)
    return arrays


def read_some(folder: Path, split: str, numbers: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return some images of a split, without opening the other files.

    Args:
        folder: Holds train, test and val.
        split: ``train``, ``test`` or ``val``.
        numbers: Which ones, in the order of :func:`read`; of any shape.

    Returns:
        uint8, (…, 28, 28).

    Raises:
        FormatError: A file cannot be decoded, or is not 28 x 28 grey.
    """
    names, _ = _list_split(folder, split)
    images, _ = _read_batch(_Batch(folder, [names[number] for number in numbers.ravel().tolist()]))
    return images.reshape(*numbers.shape, 28, 28)


def _list_split(folder: Path, split: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the paths of a split in the order of their numbers, and the labels their folders say."""
    import numpy as np

    numbered = []
    for path in (folder / split).glob("*/*"):
        label, stem = path.parent.name, path.stem
        if path.suffix != ".png" or not stem.isdecimal() or label not in _LABELS:
            raise FormatError(
                "a file does not belong into the tree",
                where=path,
                expected=f"{split}/<label>/<number>.png",
                got=f"{split}/{label}/{path.name}",
                hint="move it elsewhere",
            )
        numbered.append((int(stem), int(label), f"{split}/{label}/{path.name}"))
    numbered.sort()
    return [name for _, _, name in numbered], np.array([label for _, label, _ in numbered], np.int64)


def _read_images(
    folder: Path, names: list[str], executor: Executor, advance: Callable[[int], None] | None
) -> tuple[NDArray[np.uint8], list[_ReadFile]]:
    import numpy as np

    images = np.empty((len(names), 28, 28), np.uint8)
    files: list[_ReadFile] = []
    batches = (_Batch(folder, names[at : at + _BATCH]) for at in range(0, len(names), _BATCH))
    for pixels, read_files in map_ordered(executor, _read_batch, batches, ahead=32):
        images[len(files) : len(files) + len(pixels)] = pixels
        files += read_files
        if advance is not None:
            advance(len(read_files))
    return images, files


def _read_batch(batch: _Batch) -> tuple[NDArray[np.uint8], list[_ReadFile]]:
    import numpy as np

    images = np.empty((len(batch.names), 28, 28), np.uint8)
    files = []
    for at, name in enumerate(batch.names):
        content = _read_file(batch.folder / name)
        images[at] = _decode(content, batch.folder / name)
        files.append(_described(name, content))
    return images, files


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError("the PNG file cannot be read", where=path, got=error.strerror) from error


def _decode(content: bytes, path: Path) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            kind = (image.mode, image.size)
            if kind == ("L", (28, 28)):
                return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError("the PNG file is damaged", where=path, got=str(error).splitlines()[0]) from error
    raise FormatError(
        "the image is not of MNIST-scale", where=path, expected="8-bit grey, 28 x 28", got=f"{kind}"
    )


def _read_scales(folder: Path) -> dict[str, tuple[float, int]] | None:
    """Return scale and source index by path; None where there is no scales.csv."""
    path = folder / SCALES_NAME
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {row["path"]: (float(row["scale"]), int(row["source_index"])) for row in rows}
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise FormatError(
            "scales.csv cannot be read", where=path, expected=",".join(_SCALES_HEADER), got=error
        ) from error


def _scales_of(
    rows: Mapping[str, tuple[float, int]], split: str, names: list[str], folder: Path
) -> dict[str, NDArray[Any]]:
    import numpy as np

    unlisted = [name for name in names if name not in rows]
    if unlisted:
        raise FormatError(
            "scales.csv does not list every image", where=folder / SCALES_NAME, expected=unlisted[0]
        )
    try:
        return {
            f"{split}/scales": np.array([rows[name][0] for name in names], np.float64),
            f"{split}/source_index": np.array([rows[name][1] for name in names], np.int32),
        }
    except OverflowError as error:
        raise FormatError(
            "scales.csv has a source index beyond every image", where=folder / SCALES_NAME, got=error
        ) from error
