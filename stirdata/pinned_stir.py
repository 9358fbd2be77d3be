"""Telling whether a STIR set is the one that stirdata pins, and whether it fits the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from stirdata.families.stir import emoji as stir_emoji
from stirdata.families.stir import mnist as stir_mnist
from stirdata.families.stir import schema as stir_schema
from stirdata.families.stir.axes import Frame
from stirdata.findings import Content, Finding, compare_arrays
from stirdata.manifest import FileEntry, pinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

PINNED = {stir_mnist.DATASET: stir_mnist.FRAME, stir_emoji.DATASET: stir_emoji.FRAME}
"""The datasets with a pinned result, and their axes."""
ANY = "stir"
NAMES = (*PINNED, ANY)
DECISIVE = ("imgs", "lbls", "scls", "psts")
"""The arrays that make a set the pinned one, whatever its metadata say."""
_SQUARE = ("stir-trafficsign", "stir-custom")
"""Further datasets whose boxes are squares; those of ``aerial`` and of what is not known may be longer."""


@dataclass(frozen=True)
class StirIdentity:
    """A set that is the pinned one.

    Attributes:
        dataset: ``stir-mnist`` or ``stir-emoji``.
        seed: Of the pinned set.
        arrays: Names of the arrays that are equal.
    """

    dataset: str
    seed: int
    arrays: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the identity as one line."""
        return (
            f"this is the pinned {self.dataset} set of seed {self.seed}: equal are {', '.join(self.arrays)}"
        )


def inspect(
    dataset: str,
    files: dict[str, FileEntry],
    arrays: Mapping[str, NDArray[Any]],
    hashes: dict[str, str],
    load: Callable[[], Mapping[str, NDArray[Any]]],
) -> Content:
    """Check a set's arrays against the schema, and compare it with the pinned set of its name.

    Args:
        dataset: What the set says it is, or is asked to be.
        files: Its file.
        arrays: The six arrays; of the images only type and shape are looked at.
        hashes: Of the six arrays.
        load: Reads the arrays with the images; called where these have to be compared, in emoji.
    """
    problems = stir_schema.problems(arrays, _frame(dataset, arrays))
    findings = tuple(Finding("malformed", f"array {name}", *rest) for name, *rest in problems)
    compared = load() if dataset == stir_emoji.DATASET and not problems else arrays
    remarks = () if problems else difference(dataset, hashes, compared)
    return Content(files, hashes, findings=findings, remarks=remarks)


def _frame(dataset: str, arrays: Mapping[str, NDArray[Any]]) -> Frame | None:
    """Return the axes that a set must have, as far as its name says."""
    if dataset in PINNED:
        # A published file may name its classes otherwise.
        return replace(PINNED[dataset], classes=tuple(str(name) for name in arrays["lbldata"].ravel()))
    if dataset not in _SQUARE or stir_schema.problems(arrays):
        return None
    return replace(stir_schema.frame_of(arrays), square=True)


def identify(dataset: str, content: Content) -> StirIdentity | None:
    """Return the pinned set that the arrays are, if they are the one of this name; by name for ``stir``."""
    for name in PINNED if dataset == ANY else {dataset} & set(PINNED):
        facts = pinned(name)
        equal = tuple(key for key, sha in facts["arrays"].items() if content.arrays.get(key) == sha)
        if set(DECISIVE) <= set(equal):
            return StirIdentity(name, facts["seed"], equal)
    return None


def explain_difference(dataset: str, content: Content) -> list[Finding]:
    """Say in which arrays a set differs from the pinned one that it was asked to be."""
    if dataset == ANY:
        return []
    expected = {key: pinned(dataset)["arrays"][key] for key in DECISIVE}
    return compare_arrays(expected, content.arrays)


def difference(
    dataset: str, hashes: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]
) -> tuple[str, ...]:
    """Say in one line in what a set differs from the pinned one of its name; nothing if it does not."""
    if dataset not in PINNED:
        return ()
    facts = pinned(dataset)
    other = [key for key in DECISIVE if hashes[key] != facts["arrays"][key]]
    if not other:
        return ()
    text = f"this is not the pinned {dataset} set of seed {facts['seed']}: it differs in {', '.join(other)}"
    if dataset == stir_emoji.DATASET and other == ["imgs"]:
        text += f"; {_renderings(arrays, facts)}"
    return (text,)


def _renderings(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
    """Say how much another renderer changed; the pinned pixels themselves are not shipped."""
    found = stir_emoji.fingerprints(arrays["imgs"], arrays["psts"])
    count = stir_emoji.count_different(found, facts["renderings"])
    total = len(stir_emoji.FRAME.classes) * len(stir_emoji.FRAME.scales)
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{count} of the {total} renderings have other pixels than with {versions} "
        "(stirdata diff against a file made there counts the pixels)"
    )
