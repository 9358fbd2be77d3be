"""Whether a network that pools over scales chooses larger ones for larger objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.evaluation.layers import named_modules, rows_of
from stirdata.evaluation.results import Result, plain
from stirdata.evaluation.running import checked_batch_size, running
from stirdata.evaluation.samples import samples_of
from stirdata.evaluation.scales import Scales, groups_of, members_of
from stirdata.progress import bar

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ScaleIndexCorrelation(Result):
    """The scale index that modules choose, beside the true scale.

    Attributes:
        groups: The scales.
        indices: By module: mean chosen index of the images at each scale, float64 (S,).
    """

    groups: Scales
    indices: dict[str, NDArray[np.float64]] = field(repr=False)

    @property
    def scales(self) -> NDArray[Any]:
        """Scales in pixels or factors, ascending: (S,)."""
        return self.groups.values

    def pearson(self, module: str) -> float:
        """Return Pearson's correlation of scale and mean index; NaN if the index is the same throughout."""
        return _correlation(self.scales.astype(np.float64), self.indices[module])

    def spearman(self, module: str) -> float:
        """Return Spearman's rank correlation of scale and mean index, equal ones with their mean rank."""
        return _correlation(_ranks(self.scales), _ranks(self.indices[module]))

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the mean index of each module at every scale."""
        means = {name: plain(values) for name, values in self.indices.items()}
        return {f"scale ({self.groups.unit})": self.groups.names(), **means}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        known = {name: (self.pearson(name), self.spearman(name)) for name in self.indices}
        return {
            "measure": "scale-index correlation",
            "unit": self.groups.unit,
            "scales": plain(self.scales),
            "indices": {name: plain(values) for name, values in self.indices.items()},
            "pearson": {name: plain(np.array(one)) for name, (one, _) in known.items()},
            "spearman": {name: plain(np.array(other)) for name, (_, other) in known.items()},
        }

    def draw(self, axes: Any) -> None:
        """Draw the mean index of each module over scale."""
        from stirdata.evaluation.plots import legend, line, scale_axis

        for number, (name, values) in enumerate(self.indices.items()):
            line(axes, number, self.scales, values, name)
        scale_axis(axes, self.groups)
        axes.set_ylabel("mean scale index")
        legend(axes)


def scale_index_correlation(
    model: Any,
    dataset: Any,
    modules: Any,
    split: str = "test",
    *,
    scales: Iterable[float] | None = None,
    bins: int | Sequence[float] | None = None,
    device: Any = None,
    batch_size: int = 256,
    normalize: Any = None,
    size: int | None = None,
    quiet: bool = False,
) -> ScaleIndexCorrelation:
    """Return the scale index that modules choose at every scale, and how it goes with the scale.

    Args:
        model: A torch module.
        dataset: As for :func:`stirdata.evaluation.scale_generalization`, one of them.
        modules: Parts of the model that pool over scales, or their names; one or several. Each keeps what it
            has chosen in an attribute ``indices``: numbers (N, …), whose mean is taken for each image.
        split: Name of a split of the dataset.
        scales: As for :func:`stirdata.evaluation.scale_generalization`, and so are the others.
        bins: As there.
        device: As there.
        batch_size: As there.
        normalize: As there.
        size: As there.
        quiet: As there.

    Raises:
        ParameterError: An argument is wrong, there is no such module, or it keeps no indices.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: arXiv 2211.10288.
    """
    samples, parts = samples_of(dataset, split, normalize, size), named_modules(model, modules, "modules")
    groups, step = groups_of([samples], scales, bins), checked_batch_size(batch_size)
    members = members_of(samples, groups)
    positions = np.flatnonzero(members >= 0)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in parts}
    with running(model, device) as ready, bar(len(positions), "index", "image", quiet=quiet) as shown:
        for images in samples.read(positions, step, ready.device):
            ready(images)
            for name, part in parts.items():
                found[name].append(_mean_indices(part, name, len(images)))
            shown.advance(len(images))
    own = members[positions]
    count = np.bincount(own, minlength=len(groups.values))
    means = {
        name: np.bincount(own, np.concatenate(values), len(groups.values)) / count
        for name, values in found.items()
    }
    return ScaleIndexCorrelation(groups, means)


def _mean_indices(part: Any, name: str, count: int) -> NDArray[np.float64]:
    """Return the mean index that a module has chosen for each image: (N,)."""
    rows = rows_of(
        getattr(part, "indices", None),
        count,
        "the module keeps no indices of every image",
        f"module {name}",
        "an attribute indices",
    )
    means: NDArray[np.float64] = rows.mean(dim=1).cpu().numpy()
    return means


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    first, second = one - one.mean(), other - other.mean()
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length else float("nan")


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the ranks of values, equal ones with the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse.reshape(-1)]
    return ranks
