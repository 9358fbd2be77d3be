"""Bringing one file from the network into a folder, proven before it gets its name.

While it comes, the bytes are in ``.<name>.partial`` beside the target, which belongs to whoever holds the
lock ``.<name>.lock``. They stay there when the connection breaks, on Ctrl-C and after a kill, and the next
fetch goes on behind them; only what turned out to be wrong, or has filled the disk, is removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stirdata import atomic, locks, progress
from stirdata.digest import HashedFile
from stirdata.errors import FormatError, ParameterError, SourceError, SourceUnavailableError, TargetError
from stirdata.transfer import http_replies
from stirdata.transfer.backoff import PassingError, RefusalError, persist

if TYPE_CHECKING:
    import requests

OFFLINE_VARIABLE = "STIRDATA_OFFLINE"


@dataclass(frozen=True)
class Fetched:
    """A file that is there now.

    Attributes:
        path: Where it is.
        size: Bytes.
        sha256: 64 hexadecimal digits.
        already_there: Whether it was there, or another process brought it meanwhile.
        url: The mirror that delivered it, or the rest of it, without a password; None if none was asked.
    """

    path: Path
    size: int
    sha256: str
    already_there: bool
    url: str | None


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None] | None = None,
    size: int | None = None,
    hashes: Mapping[str, str] | None = None,
    limit: int,
    quiet: bool = False,
    offline: bool | None = None,
    say: Callable[[str], None] | None = None,
) -> Fetched:
    """Download a file from the first mirror that delivers the right one.

    What an earlier fetch left half done is gone on with, if there are hashes or a check to prove the
    result. Of several processes that fetch the same file, one does and the others wait for it.

    Args:
        urls: Mirrors, http or https, tried in this order.
        target: Where the file goes; it appears there only when complete and proven. A file that is
            already there and is the right one is kept, and no connection is made.
        check: Raises SourceError or FormatError if the file at the path it gets is not the wanted one.
        size: Bytes of the wanted file, if known.
        hashes: Hexadecimal digits of the wanted file by the name of the algorithm (``md5``, ``sha256``);
            all of them must be right.
        limit: Most bytes to accept.
        quiet: Show no progress bar and say nothing.
        offline: Make no connection; None takes it from the variable ``STIRDATA_OFFLINE``.
        say: Told in one line what is waited for; by default it is printed on standard error.

    Raises:
        SourceUnavailableError: No mirror delivered it, and the reason of each is listed; or it is not there
            and no connection is to be made.
        TargetError: The folder or the disk does not take it.
        ParameterError: An algorithm has no such name.
    """
    wanted = _Wanted(target, check, size, _normal(hashes or {}), limit)
    try:
        return _already_there(wanted)
    except (FileNotFoundError, SourceError) as error:
        if is_offline(offline):
            raise offline_error(target, error) from error
    tell = progress.teller(say, quiet)
    with locks.locked(target, lambda: tell(f"waiting for another process that fetches {target.name}")):
        with suppress(FileNotFoundError, SourceError):
            return _already_there(wanted)
        return _from_mirrors(urls, wanted, quiet, tell)


def is_offline(offline: bool | None = None) -> bool:
    """Return whether connections are forbidden: by the argument or, if it is None, by ``STIRDATA_OFFLINE``.

    Examples:
        >>> is_offline(True)
        True
    """
    if offline is not None:
        return offline
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class _Wanted:
    """What the file has to be."""

    target: Path
    check: Callable[[Path], None] | None
    size: int | None
    hashes: Mapping[str, str]
    limit: int

    @property
    def algorithms(self) -> list[str]:
        return sorted({"sha256", *self.hashes})

    @property
    def provable(self) -> bool:
        """Whether bytes that do not belong together would be found out."""
        return bool(self.hashes or self.check)

    @property
    def most(self) -> int:
        return self.limit if self.size is None else min(self.size, self.limit)

    def accept(self, found: HashedFile, path: Path) -> None:
        """Raise SourceError or FormatError if a file is not the wanted one."""
        if self.size not in {None, found.size}:
            raise SourceError(f"it has {found.size} bytes instead of {self.size}", where=path)
        if found.size > self.limit:
            raise SourceError(f"it has {found.size} bytes, more than the limit of {self.limit}", where=path)
        digests = found.digests()
        for name, expected in self.hashes.items():
            if digests[name] != expected:
                raise SourceError(f"it has the {name} {digests[name]} instead of {expected}", where=path)
        if self.check is not None:
            self.check(path)

    def fetched(self, found: HashedFile, url: str | None, *, already_there: bool = False) -> Fetched:
        return Fetched(self.target, found.size, found.digests()["sha256"], already_there, url)


def _normal(hashes: Mapping[str, str]) -> dict[str, str]:
    for name in hashes:
        if name not in hashlib.algorithms_guaranteed or name.startswith("shake"):
            raise ParameterError("there is no such hash", where="hashes", expected="md5 or sha256", got=name)
    return {name: digits.strip().lower() for name, digits in hashes.items()}


def _already_there(wanted: _Wanted) -> Fetched:
    """Return the target; raise FileNotFoundError or SourceError if it is not there, or another file."""
    target = wanted.target
    if not target.is_file():
        raise FileNotFoundError
    try:
        with target.open("rb", buffering=0) as file:
            found = HashedFile(file, wanted.algorithms)
    except OSError as error:
        raise TargetError(
            "the file that is there cannot be read", where=target, got=error.strerror, hint="remove the file"
        ) from error
    try:
        wanted.accept(found, target)
    except FormatError as error:
        raise SourceError(error.what, where=target) from error
    return wanted.fetched(found, None, already_there=True)


def offline_error(target: Path, error: Exception | None = None) -> SourceUnavailableError:
    """Return what to raise if a file is missing, or wrong, and connections are forbidden."""
    return SourceUnavailableError(
        f"{target.name} is not there, and no connection is to be made",
        where=target,
        got=error.what if isinstance(error, SourceError) else "no such file",
        hint=f"allow connections: without --offline, and with {OFFLINE_VARIABLE} unset",
    )


def _from_mirrors(urls: Sequence[str], wanted: _Wanted, quiet: bool, say: Callable[[str], None]) -> Fetched:
    reasons = []
    with http_replies.new_session() as session, atomic.resumable_file(wanted.target) as file:
        partial = HashedFile(file, wanted.algorithms)
        if _completes(partial, wanted):
            return wanted.fetched(partial, None)
        for url in urls:
            mirror = _Mirror(url, session, partial, wanted, quiet, say)
            try:
                mirror.deliver()
                return wanted.fetched(partial, without_password(url))
            except RefusalError as error:
                reasons.append(f"{without_password(url)}: {error.what}")
        raise SourceUnavailableError(
            f"{wanted.target.name} could not be downloaded",
            where=wanted.target,
            got="\n            ".join(reasons),
            hint=f"try again: the {partial.size} bytes that came are kept"
            if partial.size
            else "check the connection and try again later, or name another mirror",
        )


def _completes(partial: HashedFile, wanted: _Wanted) -> bool:
    """Return whether an earlier fetch has brought everything but was stopped before the file got its name."""
    if not partial.size or not wanted.provable or partial.size != wanted.size:
        return False
    try:
        wanted.accept(partial, atomic.partial_of(wanted.target))
    except (SourceError, FormatError):
        partial.clear()
        return False
    return True


@dataclass(frozen=True)
class _Mirror:
    """One address that may deliver the file, or the rest of it."""

    url: str
    session: requests.Session
    partial: HashedFile
    wanted: _Wanted
    quiet: bool
    say: Callable[[str], None]

    def deliver(self) -> None:
        """Bring the partial file to its end and prove it; raise RefusalError if that cannot be done.

        If bytes were joined and the result is wrong, they need not belong together, because the file has
        changed or another mirror has another one: so everything is asked for once more.
        """
        path = atomic.partial_of(self.wanted.target)
        for once_more in (True, False):
            persist(self._receive, progress=lambda: self.partial.size, say=self._tell)
            try:
                self.wanted.accept(self.partial, path)
                return
            except (SourceError, FormatError) as error:
                joined = self.partial.joined
                self.partial.clear()
                if not (joined and once_more):
                    raise RefusalError(error.what) from error
            self._tell("what was resumed is not the wanted file; starting from its beginning")

    def _tell(self, message: str) -> None:
        self.say(f"{self.wanted.target.name} from {urlsplit(self.url).hostname}: {message}")

    def _receive(self) -> None:
        """Ask for what is missing, and for everything if the answer does not fit to what is there."""
        partial, wanted = self.partial, self.wanted
        if not wanted.provable or partial.size > wanted.most:
            partial.clear()
        if partial.size == wanted.size or self._take():
            return
        partial.clear()
        if not self._take():
            raise RefusalError("it sent another part of the file than it was asked for")

    def _take(self) -> bool:
        """Make one request and write what comes; return False if it does not fit to what is there."""
        partial = self.partial
        headers = {"Range": f"bytes={partial.size}-"} if partial.size else {}
        with http_replies.answer(self.session, self.url, headers) as response:
            start, total = http_replies.extent(response)
            if response.status_code != 416 and http_replies.sends_html(response):
                raise RefusalError("it sent a web page instead of the file")
            self._check_total(total)
            if response.status_code == 416:
                return self._is_all(total)
            if start == 0:
                partial.clear()
            elif start != partial.size:
                return False
            partial.joined = partial.size > 0
            self._save(response, self.wanted.size if total is None else total)
            return True

    def _check_total(self, total: int | None) -> None:
        if total is None:
            return
        if self.wanted.size not in {None, total}:
            raise RefusalError(f"it has a file of {total} bytes instead of {self.wanted.size}")
        if total > self.wanted.limit:
            raise RefusalError(f"it has a file of {total} bytes, more than the limit of {self.wanted.limit}")

    def _is_all(self, total: int | None) -> bool:
        """Return whether there is nothing behind what is there: the proof shows whether that is the file."""
        size = self.partial.size
        return size > 0 and (size == total or (total is None and self.wanted.size is None))

    def _save(self, response: requests.Response, total: int | None) -> None:
        partial = self.partial
        with progress.bar(
            total, self.wanted.target.name, "B", initial=partial.size, quiet=self.quiet
        ) as shown:
            for piece in http_replies.received(response):
                if partial.size + len(piece) > self.wanted.most:
                    self._give_up(f"it sent more than the expected {self.wanted.most} bytes")
                partial.append(piece)
                new = partial.size - len(piece) < len(partial.head)
                if new and http_replies.begins_like_html(partial.head):
                    self._give_up("it sent a web page instead of the file")
                shown.advance(len(piece))
        if total is not None and partial.size < total:
            raise PassingError("the connection ended early")

    def _give_up(self, reason: str) -> None:
        self.partial.clear()
        raise RefusalError(reason)


def without_password(address: str) -> str:
    """Return an address without the name and the password that may be in it.

    Examples:
        >>> without_password("https://me:secret@host/file")
        'https://host/file'
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
