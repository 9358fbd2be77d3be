"""Making datasets on disk: parse, plan, is it there already, make, save, prove, say.

Saying is left to the caller: it gets an :class:`stirdata.operations.standing.Outcome` for every output.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.errors import MissingFileError, ParameterError
from stirdata.executors import Workers, available_cores, map_ordered, threads
from stirdata.families import recipe_named
from stirdata.families.family import Advance, Family, Job, Made, Material, Recipe
from stirdata.families.making import make_and_save
from stirdata.manifest import load, manifest_path
from stirdata.operations.standing import Outcome, difference, standing_outcome
from stirdata.operations.verify import Finding, compare_arrays
from stirdata.storage.forms import Description, output_form
from stirdata.storage.saving import digest_of

_SUFFIXES = {"h5": ".h5", "npz": ".npz"}


@dataclass(frozen=True)
class Checked:
    """What comparing a freshly computed dataset came to.

    Attributes:
        compared_with: What the reference is.
        findings: The arrays that differ.
        notes: What the user should know, one sentence each.
    """

    compared_with: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        findings = [vars(finding) for finding in self.findings]
        notes = list(self.notes)
        return {
            "equal": not findings,
            "compared_with": self.compared_with,
            "findings": findings,
            "notes": notes,
        }


@dataclass(frozen=True)
class Task:
    """One dataset to make: what, where, and in which form."""

    job: Job
    target: Path
    form: str


@dataclass(frozen=True)
class Plan:
    """Everything that a command is to make, known before any of it is made."""

    family: Family
    tasks: Sequence[Task]

    @property
    def count(self) -> int | None:
        """Number of images in all; None if it is not known."""
        counts = [task.job.count for task in self.tasks]
        return None if None in counts else sum(count or 0 for count in counts)


def generate(
    name: str,
    *,
    out: str | os.PathLike[str] | None = None,
    form: str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    force: bool = False,
    quiet: bool = True,
    **parameters: Any,
) -> Outcome:
    """Make a dataset on disk, as ``stirdata generate`` does.

    Args:
        name: Of the dataset: ``mnist-scale``, ``stir-mnist``, ``stir-emoji``, ….
        out: A file, or a folder; None for the published name in the current folder.
        form: ``h5``, ``npz``, ``npy`` or ``png``, if the family has it; None for what ``out`` says, else the
            family's first.
        workers: Threads and processes to use; None for the cores. The bytes do not depend on it.
        dask: Address of a Dask scheduler to work on, instead of this machine's cores.
        force: Replace an output that exists and is something else.
        quiet: Show no progress bars.
        **parameters: Of the recipe, named as the options of the command line.

    Returns:
        Path, seed, root digest, whether it was already there, and which published dataset it is.

    Raises:
        ParameterError: A parameter makes no sense; nothing has been written.
        TargetExistsError: The output exists and is not what was asked for.
        TargetError: The output cannot be written.
        SourceError: The raw material is damaged or another one.
        SourceUnavailableError: The raw material can be neither found nor downloaded.
        MissingLibraryError: An optional library is needed.
        FormatError: A dataset that is the same everywhere came out different.

    Examples:
        ```python
        outcome = stirdata.generate("mnist-scale", seed=0, out="data")
        dataset = stirdata.load(outcome.path)
        ```
    """
    from stirdata.progress import bar

    planned = plan(name, [parameters], out=out, form=form, quiet=quiet)
    with bar(planned.count, name, "image", quiet=quiet) as shown:
        (outcome,) = make(planned, workers=workers, dask=dask, force=force, advance=shown.advance)
    return outcome


def plan(
    name: str,
    parameters: Sequence[Mapping[str, Any]],
    *,
    out: str | os.PathLike[str] | None = None,
    form: str | None = None,
    quiet: bool = True,
) -> Plan:
    """Decide on everything before anything is made.

    Args:
        name: Of the dataset.
        parameters: Of each output; the raw material is shared.
        out: A file, or a folder; see :func:`generate`.
        form: Of the output; see :func:`generate`.
        quiet: Show no progress bars while raw material is read.

    Raises:
        ParameterError: A parameter makes no sense, or the output cannot be one.
        MissingFileError: A folder of raw material does not exist, or lacks files.
        SourceError: The raw material is damaged.
    """
    family, recipe = recipe_named(name)
    material = Material(quiet=quiet)
    asked = [recipe.parameters_of(values) for values in parameters]
    places = [_target(family, recipe, one, out, form) for one in asked]
    if len({place for place, _ in places}) < len(set(asked)):
        raise ParameterError(
            "several datasets cannot be one file", where="out", got=out, hint="name a folder instead"
        )
    tasks = [Task(recipe.plan(one, material), *place) for one, place in zip(asked, places, strict=True)]
    return Plan(family, tasks)


def _target(
    family: Family, recipe: Recipe, parameters: Any, out: str | os.PathLike[str] | None, form: str | None
) -> tuple[Path, str]:
    """Return where an output goes, and its form."""
    forms = family.layout.forms
    if form is not None and form not in forms:
        raise ParameterError("unknown format", where="form", expected=", ".join(forms), got=form)
    if out is None:
        form = form or forms[0]
        return family.output_name(recipe, parameters, form), form
    root, named = Path(out), output_form(out, forms)
    if named not in _SUFFIXES and family.folder_is_root:
        form = form or forms[0]
        return root / family.output_name(recipe, parameters, form), form
    if form is not None and form != named:
        raise ParameterError(
            "the name of the output is that of another format",
            where="out",
            expected=f"a name ending in {_SUFFIXES[form]}" if form in _SUFFIXES else "a folder",
            got=out,
            hint="leave out the format, or change the name",
        )
    return root, named


def make(
    planned: Plan,
    *,
    workers: int | None = None,
    dask: str | None = None,
    force: bool = False,
    advance: Advance = lambda count: None,
) -> Iterator[Outcome]:
    """Make what is planned and yield what came of it, in order; what is already there is kept.

    Args:
        planned: Of :func:`plan`.
        workers: Threads and processes to use; None for the cores.
        dask: Address of a Dask scheduler.
        force: Replace outputs that exist and are something else.
        advance: Called with the number of images finished, from any thread, now and then.

    Raises:
        As :func:`generate`.
    """
    if not planned.tasks:
        return
    with ExitStack() as stack:
        places = stack.enter_context(Workers(_count(workers), dask))
        at_once = max(1, min(places.slots, len(planned.tasks)))
        stack.enter_context(atomic.no_empty_parents(planned.tasks[0].target))  # which several may share
        maker = _Maker(planned.family, places.part(at_once), advance, force=force)
        executor = stack.enter_context(threads(at_once))
        yield from map_ordered(executor, maker.make, planned.tasks, ahead=at_once, stop=maker.stop)


def _count(workers: int | None) -> int:
    if workers is None:
        return available_cores()
    if workers < 1:
        raise ParameterError("too few workers", where="workers", expected="1 or more", got=workers)
    return workers


class _StoppedError(Exception):
    """Nobody waits for this output any more."""


class _Maker:
    """Makes one output at a time per thread."""

    def __init__(self, family: Family, workers: Workers, advance: Advance, *, force: bool) -> None:
        self._family = family
        self._workers = workers
        self._shown = advance
        self._force = force
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let outputs that are under way end, and remove what they wrote, at their next step."""
        self._stopping.set()

    def _advance(self, count: int) -> None:
        if self._stopping.is_set():
            raise _StoppedError
        self._shown(count)

    def make(self, task: Task) -> Outcome:
        job, target = task.job, task.target
        with locks.locked(target):
            atomic.restore_folder(target)
            standing = standing_outcome(target, job.description, self._workers, force=self._force)
            if standing is not None:
                self._advance(job.count or 0)
                return standing
            written = make_and_save(self._family, job, target, task.form, self._workers, self._advance)
        manifest = written.manifest
        return Outcome(target, manifest.seed, manifest.root, False, written.identity, written.notes)


def check(
    planned: Plan,
    *,
    workers: int | None = None,
    dask: str | None = None,
    advance: Advance = lambda count: None,
) -> Iterator[Checked]:
    """Make what is planned, compare it with what it has to be, and write nothing.

    The reference is what is published or pinned of these parameters; where nothing is, the manifest of the
    output.

    Raises:
        ParameterError: There is nothing to compare with.
        SourceError: The raw material is damaged or another one.
        SourceUnavailableError: The raw material can be neither found nor downloaded.
    """
    expected = [_reference(planned.family, task) for task in planned.tasks]
    with Workers(_count(workers), dask) as places:
        for task, (compared_with, arrays) in zip(planned.tasks, expected, strict=True):
            made = task.job.make(places, advance)
            yield _compared(planned.family, task.job.description, made, compared_with, arrays)


def _compared(
    family: Family, description: Description, made: Made, compared_with: str, arrays: Mapping[str, str]
) -> Checked:
    found = {name: digest_of(array) for name, array in made.arrays.items()}
    notes = family.difference(description.dataset, description, found, lambda: made.arrays)
    return Checked(compared_with, tuple(compare_arrays(arrays, found)), (*made.notes, *notes))


def _reference(family: Family, task: Task) -> tuple[str, Mapping[str, str]]:
    description, target = task.job.description, task.target
    reference = family.reference(description.dataset, description)
    if reference is not None:
        return reference.title, reference.arrays
    try:
        manifest = load(manifest_path(target))
    except MissingFileError as error:
        raise ParameterError(
            "there is nothing to compare with: nothing is published or pinned for this dataset, seed and "
            "parameters",
            where=manifest_path(target),
            hint="leave out --check to make it; --check then compares with its manifest",
        ) from error
    other = difference(manifest, description)
    if other:
        raise ParameterError(
            "there is nothing to compare with: the manifest is of another dataset",
            where=manifest_path(target),
            got=other,
            hint="name the file of this dataset by --out",
        )
    return f"the manifest of {target}", {name: entry.sha256 for name, entry in manifest.arrays.items()}
