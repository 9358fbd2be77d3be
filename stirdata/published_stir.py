"""What a published STIR file is: its check against the schema, and its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, ManifestError, MissingFileError
from stirdata.manifest import SUMS_NAME, FileEntry, load, manifest_path
from stirdata.pinned import pinned
from stirdata.storage.saving import Description, manifest_for, save_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stirdata.fetch import Fetched

RECIPE = {"name": "stir-published", "version": 1}


def is_described(file: Fetched) -> bool:
    """Return whether the manifest beside a file is that of its bytes, and SHA256SUMS is there."""
    try:
        manifest = load(manifest_path(file.path))
    except (MissingFileError, ManifestError):
        return False
    return manifest.files == [_entry(file)] and file.path.with_name(SUMS_NAME).is_file()


def describe(name: str, file: Fetched, source: dict[str, Any], *, pinned_shape: bool) -> None:
    """Check a file against the schema and write its manifest and its line in SHA256SUMS.

    Args:
        name: Of the set, for example ``emoji``.
        file: Its file, whose bytes are proven.
        source: Where it comes from, for the manifest.
        pinned_shape: Whether it must have the published numbers of classes, instances and channels.

    Raises:
        FormatError: It breaks the schema; it stays where it is.
        TargetError: The manifest cannot be written.
    """
    from stirdata.recipes import stir_schema
    from stirdata.storage import stir as storage

    facts = pinned("stir-zenodo")["sets"][name]
    try:
        arrays = storage.load(file.path)
        stir_schema.check(arrays, where=file.path)
        if pinned_shape:
            _check_shape(arrays, facts, file.path)
    except FormatError as error:
        raise FormatError(
            f"the file is the one that the record announces, but no STIR set: {error.what}",
            where=file.path,
            expected=error.expected,
            got=error.got,
            hint="the file is kept as it is; name another record by --record, or report this",
        ) from error
    description = _description(name if pinned_shape else "", facts, source)
    save_manifest(file.path, manifest_for(arrays, description, [_entry(file)], ["numpy"]))


def _check_shape(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], where: Path) -> None:
    from stirdata.recipes import stir_schema
    from stirdata.recipes.stir import Frame

    if len(arrays["lbldata"]) != facts["classes"]:
        raise FormatError("another number of classes", expected=facts["classes"], got=len(arrays["lbldata"]))
    classes = tuple(str(label) for label in arrays["lbldata"])  # the record may name them as it likes
    frame = Frame(classes, facts["instances"], facts["channels"], square=facts["square"])
    stir_schema.check(arrays, where, frame)


def _description(name: str, facts: Mapping[str, Any], source: dict[str, Any]) -> Description:
    return Description(
        dataset=f"stir-{name}" if name else "stir",
        recipe=RECIPE,
        seed=facts["seed"] or 0,
        parameters={"seeded": facts["seed"] is not None},
        sources=[source],
        license=facts["license"],
        citation=[*pinned("stir-zenodo")["citation"], facts["citation"]],
    )


def _entry(file: Fetched) -> FileEntry:
    return FileEntry(file.path.name, file.size, file.sha256)
