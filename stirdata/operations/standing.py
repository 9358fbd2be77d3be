"""Deciding what to do about an output that may exist, and telling what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata.errors import MissingFileError, ParameterError, StirdataError, TargetExistsError
from stirdata.executors import Workers
from stirdata.families.family import Identity
from stirdata.families.recognition import is_dataset_folder
from stirdata.manifest import Manifest, load, manifest_path
from stirdata.operations.verify import verify
from stirdata.storage.forms import Description
from stirdata.storage.saving import finish_file

_DECISIVE = ("dataset", "recipe", "seed", "parameters", "sources")
_LONG_LIST = 6


@dataclass(frozen=True)
class Outcome:
    """One output.

    Attributes:
        path: Where it is.
        seed: Of the realization.
        root: Root digest of its manifest.
        already_there: It was there before, was what was asked for, and was verified.
        identity: The published or pinned dataset that it is, or None.
        notes: What the user should know about it, one sentence each.
    """

    path: Path
    seed: int
    root: str
    already_there: bool
    identity: Identity | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "path": str(self.path),
            "seed": self.seed,
            "already_there": self.already_there,
            "root": self.root,
            "published": self.identity.as_json() if self.identity else None,
            "notes": list(self.notes),
        }


def standing_outcome(target: Path, wanted: Description, workers: Workers, *, force: bool) -> Outcome | None:
    """Return an existing output that is what is wanted; None if there is none, or it may be replaced.

    A file whose replacement was killed at its last step is finished first; hold the lock of ``target``.

    Raises:
        TargetExistsError: The output exists, is something else, and may not be replaced; a folder that
            is no dataset never may.
    """
    finish_file(target)
    if not target.exists():
        return None
    problem: object
    try:
        manifest = load(manifest_path(target))
        problem = difference(manifest, wanted)
        if not problem:
            report = verify(target, workers=workers)
            if report.ok:
                return Outcome(target, manifest.seed, manifest.root, True, report.identity, report.remarks)
            problem = f"it does not verify: {report.findings[0].sentence()}"
    except MissingFileError:
        problem = "it has no manifest"
    except StirdataError as error:
        problem = error
    if force:
        _check_replaceable(target)
        return None
    raise TargetExistsError(
        "the output exists and is not what was asked for",
        where=target,
        got=problem,
        hint="use --force to replace it, or choose another output",
    )


def _check_replaceable(target: Path) -> None:
    """Raise TargetExistsError for a folder of other things, which even ``--force`` does not remove."""
    if not target.is_dir() or not any(target.iterdir()) or is_dataset_folder(target):
        return
    raise TargetExistsError(
        "the output is a folder that holds something else than a dataset",
        where=target,
        hint="choose another output, or move the folder away; --force replaces datasets only",
    )


def difference(manifest: Manifest, wanted: Description) -> str:
    """Say in what a manifest differs from what is wanted; nothing if it does not."""
    for name in _DECISIVE:
        if getattr(manifest, name) != getattr(wanted, name):
            return _told(name, getattr(manifest, name), getattr(wanted, name))
    return ""


def _told(name: str, found: Any, wanted: Any) -> str:
    """Say what differs without the fields that do not."""
    if name == "sources":
        return _told_of_sources(found, wanted)
    if name == "parameters":
        keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
        found, wanted = ({key: values.get(key) for key in keys} for values in (found, wanted))
        return "; ".join(f"its {key} is {_brief(found[key])}, not {_brief(wanted[key])}" for key in keys)
    return f"its {name} is {found}, not {wanted}"


def _told_of_sources(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> str:
    others, names = (", ".join(str(source.get("name")) for source in sources) for sources in (found, wanted))
    if others != names:
        return f"it was made from {others}, not from {names}"
    pairs = zip(found, wanted, strict=True)
    keys = {key: None for one, other in pairs for key in {**one, **other} if one.get(key) != other.get(key)}
    return f"it was made from another {names}: different are {', '.join(keys)}"


def _brief(value: Any) -> str:
    """Return a value as text, a long list by its ends."""
    if isinstance(value, list) and len(value) > _LONG_LIST:
        return f"[{value[0]}, {value[1]}, …, {value[-1]}]"
    return str(value)


def check_apart(source: Path, target: Path) -> None:
    """Raise unless writing the target leaves the source as it is, however both are written."""
    one, other = source.resolve(), target.resolve()
    if one == other or (target.exists() and source.samefile(target)):
        raise ParameterError("source and target are the same", where=source, hint="choose another output")
    if one in other.parents or other in one.parents:
        raise ParameterError(
            "one of source and target lies in the other",
            where=source,
            got=target,
            hint="choose an output outside of the source that does not hold it",
        )
