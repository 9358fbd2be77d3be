"""Files whose right content is known before they are downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
