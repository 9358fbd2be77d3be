"""Tensors and items as torch's own classes: what ``to_torch`` and ``view`` return.

The classes derive from those of torch, and exist only once torch is loaded, which importing must not do.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from stirdata.arguments import checked_function
from stirdata.errors import ParameterError
from stirdata.loading.tensors import channels_first, to_float

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.selection import Selection


class SelectedTensors:
    """Images and labels, and where asked for their latents, of the same N images.

    Every instance is a :class:`torch.utils.data.TensorDataset` as well: its length is N, an index gives
    a tuple with the part of each tensor, and DataLoader takes it. Iterating gives the whole tensors, so
    that ``images, labels = dataset.to_torch()`` works. Made by :func:`selected_tensors`.

    Attributes:
        tensors: Images, labels, and where asked for latents.
    """

    tensors: tuple[torch.Tensor, ...]

    @property
    def images(self) -> torch.Tensor:
        """The images, (N, channels, height, width)."""
        return self.tensors[0]

    @property
    def labels(self) -> torch.Tensor:
        """The labels, int64 (N,)."""
        return self.tensors[1]

    if TYPE_CHECKING:

        def __len__(self) -> int: ...
        def __getitem__(self, index: Any) -> tuple[torch.Tensor, ...]: ...

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.tensors)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{str(part.dtype)[6:]} {tuple(part.shape)}" for part in self.tensors)
        return f"SelectedTensors({shapes}, device={str(self.images.device)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return selected_tensors, self.tensors


def selected_tensors(*tensors: torch.Tensor) -> SelectedTensors:
    """Return tensors of the same length as a TensorDataset that unpacks into them."""
    made: SelectedTensors = _classes()[0](*tensors)
    return made


class Viewed(Protocol):
    """What a view needs of a dataset."""

    path: Path

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""

    def targets(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split in stored order: int64 (N,)."""

    def latents(self, split: str) -> dict[str, NDArray[Any]]:
        """Return what else is known of every image of a split, (N, …) by name."""

    def stored(self, selection: Selection) -> NDArray[Any]:
        """Return the images of a selection as they are stored, in order."""


class View:
    """Images of a split, item by item, as a map-style :class:`torch.utils.data.Dataset`.

    Items are tuples of image and label, with ``latents`` also of what else is known of the image: numbers,
    or tensors where there are several, such as left and top of a position. Works with any number of
    workers, forked or spawned. Made by :meth:`stirdata.loading.dataset.ImageDataset.view`.

    The images are read once per process, when it needs the first one, and kept as uint8: 33 MB for the
    train split of STIR mnist at 16 scales. They are not pickled along to spawned workers, each of which
    reads them again: ten of them hold ten copies, and all inflate the same part of a compressed npz, which
    a .h5 file spares them. Forked workers share them if :meth:`load` was called before.

    Attributes:
        dataset: The dataset.
        selection: Which of its images.
        transform: Gets each image as a Pillow image, of mode F where images are stored as float32. Without
            one, images are float32 tensors (channels, height, width) in [0, 1].
        target_transform: Gets each label as an int.
        latents: Whether items hold what else is known.
    """

    def __init__(
        self,
        dataset: Viewed,
        selection: Selection,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        latents: bool = False,
    ) -> None:
        self.dataset = dataset
        self.selection = selection
        self.transform = checked_function("transform", transform)
        self.target_transform = checked_function("target_transform", target_transform)
        self.latents = bool(latents)
        self._labels = selection.gather(dataset.targets(selection.split))
        self._images: NDArray[Any] | None = None
        self._others = (
            [selection.gather(array) for array in dataset.latents(selection.split).values()]
            if latents
            else []
        )

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return self.dataset.classes

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""
        return self.dataset.class_to_idx

    @property
    def targets(self) -> list[int]:
        """The labels of all items, as they are stored."""
        labels: list[int] = self._labels.tolist()
        return labels

    def load(self) -> View:
        """Read the images now, for example before workers are forked; return the view itself."""
        self._stored_images()
        return self

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return an item; negative indices count from the end.

        Raises:
            IndexError: There is no such item.
        """
        at = operator.index(index)
        label = int(self._labels[at])
        target = label if self.target_transform is None else self.target_transform(label)
        return (
            self._transformed(self._stored_images()[at]),
            target,
            *map(_plain, [o[at] for o in self._others]),
        )

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Any: ...

    def _stored_images(self) -> NDArray[Any]:
        if self._images is None:
            self._images = self.dataset.stored(self.selection)
        return self._images

    def _transformed(self, image: NDArray[Any]) -> Any:
        import torch

        if self.transform is None:
            return to_float(channels_first(torch.tensor(image[None], device="cpu")))[0]
        from PIL import Image

        if image.dtype != "uint8" and image.ndim > 2:
            raise ParameterError(
                "Pillow has no colour images of floats",
                where="transform",
                expected="None, and transforms of tensors afterwards",
            )
        return self.transform(Image.fromarray(image))

    def __repr__(self) -> str:
        return f"View({len(self)} images of {self.selection.split} of {str(self.dataset.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return view_of, (
            self.dataset,
            self.selection,
            self.transform,
            self.target_transform,
            self.latents,
        )


def view_of(
    dataset: Viewed,
    selection: Selection,
    transform: Callable[[Any], Any] | None = None,
    target_transform: Callable[[int], Any] | None = None,
    latents: bool = False,
) -> View:
    """Return a view, which is a torch Dataset; see :class:`View`."""
    view: View = _classes()[1](dataset, selection, transform, target_transform, latents)
    return view


def _plain(value: Any) -> Any:
    """Return a latent of one image: a Python number, or a tensor if it has several."""
    import torch

    return torch.tensor(value, device="cpu") if value.ndim else value.item()


@cache
def _classes() -> tuple[Any, Any]:
    """Return the classes of all instances, which are torch's as well."""
    from torch.utils.data import Dataset, TensorDataset

    tensors = type("SelectedTensors", (SelectedTensors, TensorDataset), {"__doc__": SelectedTensors.__doc__})
    return tensors, type("View", (View, Dataset), {"__doc__": View.__doc__})
