"""Telling whether a STIR set is the one whose arrays stirdata pins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stirdata.families.family import Digests, Identity, Reference
from stirdata.families.stir import emoji, mnist, schema
from stirdata.families.stir.axes import KEYS, Frame
from stirdata.manifest import pinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECISIVE = ("imgs", "lbls", "scls", "psts")
"""The arrays that make a set the pinned one, whatever its metadata say."""
_FRAMES = {mnist.DATASET: mnist.FRAME, emoji.DATASET: emoji.FRAME}
_SQUARE = ("stir-trafficsign", "stir-custom")
"""Further datasets whose boxes are squares; those of ``aerial`` and of what is not known may be longer."""
_EXACT = (mnist.DATASET,)
"""What comes out the same on every machine; emoji are drawn by whatever cairo is installed."""


def frame_of(dataset: str, arrays: Mapping[str, NDArray[Any]]) -> Frame | None:
    """Return the axes that a set must have, as far as its name says."""
    if dataset in _FRAMES:
        # A published file may name its classes otherwise.
        return replace(_FRAMES[dataset], classes=tuple(str(name) for name in arrays["lbldata"].ravel()))
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
    if dataset == emoji.DATASET and other == ["imgs"]:
        text += f"; {_renderings(read(), facts)}"
    return (text,)


def _renderings(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
    """Say how much another renderer changed; the pinned pixels themselves are not shipped."""
    found = emoji.fingerprints(arrays["imgs"], arrays["psts"])
    count = emoji.count_different(found, facts["renderings"])
    total = len(emoji.FRAME.classes) * len(emoji.FRAME.scales)
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{count} of the {total} renderings have other pixels than with {versions} "
        "(stirdata diff against a file made there counts the pixels)"
    )
