"""What networks are evaluated on: images with labels and scales, of a dataset or tensors, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import checked_integer
from stirdata.errors import ParameterError
from stirdata.loading.dataset import ImageDataset
from stirdata.loading.selection import runs_of
from stirdata.loading.tensors import Converter, channels_first, checked_form

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.selection import Selection


@dataclass(frozen=True)
class Samples:
    """Images in an order, which are read when they are needed.

    Attributes:
        labels: int64 (N,).
        scales: Of every image, (N,): whole pixels, or factors; None if they have none.
        positions: Left and top of every object in pixels, (N, 2); None if they are not known.
        classes: Number of classes; None if it is not known.
        title: What they are.
        read: Yields the images of ascending positions in float batches on a device: told the positions, the
            size of batches, and the device.
    """

    labels: NDArray[np.int64]
    scales: NDArray[Any] | None
    positions: NDArray[Any] | None
    classes: int | None
    title: str
    read: Callable[[NDArray[np.int64], int, Any], Iterator[torch.Tensor]]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: NDArray[np.int64], device: Any) -> torch.Tensor:
        """Return the images of positions in any order, each once, as one batch on a device."""
        import torch

        order = np.argsort(positions)
        images = torch.cat(list(self.read(positions[order], len(positions), device)))
        return images[torch.from_numpy(np.argsort(order)).to(images.device)]

    def only(self, positions: NDArray[np.int64]) -> Samples:
        """Return those images that are at ascending positions."""

        def read(chosen: NDArray[np.int64], size: int, device: Any) -> Iterator[torch.Tensor]:
            return self.read(positions[chosen], size, device)

        return replace(
            self,
            labels=self.labels[positions],
            scales=None if self.scales is None else self.scales[positions],
            positions=None if self.positions is None else self.positions[positions],
            read=read,
        )

    def part(self, rank: Any, world_size: Any) -> NDArray[np.int64]:
        """Return the positions of the images that are a rank's: every ``world_size``-th one.

        Raises:
            ParameterError: There is no such rank.
        """
        size = checked_integer("world_size", world_size, 1)
        number = checked_integer("rank", rank, 0)
        if number >= size:
            raise ParameterError(
                "there is no such rank", where="rank", expected=f"0 to {size - 1}", got=number
            )
        return np.arange(number, len(self), size)


def samples_of(dataset: Any, split: str, normalize: Any, size: int | None = None) -> Samples:
    """Return the images of a split of a dataset, or those of tensors.

    Args:
        dataset: What a loader of stirdata opened; or images, labels and perhaps scales, as a tuple of tensors
            or arrays. Images are uint8 (N, channels, height, width), or floats as the model takes them.
        split: Of the dataset; tensors have none.
        normalize: As for :meth:`stirdata.loading.dataset.ImageDataset.to_torch`; not for floats.
        size: Side of the images in pixels; None as they are stored.

    Raises:
        ParameterError: It is neither, or the parts do not fit each other.
    """
    if isinstance(dataset, ImageDataset):
        return _of_dataset(dataset, split, normalize, size)
    if size is not None:
        raise ParameterError("only datasets have sizes", where="size", expected="None", got=size)
    return _of_tensors(dataset, normalize)


def _of_dataset(dataset: ImageDataset, split: str, normalize: Any, size: int | None) -> Samples:
    import torch

    selection, enlarged = dataset.select(split), dataset.sized(size)
    levels = dataset.levels(normalize)
    form = checked_form(torch.float32, False, levels, dataset.num_channels)
    latents = dataset.latents(selection.split)
    labels = dataset.targets(selection.split)
    if len(labels) and labels.min() < 0:
        raise ParameterError("there are images without a label", where="split", got=selection.split)

    def read(positions: NDArray[np.int64], count: int, device: Any) -> Iterator[torch.Tensor]:
        convert = Converter(device, form.mean, form.std)
        chosen = replace(selection, runs=runs_of(positions))
        for images in _in_batches(dataset, chosen, count):
            stored = channels_first(torch.from_numpy(images)).to(device)
            yield convert(stored if enlarged is None else enlarged(stored))

    title = f"{dataset.metadata['title']}, {selection.split}"
    scales = next(iter(latents.values()), None)
    return Samples(labels, scales, latents.get("positions"), dataset.num_classes, title, read)


def _in_batches(dataset: ImageDataset, selection: Selection, size: int) -> Iterator[NDArray[Any]]:
    """Yield the stored images of a selection, ``size`` at a time."""
    held: list[NDArray[Any]] = []
    count = 0
    for _, block in dataset.blocks(selection):
        start = 0
        while start < len(block):
            part = block[start : start + size - count]
            held.append(part.copy())  # blocks are valid until the next one
            start, count = start + len(part), count + len(part)
            if count == size:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def _of_tensors(given: Any, normalize: Any) -> Samples:
    import torch

    is_several = isinstance(given, Sequence) and not isinstance(given, str)
    parts = [torch.as_tensor(part) for part in given] if is_several else []
    if not 2 <= len(parts) <= 3 or parts[0].ndim != 4 or any(len(part) != len(parts[0]) for part in parts):
        raise ParameterError(
            "this can be evaluated on by nothing",
            where="dataset",
            expected="what stirdata.load opened, or (images, labels) or (images, labels, scales), images "
            "(N, channels, height, width)",
            got=", ".join(f"{part.dtype} {tuple(part.shape)}" for part in parts) or type(given).__name__,
        )
    images, labels, *scales = parts
    plain = images.is_floating_point()
    if (not plain and images.dtype != torch.uint8) or (plain and normalize not in (None, False)):
        raise ParameterError(
            "images are uint8, or floats as the model takes them",
            where="dataset, normalize",
            expected="uint8, or floats without normalize",
            got=f"{images.dtype}, normalize {normalize!r}",
        )
    form = checked_form(torch.float32, False, normalize or None, images.shape[1])

    def read(positions: NDArray[np.int64], size: int, device: Any) -> Iterator[torch.Tensor]:
        convert = Converter(device, form.mean, form.std)
        for chosen in torch.split(torch.from_numpy(positions), size):
            part = images[chosen.to(images.device)].to(device)
            yield part.to(torch.float32) if plain else convert(part)

    found = scales[0].cpu().numpy() if scales else None
    return Samples(labels.cpu().numpy().astype(np.int64), found, None, None, "tensors", read)
