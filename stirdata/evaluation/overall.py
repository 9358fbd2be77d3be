"""Accuracy over all images of a split, of one dataset or of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.evaluation.predictions import answers, confusions, restricted
from stirdata.evaluation.results import Result, plain, sample_std
from stirdata.evaluation.samples import Samples, samples_of
from stirdata.progress import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.evaluation.published import Comparison, PublishedTable


@dataclass(frozen=True)
class Accuracy(Result):
    """Accuracy over all images, of one dataset or of several runs.

    Attributes:
        confusion: How many images of each class got each prediction: int64 (R, C, C), true class before
            predicted.
        not_finite: Images whose logits were not all numbers, (R,); they count as wrong.
        titles: What was evaluated on, one for each run.
    """

    confusion: NDArray[np.int64] = field(repr=False)
    not_finite: NDArray[np.int64] = field(repr=False)
    titles: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """Number of datasets."""
        return len(self.confusion)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images of each run, int64 (R,)."""
        counts: NDArray[np.int64] = self.confusion.sum(axis=(1, 2)) + self.not_finite
        return counts

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Accuracy of each run, 0 to 1, float64 (R,)."""
        accuracies: NDArray[np.float64] = np.trace(self.confusion, axis1=1, axis2=2) / self.counts
        return accuracies

    @property
    def accuracy(self) -> float:
        """Accuracy, 0 to 1: the mean of all runs."""
        return float(self.accuracies.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the runs' accuracies, of a sample (N - 1); NaN for one run."""
        return float(sample_std(self.accuracies))

    def compare(self, known: PublishedTable) -> Comparison:
        """Return this result beside published ones; see :func:`stirdata.evaluation.baselines`.

        Raises:
            ParameterError: They are no accuracies over all images.
        """
        from stirdata.evaluation.published import compare_overall

        return compare_overall(known, self.accuracy)

    def __add__(self, other: Accuracy) -> Accuracy:
        """Return the result of two ranks together, which had parts of the same images."""
        if not isinstance(other, Accuracy) or other.confusion.shape != self.confusion.shape:
            raise ParameterError("these are results of other classes or runs", where="other", got=other)
        return Accuracy(self.confusion + other.confusion, self.not_finite + other.not_finite, self.titles)

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return accuracy and images of each run."""
        titles = self.titles or tuple(map(str, range(self.runs)))
        return {"dataset": titles, "accuracy": plain(self.accuracies), "images": plain(self.counts)}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "accuracy",
            "accuracy": self.accuracy,
            "std": plain(np.array(self.std)),
            "accuracies": plain(self.accuracies),
            "counts": plain(self.counts),
            "confusion": plain(self.confusion),
            "not_finite": plain(self.not_finite),
            "datasets": list(self.titles),
        }

    def draw(self, axes: Any) -> None:
        """Draw the confusion of all runs as shares of each true class."""
        confusion = self.confusion.sum(axis=0)
        shares = confusion / confusion.sum(axis=1, keepdims=True).clip(1)
        picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.figure.colorbar(picture, ax=axes, label="share of the class")
        axes.grid(visible=False)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("class")


def accuracy(
    model: Any,
    dataset: Any,
    split: str = "test",
    *,
    device: Any = None,
    batch_size: int = 256,
    normalize: Any = None,
    size: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    quiet: bool = False,
) -> Accuracy:
    """Return the accuracy of a model over all images of a split, which need no scales.

    Args:
        model: As for :func:`stirdata.evaluation.scale_generalization`, and so are the others.
        dataset: As there; a list of them gives mean and standard deviation.
        split: As there.
        device: As there.
        batch_size: As there.
        normalize: As there.
        size: As there.
        rank: As there.
        world_size: As there.
        quiet: As there.

    Raises:
        ParameterError: An argument is wrong, or the model does not return as many logits as there are
            classes.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.
    """
    every = restricted(model, all_samples(dataset, split, normalize, size))
    wanted = [samples.part(rank, world_size) for samples in every]
    found = answers(model, every, wanted, device=device, batch_size=batch_size, quiet=quiet)
    counted = [
        confusions(samples, one, np.zeros(len(samples), np.int64), 1)
        for samples, one in zip(every, found, strict=True)
    ]
    result = Accuracy(
        np.stack([confusion[0] for confusion, _ in counted]),
        np.stack([absent[0] for _, absent in counted]),
        tuple(samples.title for samples in every),
    )
    tell_not_finite(result.not_finite, quiet)
    return result


def all_samples(dataset: Any, split: str, normalize: Any, size: int | None) -> list[Samples]:
    """Return the images of a dataset, or of each of a list of them.

    Raises:
        ParameterError: There is none, or one cannot be evaluated on.
    """
    datasets = dataset if isinstance(dataset, list) else [dataset]
    if not datasets:
        raise ParameterError("there is no dataset", where="dataset", expected="at least one")
    return [samples_of(one, split, normalize, size) for one in datasets]


def tell_not_finite(counts: NDArray[np.int64], quiet: bool) -> None:
    """Say how many images had logits that were not all numbers, if there are any."""
    if counts.any() and not quiet:
        say(f"the logits of {counts.sum()} images were not all numbers; they count as wrong")
