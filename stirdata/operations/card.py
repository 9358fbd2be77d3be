"""Writing what says what a dataset is: a page, a dataset card, and Croissant."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.arguments import checked_path
from stirdata.errors import ParameterError, TargetError, TargetExistsError
from stirdata.families.recognition import recognize
from stirdata.loading.records import Records
from stirdata.manifest import SUMS_NAME
from stirdata.operations.info import about_of, information
from stirdata.operations.show import Choice, contact_sheet, picture_of
from stirdata.sharing.about import as_text
from stirdata.sharing.card import card as as_card
from stirdata.sharing.croissant import croissant
from stirdata.sharing.dataset_page import dataset_page

NAMES = ("README.md", "croissant.json", "index.html")
"""What a card consists of."""

_SMALL = 40
"""Pixels up to which images are enlarged on the page."""
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


@dataclass(frozen=True)
class Card:
    """A card on disk.

    Attributes:
        path: The folder.
        files: Names of the files in it.
        already_there: All of them were there before, with the same bytes.
        notes: What the user should know about it, one sentence each.
    """

    path: Path
    files: tuple[str, ...]
    already_there: bool
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {**vars(self), "path": str(self.path), "files": list(self.files), "notes": list(self.notes)}


def card(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    url: str = "",
    published: str = "",
    force: bool = False,
) -> Card:
    """Write ``README.md``, ``croissant.json`` and ``index.html`` of a dataset into a folder.

    They are meant to lie beside the files of the dataset, which they name relative to themselves. Nothing is
    verified: what they say of the files is what the manifest says.

    Args:
        source: A dataset; see :func:`stirdata.families.recognition.recognize`.
        out: The folder; what else is in it is left alone.
        url: Where the dataset is published; empty for the page of the article that it cites first.
        published: When: a year, or a date as 2026-11-27; empty for the year of that article.
        force: Replace files of these names that are different.

    Raises:
        MissingFileError: There is no such dataset.
        ParameterError: The date is none, or the address is none.
        FormatError: The dataset is damaged.
        TargetExistsError: A file of these names exists and is another one.
        TargetError: The files cannot be written.
    """
    if published and not _DATE.fullmatch(published):
        raise ParameterError(
            "this is no date", where="published", expected="2026, 2026-11 or 2026-11-27", got=published
        )
    if url and not re.match(r"https?://", url):
        raise ParameterError("this is no address", where="url", expected="https://…", got=url)
    found, folder = recognize(checked_path("source", source)), checked_path("out", out)
    told = information(found.path)
    about, records = about_of(told), Records(found.family.loader()(found.path))
    described = croissant(about, records, url=url, date=published)
    reading, verifying = _reading(about.file, records), _verifying(about.file)
    zoom = 2 if max(records.image_shape[:2]) <= _SMALL else 1
    sheet = picture_of(contact_sheet(found.path, Choice(zoom=zoom)))
    page = dataset_page(about, records, sheet, reading=reading, verifying=verifying, manifest=told.manifest)
    readme = as_card(about, records, reading=reading, verifying=verifying)
    contents = dict(zip(NAMES, (readme, as_text(described), page), strict=True))
    already_there = _write(folder, contents, force=force)
    return Card(folder, NAMES, already_there, _notes(described, bool(told.manifest)))


def _write(folder: Path, contents: dict[str, bytes], *, force: bool) -> bool:
    """Write files into a folder, all or none; tell whether they were there already."""
    targets = [folder / name for name in contents]
    if folder.exists() and not folder.is_dir():
        raise TargetError("a file is where a folder should go", where=folder, hint="choose another output")
    with locks.locked(targets[0]):
        other = [
            path
            for path, content in zip(targets, contents.values(), strict=True)
            if path.exists() and not (path.is_file() and path.read_bytes() == content)
        ]
        if not other and all(path.exists() for path in targets):
            return True
        if other and not force:
            raise TargetExistsError(
                "the output exists and is another file",
                where=other[0],
                hint="use --force to replace it, or choose another output",
            )
        with atomic.no_empty_parents(targets[0]), atomic.new_files(*targets) as partials:
            for partial, content in zip(partials, contents.values(), strict=True):
                partial.write_bytes(content)
    return False


def _reading(file: str, records: Records) -> str:
    split = next(iter(records.counts))
    return (
        "import stirdata\n\n"
        f'dataset = stirdata.load("{file}")\n'
        f'images, labels = dataset.to_torch("{split}", device="cuda")'
    )


def _verifying(file: str) -> str:
    return f"stirdata verify {file}\n# or, without stirdata\nsha256sum -c {SUMS_NAME}"


def _notes(described: dict[str, Any], has_manifest: bool) -> tuple[str, ...]:
    """Return what the description lacks, and how to say it."""
    missing = {
        "datePublished": "no year is known in which it was published: --published says it",
        "url": "no address is known where it is published: --url says it",
        "citeAs": "nothing is known that is to be cited",
        "creator": "nobody is known who made it: the first line of its citation does not begin with authors",
    }
    notes = [text for name, text in missing.items() if name not in described]
    notes += [] if has_manifest else ["it has no manifest, so the card names no files and no digests"]
    return tuple(notes)
