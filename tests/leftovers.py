"""What systems leave behind in people's folders, for tests that it does not matter."""

from __future__ import annotations

from pathlib import Path

FILES = (".DS_Store", "Thumbs.db", "Desktop.ini", ".directory", ".nfs000000000002a4f100000001")
FOLDERS = ("@eaDir", "__MACOSX", "$RECYCLE.BIN", ".@__thumb", "lost+found")


def litter(folder: Path) -> None:
    """Put leftovers into a folder and all folders below it, some with the names of the files there."""
    for place in [folder, *[path for path in folder.rglob("*") if path.is_dir()]]:
        files = [path for path in place.iterdir() if path.is_file()]
        for name in FILES:
            (place / name).write_bytes(b"left behind")
        for path in files:
            (place / f"._{path.name}").write_bytes(b"left behind")
        for name in FOLDERS:
            (place / name).mkdir()
            for path in files:
                (place / name / path.name).write_bytes(b"left behind")
