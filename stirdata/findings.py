"""What verification finds out: hashes of what is there, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stirdata.errors import StirdataError
from stirdata.manifest import FileEntry


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``missing``, ``extra``, ``differs``, ``unreadable``, ``malformed`` or ``unknown``.
        name: The file or array.
        expected: What should have been there, if anything.
        found: What is there.
    """

    kind: str
    name: str
    expected: str = ""
    found: str = ""

    def sentence(self) -> str:
        """Return the finding as one line."""
        parts = [f"{self.kind}: {self.name}"]
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [f"found {self.found}"] if self.found else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Content:
    """What is on disk.

    Attributes:
        files: Size and hash of each file, by path.
        arrays: SHA-256 of each array, by name; empty if they could not be read.
        md5: Of the PNG files of a tree.
        findings: Why arrays could not be read, and what breaks the dataset's schema.
        remarks: Further facts, one line each.
    """

    files: dict[str, FileEntry]
    arrays: dict[str, str]
    md5: str | None = None
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()


class Identity(Protocol):
    """Which published or pinned dataset something is."""

    def sentence(self) -> str:
        """Return the identity as one line."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        ...


def unreadable(path: Path, error: StirdataError) -> Finding:
    """Return the finding for a file that could not be read."""
    where = error.where if error.where is not None else path
    got = "" if error.got is None else f" ({error.got})"
    return Finding("unreadable", str(where), str(error.expected or ""), error.what + got)


def compare_arrays(expected: Mapping[str, str], found: Mapping[str, str]) -> list[Finding]:
    """Compare the hashes of arrays by name."""
    findings = []
    for name, sha256 in expected.items():
        if name not in found:
            findings.append(Finding("missing", f"array {name}", f"sha256 {sha256}"))
        elif found[name] != sha256:
            findings.append(Finding("differs", f"array {name}", f"sha256 {sha256}", f"sha256 {found[name]}"))
    return findings
