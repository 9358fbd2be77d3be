"""What people are told while they wait: progress bars and messages on standard error, sizes in words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any


class Progress:
    """A bar that counts; made by :func:`bar`."""

    def __init__(
        self, total: int | None, description: str, unit: str, *, initial: int = 0, quiet: bool
    ) -> None:
        in_notebook = _in_notebook()
        seen = in_notebook or (sys.stderr is not None and sys.stderr.isatty())
        self._bar = _kind_of_bar(widgets=in_notebook and not quiet)(
            total=total,
            initial=initial,
            desc=description,
            unit=unit,
            unit_scale=unit == "B",
            disable=quiet or not seen,
            file=sys.stderr,
            leave=False,
        )

    def advance(self, count: int) -> None:
        """Move the bar on; may be called from any thread."""
        self._bar.update(count)

    def say(self, text: str) -> None:
        """Print a message on standard error, above the bar."""
        if sys.stderr:
            with suppress(OSError):
                self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


def _in_notebook() -> bool:
    """Tell whether what is printed is shown by Jupyter, which no terminal is behind."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", ())


def _kind_of_bar(*, widgets: bool) -> Any:
    """Return tqdm's bar, or where there can be widgets the one for notebooks."""
    if widgets and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm as in_notebook

        return in_notebook
    from tqdm import tqdm

    return tqdm


@contextmanager
def bar(
    total: int | None, description: str, unit: str, *, initial: int = 0, quiet: bool = False
) -> Iterator[Progress]:
    """Yield a progress bar; it is silent when ``quiet``, or where there is neither a terminal nor a notebook.

    Args:
        total: How far it goes, if that is known.
        description: What is counted, before the bar.
        unit: Of the count; ``B`` is shown as kB, MB, GB.
        initial: What was done before, which does not count for the speed.
        quiet: Show nothing.
    """
    progress = Progress(total, description, unit, initial=initial, quiet=quiet)
    try:
        yield progress
    finally:
        progress.close()


def teller(say_: Callable[[str], None] | None, quiet: bool) -> Callable[[str], None]:
    """Return where messages go: to the function if there is one, else to standard error, or nowhere."""
    return say_ or (_silent if quiet else say)


def _silent(text: str) -> None:
    """Say nothing."""


def say(text: str) -> None:
    """Print a message on standard error, where no bar is.

    What is being done matters more than the message: if nobody can read it any more, this is no error.
    """
    if sys.stderr:  # there is none if it was closed before the start
        with suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def size_in_words(size: int) -> str:
    """Return a number of bytes with three digits and a unit of powers of 1000.

    Examples:
        >>> size_in_words(999), size_in_words(28881), size_in_words(9912422)
        ('999 B', '28.9 kB', '9.91 MB')
    """
    if size < 1000:
        return f"{size} B"
    value, unit = float(size), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is used
        value /= 1000
        if value < 999.5:
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"
