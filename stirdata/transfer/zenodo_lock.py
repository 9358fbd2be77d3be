"""The lock file: what a record of Zenodo said when its files were first fetched.

From then on it decides what the right files are. Its bytes depend on nothing but its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stirdata import atomic
from stirdata.errors import LockError
from stirdata.transfer.zenodo_record import LARGEST_FILE, Record, RecordFile, name_problem

SCHEMA = "stirdata/zenodo-lock/1"
FORGET = "fetch into another folder by --dest; or, if you want what is published now, remove this lock file"

_DIGITS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class LockedFile:
    """One file: size in bytes, hashes in hexadecimal digits, and where it was published."""

    size: int
    md5: str
    sha256: str
    url: str


@dataclass(frozen=True)
class Lock:
    """What is in a lock file.

    Attributes:
        asked: Number of the record that was asked for; it may stand for all versions.
        record: Number of the record that answered.
        doi: Of that record, or empty.
        files: Those that were fetched, by name.
    """

    asked: str
    record: str
    doi: str
    files: Mapping[str, LockedFile] = field(default_factory=dict)

    def with_file(self, name: str, file: LockedFile) -> Lock:
        """Return a lock that has one more file in it."""
        return replace(self, files={**self.files, name: file})

    def dumps(self) -> str:
        """Return the lock as JSON text; always the same text."""
        content = {"schema": SCHEMA, **asdict(self)}
        content["files"] = {name: asdict(self.files[name]) for name in sorted(self.files)}
        return json.dumps(content, indent=1, ensure_ascii=True) + "\n"


def write(path: Path, lock: Lock) -> None:
    """Write a lock file; hold the lock of ``path``."""
    with atomic.new_file(path) as partial:
        partial.write_bytes(lock.dumps().encode())


def read(path: Path) -> Lock | None:
    """Return what a lock file says, None if there is none.

    Raises:
        LockError: It is damaged.
    """
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _damaged(path, "a file that can be read", error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "JSON", error) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise _damaged(path, f"the schema {SCHEMA}", "another one, or none")
    texts = {name: content.get(name) for name in ("asked", "record", "doi")}
    listed = content.get("files")
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(listed, dict):
        raise _damaged(path, "asked, record and doi as text, and files", "something else")
    files = {name: _file(name, entry, path) for name, entry in listed.items()}
    return Lock(**{name: str(text) for name, text in texts.items()}, files=files)


def _file(name: str, entry: Any, path: Path) -> LockedFile:
    if name_problem(name) or not isinstance(entry, dict) or set(entry) != {"size", "url", *_DIGITS}:
        raise _damaged(path, "size, md5, sha256 and url of each file", f"{name!r:.200}")
    size, url = entry["size"], entry["url"]
    right = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= LARGEST_FILE
    for kind, length in _DIGITS.items():
        digits = entry[kind]
        right = right and isinstance(digits, str) and bool(re.fullmatch(f"[0-9a-f]{{{length}}}", digits))
    if not right or not isinstance(url, str):
        raise _damaged(path, "a size, hashes and an address", f"something else for {name}")
    return LockedFile(**entry)


def check_asked(lock: Lock, number: str, path: Path) -> None:
    """Raise LockError unless a lock is that of a record."""
    if number not in {lock.asked, lock.record}:
        raise LockError(
            "the lock file beside the files is that of another record",
            where=path,
            expected=f"record {number}",
            got=f"record {lock.record}",
            hint=FORGET,
        )


def check_record(lock: Lock, record: Record, path: Path) -> None:
    """Raise LockError if a record no longer says of the files in a lock what it said first."""
    if record.id != lock.record:
        raise _changed(path, f"record {lock.record}", f"record {record.id}")
    for name, locked in lock.files.items():
        published = record.files.get(name)
        if published is None:
            raise _changed(path, f"a file {name}", "no such file in the record")
        if (published.size, published.md5) != (locked.size, locked.md5):
            raise _changed(path, _facts(name, locked), _facts(name, published))


def _facts(name: str, file: LockedFile | RecordFile) -> str:
    return f"{name} of {file.size} bytes with md5 {file.md5}"


def _changed(path: Path, expected: str, got: str) -> LockError:
    return LockError(
        "the record says something else than when its files were first fetched",
        where=path,
        expected=expected,
        got=got,
        hint=FORGET,
    )


def _damaged(path: Path, expected: str, got: object) -> LockError:
    return LockError(
        "the lock file is damaged",
        where=path,
        expected=expected,
        got=got,
        hint="bring back its right content; or, if you want what is published now, remove it",
    )
