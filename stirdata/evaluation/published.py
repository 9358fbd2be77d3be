"""What others have published, to be put beside a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.evaluation.results import Result, plain
from stirdata.manifest import pinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILES = "baselines-"
"""How the names of the manifests begin that hold published results; the benchmark follows."""


@dataclass(frozen=True)
class Baselines(Result):
    """Published accuracy of several networks at every scale.

    Attributes:
        title: Of the set and scenario.
        source: Where the figures are from.
        models: Names, (M,).
        scales: In pixels, (S,).
        mean: Accuracy over the runs, 0 to 1, float64 (M, S).
        std: Standard deviation of the runs, as published, float64 (M, S).
        runs: Of each network, int64 (M,).
        trained: Scales that the networks were trained at, in pixels.
    """

    title: str
    source: str
    models: tuple[str, ...]
    scales: NDArray[np.int64] = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)
    std: NDArray[np.float64] = field(repr=False)
    runs: NDArray[np.int64] = field(repr=False)
    trained: tuple[int, ...] = field(repr=False)

    def over(self, scales: Sequence[int]) -> NDArray[np.float64]:
        """Return the accuracy of each network over some scales, all of which have as many images: (M,)."""
        mean: NDArray[np.float64] = self.mean[:, np.isin(self.scales, scales)].mean(axis=1)
        return mean

    def draw(self, axes: Any) -> None:
        """Draw the accuracy of each network over scale; the scales of training have another background."""
        from stirdata.evaluation.plots import legend, line

        axes.axvspan(
            self.trained[0] - 0.5,
            self.trained[-1] + 0.5,
            color="#f3efe2",
            linewidth=0,
            label="scales of training",
        )
        for number, (model, mean) in enumerate(zip(self.models, self.mean, strict=True)):
            line(axes, number, self.scales, 100 * mean, model)
        axes.set_title(self.title, loc="left", fontsize="medium")
        axes.set_xlabel("scale (pixels)")
        axes.set_ylabel("accuracy (%)")
        legend(axes)

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the mean of each network at every scale."""
        each = {name: plain(row) for name, row in zip(self.models, self.mean, strict=True)}
        return {"scale (pixels)": plain(self.scales), **each}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "title": self.title,
            "source": self.source,
            "scales": plain(self.scales),
            "trained": list(self.trained),
            "models": {
                name: {"runs": int(runs), "mean": plain(mean), "std": plain(std)}
                for name, runs, mean, std in zip(self.models, self.runs, self.mean, self.std, strict=True)
            },
        }


@dataclass(frozen=True)
class PublishedTable(Result):
    """One column of a published table: a number for each of several networks.

    Attributes:
        title: Of the benchmark, and how the networks were trained.
        source: Where the figures are from.
        measure: What the numbers are: ``error (%)`` or ``seconds per epoch``.
        models: Names, (M,).
        mean: Over the runs, float64 (M,).
        std: Standard deviation of the runs, as published, float64 (M,); NaN where there is none.
        runs: Of each network; None where it is not told.
    """

    title: str
    source: str
    measure: str
    models: tuple[str, ...]
    mean: NDArray[np.float64] = field(repr=False)
    std: NDArray[np.float64] = field(repr=False)
    runs: int | None = None

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return mean and standard deviation of each network."""
        return {"model": self.models, self.measure: plain(self.mean), "std": plain(self.std)}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        numbers = zip(self.models, plain(self.mean), plain(self.std), strict=True)
        return {
            "title": self.title,
            "source": self.source,
            "measure": self.measure,
            "runs": self.runs,
            "models": {name: {"mean": mean, "std": std} for name, mean, std in numbers},
        }

    def draw(self, axes: Any) -> None:
        """Draw a bar for each network, with its standard deviation."""
        axes.barh(self.models[::-1], self.mean[::-1], xerr=np.nan_to_num(self.std[::-1]), color="#9db7cc")
        axes.set_title(self.title, loc="left", fontsize="medium")
        axes.set_xlabel(self.measure)


def baselines(
    of: str,
    *,
    set: str | None = None,  # noqa: A002 - as people say it
    scenario: str | None = None,
    reproduced: bool = False,
) -> Baselines | PublishedTable:
    """Return what is published of networks on a benchmark.

    Args:
        of: The benchmark: ``stir`` (accuracy of eleven networks at every scale), ``mnist-scale`` (errors),
            ``mnist-scale-seconds`` (seconds per epoch), ``stl10`` (errors).
        set: Which of its sets, if it has several: ``emoji``, ``mnist``, ``trafficsign``, ``aerial`` of STIR.
        scenario: How the networks were trained, if that differs: ``small2large``, ``mid2rest``,
            ``large2small``, ``all2all`` of STIR; ``28``, ``28+``, ``56``, ``56+`` of MNIST-scale: pixels, and
            with random scales.
        reproduced: Figures that others have found who made the published ones again.

    Returns:
        A :class:`Baselines` where accuracies at every scale are published, else a :class:`PublishedTable`.

    Raises:
        ParameterError: There is nothing of these names.

    Examples:
        >>> known = baselines("stir", set="mnist", scenario="small2large")
        >>> len(known.models), known.mean.shape, known.trained[0], known.trained[-1]
        (11, (11, 48), 17, 32)
        >>> table = baselines("mnist-scale", scenario="28")
        >>> table.models[0], float(table.mean[0]), float(table.std[0]), table.runs
        ('CNN', 2.56, 0.04, 6)

    Source: arXiv 2211.10288, aggregated from the results published with it; arXiv 1910.11093, Tables 2, 3
    and 4; Bubberman and Braakman, Delft University of Technology, 2021.
    """
    facts = pinned(_FILES + _known("of", of, published_benchmarks()))
    if "accuracy" not in facts:
        return _table(facts, set, scenario, reproduced)
    if reproduced:
        raise ParameterError("nobody has published this again", where="reproduced", expected="False")
    sets = facts["accuracy"]
    scenarios = sets[_known("set", set, sets)]
    networks = scenarios[_known("scenario", scenario, scenarios)]
    (first, last), (low, high) = facts["scales"], facts["trained"][scenario]
    return Baselines(
        f"{of} {set}, {scenario}",
        facts["source"],
        tuple(networks),
        np.arange(first, last + 1),
        np.array([one["mean"] for one in networks.values()]),
        np.array([one["std"] for one in networks.values()]),
        np.array([one["runs"] for one in networks.values()]),
        tuple(range(low, high + 1)),
    )


def _table(facts: dict[str, Any], kind: str | None, scenario: str | None, reproduced: bool) -> PublishedTable:
    tables = facts["tables"]
    which = _known("reproduced", "reproduced" if reproduced else "published", tables)
    columns = tables[which]["columns"]
    if kind is not None:
        raise ParameterError("the benchmark is one set", where="set", expected="None", got=repr(kind))
    alone = len(columns) == 1 and scenario is None
    chosen = next(iter(columns)) if alone else _known("scenario", scenario, columns)
    numbers = columns[chosen]
    return PublishedTable(
        facts["title"] if alone else f"{facts['title']}, {chosen}",
        tables[which]["source"],
        facts["measure"],
        tuple(numbers),
        np.array([mean for mean, _ in numbers.values()], np.float64),
        np.array([np.nan if std is None else std for _, std in numbers.values()], np.float64),
        tables[which]["runs"],
    )


def published_benchmarks() -> list[str]:
    """Return the benchmarks of which results are published."""
    names = [file.name for file in resources.files("stirdata.manifests").iterdir()]
    found = [name for name in names if name.startswith(_FILES) and name.endswith(".json")]
    return sorted(name.removeprefix(_FILES).removesuffix(".json") for name in found)


def _known(where: str, name: Any, present: Any) -> str:
    if name not in present:
        raise ParameterError(
            "nothing is published under this name", where=where, expected=", ".join(present), got=repr(name)
        )
    return str(name)


@dataclass(frozen=True)
class Comparison(Result):
    """A network beside published ones.

    Attributes:
        title: What was compared on.
        models: Names of the published networks, (M,).
        own: Accuracy of the network by range of scales: ``trained`` and ``others``, as far as there are any;
            or over ``all`` images.
        published: Accuracies of the published networks, by range: float64 (M,).
    """

    title: str
    models: tuple[str, ...]
    own: dict[str, float]
    published: dict[str, NDArray[np.float64]] = field(repr=False)

    def rank(self, part: str) -> int:
        """Return the place of the network among all: 1 is the best, and equal ones share the better place."""
        return 1 + int((self.published[part] > self.own[part]).sum())

    def difference(self, part: str) -> NDArray[np.float64]:
        """Return by how many points, of 100, the network is above each published one: float64 (M,)."""
        points: NDArray[np.float64] = 100 * (self.own[part] - self.published[part])
        return points

    def draw(self, axes: Any) -> None:
        """Draw a point for each published network and range, the best ones above, and a line for this one."""
        from stirdata.evaluation.plots import OTHERS, OWN

        last = next(reversed(self.published))
        order = np.argsort(self.published[last])
        names = [self.models[number] for number in order]
        for number, (part, accuracies) in enumerate(self.published.items()):
            colour, marker = OTHERS[number], "os"[number]
            axes.plot(100 * accuracies[order], names, marker, color=colour, label=part, markersize=5)
            axes.axvline(
                100 * self.own[part],
                color=OWN,
                linestyle=("-", "--")[number],
                linewidth=1.6,
                label=f"this network, {part}",
            )
        axes.set_title(self.title, loc="left", fontsize="medium")
        axes.set_xlabel("accuracy (%)")
        axes.legend(loc="best", frameon=False, fontsize="small")

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return accuracy and difference in points for both ranges; the network itself comes first."""
        columns: dict[str, Sequence[Any]] = {"model": ["this network", *self.models]}
        for part, accuracies in self.published.items():
            columns[part] = [self.own[part], *plain(accuracies)]
            columns[f"points ({part})"] = [None, *plain(self.difference(part))]
        return columns

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "title": self.title,
            "own": self.own,
            "rank": {part: self.rank(part) for part in self.own},
            "published": {
                part: dict(zip(self.models, plain(accuracies), strict=True))
                for part, accuracies in self.published.items()
            },
        }


def compare(
    known: Baselines, scales: Sequence[int], accuracy: Callable[[Sequence[int]], float]
) -> Comparison:
    """Put a network beside published ones, at the scales that it was evaluated at.

    Args:
        known: The published ones.
        scales: In pixels.
        accuracy: Returns that of the network over some of the scales.

    Raises:
        ParameterError: There are scales that are not published.
    """
    absent = sorted({*scales} - {*known.scales.tolist()})
    if absent:
        raise ParameterError(
            "the result has scales that are not published",
            where="baselines",
            expected=f"scales in pixels, {known.scales[0]} to {known.scales[-1]}",
            got=", ".join(map(str, absent)),
        )
    ranges = {
        "trained": [scale for scale in scales if scale in known.trained],
        "others": [scale for scale in scales if scale not in known.trained],
    }
    ranges = {part: chosen for part, chosen in ranges.items() if chosen}
    return Comparison(
        known.title,
        known.models,
        {part: accuracy(chosen) for part, chosen in ranges.items()},
        {part: known.over(chosen) for part, chosen in ranges.items()},
    )


def compare_overall(known: PublishedTable, accuracy: float) -> Comparison:
    """Put a network beside published ones, over all images.

    Args:
        known: Errors of the published ones.
        accuracy: Of the network, 0 to 1.

    Raises:
        ParameterError: What is published are no errors, or are accuracies at every scale.
    """
    if not isinstance(known, PublishedTable) or known.measure != "error (%)":
        raise ParameterError(
            "what is published are no errors over all images",
            where="baselines",
            expected="a table of errors",
            got=known.title,
        )
    return Comparison(known.title, known.models, {"all": accuracy}, {"all": 1 - known.mean / 100})
