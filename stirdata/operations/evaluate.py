"""Evaluating a network, or what it has predicted, on datasets of any family, ending in a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.families.recognition import Recognized, recognize

if TYPE_CHECKING:
    from stirdata.evaluation.predictions import Predictions
    from stirdata.evaluation.report import Report
    from stirdata.evaluation.results import Result
    from stirdata.families.family import Training
    from stirdata.loading.dataset import ImageDataset

ACCURACY = ("generalization", "accuracy")
"""Measures that predictions are enough for."""
MEASURES = (*ACCURACY, "consistency", "flips", "equivariance", "scale-index")
_AT_ONCE = 1024
"""Images that are in memory as floats at a time, where a measure takes tensors."""


@dataclass(frozen=True)
class Choice:
    """What is evaluated, and by what.

    Attributes:
        model: What :func:`stirdata.evaluation.load_model` takes; None if there are predictions.
        weights: Of the model.
        predictions: Files of what was predicted of each dataset; see
            :func:`stirdata.evaluation.read_predictions`.
        order: Theirs.
        split: Of the datasets.
        scenario: How the network was trained, by a name of the family.
        scales: Those that are evaluated, or that were predicted; None for all, of predictions for those
            that the scenario tests at.
        bins: Where every image has a factor of its own: how many equally wide ones it is grouped by.
        measures: Some of :data:`MEASURES`; empty for the accuracy at every scale, or where images have no
            scales over all of them.
        layers: For ``equivariance`` and ``scale-index``: names of parts of the model.
        factors: For ``equivariance``: by which images are rescaled; empty for the pairs of scales published
            for objects whose places are known.
        shifts: For ``consistency``: by up to how many pixels images are shifted.
        mode: For ``consistency``: ``circular`` or ``zero``.
        images: For all measures but the accuracy: how many images are used, evenly spread over the
            split; None for all.
        size: Side of the images in pixels; None for that of the scenario, or as stored.
        normalize: As :meth:`stirdata.loading.dataset.ImageDataset.to_torch` takes it.
        device: Of torch.
        batch_size: Images that the model gets at a time.
        command: What was typed, for the report.
    """

    model: str | None = None
    weights: Path | None = None
    predictions: tuple[Path, ...] = ()
    order: str | None = None
    split: str = "test"
    scenario: str | None = None
    scales: tuple[float, ...] | None = None
    bins: int | None = None
    measures: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    factors: tuple[float, ...] = ()
    shifts: int = 3
    mode: str = "circular"
    images: int | None = None
    size: int | None = None
    normalize: Any = None
    device: str | None = None
    batch_size: int = 256
    command: str = ""


@dataclass(frozen=True)
class _Task:
    """What the measures need, put together."""

    choice: Choice
    datasets: tuple[ImageDataset, ...]
    model: Any
    quiet: bool

    @property
    def how(self) -> dict[str, Any]:
        """How the model is run."""
        return {
            "device": self.choice.device,
            "batch_size": self.choice.batch_size,
            "quiet": self.quiet,
        }


def evaluate(paths: Sequence[Path], choice: Choice, *, quiet: bool = False) -> Report:
    """Evaluate a network on datasets of one family.

    Args:
        paths: Datasets, such as realizations of one benchmark: then mean and standard deviation are given.
        choice: What, and by what.
        quiet: Show no progress.

    Raises:
        StirdataError: As the functions of :mod:`stirdata.evaluation` raise it.
        Exception: Whatever the factory of the model, or the model, raises.
    """
    from stirdata.evaluation.mistakes import mistakes, sheet
    from stirdata.evaluation.report import Report

    found = [recognize(path) for path in paths]
    datasets = tuple(one.family.loader()(one.path) for one in found)
    _check_alike(found, datasets)
    training = _training(found[0], choice)
    choice = _completed(choice, found[0], training)
    predictions, model = _predictions(datasets, choice, training, quiet)
    task = _Task(choice, datasets, model, quiet)
    results: dict[str, Result] = {}
    for measure in choice.measures:
        results[measure] = (
            _accuracy(measure, task, predictions) if measure in ACCURACY else _OTHERS[measure](task)
        )
    general = results.get("generalization")
    published, comparison, notes = _beside(found[0], choice, results)
    picture = None
    if predictions and set(results) & set(ACCURACY):
        wrong = mistakes(predictions, datasets, choice.split, like=general)  # type: ignore[arg-type]
        picture = sheet(wrong, datasets, choice.split)
        results |= {"mistakes": wrong} if wrong.every else {}
    title = ", ".join(dict.fromkeys(str(dataset.metadata["title"]) for dataset in datasets))
    return Report(
        title=f"{title}, {datasets[0].split_named(choice.split)}",
        facts=_facts(found, choice, predictions),
        results=results,
        published=published,
        comparison=comparison,
        scenario=choice.scenario or "",
        parts=_parts(general, training),
        sheet=picture,
        notes=notes,
    )


def _check_alike(found: Sequence[Recognized], datasets: Sequence[ImageDataset]) -> None:
    kinds = {
        (one.family.name, tuple(dataset.classes), dataset.image_shape)
        for one, dataset in zip(found, datasets, strict=True)
    }
    if len(kinds) > 1:
        raise ParameterError(
            "several datasets are evaluated together if they are realizations of one",
            where="datasets",
            expected="one family, the same classes and shape of images",
            got=", ".join(str(one.path) for one in found),
        )


def _training(found: Recognized, choice: Choice) -> Training | None:
    """Return what the scenario's name means in the family."""
    if choice.scenario is None:
        return None
    known = found.family.trainings()
    if choice.scenario not in known:
        raise ParameterError(
            "unknown scenario",
            where="scenario",
            expected=", ".join(known) or f"none: {found.family.title} has no scenarios",
            got=repr(choice.scenario),
        )
    return known[choice.scenario]


def _completed(choice: Choice, found: Recognized, training: Training | None) -> Choice:
    """Return a choice with the defaults of the family and the scenario; check what does not fit together."""
    from dataclasses import replace

    unknown = [name for name in choice.measures if name not in MEASURES]
    if unknown:
        raise ParameterError(
            "unknown measure", where="measures", expected=", ".join(MEASURES), got=", ".join(unknown)
        )
    if (choice.model is None) == (not choice.predictions):
        raise ParameterError(
            "either a model or its predictions are evaluated", where="model", expected="one of both"
        )
    measures = choice.measures or (ACCURACY[:1] if found.family.scale is not None else ACCURACY[1:])
    beyond = [name for name in measures if name not in ACCURACY]
    if choice.predictions and beyond:
        raise ParameterError(
            "these measures ask the model, and predictions are not enough",
            where="measures",
            expected=" or ".join(ACCURACY),
            got=", ".join(beyond),
        )
    if choice.predictions and choice.order is None:
        from stirdata.evaluation.predictions import ORDERS

        raise ParameterError(
            "predictions have an order, which is not guessed",
            where="order",
            expected=" or ".join(ORDERS),
            hint="stored: of images that were not shuffled; published-shuffle: as the training script "
            "published with arXiv 2211.10288 saves them",
        )
    layered = [name for name in measures if name in ("equivariance", "scale-index")]
    if layered and not choice.layers:
        raise ParameterError(
            "layers have to be named",
            where="layers",
            expected="names of parts of the model",
            got=f"none, for {', '.join(layered)}",
        )
    size = choice.size if choice.size is not None or training is None else training.size
    return replace(choice, measures=tuple(dict.fromkeys(measures)), size=size)


def _predictions(
    datasets: Sequence[ImageDataset], choice: Choice, training: Training | None, quiet: bool
) -> tuple[list[Predictions], Any]:
    """Return what is predicted of each dataset, and the model, if there is one."""
    from stirdata.evaluation import load_model, predict, read_predictions
    from stirdata.evaluation.layers import named_modules

    if choice.predictions:
        if len(choice.predictions) != len(datasets):
            raise ParameterError(
                "every dataset has predictions of its own",
                where="predictions",
                expected=f"{len(datasets)} files",
                got=len(choice.predictions),
            )
        scales = choice.scales
        if scales is None and training is not None and training.test:
            scales = tuple(training.test)
        order = str(choice.order)
        return [
            read_predictions(path, dataset, choice.split, order=order, scales=scales)
            for path, dataset in zip(choice.predictions, datasets, strict=True)
        ], None
    first = datasets[0]
    model = load_model(
        str(choice.model),
        weights=choice.weights,
        num_classes=first.num_classes,
        num_channels=first.num_channels,
        device=choice.device,
    )
    if choice.layers:
        named_modules(model, choice.layers)  # nobody waits for the accuracy to be told of a wrong name
    if not set(choice.measures) & set(ACCURACY):
        return [], model
    return [
        predict(
            model,
            dataset,
            choice.split,
            scales=choice.scales,
            normalize=choice.normalize,
            size=choice.size,
            device=choice.device,
            batch_size=choice.batch_size,
            quiet=quiet,
        )
        for dataset in datasets
    ], model


def _accuracy(measure: str, task: _Task, predictions: list[Predictions]) -> Result:
    from stirdata.evaluation import accuracy, scale_generalization

    choice, datasets = task.choice, list(task.datasets)
    if measure == "accuracy":
        return accuracy(predictions, datasets, choice.split, quiet=task.quiet)
    return scale_generalization(predictions, datasets, choice.split, bins=choice.bins, quiet=task.quiet)


def _in_parts(task: _Task, measured: Callable[[Any], Any]) -> Any:
    """Return the sum of a measure's results over images, of which only some are in memory at a time."""
    import numpy as np

    from stirdata.evaluation.samples import samples_of
    from stirdata.loading.tensors import checked_device

    choice, total, place = task.choice, None, checked_device("cpu")
    samples = samples_of(_only(task), choice.split, choice.normalize, choice.size)
    count = len(samples) if choice.images is None else min(choice.images, len(samples))
    positions = np.arange(count) * len(samples) // count
    for start in range(0, count, _AT_ONCE):
        result = measured(samples.take(positions[start : start + _AT_ONCE], place))
        total = result if total is None else total + result
    return total


def _only(task: _Task) -> ImageDataset:
    """Return the only dataset, where a measure is of one."""
    if len(task.datasets) > 1:
        raise ParameterError(
            "this measure is of one dataset at a time",
            where="measures",
            expected="one dataset, or " + " and ".join(ACCURACY),
            got=f"{len(task.datasets)} datasets",
        )
    return task.datasets[0]


def _consistency(task: _Task) -> Result:
    from stirdata.evaluation import shift_consistency

    choice = task.choice
    found: Result = _in_parts(
        task, lambda images: shift_consistency(task.model, images, choice.shifts, choice.mode, **task.how)
    )
    return found


def _flips(task: _Task) -> Result:
    from stirdata.evaluation import flip_rate

    found: Result = _in_parts(task, lambda images: flip_rate(task.model, images, **task.how))
    return found


def _equivariance(task: _Task) -> Result:
    from stirdata.evaluation import equivariance_error, equivariance_error_stir
    from stirdata.evaluation.equivariance import PUBLISHED_PAIRS

    choice, dataset = task.choice, _only(task)
    if choice.factors:
        found: Result = _in_parts(
            task,
            lambda images: equivariance_error(
                task.model, images, choice.factors, list(choice.layers), **task.how
            ),
        )
        return found
    if "positions" not in dataset.latents(choice.split) or dataset.image_shape[1] < max(
        map(max, PUBLISHED_PAIRS)
    ):
        raise ParameterError(
            "factors have to be given, by which images are rescaled",
            where="factors",
            expected="such as 0.5,0.7,1.4,2",
            got=f"none, and {dataset.metadata['title']} has not the published pairs of scales",
        )
    return equivariance_error_stir(
        task.model,
        dataset,
        list(choice.layers),
        split=choice.split,
        normalize=choice.normalize,
        **task.how,
    )


def _scale_index(task: _Task) -> Result:
    from stirdata.evaluation import scale_index_correlation

    choice = task.choice
    return scale_index_correlation(
        task.model,
        _only(task),
        list(choice.layers),
        choice.split,
        scales=choice.scales,
        bins=choice.bins,
        normalize=choice.normalize,
        size=choice.size,
        **task.how,
    )


_OTHERS: dict[str, Callable[[_Task], Result]] = {
    "consistency": _consistency,
    "flips": _flips,
    "equivariance": _equivariance,
    "scale-index": _scale_index,
}


def _parts(general: Any, training: Training | None) -> dict[str, float]:
    """Return the accuracy at the scales of training and at the others, as far as they were evaluated."""
    if general is None or training is None or not training.train:
        return {}
    present = set(general.scales.tolist())
    parts = {
        "own": [scale for scale in training.train if scale in present],
        "other": [scale for scale in training.test if scale in present and scale not in set(training.train)],
    }
    return {name: float(general.at(scales).mean()) for name, scales in parts.items() if scales}


def _beside(
    found: Recognized, choice: Choice, results: Mapping[str, Any]
) -> tuple[Any, Any, tuple[str, ...]]:
    """Return what is published of the dataset, the result beside it, and what is to be said of that."""
    from stirdata.evaluation import Baselines, baselines

    where = found.family.published_results(found.family.metadata(found.stored))
    general, overall = results.get("generalization"), results.get("accuracy")
    if general is None and overall is None:
        return None, None, ()
    if where is None:
        told = "Nothing is published of networks on this dataset." if choice.scenario is not None else ""
        return None, None, (told,) if told else ()
    if found.family.trainings() and choice.scenario is None:
        return None, None, ("A scenario puts the result beside what others published.",)
    known = baselines(where["of"], set=where.get("set"), scenario=choice.scenario)
    if isinstance(known, Baselines) and general is None:
        return None, None, ("What others published is the accuracy at every scale.",)
    return known, (overall if general is None else general).compare(known), ()  # type: ignore[union-attr]


def _facts(
    found: Sequence[Recognized], choice: Choice, predictions: Sequence[Predictions]
) -> dict[str, list[str]]:
    """Return what was evaluated, as lines of text."""
    import platform
    from importlib.metadata import version

    from stirdata.digest import sha256_of_file

    facts: dict[str, list[str]] = {}
    for number, one in enumerate(found, 1):
        title = one.family.metadata(one.stored)["title"]
        name = "dataset" if len(found) == 1 else f"dataset {number}"
        facts[name] = [f"{one.path.name}: {title}", _digest(one)]
    facts["split"] = [choice.split]
    if choice.model is not None:
        file = Path(choice.model)
        facts["model"] = [choice.model, *([f"SHA-256 {sha256_of_file(file)}"] if file.is_file() else [])]
    if choice.weights is not None:
        facts["weights"] = [f"{choice.weights.name}: SHA-256 {sha256_of_file(choice.weights)}"]
    if choice.predictions:
        facts["predictions"] = [_origin(one) for one in predictions]
    for name in ("scenario", "size", "layers", "images", "device"):
        value = getattr(choice, name)
        if value:
            facts[name] = [", ".join(value) if isinstance(value, tuple) else str(value)]
    if choice.normalize is not None:
        facts["normalize"] = ["by the dataset's own" if choice.normalize is True else str(choice.normalize)]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("stirdata", "torch", "numpy"))
    facts["versions"] = [f"Python {platform.python_version()}, {libraries}"]
    if choice.command:
        facts["command"] = [choice.command]
    return facts


def _digest(found: Recognized) -> str:
    """Return what tells a dataset from all others."""
    from stirdata.digest import sha256_of_file

    manifest = found.manifest
    if manifest is not None:
        return f"root digest {manifest.root}"
    if found.path.is_file():
        return f"no manifest; SHA-256 of the file {sha256_of_file(found.path)}"
    return "no manifest"


def _origin(predictions: Predictions) -> str:
    facts = predictions.origin
    scales = facts["scales"]
    told = "all scales" if scales is None else f"scales {', '.join(f'{one:g}' for one in scales)}"
    return f"{facts['file']}: SHA-256 {facts['sha256']}; order {facts['order']}; {told}"
