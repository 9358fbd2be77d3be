"""Pictures of your own: one folder per class, with images and SVG files in it."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
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

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
SVG_SUFFIX = ".svg"
LARGEST_PICTURE = 1 << 26
"""Most pixels of an image (8192 x 8192): what is larger is refused before it is decoded."""

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
    import warnings

    import numpy as np
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # The limit below is stricter than Pillow's warning, and a warning is of no use to anybody.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(image, where)
                return np.asarray(_as_rgba(ImageOps.exif_transpose(image)))
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


_LAYOUT = "put the pictures of each class into a folder of its own: DIR/<class>/<picture>"
