"""A small Zenodo for tests: a record with small STIR sets, on the server of this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from server import Reply, Server, json_reply
from stir_fixtures import small_frame, small_set

from stirdata.executors import InProcess
from stirdata.storage import deflated_npz

NUMBER = "6578038"
API = f"/api/records/{NUMBER}"
EMOJI = f"{API}/files/emoji.npz/content"
LOCK = "stir-zenodo.lock.json"
BESIDE = {LOCK, "SHA256SUMS"}
NAMES = ("emoji", "mnist", "trafficsign", "aerial")


def md5(content: bytes) -> str:
    """Return the MD5 of a file."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()


@cache
def npz_of(name: str) -> bytes:
    """Return the file of a small set, another one for each name."""
    frame = small_frame(instances=1 + NAMES.index(name), channels=1 if name in NAMES[:2] else 3)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        deflated_npz.write(path, small_set(frame).as_dict(), InProcess(), 1)
        return path.read_bytes()


def published() -> dict[str, bytes]:
    """Return the four files by name."""
    return {f"{name}.npz": npz_of(name) for name in NAMES}


def record(
    server: Server, files: Mapping[str, bytes], number: str = NUMBER, concept: str = "6578037"
) -> dict[str, Any]:
    """Return what Zenodo says of a record today."""
    entries = [
        {
            "id": f"id of {name}",
            "key": name,
            "size": len(content),
            "checksum": f"md5:{md5(content)}",
            "links": {"self": server.url(f"/api/records/{number}/files/{name}/content")},
        }
        for name, content in files.items()
    ]
    return {
        "id": int(number),
        "recid": number,
        "conceptrecid": concept,
        "doi": f"10.5281/zenodo.{number}",
        "title": "STIR",
        "metadata": {"title": "STIR", "license": {"id": "cc-by-4.0"}},
        "links": {"self": server.url(f"/api/records/{number}")},
        "files": entries,
        "state": "done",
        "submitted": True,
    }


def record_of_2023(
    server: Server, files: Mapping[str, bytes], number: str = NUMBER, concept: str = "6578037"
) -> dict[str, Any]:
    """Return what Zenodo said of a record in October 2023."""
    content = record(server, files, number, concept)
    content["files"] = [
        {
            "id": entry["id"],
            "filename": entry["key"],
            "filesize": entry["size"],
            "checksum": entry["checksum"].removeprefix("md5:"),
            "links": {"self": server.url(f"/api/files/bucket/{entry['key']}")},
        }
        for entry in content["files"]
    ]
    return content


def publish(server: Server, files: Mapping[str, bytes] | None = None, number: str = NUMBER) -> None:
    """Let a server have a record with files, at both of their addresses."""
    files = published() if files is None else files
    server.add(f"/api/records/{number}", json_reply(record(server, files, number)))
    for name, content in files.items():
        reply = Reply(content)
        server.add(f"/api/records/{number}/files/{name}/content", reply)
        server.add(f"/records/{number}/files/{name}", reply)


def paths(server: Server) -> list[str]:
    """Return what was asked for, in order."""
    return [request.path for request in server.requests]


def whole(name: str) -> set[str]:
    """Return the names of what belongs to a set that was fetched."""
    return {f"{name}.npz", f"{name}.npz.manifest.json"}
