"""Writing a realization of MNIST-scale in another format, with the same content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stirdata import atomic
from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import processes
from stirdata.manifest import Manifest, describe_array, load, manifest_path
from stirdata.outputs import Outcome, standing_outcome
from stirdata.storage import mnist_scale as storage
from stirdata.storage.forms import form_by_name
from stirdata.verification import identify


def convert(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Outcome:
    """Write a realization of MNIST-scale in another format; see :func:`stirdata.conversion.convert`."""
    form = form_by_name(target, folder="png")
    manifest = _manifest_of(source)
    description = storage.Description(
        **{name: getattr(manifest, name) for name in storage.Description.__dataclass_fields__}
    )
    with processes(workers) as executor, atomic.locked(target):
        atomic.restore_folder(target)
        standing = standing_outcome(target, description, executor, force=force)
        if standing is not None:
            return standing
        arrays = storage.load(source, executor, storage.ARRAY_NAMES, advance)
        for name in storage.ARRAY_NAMES:
            if describe_array(arrays[name]) != manifest.arrays.get(name):
                raise FormatError(
                    f"the array {name} differs from the manifest", where=source, hint="run stirdata verify"
                )
        made = storage.save(target, arrays, description, form, executor=executor, advance=advance)
    return Outcome(target, made.seed, made.root, False, identify(made))


def _manifest_of(source: Path) -> Manifest:
    try:
        return load(manifest_path(source))
    except MissingFileError as error:
        raise MissingFileError(
            "the source has no manifest, so its seed and scale factors are unknown",
            where=source,
            expected=manifest_path(source),
            hint="stirdata verify --as mnist-scale says which realization it is; generate that in the "
            "format you want",
        ) from error
