"""Making STIR sets on disk, once and completely, or only comparing them with the pinned result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata import atomic, pinned_stir
from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.executors import threads
from stirdata.findings import Finding, compare_arrays
from stirdata.manifest import Manifest, load, manifest_path, pinned
from stirdata.outputs import Outcome, difference, standing_outcome
from stirdata.storage import stir as storage
from stirdata.verification import Identity, identify

if TYPE_CHECKING:
    from stirdata.stir_sets import Advance, Made, StirJob


@dataclass(frozen=True)
class Checked:
    """What comparing a freshly computed set came to.

    Attributes:
        compared_with: What the reference is.
        findings: The arrays that differ.
        notes: What the user should know, one sentence each.
    """

    compared_with: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def generate_stir(
    job: StirJob, target: Path, *, force: bool = False, workers: int = 1, advance: Advance | None = None
) -> Outcome:
    """Make a set and write it with its manifest and SHA256SUMS.

    Args:
        job: The set.
        target: A name ending in .npz.
        force: Replace an output that exists and is something else.
        workers: Threads to compress with.
        advance: Called with the number of images finished, from any thread, now and then.

    Raises:
        ParameterError: The name does not end in .npz, or a parameter makes no sense.
        TargetExistsError: The output exists and is not what was asked for.
        TargetError: The output cannot be written.
        SourceError: The raw material is damaged or another one.
        SourceUnavailableError: The raw material can be neither found nor downloaded.
        MissingLibraryError: An optional library is needed.
        FormatError: A set that is the same everywhere came out different from the pinned one.
    """
    check_target(target)
    with atomic.locked(target), threads(workers) as executor:
        standing = standing_outcome(target, job.description, executor, force=force)
        if standing is not None:
            return standing
        made = job.make(advance or (lambda count: None))
        identities: list[Identity | None] = []
        manifest = storage.save(
            target,
            made.arrays,
            job.description,
            executor=executor,
            workers=workers,
            versions=made.versions,
            accept=lambda manifest: identities.append(_accepted(job, manifest)),
        )
    hashes = {name: entry.sha256 for name, entry in manifest.arrays.items()}
    notes = (*made.notes, *_difference(job, made, hashes))
    return Outcome(target, manifest.seed, manifest.root, False, identities[0], notes)


def check_stir(job: StirJob, target: Path, *, advance: Advance | None = None) -> Checked:
    """Make a set, compare it with the pinned result, and write nothing.

    Where none is pinned for these parameters, the reference is the manifest of ``target``.

    Raises:
        ParameterError: There is nothing to compare with.
        SourceError: The raw material is damaged or another one.
        SourceUnavailableError: The raw material can be neither found nor downloaded.
    """
    compared_with, expected = _reference(job, target)
    made = job.make(advance or (lambda count: None))
    found = {name: sha256_of_array(array) for name, array in made.arrays.as_dict().items()}
    notes = (*made.notes, *_difference(job, made, found))
    return Checked(compared_with, tuple(compare_arrays(expected, found)), notes)


def check_target(target: Path) -> None:
    """Raise ParameterError unless the output's name ends in .npz."""
    if target.suffix != storage.SUFFIX:
        raise ParameterError(
            "a STIR set is an npz file", where="out", expected="a name ending in .npz", got=target.name
        )


def _is_pinned(job: StirJob) -> bool:
    """Tell whether the set, with these parameters, is one whose result is pinned."""
    name = job.description.dataset
    return name in pinned_stir.PINNED and pinned(name)["seed"] == job.description.seed


def _reference(job: StirJob, target: Path) -> tuple[str, dict[str, str]]:
    if _is_pinned(job):
        name = job.description.dataset
        return f"the pinned {name} set", pinned(name)["arrays"]
    try:
        manifest = load(manifest_path(target))
    except MissingFileError as error:
        raise ParameterError(
            "there is nothing to compare with: no result is pinned for this set, seed and parameters",
            where=manifest_path(target),
            hint="leave out --check to make the set; --check then compares with its manifest",
        ) from error
    other = difference(manifest, job.description)
    if other:
        raise ParameterError(
            "there is nothing to compare with: the manifest is of another set",
            where=manifest_path(target),
            got=other,
            hint="name the file of this set by --out",
        )
    return f"the manifest of {target}", {name: entry.sha256 for name, entry in manifest.arrays.items()}


def _accepted(job: StirJob, manifest: Manifest) -> Identity | None:
    identity = identify(manifest)
    if identity is None and job.exact and _is_pinned(job):
        raise FormatError(
            "the arrays are not the pinned ones; nothing was written",
            expected=f"the arrays in manifests/{manifest.dataset}.json",
            hint="this machine or its NumPy computes differently; please report it",
        )
    return identity


def _difference(job: StirJob, made: Made, hashes: Mapping[str, str]) -> tuple[str, ...]:
    """Say in what a set of a pinned kind and seed differs from the pinned one, if it does."""
    if not _is_pinned(job):
        return ()
    return pinned_stir.difference(job.description.dataset, hashes, made.arrays.as_dict())
