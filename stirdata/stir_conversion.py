"""Writing a STIR set in another format, with the same content."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stirdata import atomic
from stirdata.digest import sha256_of_file
from stirdata.errors import FormatError
from stirdata.executors import threads
from stirdata.families.stir.axes import CITATION, KEYS
from stirdata.manifest import ArrayEntry, Manifest, load, manifest_path
from stirdata.outputs import Outcome, standing_outcome
from stirdata.storage import stir as storage
from stirdata.storage.forms import form_by_name
from stirdata.storage.saving import Description
from stirdata.storage.stir_file import StirFile, open_set
from stirdata.verification import identify

PUBLISHED = {"name": "published", "version": 1}
"""The recipe in the manifest of a set that came without one: what made it is not known."""
_KINDS = ("emoji", "mnist", "trafficsign", "aerial")
_OF_EVERY_RUN = ("stirdata", "python", "numpy", "h5py")


def convert(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Outcome:
    """Write a STIR set in another format; see :func:`stirdata.conversion.convert`.

    A set without a manifest, such as a published one, gets one that names the file it came from; the
    seed in it is 0, because the file does not tell.
    """
    form_by_name(target)
    opened = open_set(source)
    manifest = load(manifest_path(source)) if manifest_path(source).is_file() else None
    description = _described(source, opened) if manifest is None else _same_description(manifest)
    versions = {} if manifest is None else manifest.versions
    with threads(workers) as executor, atomic.locked(target):
        atomic.restore_folder(target)
        standing = standing_outcome(target, description, executor, force=force)
        if standing is not None:
            return standing
        made = storage.copy(
            opened,
            target,
            description,
            executor=executor,
            workers=workers,
            versions={name: value for name, value in versions.items() if name not in _OF_EVERY_RUN},
            accept=lambda made: _check_arrays(source, {} if manifest is None else manifest.arrays, made),
            advance=advance or (lambda count: None),
        )
    return Outcome(target, made.seed, made.root, False, identify(made))


def _same_description(manifest: Manifest) -> Description:
    return Description(**{name: getattr(manifest, name) for name in Description.__dataclass_fields__})


def _check_arrays(source: Path, expected: Any, made: Manifest) -> None:
    """Raise FormatError if an array is not the one in the manifest of the source, if it has one."""
    found: dict[str, ArrayEntry] = dict(made.arrays)
    for name in KEYS if expected else ():
        if found[name] != expected.get(name):
            raise FormatError(
                f"the array {name} differs from the manifest", where=source, hint="run stirdata verify"
            )


def _described(source: Path, opened: StirFile) -> Description:
    """Describe a set that has no manifest by what it says of itself."""
    facts = opened.metadata
    files = {f"{key}.npy": source / f"{key}.npy" for key in KEYS} if source.is_dir() else {}
    digests: Any = {name: sha256_of_file(path) for name, path in files.items()}
    return Description(
        dataset=dataset_of(facts["title"]),
        recipe=PUBLISHED,
        seed=0,
        parameters={},
        sources=[
            {
                "name": source.name,
                "sha256": digests or sha256_of_file(source),
                "license": facts["license"],
                "citation": facts["author"],
            }
        ],
        license=facts["license"],
        citation=[CITATION],
    )


def dataset_of(title: str) -> str:
    """Return the name of the dataset with a title.

    Example:
        >>> dataset_of("STIR Emoji"), dataset_of("My own leaves")
        ('stir-emoji', 'stir-my-own-leaves')
    """
    words = [word for word in re.split(r"[^a-z0-9]+", title.lower()) if word not in ("", "stir")]
    kinds = [kind for kind in _KINDS if kind in words or kind in "".join(words)]
    return storage.FAMILY + (kinds[0] if len(kinds) == 1 else "-".join(words) or "set")
