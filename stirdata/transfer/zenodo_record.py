"""What a Zenodo record says of its files, in every form in which Zenodo has said it, and the lock file.

The lock file keeps what a record said when its files were first fetched. From then on it decides what the
right files are. Its bytes depend on nothing but its content.

Source: the interface as described in Zenodo's public server source, and replies of 2023 and 2025.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from stirdata import atomic
from stirdata.errors import LockError, SourceError

SCHEMA = "stirdata/zenodo-lock/1"
FORGET = "fetch into another folder by --dest; or, if you want what is published now, remove this lock file"

_DIGITS = {"md5": 32, "sha256": 64}

LARGEST_FILE = 1 << 40
"""Bytes; a record that claims more is wrong."""

_LONGEST_NAME = 255  # bytes, on most file systems
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_MD5 = re.compile(r"(?:md5:)?([0-9a-f]{32})", re.IGNORECASE)
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class RecordFile:
    """One file of a record: its name there, size in bytes, MD5 in hexadecimal digits, and address."""

    key: str
    size: int
    md5: str
    url: str


@dataclass(frozen=True)
class Record:
    """What a record says.

    Attributes:
        id: Of this version.
        concept: The id that stands for all versions; empty if the reply has none.
        doi: Empty if the reply has none.
        title: Empty if the reply has none.
        license: As Zenodo abbreviates it; empty if the reply has none.
        files: By name; empty if the record is restricted.
    """

    id: str
    concept: str
    doi: str
    title: str
    license: str
    files: Mapping[str, RecordFile]


def parse(content: Any, address: str, site: str) -> Record:
    """Return what a reply of Zenodo says.

    Args:
        content: The JSON value.
        address: Where it came from: what its links are relative to, and named in errors.
        site: Address that web pages of records are below, without a slash at the end.

    Raises:
        SourceError: It is no record, or lists files that are dangerous or cannot be proven.
    """
    if not isinstance(content, dict):
        raise _malformed(address, "an object", type(content).__name__)
    record_id = _id(content.get("id", content.get("recid")))
    if not record_id:
        raise _malformed(address, "the number of the record as id", repr(content.get("id"))[:80])
    listed = content.get("files")
    if not isinstance(listed, list):
        raise _malformed(address, "a list of files", type(listed).__name__)
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Record(
        id=record_id,
        concept=_id(content.get("conceptrecid")),
        doi=_text(content.get("doi")) or _text(metadata.get("doi")),
        title=_text(content.get("title")) or _text(metadata.get("title")),
        license=_license(metadata.get("license")),
        files=_files(listed, address, f"{site}/records/{record_id}/files"),
    )


def _files(listed: list[Any], address: str, pages: str) -> dict[str, RecordFile]:
    files: dict[str, RecordFile] = {}
    seen: set[str] = set()
    for entry in listed:
        file = _file(entry, address, pages)
        if file.key.casefold() in seen:
            raise _malformed(address, "each file once", f"{file.key!r} twice")
        seen.add(file.key.casefold())
        files[file.key] = file
    return files


def _file(entry: Any, address: str, pages: str) -> RecordFile:
    if not isinstance(entry, dict):
        raise _malformed(address, "an object per file", type(entry).__name__)
    key: Any = entry.get("key", entry.get("filename"))
    if problem := name_problem(key):
        raise SourceError(
            "the record lists a file with a dangerous name",
            where=address,
            expected="a plain name",
            got=f"{key!r:.200}, which {problem}",
            hint="nothing was written; do not trust this record",
        )
    md5 = _MD5.fullmatch(_text(entry.get("checksum")))
    if md5 is None:
        raise _malformed(address, f"an MD5 of {key}", repr(entry.get("checksum"))[:80])
    size = _size(entry.get("size", entry.get("filesize")))
    if size is None:
        found = repr(entry.get("size", entry.get("filesize")))[:80]
        raise _malformed(address, f"a size of {key} from 0 to {LARGEST_FILE} bytes", found)
    return RecordFile(key, size, md5[1].lower(), _content_url(entry.get("links"), key, address, pages))


def name_problem(name: Any) -> str:
    r"""Say why a file from outside must not get its name; nothing if it may.

    A name may have folders in it. What some other system would take for a device, a drive or a way
    out of the folder is refused on every system.

    Examples:
        >>> name_problem("my file.npz"), name_problem("../evil")
        ('', 'leads out of the folder')
    """
    if not isinstance(name, str) or not name:
        return "is no name"
    if name.startswith("/"):
        return "is an absolute path"
    if _FORBIDDEN.search(name):
        return "has forbidden characters"
    return next((problem for part in name.split("/") if (problem := _part_problem(part))), "")


def _part_problem(part: str) -> str:
    if part in {"", ".", ".."}:
        return "leads out of the folder"
    if part != part.rstrip(" .") or part.startswith(" ") or _DEVICES.fullmatch(part.replace(" ", "")):
        return "is not a file's name on every system"
    try:
        length = len(part.encode())
    except UnicodeEncodeError:  # half of a character pair, which JSON can say
        return "is no text"
    return "is too long" if length > _LONGEST_NAME else ""


def _content_url(links: Any, key: str, address: str, pages: str) -> str:
    """Return where the bytes are: what the record links, unless that is a page about the file."""
    link = _text(links.get("self")) if isinstance(links, dict) else ""
    try:
        linked = urljoin(address, link)
        parts = urlsplit(linked)
    except ValueError as error:
        raise _malformed(address, f"the address of {key}", f"{link!r:.200}") from error
    if not link or not parts.path.endswith("/content"):
        return f"{pages}/{quote(key)}?download=1"
    allowed = {"https"} if urlsplit(address).scheme == "https" else {"http", "https"}
    if parts.scheme not in allowed or not parts.hostname:
        raise _malformed(address, f"an address of {key} by {' or '.join(sorted(allowed))}", f"{link!r:.200}")
    return linked


def _size(value: Any) -> int | None:
    """Return a whole number from 0 to the largest size; JSON has been seen to say 3738.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_FILE:
        return None
    return int(value) if value == int(value) else None


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if _ID.fullmatch(text) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _license(value: Any) -> str:
    return _text(value.get("id")) if isinstance(value, dict) else _text(value)


def _malformed(address: str, expected: str, got: str) -> SourceError:
    return SourceError(
        "the reply is no record of Zenodo that stirdata understands",
        where=address,
        expected=expected,
        got=got,
        hint="try again later, name another record by --record, or report it if it lasts",
    )


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


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file; hold the lock of ``path``."""
    with atomic.new_file(path) as partial:
        partial.write_bytes(lock.dumps().encode())


def read_lock(path: Path) -> Lock | None:
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
    files = {name: _locked_file(name, entry, path) for name, entry in listed.items()}
    return Lock(**{name: str(text) for name, text in texts.items()}, files=files)


def _locked_file(name: str, entry: Any, path: Path) -> LockedFile:
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
