"""A tree of folders ``<split>/<label>/<number>.png``, one file per image, as MNIST-scale is published.

The numbers count on through the splits. PNG files carry the pixels only; scale factors and the like are
in ``scales.csv`` beside the folders, where the published checksum, which is over the PNG files, does not
see it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.digest import md5_of_png_tree, sha256_of_bytes
from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import Workers, map_ordered
from stirdata.manifest import FileEntry, is_leftover
from stirdata.storage.forms import TreeLayout, column_of
from stirdata.storage.image_bytes import Block, Filling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCALES_NAME = "scales.csv"
_BATCH = 500


class TreeDigest(NamedTuple):
    """The files of a tree in path order, and the MD5 over all PNG files as the authors publish it."""

    files: list[FileEntry]
    md5: str


class _Batch(NamedTuple):
    folder: Path
    names: list[str]
    layout: TreeLayout


class _Pictures(NamedTuple):
    folder: Path
    names: list[str]
    images: NDArray[np.uint8]


class _ReadFile(NamedTuple):
    entry: FileEntry
    content: bytes


def write(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    layout: TreeLayout,
    workers: Workers,
    advance: Callable[[int], None] | None = None,
) -> TreeDigest:
    """Write a dataset as a tree into an existing empty folder.

    Args:
        folder: Where the folders of the splits go.
        arrays: ``<split>/images`` uint8 (N, …), ``<split>/labels`` and the columns for each split.
        layout: Of the tree.
        workers: Processes that encode and write; those of a cluster, which may not see the folder, encode.
        advance: Called with the number of images written, now and then.

    Returns:
        Size and SHA-256 of every file written, and the published kind of checksum.
    """
    names = _names(arrays, layout)
    for parent in sorted({name.rpartition("/")[0] for split in names.values() for name in split}):
        (folder / parent).mkdir(parents=True)
    files: list[_ReadFile] = []
    remote = workers.dask is not None
    function = _encoded if remote else _written
    for batch, done in map_ordered(workers.processes(), function, _batches(folder, names, arrays)):
        if remote:
            _write_batch(batch, done)
        files += done
        if advance is not None:
            advance(len(done))
    (folder / SCALES_NAME).write_bytes(_scales_text(names, arrays, layout).encode())
    return _digest(files, folder)


def _batches(
    folder: Path, names: Mapping[str, list[str]], arrays: Mapping[str, NDArray[Any]]
) -> Iterator[_Pictures]:
    """Yield all images in batches of one folder each, those of different folders in turns.

    Processes that create files in one folder wait for each other's locks on it, which takes longer than the
    writing itself.
    """
    import numpy as np

    places: dict[tuple[str, str], list[int]] = {}
    for split, paths in names.items():
        for at, path in enumerate(paths):
            places.setdefault((split, path.rpartition("/")[0]), []).append(at)
    most = max(map(len, places.values()), default=0)
    for start in range(0, most, _BATCH):
        for (split, _), members in places.items():
            part = members[start : start + _BATCH]
            if part:
                images = arrays[f"{split}/images"][np.array(part)]
                yield _Pictures(folder, [names[split][at] for at in part], images)


def prepare() -> None:
    """Import what encoding needs; a new process takes longer for this than for a thousand images."""
    import numpy as np  # noqa: F401
    from PIL import Image

    Image.preinit()


def _described(name: str, content: bytes) -> _ReadFile:
    return _ReadFile(FileEntry(name, len(content), sha256_of_bytes(content)), content)


def _names(arrays: Mapping[str, NDArray[Any]], layout: TreeLayout) -> dict[str, list[str]]:
    """Return the relative path of every image, numbered on through the splits."""
    names, number = {}, 0
    for split in layout.splits:
        labels = arrays[f"{split}/labels"].tolist()
        names[split] = [f"{split}/{label}/{number + at}.png" for at, label in enumerate(labels)]
        number += len(labels)
    return names


def _encoded(batch: _Pictures) -> tuple[_Pictures, list[_ReadFile]]:
    """Return a batch without its images, and its files."""
    from PIL import Image

    files = []
    for name, pixels in zip(batch.names, batch.images, strict=True):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        files.append(_described(name, stream.getvalue()))
    return batch._replace(images=batch.images[:0]), files


def _written(batch: _Pictures) -> tuple[_Pictures, list[_ReadFile]]:
    """Write the files of a batch, and return what :func:`_encoded` does."""
    done, files = _encoded(batch)
    _write_batch(done, files)
    return done, files


def _write_batch(batch: _Pictures, files: list[_ReadFile]) -> None:
    for entry, content in files:
        with (batch.folder / entry.path).open("xb", buffering=0) as file:
            file.write(content)


def _scales_text(
    names: Mapping[str, list[str]], arrays: Mapping[str, NDArray[Any]], layout: TreeLayout
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(layout.header)
    for split, paths in names.items():
        columns = [arrays[f"{split}/{name}"].tolist() for name in ("labels", *layout.columns)]
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


def looks_like_tree(folder: Path, layout: TreeLayout) -> bool:
    """Tell whether a folder has the folders of the splits."""
    return all((folder / split).is_dir() for split in layout.splits)


def read(
    folder: Path,
    layout: TreeLayout,
    executor: Executor,
    advance: Callable[[int], None] | None = None,
) -> tuple[dict[str, NDArray[Any]], TreeDigest]:
    """Read a tree, whoever made it, in the order of its file numbers.

    Args:
        folder: Holds the folders of the splits.
        layout: Of the tree.
        executor: Where reading and decoding run; threads help when the disk is slow, processes else.
        advance: Called with the number of images read, now and then.

    Returns:
        ``<split>/images`` uint8 (N, …) and ``<split>/labels`` int64 (N,); where ``scales.csv`` exists
        also its columns. And the hashes of what was read.

    Raises:
        MissingFileError: The folder has not the layout.
        FormatError: A file has a name that is no number, cannot be decoded, or is another kind of image;
            or scales.csv does not fit the images.
    """
    names, arrays = _listed(folder, layout)
    files: list[_ReadFile] = []
    for split in layout.splits:
        images, read_files = _read_images(folder, names[split], layout, executor, advance)
        files += read_files
        arrays[f"{split}/images"] = images
    return arrays, _digest(files, folder)


def read_latents(folder: Path, layout: TreeLayout) -> dict[str, NDArray[Any]]:
    """Return the arrays of :func:`read` other than the images, without opening a PNG file.

    Raises:
        MissingFileError: The folder has not the layout.
        FormatError: A file has a name that does not belong, or scales.csv does not fit the files.
    """
    return _listed(folder, layout)[1]


def _listed(folder: Path, layout: TreeLayout) -> tuple[dict[str, list[str]], dict[str, NDArray[Any]]]:
    """Return the paths of every split in the order of their numbers, and labels and columns."""
    if not looks_like_tree(folder, layout):
        raise MissingFileError(
            "this is no tree of PNG files",
            where=folder,
            expected=f"the folders {', '.join(layout.splits[:-1])} and {layout.splits[-1]}",
            hint="name the folder that holds them, or generate it with --format png",
        )
    names: dict[str, list[str]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    rows = _read_scales(folder, layout)
    for split in layout.splits:
        names[split], arrays[f"{split}/labels"] = _list_split(folder, split, layout)
        if rows is not None:
            arrays |= _columns_of(rows, split, names[split], folder, layout)
    return names, arrays


@dataclass(frozen=True)
class _TreeBytes:
    """The images of a split as the bytes of an array; the files of a block are read when it is asked for."""

    folder: Path
    names: list[str]
    layout: TreeLayout

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Decode the images of blocks, which are whole images, one block after the other."""
        import numpy as np

        item = int(np.prod(self.layout.image_shape))
        for start, target in blocks:
            first = start // item
            names = self.names[first : first + len(target) // item]
            images, _ = _read_batch(_Batch(self.folder, names, self.layout))
            target[:] = images.reshape(-1).data
            yield


def bytes_of(folder: Path, layout: TreeLayout, name: str) -> _TreeBytes:
    """Return where the bytes of ``<split>/images`` are: in as many files.

    Raises:
        FormatError: A file has a name that does not belong.
    """
    split = name.rpartition("/")[0]
    return _TreeBytes(folder, _list_split(folder, split, layout)[0], layout)


def lacks(folder: Path, names: Sequence[str]) -> FormatError:
    """Return the error for a tree without its ``scales.csv``."""
    return FormatError(
        "the PNG tree does not say its scale factors and source indices",
        where=folder,
        expected=f"{SCALES_NAME} for {', '.join(names)}",
        got="PNG files alone, as the original script makes them",
        hint="stirdata verify --as tells which dataset it is; generate that again",
    )


def _list_split(folder: Path, split: str, layout: TreeLayout) -> tuple[list[str], NDArray[np.int64]]:
    """Return the paths of a split in the order of their numbers, and the labels their folders say."""
    import numpy as np

    numbered, labels = [], {str(label) for label in range(layout.classes)}
    for path in (folder / split).glob("*/*"):
        label, stem = path.parent.name, path.stem
        if is_leftover(path.relative_to(folder)):
            continue
        if path.suffix != ".png" or not stem.isdecimal() or label not in labels:
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
    folder: Path,
    names: list[str],
    layout: TreeLayout,
    executor: Executor,
    advance: Callable[[int], None] | None,
) -> tuple[NDArray[np.uint8], list[_ReadFile]]:
    import numpy as np

    images = np.empty((len(names), *layout.image_shape), np.uint8)
    files: list[_ReadFile] = []
    batches = (_Batch(folder, names[at : at + _BATCH], layout) for at in range(0, len(names), _BATCH))
    for pixels, read_files in map_ordered(executor, _read_batch, batches, ahead=32):
        images[len(files) : len(files) + len(pixels)] = pixels
        files += read_files
        if advance is not None:
            advance(len(read_files))
    return images, files


def _read_batch(batch: _Batch) -> tuple[NDArray[np.uint8], list[_ReadFile]]:
    import numpy as np

    images = np.empty((len(batch.names), *batch.layout.image_shape), np.uint8)
    files = []
    for at, name in enumerate(batch.names):
        content = _read_file(batch.folder / name)
        images[at] = _decode(content, batch.folder / name, batch.layout)
        files.append(_described(name, content))
    return images, files


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError("the PNG file cannot be read", where=path, got=error.strerror) from error


def _decode(content: bytes, path: Path, layout: TreeLayout) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            kind = (image.mode, image.size)
            if kind == (layout.mode, layout.image_shape[1::-1]):
                return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError("the PNG file is damaged", where=path, got=str(error).splitlines()[0]) from error
    raise FormatError(
        "the image is of another kind",
        where=path,
        expected=f"8-bit {layout.colours}, {layout.image_shape[1]} x {layout.image_shape[0]}",
        got=f"{kind}",
    )


def _read_scales(folder: Path, layout: TreeLayout) -> dict[str, tuple[float, ...]] | None:
    """Return what ``scales.csv`` says by path; None where there is none."""
    path = folder / SCALES_NAME
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            numbers = {column_of(name): _number(kind) for name, kind in layout.columns.items()}
            return {
                row["path"]: tuple(number(row[column]) for column, number in numbers.items())
                for row in csv.DictReader(file)
            }
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        expected = ",".join(layout.header)
        raise FormatError("scales.csv cannot be read", where=path, expected=expected, got=error) from error


def _number(kind: str) -> Callable[[str], float]:
    return float if kind.startswith("float") else int


def _columns_of(
    rows: Mapping[str, tuple[float, ...]], split: str, names: list[str], folder: Path, layout: TreeLayout
) -> dict[str, NDArray[Any]]:
    import numpy as np

    path = folder / SCALES_NAME
    unlisted = [name for name in names if name not in rows]
    if unlisted:
        raise FormatError("scales.csv does not list every image", where=path, expected=unlisted[0])
    found = {}
    for place, (column, kind) in enumerate(layout.columns.items()):
        try:
            found[f"{split}/{column}"] = np.array([rows[name][place] for name in names], kind)
        except OverflowError as error:
            what = f"scales.csv has a {column_of(column).replace('_', ' ')} beyond every image"
            raise FormatError(what, where=path, got=error) from error
    return found
