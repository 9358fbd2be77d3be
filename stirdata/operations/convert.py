"""Writing a dataset in another format, with the same content."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic, locks
from stirdata.errors import FormatError
from stirdata.executors import Workers
from stirdata.families.making import check_layout, identity_of
from stirdata.families.recognition import Recognized, recognize
from stirdata.manifest import Manifest
from stirdata.operations.standing import Outcome, check_apart, standing_outcome
from stirdata.storage.forms import Description, output_form
from stirdata.storage.image_bytes import BlockedArray
from stirdata.storage.saving import LIBRARIES, save

if TYPE_CHECKING:
    from numpy.typing import NDArray

Advance = Callable[[int], None]

_OF_EVERY_RUN = ("stirdata", "python", "numpy", "h5py")


def convert(
    source: Path,
    target: str | os.PathLike[str],
    *,
    force: bool = False,
    workers: int = 1,
    advance: Advance | None = None,
) -> Outcome:
    """Write a dataset in another format.

    Args:
        source: A dataset; see :func:`stirdata.families.recognition.recognize`. One without a manifest gets
            one that names the file it came from, where its family can tell enough of it.
        target: A name ending in .h5 or .npz, or a folder. Its bytes are those that generating the
            dataset in this format would have given.
        force: Replace a target that exists and is something else.
        workers: Processes for reading and writing PNG files, or threads for compressing.
        advance: Called with the number of images read or written, now and then.

    Raises:
        MissingFileError: The source does not exist, or has no manifest though it needs one.
        ParameterError: Source and target are the same, or one of them lies in the other, or the name of
            the target asks for a format that is not written.
        FormatError: The source is damaged, differs from its manifest, or lacks something.
        ManifestError: The source's manifest is not valid.
        TargetExistsError: The target exists and is something else.
        TargetError: The target cannot be written.
    """
    found = recognize(source)
    family, stored, output = found.family, found.stored, Path(target)
    check_apart(found.path, output)
    form = output_form(target, family.layout.forms)
    manifest = found.manifest
    description = family.describe(stored) if manifest is None else _same_description(manifest)
    with Workers(workers) as places, locks.locked(output):
        atomic.restore_folder(output)
        standing = standing_outcome(output, description, places, force=force)
        if standing is not None:
            return standing
        made = save(
            output,
            form,
            _arrays(found, form, description.dataset, places, advance or (lambda count: None)),
            description,
            family.layout,
            attributes=family.attributes(description),
            workers=places,
            versions=_further_versions(manifest, stored.form),
            accept=partial(_check_arrays, found.path, manifest),
            advance=advance,
        )
    return Outcome(output, made.seed, made.root, False, identity_of(family, made))


def _same_description(manifest: Manifest) -> Description:
    return Description(**{name: getattr(manifest, name) for name in Description.__dataclass_fields__})


def _further_versions(manifest: Manifest | None, form: str) -> dict[str, str]:
    """Return the versions of what took part in making the source, other than what wrote it."""
    versions = {} if manifest is None else manifest.versions
    others = {*_OF_EVERY_RUN, *LIBRARIES[form]}
    return {name: value for name, value in versions.items() if name not in others}


def _arrays(
    found: Recognized, form: str, dataset: str, workers: Workers, advance: Advance
) -> dict[str, NDArray[Any] | BlockedArray]:
    """Return the arrays of a dataset; those of images are read while they are written, if possible."""
    family, stored = found.family, found.stored
    names = family.layout.names_beside(stored.headers)
    whole = "png" in (form, stored.form)
    executor = workers.processes() if stored.form == "png" else None
    read = stored.read([name for name in names if whole or name not in family.images], executor, advance)
    arrays = {name: read[name] if name in read else _blocked(found, name, advance) for name in names}
    check_layout(family, arrays, dataset, form, where=found.path)
    return arrays


def _blocked(found: Recognized, name: str, advance: Advance) -> BlockedArray:
    import numpy as np

    header = found.stored.headers[name]
    values_each = math.prod(header.shape[found.family.image_axes :])

    def blocks() -> Iterator[NDArray[Any]]:
        for block in found.stored.blocks(name):
            yield block
            advance(block.size // values_each)

    return BlockedArray(header.shape, np.dtype(header.dtype), blocks)


def _check_arrays(source: Path, expected: Manifest | None, made: Manifest) -> None:
    """Raise FormatError if an array is not the one in the manifest of the source, if it has one."""
    for name, entry in made.arrays.items() if expected is not None else ():
        if expected is None or expected.arrays.get(name) != entry:
            raise FormatError(
                f"the array {name} differs from the manifest", where=source, hint="run stirdata verify"
            )
