"""The published STIR files: their check against the schema, and their manifests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError
from stirdata.manifest import ArrayEntry, FileEntry, describe_array, pinned
from stirdata.transfer.published import PublishedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stirdata.families.stir.axes import Frame
    from stirdata.storage.saving import Description
    from stirdata.storage.stored import Stored
    from stirdata.transfer.fetch import Fetched

RECIPE = {"name": "stir-published", "version": 1}
_FACTS = "stir-zenodo"


def describe(name: str, file: Fetched, source: dict[str, Any], is_pinned: bool) -> None:
    """Check a file against the schema and write its manifest and its line in SHA256SUMS.

    Args:
        name: Of the set, for example ``emoji``.
        file: Its file, whose bytes are proven.
        source: Where it comes from, for the manifest.
        is_pinned: Whether it must have the published numbers of classes, instances and channels.

    Raises:
        FormatError: It breaks the schema; it stays where it is.
        TargetError: The manifest cannot be written.
    """
    from stirdata.families.stir import schema
    from stirdata.families.stir.axes import KEYS
    from stirdata.storage.saving import manifest_for, save_manifest
    from stirdata.storage.stored import open_stored, stand_in

    facts = pinned(_FACTS)["sets"][name]
    try:
        stored = open_stored(file.path, KEYS)
        images = stored.headers.get("imgs")
        small = stored.read([key for key in KEYS if key in stored.headers and key != "imgs"])
        arrays = {"imgs": stand_in(images.shape, images.dtype)} if images else {}
        frame = schema.check({**arrays, **small}, where=file.path)
        if is_pinned:
            _check_shape(frame, facts)
        entries = {key: describe_array(small[key]) if key in small else _images(stored) for key in KEYS}
    except FormatError as error:
        raise FormatError(
            f"the file is the one that the record announces, but no STIR set: {error.what}",
            where=file.path,
            expected=error.expected,
            got=error.got,
            hint="the file is kept as it is; name another record by --record, or report this",
        ) from error
    entry = FileEntry(file.path.name, file.size, file.sha256)
    description = _description(name if is_pinned else "", facts, source)
    save_manifest(file.path, manifest_for(entries, description, [entry], ["numpy"]))


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


def _images(stored: Stored) -> ArrayEntry:
    """Return type, shape and digest of the images, which are read block by block."""
    digest = hashlib.sha256()
    for block in stored.blocks("imgs"):
        digest.update(block.data)
    return ArrayEntry("|u1", stored.headers["imgs"].shape, digest.hexdigest())


def _description(name: str, facts: Mapping[str, Any], source: dict[str, Any]) -> Description:
    from stirdata.storage.saving import Description

    return Description(
        dataset=f"stir-{name}" if name else "stir",
        recipe=RECIPE,
        seed=facts["seed"] or 0,
        parameters={"seeded": facts["seed"] is not None},
        sources=[source],
        license=facts["license"],
        citation=[*pinned(_FACTS)["citation"], facts["citation"]],
    )


PUBLISHED = PublishedFiles(_FACTS, "stir", "STIR", describe)
"""The four sets that the authors published on Zenodo."""
