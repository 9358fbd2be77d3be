"""Accuracy at every scale.

Source: arXiv 2211.10288 (Altstidl et al.), scale generalization.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.evaluation.results import Result, plain
from stirdata.evaluation.running import checked_batch_size, predictions, running
from stirdata.evaluation.samples import Samples, samples_of
from stirdata.evaluation.scales import Scales, groups_of, members_of
from stirdata.progress import bar, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.evaluation.baselines import Baselines, Comparison


@dataclass(frozen=True)
class ScaleGeneralization(Result):
    """Accuracy at every scale, of one dataset or of several runs.

    Attributes:
        groups: The scales.
        confusion: How many images of each scale and class got each prediction: int64 (R, S, C, C), true class
            before predicted.
        not_finite: Images whose logits were not all numbers, (R, S); they count as wrong.
        titles: What was evaluated on, one for each run.
    """

    groups: Scales
    confusion: NDArray[np.int64] = field(repr=False)
    not_finite: NDArray[np.int64] = field(repr=False)
    titles: tuple[str, ...] = ()

    @property
    def scales(self) -> NDArray[Any]:
        """Scales in pixels or factors, ascending; the middle of each bin: (S,)."""
        return self.groups.values

    @property
    def runs(self) -> int:
        """Number of datasets."""
        return len(self.confusion)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Images of every scale in each run, int64 (R, S)."""
        counts: NDArray[np.int64] = self.confusion.sum(axis=(2, 3)) + self.not_finite
        return counts

    @cached_property
    def accuracies(self) -> NDArray[np.float64]:
        """Accuracy at every scale in each run, 0 to 1, float64 (R, S); NaN where a rank has no image."""
        right = np.trace(self.confusion, axis1=2, axis2=3)
        with np.errstate(invalid="ignore"):
            accuracies: NDArray[np.float64] = right / self.counts
        return accuracies

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Accuracy at every scale, 0 to 1: the mean of all runs, float64 (S,)."""
        mean: NDArray[np.float64] = self.accuracies.mean(axis=0)
        return mean

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of the runs' accuracies, of a sample (N - 1), float64 (S,); NaN for one run."""
        if self.runs == 1:
            return np.full(len(self.scales), np.nan)
        deviation: NDArray[np.float64] = self.accuracies.std(axis=0, ddof=1)
        return deviation

    @property
    def overall(self) -> NDArray[np.float64]:
        """Accuracy over all images of each run, float64 (R,)."""
        right = np.trace(self.confusion, axis1=2, axis2=3).sum(axis=1)
        found: NDArray[np.float64] = right / self.counts.sum(axis=1)
        return found

    def at(self, scales: Iterable[float]) -> NDArray[np.float64]:
        """Return the accuracy over all images at some of the scales, of each run: float64 (R,).

        Raises:
            ParameterError: One of them is none of the result.
        """
        wanted = np.array(list(scales))
        found = self.groups.groups(wanted) if len(wanted) else np.array([-1])
        if (found < 0).any():
            raise ParameterError(
                "the result has no such scales",
                where="scales",
                expected=f"some of {', '.join(map(str, self.groups.names()))}",
                got=", ".join(map(str, wanted[found < 0].tolist())) if len(wanted) else "none",
            )
        rows = np.unique(found)
        right = np.trace(self.confusion[:, rows], axis1=2, axis2=3).sum(axis=1)
        part: NDArray[np.float64] = right / self.counts[:, rows].sum(axis=1)
        return part

    def over(self, scenario: Any) -> dict[str, NDArray[np.float64]]:
        """Return the accuracy at the scales that a network was trained at, and at the others, of each run.

        Args:
            scenario: With ``train`` and ``test``, such as ``stirdata.scenarios.small2large``.

        Returns:
            ``own`` and ``other``, float64 (R,); without ``other`` where it trains at all that it tests at.
        """
        other = [scale for scale in scenario.test if scale not in set(scenario.train)]
        return {"own": self.at(scenario.train), **({"other": self.at(other)} if other else {})}

    def compare(self, known: Baselines) -> Comparison:
        """Return this result beside published ones; see :func:`stirdata.evaluation.baselines`.

        Raises:
            ParameterError: It has scales that are not published.
        """
        from stirdata.evaluation.baselines import compare

        scales = self.groups.names() if self.groups.edges is not None else self.scales.tolist()
        return compare(known, scales, lambda chosen: float(self.at(chosen).mean()))

    def __add__(self, other: ScaleGeneralization) -> ScaleGeneralization:
        """Return the result of two ranks together, which had parts of the same images."""
        same = isinstance(other, ScaleGeneralization) and other.confusion.shape == self.confusion.shape
        if not same or not np.array_equal(other.scales, self.scales):
            raise ParameterError("these are results of other scales or classes", where="other", got=other)
        return ScaleGeneralization(
            self.groups,
            self.confusion + other.confusion,
            self.not_finite + other.not_finite,
            self.titles,
        )

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return scale, accuracy, standard deviation over the runs if there are several, and images."""
        spread = {"std": plain(self.std)} if self.runs > 1 else {}
        return {
            f"scale ({self.groups.unit})": self.groups.names(),
            "accuracy": plain(self.accuracy),
            **spread,
            "images": plain(self.counts.sum(axis=0)),
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "scale generalization",
            "unit": self.groups.unit,
            "scales": plain(self.scales),
            "edges": None if self.groups.edges is None else plain(self.groups.edges),
            "accuracy": plain(self.accuracy),
            "std": plain(self.std),
            "accuracies": plain(self.accuracies),
            "counts": plain(self.counts),
            "confusion": plain(self.confusion),
            "not_finite": plain(self.not_finite),
            "datasets": list(self.titles),
        }


def scale_generalization(
    model: Any,
    dataset: Any,
    split: str = "test",
    *,
    scales: Iterable[float] | None = None,
    bins: int | Sequence[float] | None = None,
    device: Any = None,
    batch_size: int = 256,
    normalize: Any = None,
    rank: int = 0,
    world_size: int = 1,
    quiet: bool = False,
) -> ScaleGeneralization:
    """Return the accuracy of a model at every scale.

    Images are grouped by the scale that is stored with each of them, wherever they are.

    Args:
        model: A torch module or any callable: images (N, channels, height, width) float32 to logits
            (N, classes).
        dataset: What a loader of stirdata opened; or a tuple of tensors (images, labels, scales). A list of
            them gives mean and standard deviation.
        split: Name of a split of the dataset.
        scales: Those wanted, in pixels or as factors; None for all that there are.
        bins: Where every image has a factor of its own: number of equally wide bins, or their edges; None for
            seven, between multiples of a twentieth. 0.3 to 1.0 of MNIST-scale in steps of 0.1.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        normalize: As the model was trained: None, True, or mean and standard deviation; see
            :meth:`stirdata.loading.dataset.ImageDataset.to_torch`.
        rank: Which part of the images; the results of all ranks are added.
        world_size: Number of parts; every image is in one of them.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong; the images have no scales; a scale or a bin has no image; or the
            model does not return as many logits as there are classes.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: arXiv 2211.10288; every scale from 17 to 64, unshuffled.
    """
    several = isinstance(dataset, list)
    every = [samples_of(one, split, normalize) for one in (dataset if several else [dataset])]
    if not every:
        raise ParameterError("there is no dataset", where="dataset", expected="at least one")
    groups = groups_of(every, scales, bins)
    size, found, missing = checked_batch_size(batch_size), [], []
    with running(model, device) as ready:
        for samples in every:
            members = members_of(samples, groups)
            positions = samples.part(rank, world_size)
            positions = positions[members[positions] >= 0]
            predicted, classes = [], samples.classes
            with bar(len(positions), "evaluate", "image", quiet=quiet) as shown:
                for images in samples.read(positions, size, ready.device):
                    logits = ready.logits(images, classes)
                    classes = logits.shape[1]
                    predicted.append(predictions(logits).cpu().numpy())
                    shown.advance(len(images))
            every_one = np.concatenate(predicted or [np.empty(0, np.int64)])
            confusion, absent = _counted(samples, positions, members, every_one, groups, classes)
            found.append(confusion)
            missing.append(absent)
    result = ScaleGeneralization(
        groups, np.stack(found), np.stack(missing), tuple(samples.title for samples in every)
    )
    if result.not_finite.any() and not quiet:
        say(f"the logits of {result.not_finite.sum()} images were not all numbers; they count as wrong")
    return result


def _counted(
    samples: Samples,
    positions: NDArray[np.int64],
    members: NDArray[np.int64],
    predicted: NDArray[np.int64],
    groups: Scales,
    classes: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the confusion at each scale, (S, C, C), and how many images have no prediction, (S,)."""
    labels, own = samples.labels[positions], members[positions]
    count = classes or int(samples.labels.max(initial=0)) + 1
    if labels.max(initial=0) >= count:
        raise ParameterError(
            "the model has too few logits", where="model", expected=f"{labels.max() + 1}", got=count
        )
    known = predicted >= 0
    confusion = np.zeros((len(groups.values), count, count), np.int64)
    np.add.at(confusion, (own[known], labels[known], predicted[known]), 1)
    return confusion, np.bincount(own[~known], minlength=len(groups.values))
