"""Telling which published realization of MNIST-scale something is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stirdata.findings import Content, Finding, compare_arrays
from stirdata.manifest import pinned
from stirdata.storage import mnist_scale as storage


@dataclass(frozen=True)
class MNISTScaleIdentity:
    """Which published realization a dataset is.

    Attributes:
        dataset: ``mnist-scale``.
        seed: Of the published realization whose pixels and labels these are.
        arrays: Names of the arrays that were compared and are equal.
        published_md5: Of the PNG tree.
        found_md5: Of the tree that was verified; None for other formats.
    """

    dataset: str
    seed: int
    arrays: tuple[str, ...]
    published_md5: str
    found_md5: str | None

    @property
    def other_encoder(self) -> bool:
        """Whether the pixels are right but the PNG files come from another encoder."""
        return self.found_md5 is not None and self.found_md5 != self.published_md5

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self) | {"other_encoder": self.other_encoder}

    def sentence(self) -> str:
        """Return the identity as one line."""
        text = f"this is the published {self.dataset} realization of seed {self.seed}: "
        if self.found_md5 is None:
            return text + "pixels, labels and scales are equal"
        if self.other_encoder:
            return (
                text + "pixels and labels are equal; the PNG files come from another encoder, so that their "
                f"MD5 is {self.found_md5}, not the published {self.published_md5}"
            )
        return (
            text + f"pixels and labels are equal, and the PNG files have the published MD5 {self.found_md5}"
        )


def identify(content: Content) -> MNISTScaleIdentity | None:
    """Return the published realization that the arrays are, however they got here."""
    for seed, facts in _published().items():
        needed = [name for name in facts["arrays"] if name.endswith(("images", "labels"))]
        shared = tuple(name for name in facts["arrays"] if name in content.arrays)
        equal = all(content.arrays[name] == facts["arrays"][name] for name in shared)
        if equal and set(needed) <= set(shared):
            return MNISTScaleIdentity(
                storage.DATASET, int(seed), shared, facts[storage.MD5_NAME], content.md5
            )
    return None


def explain_difference(content: Content) -> list[Finding]:
    """Say in what a dataset differs from the published realization that it comes closest to."""

    def differences(facts: Mapping[str, Any]) -> list[Finding]:
        return compare_arrays(
            {name: sha for name, sha in facts["arrays"].items() if name in content.arrays}, content.arrays
        )

    if not content.arrays:
        return []
    seed, facts = min(_published().items(), key=lambda item: len(differences(item[1])))
    if len(differences(facts)) == len(set(facts["arrays"]) & set(content.arrays)):
        return [Finding("unknown", "dataset", "one of the six published realizations", "none of them")]
    closest = Finding(
        "unknown", "dataset", f"the published realization of seed {seed}", "another one close to it"
    )
    return [closest, *differences(facts)]


def _published() -> dict[str, Any]:
    realizations: dict[str, Any] = pinned("mnist-scale")["realizations"]
    return realizations
