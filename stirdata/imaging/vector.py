"""Rendering SVG pictures by CairoSVG, an optional library that needs the system's cairo."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from stirdata.errors import MissingLibraryError, SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_INSTALL = (
    "pip install 'stirdata[emoji]', and the cairo library: on Debian and Ubuntu apt-get install libcairo2, "
    "on macOS brew install cairo, with conda conda install -c conda-forge cairo"
)


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
