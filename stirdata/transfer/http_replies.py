"""Asking a server for a file, and what its answers mean.

Every failure becomes a RefusalError (another attempt is of no use) or a PassingError (it may be).
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from stirdata import __version__
from stirdata.errors import StirdataError
from stirdata.transfer.backoff import PassingError, RefusalError

if TYPE_CHECKING:
    import requests

USER_AGENT = f"stirdata/{__version__}"  # servers have refused the default agents of HTTP libraries

FILE_STATUSES = frozenset({200, 206, 416})
"""Of answers to a question for a file, or a part of it."""

_CHUNK = 1 << 18
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # the bytes of the file itself, so that ranges and sizes are its own
}
_TIMEOUT_SECONDS = (10.0, 30.0)  # to connect; between two bytes
_MOST_REDIRECTS = 10
_SLOW_BYTES, _SLOW_SECONDS = 6000, 60.0  # fewer in this time is as good as nothing
_TRANSIENT = {408, 425, 429}
_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)

_now = time.time
_clock = time.monotonic


class Extent(NamedTuple):
    """Where the first byte of an answer belongs in the file, and the file's size; None if not told."""

    start: int | None
    total: int | None


def new_session() -> requests.Session:
    """Return a session that follows no redirect itself; proxies come from the environment.

    Names and passwords are sent only if they are in the address: by itself, requests would send those that
    the user has for a server in ``.netrc``, to mirrors and wherever a redirect leads.
    """
    import requests
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url

    def as_addressed(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        name, password = get_auth_from_url(prepared.url or "")
        return HTTPBasicAuth(name, password)(prepared) if name or password else prepared

    class Unredirected(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Say that there is none: requests would read its whole body and allow any change of scheme."""

    session = Unredirected()
    session.auth = as_addressed
    return session


@contextmanager
def answer(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    accepted: Collection[int] = FILE_STATUSES,
) -> Iterator[requests.Response]:
    """Ask by GET, follow redirects, and yield an answer whose body is not read yet.

    Args:
        session: From :func:`new_session`.
        url: An http or https address. From https no redirect leads to http.
        headers: Sent beside the usual ones.
        accepted: Statuses of the answers that the caller can read.

    Yields:
        A response of one of the accepted statuses.

    Raises:
        RefusalError: No file there, or none for us; a certificate that proves nothing; a redirect that is
            not followed.
        PassingError: The server could not be reached, or is busy.
    """
    for _ in range(_MOST_REDIRECTS + 1):
        with network_errors():
            _check_scheme(url)
            response = session.get(
                url, stream=True, timeout=_TIMEOUT_SECONDS, headers={**_HEADERS, **(headers or {})}
            )
        with response:
            if location := _location(response):
                url = next_address(url, location)
                continue
            _check_status(response, accepted)
            yield response
            return
    raise RefusalError(f"redirected more than {_MOST_REDIRECTS} times")


def _location(response: requests.Response) -> str | None:
    if response.status_code not in {301, 302, 303, 307, 308}:
        return None
    # http.client decodes headers as Latin-1; addresses are sent in UTF-8 if not in ASCII.
    return response.headers.get("Location", "").encode("latin-1").decode("utf-8", "replace") or None


def next_address(url: str, location: str) -> str:
    """Return where a redirect leads.

    Raises:
        RefusalError: From https to http, or to what is neither.

    Examples:
        >>> next_address("https://one.example/record/1", "/records/1")
        'https://one.example/records/1'
    """
    try:
        following = urljoin(url, location)
        scheme = urlsplit(following).scheme
    except ValueError as error:
        raise RefusalError(f"redirected to {location!r}, which is no address") from error
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise RefusalError(f"redirected from https to http, which is not followed: {plain(following)}")
    return following


def plain(text: str) -> str:
    r"""Return what a server says in one line of at most 200 characters that cannot steer a terminal.

    Examples:
        >>> plain("Not\r\n Found \x1b[2J")
        'Not Found ?[2J'
    """
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split())[:200])


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise RefusalError(f"neither an http nor an https address: {plain(url)}")


def _check_status(response: requests.Response, accepted: Collection[int]) -> None:
    status = response.status_code
    if status in accepted:
        return
    reason = plain(f"{status} {response.reason or ''}") + (", a web page" if sends_html(response) else "")
    if status in _TRANSIENT or status >= 500:
        raise PassingError(reason, told=told_wait(response.headers, status))
    raise RefusalError(reason)


def told_wait(headers: Mapping[str, str], status: int) -> float | None:
    """Return the seconds that a server asks to wait, from now, None if it does not.

    ``Retry-After`` has seconds or a date; on 429 ``X-RateLimit-Reset`` (epoch seconds) stands in for it.

    Examples:
        >>> told_wait({"Retry-After": "7"}, 503)
        7.0
    """
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", told):
        return float(told)
    if told:
        return _seconds_until(told)
    reset = headers.get("X-RateLimit-Reset", "").strip() if status == 429 else ""
    return max(0.0, int(reset) - _now()) if re.fullmatch(r"[0-9]{1,12}", reset) else None


def _seconds_until(date: str) -> float | None:
    try:
        told = parsedate_to_datetime(date)
        known = told.replace(tzinfo=told.tzinfo or timezone.utc)  # -0000 is UTC, and has no time zone
        return max(0.0, known.timestamp() - _now())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def sends_html(response: requests.Response) -> bool:
    """Return whether an answer says that it is a web page."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _HTML_TYPES


def begins_like_html(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a web page, whatever its headers said.

    Examples:
        >>> begins_like_html(b"<!DOCTYPE html><html>"), begins_like_html(b"<!DOCTYPE svg>")
        (True, False)
    """
    return _HTML.match(head) is not None


def extent(response: requests.Response) -> Extent:
    """Return where the body of a 200, 206 or 416 belongs in the file.

    Examples:
        >>> import requests
        >>> response = requests.Response()
        >>> response.status_code, response.headers["Content-Range"] = 206, "bytes 5-9/10"
        >>> extent(response)
        Extent(start=5, total=10)
    """
    if response.status_code == 200:
        return Extent(0, _length(response.headers))
    told = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"\s*bytes\s+(?:(\d+)-\d+|\*)/(?:(\d+)|\*)\s*", told, re.ASCII | re.IGNORECASE)
    start, total = found.groups() if found else (None, None)
    return Extent(None if start is None else int(start), None if total is None else int(total))


def _length(headers: Mapping[str, str]) -> int | None:
    if headers.get("Transfer-Encoding"):  # the length of a body in chunks is that of the chunks
        return None
    told = headers.get("Content-Length", "").strip()
    return int(told) if re.fullmatch(r"[0-9]{1,18}", told) else None


def received(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it comes, and as it is: a .gz file arrives as one, whatever its Content-Encoding.

    Raises:
        PassingError: The connection broke, or nothing came for too long, or hardly anything did.
    """
    raw = response.raw
    if hasattr(raw, "read1"):  # what has arrived when the connection breaks is not lost
        pieces = iter(lambda: raw.read1(_CHUNK, decode_content=False), b"")
    else:  # urllib3 before 2
        pieces = raw.stream(1 << 16, decode_content=False)
    watch, slow = _Watch(), False
    while piece := _next(pieces):
        yield piece
        if slow:  # told only when more has come: what comes last may come late
            raise PassingError(f"it sent fewer than {_SLOW_BYTES} bytes in {_SLOW_SECONDS:.0f} s")
        slow = watch.is_slow(len(piece))


def _next(pieces: Iterator[bytes]) -> bytes:
    with network_errors(answered=True):
        return next(pieces, b"")


class _Watch:
    """Tells a server that keeps a connection alive by a byte now and then from one that delivers."""

    def __init__(self) -> None:
        self._since, self._bytes = _clock(), 0

    def is_slow(self, count: int) -> bool:
        """Count bytes that came; return whether they are too few for the time."""
        self._bytes += count
        if self._bytes >= _SLOW_BYTES:
            self._since, self._bytes = _clock(), 0
        return _clock() - self._since > _SLOW_SECONDS


@contextmanager
def network_errors(*, answered: bool = False) -> Iterator[None]:
    """Turn every failure of the network into a RefusalError or a PassingError; files are not for this.

    Args:
        answered: Whether the server has answered already.
    """
    import requests
    import urllib3

    try:
        yield
    except StirdataError:
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            raise RefusalError(f"its certificate is not valid: {_reason(causes[-1])}") from error
        if isinstance(error, ValueError) and not isinstance(error, urllib3.exceptions.ProtocolError):
            raise RefusalError(f"it cannot be asked: {_reason(error)}") from error
        silent = isinstance(error, requests.Timeout) or any(
            isinstance(cause, urllib3.exceptions.ConnectTimeoutError | urllib3.exceptions.NewConnectionError)
            for cause in causes
        )
        raise PassingError(_reason(causes[-1]), reached=answered or not silent) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of requests and, one by one, the errors wrapped in it."""
    following: BaseException | None = error
    while following is not None:
        yield following
        inner = [getattr(following, "reason", None), *following.args]
        following = next((item for item in inner if isinstance(item, BaseException)), None)


def _reason(error: BaseException) -> str:
    """Return an error in one line, without the objects that urllib3 puts before the message."""
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended early"
    text = (
        re.sub(r"^\S*?(?:\(.*?\)|<.*?>): (?:Failed to establish a new connection: )?", "", str(error))
        or type(error).__name__
    )
    return plain(text)
