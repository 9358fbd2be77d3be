"""Drawing results with matplotlib: the same bytes for the same numbers and the same matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stirdata import atomic, locks
from stirdata.errors import MissingLibraryError, ParameterError

if TYPE_CHECKING:
    from stirdata.evaluation.generalization import ScaleGeneralization
    from stirdata.evaluation.published import Baselines
    from stirdata.evaluation.scales import Scales

FORMS = ("svg", "png", "pdf")
OWN = "#c2185b"
"""Colour of the network that was evaluated."""
OTHERS = ("#0072b2", "#e69f00", "#009e73", "#56b4e9", "#d55e00", "#7f7f7f")
"""Colours of what is beside it, which people tell apart who see few of them. Source: Okabe and Ito, 2008."""
STYLES = ("-", "--", ":")
"""Lines of the first, second, third round through the colours."""

_SETTINGS: Any = {
    "svg.hashsalt": "stirdata",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}
_INCHES = (7.2, 4.4)
_DOTS_PER_INCH = 150


class Drawable(Protocol):
    """What draws itself on matplotlib's axes."""

    def draw(self, axes: Any) -> None:
        """Draw it."""


def is_installed() -> bool:
    """Tell whether there is matplotlib."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def drawn(result: Drawable, form: str) -> bytes:
    """Return a picture of a result as the bytes of a file.

    Args:
        result: Draws itself.
        form: ``svg``, ``png`` or ``pdf``.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError(
            "pictures are drawn by matplotlib, which is not installed",
            where="plot",
            hint="pip install 'stirdata[plot]'",
        ) from error
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=_INCHES, layout="constrained")
        result.draw(figure.add_subplot())
        content = io.BytesIO()
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
        figure.savefig(content, format=form, dpi=_DOTS_PER_INCH, metadata=dates[form])
    return content.getvalue()


def save(result: Drawable, path: Path) -> Path:
    """Write a picture of a result, whole or not at all; the form is that of the name."""
    form = path.suffix.removeprefix(".")
    if form not in FORMS:
        raise ParameterError(
            "pictures are of other forms",
            where="path",
            expected=f"a name ending in {' or '.join('.' + form for form in FORMS)}",
            got=path.name,
        )
    content = drawn(result, form)
    with locks.locked(path), atomic.new_file(path) as partial:
        partial.write_bytes(content)
    return path


def scale_axis(axes: Any, groups: Scales) -> None:
    """Label the horizontal axis with scales; factors are a logarithmic one."""
    values = groups.values
    axes.set_xlabel(f"scale ({groups.unit})")
    if groups.unit == "factor" and groups.edges is None and values[0] > 0 and len(values) > 1:
        factor_axis(axes, values.tolist())


def factor_axis(axes: Any, factors: Sequence[float]) -> None:
    """Make the horizontal axis one of factors: logarithmic, with some of the factors written at it."""
    shown = sorted(factors)
    shown = shown[:: -(-len(shown) // 9)]
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(shown, [f"{factor:.3g}" for factor in shown])


def line(axes: Any, number: int, x: Any, y: Any, label: str, **options: Any) -> None:
    """Draw one of several lines, each with a colour and a style of its own."""
    style = {
        "color": OTHERS[number % len(OTHERS)],
        "linestyle": STYLES[number // len(OTHERS) % len(STYLES)],
        "linewidth": 1.3,
        **options,
    }
    axes.plot(x, y, label=named(label), **style)


def named(label: str) -> str:
    """Return a name as legends show it: they leave out those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def legend(axes: Any) -> None:
    """Name the lines, beside the axes."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")


class Beside:
    """A network's accuracy at every scale in front of those of published networks.

    Args:
        result: Of the network.
        known: The published ones.
        name: Of the network.
    """

    def __init__(self, result: ScaleGeneralization, known: Baselines, name: str = "this network") -> None:
        self._result, self._known, self._name = result, known, name

    def draw(self, axes: Any) -> None:
        """Draw all of it; the scales of training have another background."""
        self._known.draw(axes)
        shown = {"color": OWN, "linewidth": 2.6, "marker": "o", "markersize": 3, "label": self._name}
        axes.plot(self._result.scales, 100 * self._result.accuracy, **shown)
        legend(axes)
