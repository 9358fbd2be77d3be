"""From a job to a dataset on disk that is proven to be what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.errors import FormatError
from stirdata.executors import Workers, available_cores
from stirdata.families.family import Family, Identity, Job, Material, Problem, Recipe
from stirdata.manifest import Manifest
from stirdata.storage.forms import MD5_NAME
from stirdata.storage.image_bytes import BlockedArray
from stirdata.storage.saving import prepare, save
from stirdata.storage.stored import stand_in

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Written:
    """A dataset that was made and written."""

    manifest: Manifest
    identity: Identity | None
    notes: tuple[str, ...]


def make_and_save(
    family: Family, job: Job, target: Path, form: str, workers: Workers, advance: Advance = lambda count: None
) -> Written:
    """Make a dataset, write it, and prove what it is; hold the lock of ``target``, which is replaced.

    Args:
        family: Of the dataset.
        job: The dataset.
        target: A file, or a folder for the forms ``npy`` and ``png``.
        form: One of the family's.
        workers: Where to work.
        advance: Called with the number of images finished, from any thread, now and then.

    Raises:
        SourceError: The raw material is damaged or another one.
        SourceUnavailableError: The raw material can be neither found nor downloaded.
        TargetError: The output cannot be written.
        FormatError: The arrays break the layout, or a dataset that is the same everywhere came out different
            from the published or pinned one; nothing was written.
    """
    prepare(form, workers)
    making, saving = (_silent, advance) if form == "png" else (advance, _silent)  # the slower step shows
    made = job.make(workers, making)
    dataset = job.description.dataset
    check_layout(family, made.arrays, dataset, form, where=target)
    _check_room(made.arrays, target, form)
    identities: list[Identity | None] = []
    manifest = save(
        target,
        form,
        made.arrays,
        job.description,
        family.layout,
        attributes=family.attributes(job.description),
        workers=workers,
        versions=made.versions,
        accept=lambda manifest: identities.append(_accepted(family, job, manifest)),
        advance=saving,
    )
    notes = family.difference(dataset, job.description, digests_of(manifest), lambda: made.arrays)
    return Written(manifest, identities[0], (*made.notes, *notes))


def _check_room(arrays: Mapping[str, Any], target: Path, form: str) -> None:
    """Raise TargetError if a disk has not the room for arrays that are yet to be computed.

    Of the forms that are not compressed; what is in memory already is written soon enough to find out.
    """
    if form not in ("h5", "npy"):
        return
    needed = sum(array.nbytes for array in arrays.values() if isinstance(array, BlockedArray))
    atomic.check_room(
        target, needed, "fewer factors or a smaller canvas take less; another disk is named by --out"
    )


def ensure(family: Family, recipe: Recipe, parameters: Any, root: Path) -> Path:
    """Return the path of a dataset below a folder; make it there, in the first form, if it is missing.

    Raises:
        SourceUnavailableError: The raw material can be neither found nor downloaded.
        TargetError: The folder cannot be written to.
    """
    form = family.layout.forms[0]
    target = root / family.output_name(recipe, parameters, form)
    with locks.locked(target), Workers(available_cores()) as workers:
        atomic.restore_folder(target)
        if not target.exists():
            make_and_save(family, recipe.plan(parameters, Material()), target, form, workers)
    return target


def _silent(count: int) -> None:
    """Count nothing."""


def digests_of(manifest: Manifest) -> dict[str, str]:
    """Return the digests of a manifest's arrays."""
    return {name: entry.sha256 for name, entry in manifest.arrays.items()}


def check_layout(family: Family, arrays: Mapping[str, Any], dataset: str, form: str, where: object) -> None:
    """Raise FormatError on the first breach of a family's layout by arrays that are about to be written."""
    refuse(family, family.problems(without_images(family, arrays), dataset, form), where)


def without_images(family: Family, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of a dataset; of those of images only type and shape."""
    return {
        name: stand_in(array.shape, array.dtype) if name in family.images else array
        for name, array in arrays.items()
    }


def refuse(family: Family, problems: Sequence[Problem], where: object) -> None:
    """Raise FormatError on the first of some breaches of a layout; nothing if there is none."""
    if problems:
        raise FormatError(
            f"the array {problems[0].name} is not of {family.title}",
            where=where,
            expected=problems[0].expected,
            got=problems[0].found,
            hint="generate or fetch the dataset again",
        )


def identity_of(family: Family, manifest: Manifest) -> Identity | None:
    """Return the published or pinned dataset that a manifest describes, by its digests."""
    return family.identify(manifest.dataset, digests_of(manifest), manifest.checksums.get(MD5_NAME))


def _accepted(family: Family, job: Job, manifest: Manifest) -> Identity | None:
    """Return what was made; raise FormatError if it had to be something else."""
    identity = identity_of(family, manifest)
    reference = family.reference(manifest.dataset, job.description)
    if identity is None and reference is not None and reference.exact:
        raise FormatError(
            f"the arrays are not the {reference.kind} ones; nothing was written",
            expected=f"the arrays of {reference.where}",
            hint="this machine or its NumPy computes differently; please report it",
        )
    return identity
