"""What is published of STIR, and what stirdata pins of it: files to fetch, and arrays to compare with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError
from stirdata.families.family import Digests, Identity, Reference
from stirdata.families.stir.axes import KEYS, Frame
from stirdata.manifest import ArrayEntry, FileEntry, describe_array, pinned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stirdata.storage.forms import Description
    from stirdata.storage.stored import Stored
    from stirdata.transfer.fetch import Fetched
    from stirdata.transfer.published import PublishedFiles

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
    from stirdata.storage.forms import Description

    return Description(
        dataset=f"stir-{name}" if name else "stir",
        recipe=RECIPE,
        seed=facts["seed"] or 0,
        parameters={"seeded": facts["seed"] is not None},
        sources=[source],
        license=facts["license"],
        citation=[*pinned(_FACTS)["citation"], facts["citation"]],
    )


@cache
def published_files() -> PublishedFiles:
    """Return the four sets that the authors published on Zenodo."""
    from stirdata.transfer.published import PublishedFiles

    return PublishedFiles(_FACTS, "stir", "STIR", describe)


DECISIVE = ("imgs", "lbls", "scls", "psts")
"""The arrays that make a set the pinned one, whatever its metadata say."""
_SQUARE = ("stir-trafficsign", "stir-custom")
"""Further datasets whose boxes are squares; those of ``aerial`` and of what is not known may be longer."""
_EXACT = ("stir-mnist",)
"""What comes out the same on every machine; emoji are drawn by whatever cairo is installed."""


@cache
def _frames() -> dict[str, Frame]:
    """Return the axes of the pinned sets."""
    from stirdata.families.stir import emoji, mnist

    return {mnist.DATASET: mnist.FRAME, emoji.DATASET: emoji.FRAME}


def frame_of(dataset: str, arrays: Mapping[str, NDArray[Any]]) -> Frame | None:
    """Return the axes that a set must have, as far as its name says."""
    from stirdata.families.stir import schema

    if dataset in _frames():
        # A published file may name its classes otherwise.
        return replace(_frames()[dataset], classes=tuple(str(name) for name in arrays["lbldata"].ravel()))
    return replace(schema.frame_of(arrays), square=True) if dataset in _SQUARE else None


def identify(names: Iterable[str], arrays: Digests) -> Identity | None:
    """Return the pinned set of one of these names that the arrays are."""
    for name in names:
        facts = pinned(name)
        equal = tuple(key for key, sha256 in facts["arrays"].items() if arrays.get(key) == sha256)
        if set(DECISIVE) <= set(equal):
            text = f"this is the pinned {name} set of seed {facts['seed']}: equal are {', '.join(equal)}"
            return Identity(name, facts["seed"], equal, text)
    return None


def reference(dataset: str, arrays: Iterable[str] = KEYS) -> Reference:
    """Return the pinned set of a name, as far as these arrays."""
    facts = pinned(dataset)["arrays"]
    return Reference(
        "pinned",
        f"the pinned {dataset} set",
        f"manifests/{dataset}.json",
        {name: facts[name] for name in arrays},
        exact=dataset in _EXACT,
    )


def difference(dataset: str, hashes: Digests, read: Callable[[], Mapping[str, Any]]) -> tuple[str, ...]:
    """Say in one line in what a set differs from the pinned one of its name; nothing if it does not."""
    facts = pinned(dataset)
    other = [key for key in DECISIVE if hashes[key] != facts["arrays"][key]]
    if not other:
        return ()
    text = f"this is not the pinned {dataset} set of seed {facts['seed']}: it differs in {', '.join(other)}"
    if dataset == "stir-emoji" and other == ["imgs"]:
        text += f"; {_renderings(read(), facts)}"
    return (text,)


def _renderings(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
    """Say how much another renderer changed; the pinned pixels themselves are not shipped."""
    from stirdata.families.stir import emoji

    found = emoji.fingerprints(arrays["imgs"], arrays["psts"])
    count = emoji.count_different(found, facts["renderings"])
    total = len(emoji.FRAME.classes) * len(emoji.FRAME.scales)
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{count} of the {total} renderings have other pixels than with {versions} "
        "(stirdata diff against a file made there counts the pixels)"
    )
