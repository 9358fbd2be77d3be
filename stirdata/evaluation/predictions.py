"""What a model says of every image: asked here, or saved elsewhere and read with the order that it has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.digest import sha256_of_file
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.evaluation.running import Running, checked_batch_size, predictions, running
from stirdata.evaluation.samples import Samples, samples_of
from stirdata.evaluation.scales import groups_of, members_of
from stirdata.progress import bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.loading.dataset import ImageDataset

ORDERS = ("stored", "published-shuffle")
"""In which saved predictions can be: as a loader hands images out without shuffling, or with it."""


@dataclass(frozen=True)
class Predictions:
    """What a model says of images of a split; the measures of accuracy take it in place of the model.

    Attributes:
        classes: int64 (N,), the first of the largest logits; -1 where they were not all numbers.
        positions: Number of each image within the split, as stored: int64 (N,), each once.
        num_classes: How many logits there were; None if only classes are known.
        origin: Where they are from, for reports: ``file``, ``sha256``, ``split``, ``order``, ``scales``.
    """

    classes: NDArray[np.int64] = field(repr=False)
    positions: NDArray[np.int64] = field(repr=False)
    num_classes: int | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.classes)


def predict(
    model: Any,
    dataset: Any,
    split: str = "test",
    *,
    scales: Iterable[float] | None = None,
    device: Any = None,
    batch_size: int = 256,
    normalize: Any = None,
    size: int | None = None,
    quiet: bool = False,
) -> Predictions:
    """Return what a model says of the images of a split.

    Args:
        model: As for :func:`stirdata.evaluation.scale_generalization`, and so are the others.
        dataset: As there, one of them.
        split: As there.
        scales: As there; None for all images, which then need none.
        device: As there.
        batch_size: As there.
        normalize: As there.
        size: As there.
        quiet: As there.

    Raises:
        ParameterError: An argument is wrong, or the model returns no logits of every image.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.
    """
    samples = samples_of(dataset, split, normalize, size)
    positions = np.arange(len(samples))
    if scales is not None:
        positions = positions[members_of(samples, groups_of([samples], scales, None)) >= 0]
    with running(model, device) as ready:
        return _asked(ready, samples, positions, checked_batch_size(batch_size), quiet)


def _asked(
    ready: Running, samples: Samples, positions: NDArray[np.int64], size: int, quiet: bool
) -> Predictions:
    """Ask a model for the classes of images at ascending positions."""
    found, count = [np.empty(0, np.int64)], samples.classes
    with bar(len(positions), "evaluate", "image", quiet=quiet) as shown:
        for images in samples.read(positions, size, ready.device):
            logits = ready.logits(images, count)
            count = logits.shape[1]
            found.append(predictions(logits).cpu().numpy())
            shown.advance(len(images))
    return Predictions(np.concatenate(found), positions, count)


def _given(model: Any) -> list[Predictions] | None:
    """Return what is there already of each dataset; None for a model that has to be asked."""
    several = list(model) if isinstance(model, Sequence) and model else [model]
    return several if all(isinstance(one, Predictions) for one in several) else None


def restricted(model: Any, every: Sequence[Samples]) -> list[Samples]:
    """Return the images that there are predictions of; all of them for a model that can be asked.

    Raises:
        ParameterError: There are not as many predictions as datasets, or they are of others.
    """
    given = _given(model)
    if given is None:
        return list(every)
    if len(given) != len(every):
        raise ParameterError(
            "every dataset has predictions of its own", where="model", expected=len(every), got=len(given)
        )
    for one, samples in zip(given, every, strict=True):
        if one.positions.max(initial=-1) >= len(samples):
            raise ParameterError(
                "the predictions are of other images",
                where="model",
                expected=f"at most {len(samples)} images",
                got=f"one of image {one.positions.max()}",
            )
    return [samples.only(one.positions) for one, samples in zip(given, every, strict=True)]


def answers(
    model: Any,
    every: Sequence[Samples],
    wanted: Sequence[NDArray[np.int64]],
    *,
    device: Any,
    batch_size: int,
    quiet: bool,
) -> list[Predictions]:
    """Return what a model says of the wanted images of each dataset.

    Args:
        model: That can be asked, or predictions of what :func:`restricted` has returned.
        every: The datasets.
        wanted: Ascending positions of images in each of them.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.
    """
    step, given = checked_batch_size(batch_size), _given(model)
    if given is not None:
        return [
            Predictions(one.classes[positions], positions, one.num_classes, one.origin)
            for one, positions in zip(given, wanted, strict=True)
        ]
    with running(model, device) as ready:
        return [
            _asked(ready, samples, positions, step, quiet)
            for samples, positions in zip(every, wanted, strict=True)
        ]


def confusions(
    samples: Samples, found: Predictions, groups: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how often each class got each prediction, and how many images have none, in each group.

    Args:
        samples: The images.
        found: What is said of some of them.
        groups: The group of every image, 0 to ``count`` - 1.
        count: Number of groups.

    Returns:
        int64 (count, C, C), true class before predicted; and int64 (count,).

    Raises:
        ParameterError: A class is larger than there are classes.
    """
    labels, own = samples.labels[found.positions], groups[found.positions]
    largest = int(max(samples.labels.max(initial=0), found.classes.max(initial=0)))
    classes = found.num_classes or samples.classes or largest + 1
    if labels.max(initial=0) >= classes or found.classes.max(initial=0) >= classes:
        raise ParameterError("the model has too few logits", where="model", expected=largest + 1, got=classes)
    known = found.classes >= 0
    counted = np.zeros((count, classes, classes), np.int64)
    np.add.at(counted, (own[known], labels[known], found.classes[known]), 1)
    return counted, np.bincount(own[~known], minlength=count)


def read_predictions(
    path: str | os.PathLike[str],
    dataset: ImageDataset,
    split: str = "test",
    *,
    order: str,
    scales: Iterable[float] | None = None,
) -> Predictions:
    """Read what any program has predicted of a dataset of ours.

    Args:
        path: A .npy file of classes, integers (N,), or of logits, floats (N, classes).
        dataset: What a loader of stirdata opened.
        split: That was predicted.
        order: ``stored``: the images were those of ``dataset.to_torch(split, …, shuffle=False)``;
            ``published-shuffle``: with ``shuffle=True``, as the training script published with STIR saves
            them. It is never guessed.
        scales: Those that were predicted, in their order, where the dataset lets choose them; None for all.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no .npy file of numbers.
        ParameterError: An argument is wrong, or the file has another number of images than are chosen.

    Source: arXiv 2211.10288, the order of its ``prediction.npy``.
    """
    if order not in ORDERS:
        raise ParameterError("unknown order", where="order", expected=" or ".join(ORDERS), got=repr(order))
    named, numbers = Path(path), _numbers(Path(path))
    chosen = None if scales is None else list(scales)
    choice = {} if chosen is None else {_scale_choice(dataset): chosen}
    selection = dataset.select(split, shuffle=order != "stored", **choice)
    positions = selection.gather(np.arange(len(dataset.targets(split))))
    if len(numbers) != len(positions):
        raise ParameterError(
            "the file has predictions of another number of images",
            where=named,
            expected=f"{len(positions)} images, {_told(dataset, selection.split, chosen)}",
            got=len(numbers),
            hint="scales says which were predicted",
        )
    known = dataset.num_classes
    if numbers.ndim == 2 and numbers.shape[1] != known:
        raise ParameterError(
            "the file has another number of logits", where=named, expected=known, got=numbers.shape[1]
        )
    origin = {
        "file": named.name,
        "sha256": sha256_of_file(named),
        "split": selection.split,
        "order": order,
        "scales": chosen,
    }
    if numbers.ndim == 2:
        classes = np.where(np.isfinite(numbers).all(axis=1), numbers.argmax(axis=1), -1)
    elif (numbers < 0).any() or (numbers >= known).any():
        wrong = numbers[(numbers < 0) | (numbers >= known)]
        raise ParameterError(
            "these are no classes of the dataset", where=named, expected=f"0 to {known - 1}", got=wrong[0]
        )
    else:
        classes = numbers
    back = np.argsort(positions)
    return Predictions(classes[back].astype(np.int64), positions[back], known, origin)


def _numbers(path: Path) -> NDArray[Any]:
    """Read classes (N,) or logits (N, classes)."""
    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise FormatError(
            "this is no file of predictions", where=path, expected="a .npy file of numbers", got=error
        ) from error
    is_array = isinstance(found, np.ndarray)
    integers, floats = is_array and found.dtype.kind in "iu", is_array and found.dtype.kind == "f"
    if (integers and found.ndim == 1) or (floats and found.ndim == 2):
        numbers: NDArray[Any] = found
        return numbers
    raise FormatError(
        "these are no predictions",
        where=path,
        expected="classes, integers (N,), or logits, floats (N, classes)",
        got=f"{found.dtype} {found.shape}" if is_array else type(found).__name__,
    )


def _scale_choice(dataset: ImageDataset) -> str:
    """Return the argument by which a dataset chooses scales."""
    known = [name for name in dataset.choices if name in ("scales", "factors")]
    if not known:
        raise ParameterError(
            "images of this dataset are not chosen by their scales",
            where="scales",
            expected="None: predictions of all images",
            got=dataset.metadata["title"],
        )
    return known[0]


def _told(dataset: ImageDataset, split: str, scales: Sequence[float] | None) -> str:
    if scales is None:
        return f"all of {split}"
    first, last = min(scales, default=0), max(scales, default=0)
    return f"{split} at {len(scales)} scales from {first:g} to {last:g}"
