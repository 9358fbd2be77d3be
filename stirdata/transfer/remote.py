"""Files whose right content is known before they are downloaded, and the addresses they can be had from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stirdata.errors import ParameterError
from stirdata.transfer.fetch import Fetched, fetch


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be had from several places.

    Attributes:
        name: Of the file.
        mirrors: Addresses of folders that have it, with a slash at the end.
        size: Bytes of the original file; copies may be compressed otherwise.
        check: Raises SourceError if the file at the path it gets is not the right one.
    """

    name: str
    mirrors: Sequence[str]
    size: int
    check: Callable[[Path], None]

    @property
    def limit(self) -> int:
        """Return the most bytes that a copy may have."""
        return 2 * self.size

    def fetch(
        self,
        folder: Path,
        *,
        mirrors: Sequence[str] = (),
        offline: bool | None = None,
        quiet: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Fetched:
        """Bring the file into a folder; see :func:`stirdata.transfer.fetch.fetch`.

        Args:
            folder: Made if it does not exist.
            mirrors: Tried before the known ones.
            offline: Make no connection.
            quiet: Show no progress bar.
            say: Told what is waited for.
        """
        addresses = [mirror if mirror.endswith("/") else f"{mirror}/" for mirror in mirrors]
        return fetch(
            [f"{address}{self.name}" for address in (*addresses, *self.mirrors)],
            folder / self.name,
            check=self.check,
            limit=self.limit,
            quiet=quiet,
            offline=offline,
            say=say,
        )


def checked_address(address: str, where: str) -> str:
    """Return the address of a server or a folder on it.

    Raises:
        ParameterError: It is no http or https address, or has a query.
    """
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or set(address) & set("?#\\") or re.search(r"\s", address):
        raise ParameterError(
            "this is no address of a server", where=where, expected="https://HOST/…", got=repr(address)
        )
    return address
