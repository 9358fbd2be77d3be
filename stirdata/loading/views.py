"""Datasets item by item, as :class:`torch.utils.data.DataLoader` takes them."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stirdata.loading.tensors import channels_first, to_float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.families.mnist_scale.loader import MNISTScale
    from stirdata.families.stir.loader import STIRDataset
    from stirdata.families.stir.selection import Selection


class ImageView(ABC):
    """Images and labels as a map-style dataset. Works with any number of workers, forked or spawned.

    Args:
        transform: Gets each image as a Pillow image. Without one, images are float32 tensors
            (channels, height, width) in [0, 1].
        target_transform: Gets each label as an int.
    """

    def __init__(
        self, transform: Callable[[Any], Any] | None, target_transform: Callable[[int], Any] | None
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform

    @abstractmethod
    def _stored_images(self) -> NDArray[np.uint8]:
        """Return all images, uint8 (N, height, width) or (N, height, width, 3)."""

    @abstractmethod
    def _stored_labels(self) -> NDArray[np.int64]:
        """Return all labels, (N,)."""

    def __len__(self) -> int:
        return len(self._stored_labels())

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return an item; negative indices count from the end.

        Raises:
            IndexError: There is no such item.
        """
        at = operator.index(index)
        label = int(self._stored_labels()[at])
        target = label if self.target_transform is None else self.target_transform(label)
        return self._transformed(self._stored_images()[at]), target

    def _transformed(self, image: NDArray[np.uint8]) -> Any:
        import torch

        if self.transform is None:
            return to_float(channels_first(torch.tensor(image[None], device="cpu")))[0]
        from PIL import Image

        return self.transform(Image.fromarray(image))


class MNISTScaleView(ImageView):
    """A split of :class:`MNISTScale` as a map-style dataset; made by :meth:`MNISTScale.view`.

    Items are pairs of an image and a label. Works with any number of workers, forked or spawned.
    """

    def __init__(
        self,
        dataset: MNISTScale,
        split: str,
        transform: Callable[[Any], Any] | None,
        target_transform: Callable[[int], Any] | None,
    ) -> None:
        super().__init__(transform, target_transform)
        self.dataset = dataset
        self.split = split

    def _stored_images(self) -> NDArray[np.uint8]:
        return self.dataset.images(self.split)

    def _stored_labels(self) -> NDArray[np.int64]:
        return self.dataset.labels(self.split)

    def __repr__(self) -> str:
        return f"MNISTScaleView({self.split} of {str(self.dataset.path)!r})"


class STIRView(ImageView):
    """A split of :class:`STIRDataset` at some scales, in order; made by :meth:`STIRDataset.view`.

    Items are tuples of image and label, with ``latents`` also of scale (int, in pixels) and position
    (int32 tensor: left, top, in pixels).

    The images are read once per process, when it needs the first one, and kept as uint8: 33 MB for the
    train split of mnist at 16 scales. They are not pickled along to spawned workers, each of which reads
    them again: ten of them hold ten copies, and all inflate the same part of a compressed npz, which a
    .h5 file spares them. Forked workers share them if :meth:`load` was called before.
    """

    def __init__(
        self,
        dataset: STIRDataset,
        selection: Selection,
        transform: Callable[[Any], Any] | None,
        target_transform: Callable[[int], Any] | None,
        latents: bool,
    ) -> None:
        super().__init__(transform, target_transform)
        self.dataset = dataset
        self.selection = selection
        self.latents = latents
        self._images: NDArray[np.uint8] | None = None
        self._labels = selection.gather(dataset.labels).astype("int64")
        self._scales = selection.gather(dataset.scales)
        self._positions = selection.gather(dataset.positions)

    def load(self) -> STIRView:
        """Read the images now, for example before workers are forked; return the view itself."""
        self._stored_images()
        return self

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return an item; negative indices count from the end.

        Raises:
            IndexError: There is no such item.
        """
        item = super().__getitem__(index)
        if not self.latents:
            return item
        import torch

        at = operator.index(index)
        return *item, int(self._scales[at]), torch.tensor(self._positions[at], device="cpu")

    def __repr__(self) -> str:
        return f"STIRView({len(self)} images of {str(self.dataset.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        own = {"dataset", "selection", "latents", "transform", "target_transform"}
        return {name: value for name, value in self.__dict__.items() if name in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _stored_images(self) -> NDArray[np.uint8]:
        if self._images is None:
            self._images = self.dataset.stored(self.selection)
        return self._images

    def _stored_labels(self) -> NDArray[np.int64]:
        return self._labels
