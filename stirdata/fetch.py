"""Bringing one file from the network into a folder, proven before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata import __version__, atomic
from stirdata.errors import SourceError, SourceUnavailableError
from stirdata.progress import bar

if TYPE_CHECKING:
    import requests

USER_AGENT = f"stirdata/{__version__}"  # servers have refused the default agents of HTTP libraries

_CHUNK = 1 << 18
_TIMEOUT_SECONDS = (10, 30)  # to connect; between two bytes


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    limit: int,
    quiet: bool = False,
) -> None:
    """Download a file from the first mirror that delivers the right one.

    Args:
        urls: Mirrors, tried in this order.
        target: Where the file goes; it appears there only when complete and checked. A file that is
            already there and passes the check is kept, and no connection is made.
        check: Raises SourceError if the file at the path it gets is not the wanted one.
        limit: Most bytes to accept.
        quiet: Show no progress bar.

    Raises:
        SourceUnavailableError: No mirror delivered it; the reason of each is listed.
        TargetError: The folder cannot be written to.
    """
    reasons = []
    with atomic.locked(target):
        if _already_there(target, check):
            return
        for url in urls:
            try:
                with atomic.new_file(target) as partial:
                    _transfer(url, partial, limit=limit, quiet=quiet)
                    check(partial)
                return
            except (SourceError, SourceUnavailableError) as error:
                reasons.append(f"{url}: {error.what}")
        raise SourceUnavailableError(
            f"{target.name} could not be downloaded", where=target, got="\n            ".join(reasons)
        )


def _already_there(target: Path, check: Callable[[Path], None]) -> bool:
    try:
        check(target)
    except (FileNotFoundError, SourceError):
        return False
    return True


def _transfer(url: str, partial: Path, *, limit: int, quiet: bool) -> None:
    """Stream a URL into a file; every failure of the network becomes SourceUnavailableError."""
    import requests
    import urllib3

    try:
        with requests.get(
            url, stream=True, timeout=_TIMEOUT_SECONDS, headers={"User-Agent": USER_AGENT}
        ) as response:
            response.raise_for_status()
            _save(response, partial, limit=limit, quiet=quiet)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SourceUnavailableError(_reason(error)) from error


def _save(response: requests.Response, partial: Path, *, limit: int, quiet: bool) -> None:
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() else 0
    received = 0
    with partial.open("wb") as file, bar(size or None, partial.name.strip("."), "B", quiet=quiet) as shown:
        # The raw stream: a .gz file must arrive as it is, whatever Content-Encoding says.
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            received += len(chunk)
            if received > limit:
                raise SourceUnavailableError(f"sent more than the expected {limit} bytes")
            file.write(chunk)
            shown.advance(len(chunk))
    if size and received != size:
        raise SourceUnavailableError(f"sent {received} of {size} bytes")


def _reason(error: Exception) -> str:
    """Return the innermost cause of a network error in one line, without the objects around it."""
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    cause = getattr(cause, "reason", cause)
    text = str(cause).rpartition("): ")[2] or type(cause).__name__
    return text.splitlines()[0]
