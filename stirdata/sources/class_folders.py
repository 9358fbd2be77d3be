"""Pictures of your own: one folder per class, with images and SVG files in it."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError
from stirdata.manifest import is_leftover
from stirdata.sources.svg import check_svg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from stirdata.sources.labelled import LabelledImages

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
SVG_SUFFIX = ".svg"
LARGEST_PICTURE = 1 << 26
"""Most pixels of an image (8192 x 8192): what is larger is refused before it is decoded."""

_ORIENTATION = 0x0112  # in EXIF
_ON_THE_SIDE = (5, 6, 7, 8)
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


@dataclass(frozen=True)
class PictureFile:
    """One picture.

    Attributes:
        path: Of the file.
        identity: ``class/file`` with composed characters, the same on every file system.
    """

    path: Path
    identity: str

    @property
    def is_svg(self) -> bool:
        """Whether it is drawn rather than decoded."""
        return self.path.suffix.lower() == SVG_SUFFIX


@dataclass(frozen=True)
class ClassFolders:
    """What is in a folder of classes.

    Attributes:
        classes: Pictures per class, both in the order of their names.
        ignored: Other files that are no pictures, relative to the folder; a system's own are not among them.
    """

    classes: dict[str, list[PictureFile]]
    ignored: list[str]


def find(folder: Path) -> ClassFolders:
    """List the pictures of every class. What is hidden, or left behind by a system, is passed over.

    Raises:
        MissingFileError: The folder does not exist, or has no folders in it.
        SourceError: A class has no pictures, or two have the same name.
    """
    if not folder.is_dir():
        raise MissingFileError("the source folder does not exist", where=folder, hint=_LAYOUT)
    entries = _entries(folder)
    classes: dict[str, list[PictureFile]] = {}
    ignored = [entry.name for entry in entries if not entry.is_dir()]
    for entry in entries:
        if not entry.is_dir():
            continue
        name = _composed(entry.name)
        if name in classes:
            raise SourceError("two classes have the same name", where=entry, got=name)
        pictures, others = _pictures(entry, name)
        classes[name] = pictures
        ignored += others
    if not classes:
        raise MissingFileError("there are no classes in the source folder", where=folder, hint=_LAYOUT)
    empty = [name for name, pictures in classes.items() if not pictures]
    if empty:
        expected = f"images ({', '.join(IMAGE_SUFFIXES)}) or {SVG_SUFFIX}"
        raise SourceError(
            "classes without pictures", where=folder, expected=expected, got=", ".join(empty), hint=_LAYOUT
        )
    return ClassFolders(dict(sorted(classes.items())), ignored)


def _entries(folder: Path) -> list[Path]:
    entries = sorted(folder.iterdir())
    return [path for path in entries if not path.name.startswith(".") and not is_leftover(Path(path.name))]


def _pictures(folder: Path, name: str) -> tuple[list[PictureFile], list[str]]:
    pictures, others = [], []
    for path in _entries(folder):
        identity = f"{name}/{_composed(path.name)}"
        if path.is_file() and path.suffix.lower() in (*IMAGE_SUFFIXES, SVG_SUFFIX):
            pictures.append(PictureFile(path, identity))
        else:
            others.append(identity)
    return sorted(pictures, key=lambda picture: picture.identity), sorted(others)


def read(picture: PictureFile) -> bytes:
    """Return the content of a file; an SVG has been checked.

    Raises:
        SourceError: It cannot be read, or is an SVG that could do more than draw.
    """
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise SourceError("the picture cannot be read", where=picture.path, got=error.strerror) from error
    if picture.is_svg:
        check_svg(data, picture.path)
    return data


def describe(pictures: Sequence[PictureFile]) -> dict[str, Any]:
    """Return name and hashes of the pictures, for manifests."""
    return {
        "name": "class-folders",
        "sha256": {picture.identity: sha256_of_bytes(read(picture)) for picture in pictures},
    }


def decode(data: bytes, where: object) -> NDArray[np.uint8]:
    """Decode an image, turned upright as its camera noted.

    Returns:
        Red, green, blue and opacity, uint8, shape (height, width, 4).

    Raises:
        SourceError: It is corrupt, of an unknown format, or larger than :data:`LARGEST_PICTURE`.
    """
    import numpy as np
    from PIL import ImageOps

    with _opened(data, where) as image:
        return np.asarray(_as_rgba(ImageOps.exif_transpose(image)))


@contextmanager
def _opened(data: bytes, where: object) -> Iterator[Image]:
    """Open an image that is not too large; whatever is wrong with it is told as a SourceError."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            # The limit below is stricter than Pillow's warning, and a warning is of no use to anybody.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(image, where)
                yield image
    except SourceError:
        raise
    except Exception as error:  # decoders raise errors of many kinds on damaged data
        reason = str(error) or type(error).__name__
        raise SourceError(
            "the picture is corrupt or of an unknown format",
            where=where,
            got=reason.replace(" <_io.BytesIO object", "").split(" at 0x")[0],
            hint="save it again as PNG, or take it out of the folder",
        ) from error


def _check_size(image: Image, where: object) -> None:
    if image.width * image.height > LARGEST_PICTURE:
        raise SourceError(
            "the picture is too large",
            where=where,
            expected=f"at most {LARGEST_PICTURE} pixels",
            got=f"{image.width} x {image.height}",
            hint="scale it down: a STIR image has some 64 pixels",
        )


def _as_rgba(image: Image) -> Image:
    """Convert any pixel format; of 16-bit grey the upper eight bits are kept."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA")


def _composed(name: str) -> str:
    """Compose accents, which some file systems store apart from their letters."""
    return unicodedata.normalize("NFC", name)


def labelled(source_dir: Path) -> LabelledImages:
    """Return the images of a folder ``<split>/<class>/<image>``, or ``<class>/<image>``: all test images.

    Every file is read here once, to say what it is; decoded they are when they are asked for. Opacity is
    laid over black. If all are grey, so is the source.

    Args:
        source_dir: The folder; splits are ``train``, ``val`` and ``test``, those there are.

    Raises:
        MissingFileError: It does not exist, or has no classes.
        SourceError: A picture is an SVG, corrupt, or of an unknown format.
    """
    import numpy as np

    from stirdata.sources.labelled import SUBSETS, LabelledImages, Subset, unproven

    parts = [name for name in SUBSETS if (source_dir / name).is_dir()]
    found = {name: find(source_dir / name).classes for name in parts} or {"test": find(source_dir).classes}
    classes = sorted({name for subset in found.values() for name in subset})
    hashes, subsets, grey = {}, {}, True
    sizes: dict[str, list[tuple[int, int]]] = {}
    for subset, folders in found.items():
        pictures = [picture for name in classes for picture in folders.get(name, [])]
        for picture in pictures:
            data = _pixels_of(picture)
            size, is_grey = _measure(data, picture.path)
            sizes.setdefault(subset, []).append(size)
            grey = grey and is_grey
            hashes[f"{subset}/{picture.identity}" if parts else picture.identity] = sha256_of_bytes(data)
        labels = [classes.index(picture.identity.partition("/")[0]) for picture in pictures]
        subsets[subset] = (np.array(labels, np.int64), pictures)
    found_sizes = {name: np.array(listed, np.int32) for name, listed in sizes.items()}
    largest = np.concatenate(list(found_sizes.values())).max(axis=0).tolist()
    return LabelledImages(
        classes=tuple(classes),
        counts={name: len(labels) for name, (labels, _) in subsets.items()},
        shape=(*largest, *(() if grey else (3,))),
        uniform=all((listed == largest).all() for listed in found_sizes.values()),
        description=unproven("folder", hashes),
        read=lambda quiet: {
            name: Subset(labels, found_sizes[name], _Pictures(pictures, grey=grey))
            for name, (labels, pictures) in subsets.items()
        },
    )


def _pixels_of(picture: PictureFile) -> bytes:
    if picture.is_svg:
        raise SourceError(
            "a drawing has no pixels that could be rescaled",
            where=picture.path,
            expected=f"images: {', '.join(IMAGE_SUFFIXES)}",
            hint="stirdata generate stir custom draws SVG files; take it out of the folder here",
        )
    return read(picture)


class _Pictures:
    """Pictures of a folder, decoded when they are asked for."""

    def __init__(self, pictures: Sequence[PictureFile], *, grey: bool) -> None:
        self.pictures = pictures
        self.grey = grey

    def __call__(self, positions: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        return [self._decoded(self.pictures[position]) for position in positions.tolist()]

    def _decoded(self, picture: PictureFile) -> NDArray[np.uint8]:
        import numpy as np

        pixels = decode(read(picture), picture.path).astype(np.int32)
        shown = ((pixels[:, :, :3] * pixels[:, :, 3:] + 127) // 255).astype(np.uint8)
        return shown[:, :, 0] if self.grey else shown


def _measure(data: bytes, where: object) -> tuple[tuple[int, int], bool]:
    """Return height and width of an upright image, and whether it is grey; its pixels are not decoded."""
    with _opened(data, where) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in _ON_THE_SIDE
        size = (image.width, image.height) if turned else (image.height, image.width)
        return size, image.mode.split(";")[0] in ("1", "L", "LA", "I", "F")


_LAYOUT = "put the pictures of each class into a folder of its own: DIR/<class>/<picture>"
