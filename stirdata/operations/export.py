"""Writing a dataset for other tools, with what says what it is."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.arguments import checked_integer, checked_path
from stirdata.errors import FormatError, MissingFileError, ParameterError, TargetExistsError
from stirdata.executors import Workers, available_cores
from stirdata.families.recognition import Recognized, recognize
from stirdata.loading.records import Records
from stirdata.manifest import (
    EXPORT,
    EXPORT_NAME,
    FileEntry,
    Manifest,
    describe_file,
    files_below,
    is_export,
    manifest_path,
)
from stirdata.operations.info import Information, about_of, information
from stirdata.operations.standing import Outcome, check_apart, standing_outcome
from stirdata.operations.verify import verify
from stirdata.sharing import FORMS, SHARD_SIZE
from stirdata.sharing.about import as_text
from stirdata.sharing.card import card
from stirdata.sharing.targets import Export, Target, target_named
from stirdata.storage.forms import Description
from stirdata.storage.saving import manifest_for, save_folder

CARD_NAME = "README.md"

_VERSION = 1
_VERIFYING = "sha256sum -c SHA256SUMS --quiet\n# or\nstirdata verify ."


def export(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    to: str,
    *,
    shard_size: int = SHARD_SIZE,
    lossy: bool = False,
    unverified: bool = False,
    force: bool = False,
    workers: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> Outcome:
    """Write a dataset for other tools, as a folder with its card, its description, and a manifest.

    Args:
        source: A dataset; see :func:`stirdata.families.recognition.recognize`.
        target: The folder; whole or not at all.
        to: One of :data:`stirdata.sharing.FORMS`.
        shard_size: Images per file at most, where a split may be several files, 1 or more.
        lossy: Go on where the form cannot hold all that the dataset has.
        unverified: Export a dataset that has no manifest or differs from it.
        force: Replace another export.
        workers: Threads that encode; None for the cores. The bytes do not depend on it.
        advance: Called with the number of images written, now and then.

    Raises:
        MissingFileError: The source does not exist, or has no manifest.
        ParameterError: An argument is wrong, or source and target lie in each other.
        FormatError: The source is damaged, differs from its manifest, or has what the form cannot hold.
        MissingLibraryError: A package is missing that writes the form.
        TargetExistsError: The target exists and is something else.
        TargetError: The target cannot be written, or there is no room for it.
    """
    if to not in FORMS:
        raise ParameterError("unknown form", where="to", expected=", ".join(FORMS), got=to)
    size, form = checked_integer("shard_size", shard_size, 1), target_named(to)
    form.check_installed()
    found, output = recognize(checked_path("source", source)), checked_path("target", target)
    check_apart(found.path, output)
    count = available_cores() if workers is None else checked_integer("workers", workers, 1)
    with Workers(count) as places, locks.locked(output):
        atomic.restore_folder(output)
        told = information(found.path)
        description = _description(found, told, form, size, lossy=lossy)
        _check_replaceable(output)
        standing = standing_outcome(output, description, places, force=force)
        if standing is not None:
            return standing
        if not unverified:
            _check_verified(found, places)
        records = Records(found.family.loader()(found.path))
        about = about_of(told)
        job = Export(records, about, size, lossy, places.threads(), advance or (lambda count: None))
        notes = _losses(form, job)
        atomic.check_room(output, form.size(job), "another disk has more room")

        def write(folder: Path) -> list[FileEntry]:
            form.write(folder, job)
            (folder / EXPORT_NAME).write_bytes(as_text(about.as_json(records)))
            (folder / CARD_NAME).write_bytes(_card(form, job, notes))
            return [
                describe_file(file, file.relative_to(folder).as_posix()) for file in files_below(folder)[0]
            ]

        def describe(files: list[FileEntry]) -> Manifest:
            versions = {"zlib": zlib.ZLIB_RUNTIME_VERSION}
            return manifest_for(
                records.entries, description, files, ("numpy", *form.libraries), versions=versions
            )

        made = save_folder(output, write, describe)
    return Outcome(output, made.seed, made.root, False, None, tuple(notes))


def _description(
    found: Recognized, told: Information, form: Target, shard_size: int, *, lossy: bool
) -> Description:
    """Return what the manifest of an export says; without a manifest the source is told by its files."""
    manifest, facts = told.manifest, found.facts()
    source: dict[str, Any] = {"name": str(facts.get("dataset", found.family.name))}
    if manifest is not None:
        source |= {"root": manifest.root, "arrays": {name: a.sha256 for name, a in manifest.arrays.items()}}
    else:
        files = files_below(found.path)[0] if found.path.is_dir() else [found.path]
        root = found.path if found.path.is_dir() else found.path.parent
        named = [(file, file.relative_to(root).as_posix()) for file in files]
        source |= {"files": {name: describe_file(file, name).sha256 for file, name in named}}
    return Description(
        dataset=EXPORT,
        recipe={"name": f"{EXPORT}-{form.name}", "version": _VERSION},
        parameters={**({"shard_size": shard_size} if form.sharded else {}), "lossy": lossy},
        seed=int(facts.get("seed", 0)),
        sources=[source],
        license=told.license,
        citation=list(told.citation),
    )


def _check_replaceable(output: Path) -> None:
    """Raise TargetExistsError for what is there and is no export, which even ``force`` does not replace."""
    if output.exists() and not is_export(output) and not (output.is_dir() and not any(output.iterdir())):
        raise TargetExistsError(
            "the output exists and is no export", where=output, hint="choose another output"
        )


def _check_verified(found: Recognized, workers: Workers) -> None:
    """Raise unless a dataset is what its manifest says."""
    hint = "--unverified exports it as it is"
    if found.manifest is None:
        raise MissingFileError(
            "the dataset has no manifest by which to verify it",
            where=found.path,
            expected=manifest_path(found.path),
            hint=hint,
        )
    report = verify(found.path, workers=workers)
    if not report.ok:
        raise FormatError(
            "the dataset does not verify", where=found.path, got=report.findings[0].sentence(), hint=hint
        )


def _losses(form: Target, job: Export) -> list[str]:
    """Return what an export loses, as notes; raise FormatError if that is not allowed."""
    losses = form.losses(job)
    if losses and not job.lossy:
        raise FormatError(
            f"the form {form.name} cannot hold all that the dataset has",
            where=job.records.dataset.path,
            got="; ".join(losses),
            hint="--lossy exports it nevertheless",
        )
    return losses


def _card(form: Target, job: Export, notes: list[str]) -> bytes:
    told = (
        "The same dataset always gives the same images, labels and columns, and the same bytes of the files"
    )
    told += f" where {form.bytes_depend_on} are the same." if form.bytes_depend_on else "."
    return card(
        job.about,
        job.records,
        reading=f"# in this folder\n{form.reading(job)}",
        verifying=_VERIFYING,
        head=form.head(job),
        features=form.features(job),
        notes=[told, *notes],
    )
