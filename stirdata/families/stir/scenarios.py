"""The evaluation scenarios of STIR: at which scales a model is trained, and at which it is tested.

Source: T. Altstidl et al., "Just a Matter of Scale?", arXiv 2211.10288, and the code published with it.

Example:
    >>> get(1) is small2large
    True
    >>> small2large.train, small2large.test
    (range(17, 33), range(33, 65))

With a set of 64 x 64 images::

    train, valid, test = small2large(STIRDataset("mnist.npz"), device="cuda", dtype=torch.float16)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.arguments import as_integer
from stirdata.errors import ParameterError

if TYPE_CHECKING:
    from stirdata.families.stir.loader import STIRDataset
    from stirdata.loading.views import SelectedTensors


class Selections(NamedTuple):
    """The images and labels of a scenario, each as :meth:`STIRDataset.to_torch` returns them."""

    train: SelectedTensors
    valid: SelectedTensors
    test: SelectedTensors


@dataclass(frozen=True)
class Scenario:
    """Scales to train, to validate and to test at.

    Args:
        name: What to call it.
        train: Scales in pixels, in the order in which images are to come.
        valid: Likewise; in the published scenarios those of ``train``.
        test: Likewise.
        allow_overlap: Whether a scale may be both in ``train`` and in ``test``.

    Raises:
        ParameterError: A scale is both trained and tested at; there is none; or one is not an integer.

    Examples:
        >>> Scenario("extremes", range(30, 50), range(30, 50), (*range(17, 30), *range(50, 65))).name
        'extremes'
    """

    name: str
    train: Sequence[int]
    valid: Sequence[int]
    test: Sequence[int]
    allow_overlap: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for part in ("train", "valid", "test"):
            object.__setattr__(self, part, _checked(part, getattr(self, part)))
        common = sorted(set(self.train) & set(self.test))
        if common and not self.allow_overlap:
            raise ParameterError(
                "the scenario tests at scales that it trains at",
                where=f"scenario {self.name}",
                expected="no scale both in train and in test",
                got=", ".join(str(scale) for scale in common),
                hint="allow_overlap=True if this is what you want",
            )

    def __call__(
        self, dataset: STIRDataset, device: Any = None, *, shuffle: bool = True, **options: Any
    ) -> Selections:
        """Return the train, valid and test images of a set at the scenario's scales.

        Args:
            dataset: Any STIR set that has these scales.
            device: Of torch; None is the CPU.
            shuffle: Whether to permute the training images, as the published loader does by default.
                Those of valid and test always come scale by scale: their order changes no result, and
                the accuracy per scale is then ``correct.reshape(len(scenario.test), -1).mean(axis=1)``.
            **options: As for :meth:`STIRDataset.to_torch`: dtype, channels_last, normalize, latents.

        Raises:
            ParameterError: The set lacks a scale, or an option is wrong.
            FormatError: The file is damaged.
            NotEnoughMemoryError: The images do not fit into the memory of the device.
        """
        _check_dataset(dataset)
        return Selections(
            dataset.to_torch("train", self.train, shuffle, device, **options),
            dataset.to_torch("valid", self.valid, False, device, **options),
            dataset.to_torch("test", self.test, False, device, **options),
        )


def _check_dataset(dataset: object) -> None:
    from stirdata.families.stir.loader import STIRDataset

    if not isinstance(dataset, STIRDataset):
        raise ParameterError(
            "a scenario selects from a STIR set",
            where="dataset",
            expected="stirdata.STIRDataset(path)",
            got=repr(dataset),
        )


def _checked(part: str, scales: Any) -> Sequence[int]:
    """Return a range as it is, anything else as a tuple of integers."""
    if isinstance(scales, range) and scales:
        return scales
    try:
        values = [as_integer(scale) for scale in scales]
    except TypeError:
        values = []
    whole = tuple(value for value in values if value is not None)
    if not whole or len(set(whole)) < len(values):
        expected = "a sequence of integers, each once"
        raise ParameterError("a scenario needs scales", where=part, expected=expected, got=repr(scales))
    return whole


small2large = Scenario("small2large", range(17, 33), range(17, 33), range(33, 65))
"""Scenario 1: trains at 17 to 32 pixels, tests at 33 to 64."""

mid2rest = Scenario("mid2rest", range(33, 49), range(33, 49), (*range(17, 33), *range(49, 65)))
"""Scenario 2: trains at 33 to 48 pixels, tests at 17 to 32 and 49 to 64."""

large2small = Scenario("large2small", range(49, 65), range(49, 65), range(17, 49))
"""Scenario 3: trains at 49 to 64 pixels, tests at 17 to 48."""

all2all = Scenario("all2all", range(17, 65), range(17, 65), range(17, 65), allow_overlap=True)
"""Scenario 4: trains and tests at 17 to 64 pixels."""

ALL = {scenario.name: scenario for scenario in (small2large, mid2rest, large2small, all2all)}
"""The published scenarios by name, in the order of their numbers."""


def get(which: int | str) -> Scenario:
    """Return a published scenario by its number, 1 to 4, or its name.

    Raises:
        ParameterError: There is none of that number or name.
    """
    number = as_integer(which)
    if number is not None and 1 <= number <= len(ALL):
        return list(ALL.values())[number - 1]
    if isinstance(which, str) and which in ALL:
        return ALL[which]
    expected = ", ".join(f"{index} {name}" for index, name in enumerate(ALL, 1))
    raise ParameterError("unknown scenario", where="scenario", expected=expected, got=repr(which))
