"""What a published STIR file is: its check against the schema, and its manifest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, ManifestError, MissingFileError
from stirdata.manifest import SUMS_NAME, ArrayEntry, FileEntry, describe_array, load, manifest_path, pinned
from stirdata.storage.saving import Description, manifest_for, save_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stirdata.families.stir.axes import Frame
    from stirdata.storage.stir_file import StirFile
    from stirdata.transfer.fetch import Fetched

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
    from stirdata.storage.stir_file import open_set

    facts = pinned("stir-zenodo")["sets"][name]
    try:
        opened = open_set(file.path)
        if pinned_shape:
            _check_shape(opened.frame, facts)
        arrays = _arrays(opened)
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


def _check_shape(frame: Frame, facts: Mapping[str, Any]) -> None:
    """Raise FormatError unless the axes are those published; the record may name classes as it likes."""
    from stirdata.families.stir.axes import Frame

    expected = Frame(frame.classes, facts["instances"], facts["channels"], square=frame.square)
    if len(frame.classes) != facts["classes"] or frame != expected:
        raise FormatError(
            "its axes are not those published",
            expected=(3, len(expected.scales), facts["classes"], facts["instances"], *expected.image_shape),
            got=frame.shape + frame.image_shape,
        )


def _arrays(opened: StirFile) -> dict[str, ArrayEntry]:
    """Return types, shapes and hashes of the six arrays; the images are read block by block."""
    digest = hashlib.sha256()
    for block in opened.every_block():
        digest.update(block.data)
    shape = opened.frame.shape + opened.frame.image_shape
    small = {"lbls": opened.labels, "scls": opened.scales, "psts": opened.positions, **opened.tables}
    images = ArrayEntry("|u1", shape, digest.hexdigest())
    return {"imgs": images, **{key: describe_array(array) for key, array in small.items()}}


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
