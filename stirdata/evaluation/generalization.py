"""Accuracy at every scale.

Source: arXiv 2211.10288 (Altstidl et al.), scale generalization.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.evaluation.overall import all_samples, tell_not_finite
from stirdata.evaluation.predictions import answers, confusions, restricted
from stirdata.evaluation.results import Result, plain, sample_std
from stirdata.evaluation.scales import Scales, groups_of, members_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.evaluation.published import Baselines, Comparison, PublishedTable


@dataclass(frozen=True)
class ScaleGeneralization(Result):
    """Accuracy at every scale, of one dataset or of several runs.

    Attributes:
        groups: The scales.
        confusion: How many images of each scale and class got each prediction: int64 (R, S, C, C), true class
            before predicted.
        not_finite: Images whose logits were not all numbers, (R, S); they count as wrong.
        titles: What was evaluated on, one for each run.
        origins: Of predictions that were read from files: those files, their digests, split, order and
            scales, one for each run.
    """

    groups: Scales
    confusion: NDArray[np.int64] = field(repr=False)
    not_finite: NDArray[np.int64] = field(repr=False)
    titles: tuple[str, ...] = ()
    origins: tuple[Mapping[str, Any], ...] = ()

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
        return sample_std(self.accuracies)

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

    def compare(self, known: Baselines | PublishedTable) -> Comparison:
        """Return this result beside published ones; see :func:`stirdata.evaluation.baselines`.

        Raises:
            ParameterError: It has scales that are not published, or what is published are no accuracies.
        """
        from stirdata.evaluation.published import Baselines, compare, compare_overall

        if not isinstance(known, Baselines):
            return compare_overall(known, float(self.overall.mean()))
        scales = self.groups.names() if self.groups.edges is not None else self.scales.tolist()
        return compare(known, scales, lambda chosen: float(self.at(chosen).mean()))

    def row(self, *, model: str, scenario: str, dataset: str = "") -> list[dict[str, Any]]:
        """Return what the published table has of a model: a line for every scale, each with its columns.

        Args:
            model: Name of the model.
            scenario: How it was trained, such as ``small2large``.
            dataset: Name of the set; what was evaluated on if it is empty.

        Returns:
            Lines with dataset, scenario, model, scale, accuracy_mean, accuracy_std (None for one run), runs.
        """
        title = dataset or ", ".join(dict.fromkeys(self.titles))
        return [
            {
                "dataset": title,
                "scenario": scenario,
                "model": model,
                "scale": scale,
                "accuracy_mean": mean,
                "accuracy_std": std,
                "runs": self.runs,
            }
            for scale, mean, std in zip(
                self.groups.names(), plain(self.accuracy), plain(self.std), strict=True
            )
        ]

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
            self.origins,
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
            "predictions": [dict(origin) for origin in self.origins],
        }

    def draw(self, axes: Any) -> None:
        """Draw accuracy over scale, and a band of one standard deviation where there are several runs."""
        from stirdata.evaluation.plots import OWN, scale_axis

        axes.plot(self.scales, 100 * self.accuracy, color=OWN, marker="o", markersize=3, linewidth=2)
        if self.runs > 1:
            low, high = (100 * (self.accuracy + sign * self.std) for sign in (-1, 1))
            axes.fill_between(self.scales, low, high, color=OWN, alpha=0.2, linewidth=0)
        scale_axis(axes, self.groups)
        axes.set_ylabel("accuracy (%)")


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
    size: int | None = None,
    rank: int = 0,
    world_size: int = 1,
    quiet: bool = False,
) -> ScaleGeneralization:
    """Return the accuracy of a model at every scale.

    Images are grouped by the scale that is stored with each of them, wherever they are.

    Args:
        model: A torch module or any callable: images (N, channels, height, width) float32 to logits
            (N, classes). Or :class:`stirdata.evaluation.Predictions`, a list of them for several datasets;
            then what follows but ``split``, ``scales`` and ``bins`` has no meaning.
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
        size: Side of the images in pixels, where the dataset offers another than the stored one: 56 of
            MNIST-scale.
        rank: Which part of the images; the results of all ranks are added.
        world_size: Number of parts; every image is in one of them.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong; the images have no scales; a scale or a bin has no image; or the
            model does not return as many logits as there are classes.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: arXiv 2211.10288; every scale from 17 to 64, unshuffled.
    """
    every = restricted(model, all_samples(dataset, split, normalize, size))
    groups = groups_of(every, scales, bins)
    members = [members_of(samples, groups) for samples in every]
    wanted = [
        (part := samples.part(rank, world_size))[own[part] >= 0]
        for samples, own in zip(every, members, strict=True)
    ]
    found = answers(model, every, wanted, device=device, batch_size=batch_size, quiet=quiet)
    counted = [
        confusions(samples, one, own, len(groups.values))
        for samples, one, own in zip(every, found, members, strict=True)
    ]
    result = ScaleGeneralization(
        groups,
        np.stack([confusion for confusion, _ in counted]),
        np.stack([absent for _, absent in counted]),
        tuple(samples.title for samples in every),
        tuple(one.origin for one in found if one.origin),
    )
    tell_not_finite(result.not_finite, quiet)
    return result
