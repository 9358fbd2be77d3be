"""Fitting a picture or a drawing into a square box, and the box onto a canvas.

Drawings are SVG, rendered by CairoSVG, an optional library that needs the system's cairo.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import MissingLibraryError, SourceError
from stirdata.imaging.namespaces import array_namespace

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHADES = {"black": 0, "white": 255}

_INSTALL = (
    "pip install 'stirdata[emoji]', and the cairo library: on Debian and Ubuntu apt-get install libcairo2, "
    "on macOS brew install cairo, with conda conda install -c conda-forge cairo"
)


def over_shade(picture: NDArray[np.uint8], shade: int) -> NDArray[np.uint8]:
    """Lay a picture with opacity over an even shade of grey.

    Args:
        picture: Red, green, blue and opacity, uint8, shape (height, width, 4).
        shade: 0 to 255.

    Returns:
        uint8, shape (height, width, 3), rounded to the nearest level.
    """
    colours, opacity = picture[:, :, :3].astype(np.int32), picture[:, :, 3:].astype(np.int32)
    mixed = colours * opacity + shade * (255 - opacity)
    return ((mixed + 127) // 255).astype(np.uint8)


def fitted_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height whose longer one is ``size``, in the same proportion, at least 1.

    Examples:
        >>> fitted_size(200, 100, 17)
        (17, 9)
    """
    longer = max(width, height)
    return max(1, (2 * width * size + longer) // (2 * longer)), max(
        1, (2 * height * size + longer) // (2 * longer)
    )


def resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a picture so that its longer side is ``size``, by Pillow's bicubic filter.

    Its weights are polynomials and its sums are of whole numbers, so they are the same everywhere.

    Args:
        picture: uint8, shape (height, width, 3).
        size: In pixels.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    target = fitted_size(width, height, size)
    return np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.BICUBIC))


def as_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of a picture, uint8, shape (height, width), as Pillow computes it (BT.601)."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).convert("L"))


def on_canvas(
    picture: NDArray[np.uint8], left: int, top: int, box: int, canvas: int, background: str
) -> NDArray[np.uint8]:
    """Put a picture into the middle of a square box on a canvas.

    Args:
        picture: uint8, shape (height, width) or (height, width, 3), at most ``box`` either way.
        left: Distance of the box to the left edge in pixels.
        top: Distance of the box to the top edge in pixels.
        box: Side of the box.
        canvas: Side of the canvas.
        background: ``black``, ``white``, or ``edge``: every pixel outside is that of the picture's edge
            nearest to it.
    """
    height, width = picture.shape[:2]
    first_row, first_column = top + (box - height) // 2, left + (box - width) // 2
    if background == "edge":
        rows = np.clip(np.arange(canvas) - first_row, 0, height - 1)
        columns = np.clip(np.arange(canvas) - first_column, 0, width - 1)
        extended: NDArray[np.uint8] = picture[rows[:, None], columns]
        return extended
    result = np.full((canvas, canvas, *picture.shape[2:]), SHADES[background], np.uint8)
    result[first_row : first_row + height, first_column : first_column + width] = picture
    return result


def on_canvases(
    pictures: NDArray[np.uint8], positions: NDArray[np.integer], canvas: int, background: str
) -> NDArray[np.uint8]:
    """Put pictures of one size onto canvases, each at its own place; what lies beyond a canvas is cut off.

    Args:
        pictures: uint8, shape (N, height, width) or (N, height, width, 3).
        positions: Left and top of each picture in pixels, shape (N, 2); they may be negative.
        canvas: Side of the canvases.
        background: ``black``, ``white``, ``edge``: every pixel outside is that of the picture's edge nearest
            to it, or ``mirror``: the picture goes on reflected, the pixels of its edge repeated.

    Returns:
        uint8, shape (N, canvas, canvas) or (N, canvas, canvas, 3).

    Examples:
        >>> on_canvases(np.array([[[1, 2]]], np.uint8), np.array([[1, 0]]), 4, "mirror")[0, 0].tolist()
        [1, 1, 2, 2]
    """
    if len(pictures) and (positions == positions[0]).all():
        left, top = positions[0].tolist()
        return _at_one_place(pictures, left, top, canvas, background)
    result = np.empty((len(pictures), canvas, canvas, *pictures.shape[3:]), np.uint8)
    for at, (left, top) in enumerate(positions.tolist()):
        result[at] = _at_one_place(pictures[at : at + 1], left, top, canvas, background)[0]
    return result


def _at_one_place(
    pictures: NDArray[np.uint8], left: int, top: int, canvas: int, background: str
) -> NDArray[np.uint8]:
    count, height, width = pictures.shape[:3]
    if background not in SHADES:
        rows, columns = (
            _continued(np.arange(canvas) - first, length, background)
            for first, length in ((top, height), (left, width))
        )
        wide = np.empty((count, height, canvas, *pictures.shape[3:]), np.uint8)
        for there, here in _runs(columns):  # slices, which are quicker than single pixels
            wide[:, :, there] = pictures[:, :, here]
        return wide.take(rows, axis=1)
    result = np.full((count, canvas, canvas, *pictures.shape[3:]), SHADES[background], np.uint8)
    rows_there, rows_here = overlap(top, height, canvas)
    columns_there, columns_here = overlap(left, width, canvas)
    result[:, rows_there, columns_there] = pictures[:, rows_here, columns_here]
    return result


def _continued(at: NDArray[np.int64], length: int, background: str) -> NDArray[np.int64]:
    """Return which line of a picture is seen at a distance from its first one."""
    if background == "edge":
        return np.clip(at, 0, length - 1)
    reflected: NDArray[np.int64] = mirrored(at, length)
    return reflected


def mirrored(at: Any, length: int) -> Any:
    """Return which line is seen at a place where lines go on reflected, the first and last one repeated.

    Args:
        at: Whole numbers: a NumPy array or a torch tensor on any device.
        length: Number of lines.
    """
    within = at % (2 * length)
    return array_namespace(within).minimum(within, 2 * length - 1 - within)


def _runs(lines: NDArray[np.int64]) -> list[tuple[slice, slice]]:
    """Return where lines that follow each other, or are the same one, go and come from."""
    found = []
    start = 0
    while start < len(lines):
        step = int(lines[start + 1] - lines[start]) if start + 1 < len(lines) else 1
        step = step if step in (1, -1) else 0
        stop = start + 1
        while stop < len(lines) and lines[stop] - lines[stop - 1] == step:
            stop += 1
        first = int(lines[start])
        if step:
            last = first + step * (stop - start)
            here = slice(first, None if last < 0 else last, step)
        else:
            here = slice(first, first + 1)
        found.append((slice(start, stop), here))
        start = stop
    return found


def overlap(first: int, length: int, canvas: int) -> tuple[slice, slice]:
    """Return the part of a canvas that a picture covers, and the part of the picture that is there."""
    start, stop = max(0, first), max(0, min(canvas, first + length))
    return slice(start, max(start, stop)), slice(start - first, max(start, stop) - first)


def render_in_box(svg: bytes, size: int, where: object = None) -> NDArray[np.uint8]:
    """Render a picture as the child of a box of ``size`` pixels, as a browser lays it out.

    Args:
        svg: Content of an SVG file that :func:`stirdata.sources.svg.check_svg` has passed.
        size: Width and height of the box in pixels.
        where: Name of the file, for messages.

    Returns:
        Red, green, blue and opacity, uint8, shape (height, width, 4): (size, size, 4) for a picture that
        does not state a size of its own.

    Raises:
        MissingLibraryError: CairoSVG or cairo is not installed.
        SourceError: The picture cannot be rendered.
    """
    return _render(svg, where, parent_width=size, parent_height=size)


def render_scaled(svg: bytes, size: int, where: object = None) -> NDArray[np.uint8]:
    """Render a picture to ``size`` x ``size`` pixels, whatever size it states; see :func:`render_in_box`."""
    return _render(svg, where, output_width=size, output_height=size, parent_width=size, parent_height=size)


def renderer_versions() -> dict[str, str]:
    """Return the versions of CairoSVG and cairo.

    Raises:
        MissingLibraryError: One of them is not installed.
    """
    cairosvg = _cairosvg()
    import cairocffi

    return {"cairosvg": str(cairosvg.__version__), "cairo": str(cairocffi.cairo_version_string())}


def _render(svg: bytes, where: object, **sizes: int) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    surface = _cairosvg().surface.PNGSurface
    try:
        png = surface.convert(bytestring=svg, unsafe=False, url_fetcher=_refuse, **sizes)
    except MemoryError:
        raise
    except Exception as error:  # CairoSVG has no errors of its own: whatever it stumbles over comes out
        message = f"{type(error).__name__}: {error}"
        raise SourceError("the SVG picture cannot be rendered", where=where, got=message) from error
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def _refuse(url: str, resource_type: str) -> bytes:
    """Stand in for CairoSVG's fetching of files and addresses; nothing passes."""
    raise ValueError(f"refused to fetch {url}")


def _cairosvg() -> Any:
    try:
        import cairosvg
        import cairosvg.surface
    except ImportError as error:
        raise MissingLibraryError("CairoSVG is not installed", got=error, hint=_INSTALL) from error
    except OSError as error:  # raised by cairocffi when it finds no library to load
        got = str(error).splitlines()[0]
        raise MissingLibraryError("the cairo library is not installed", got=got, hint=_INSTALL) from error
    return cairosvg
