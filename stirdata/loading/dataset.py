"""What all loaders share: a dataset on disk as arrays, tensors, batches and views."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from stirdata.arguments import checked_flag
from stirdata.errors import FormatError, ParameterError
from stirdata.loading.arranging import load, load_levels, mean_and_std, mean_and_std_of_floats
from stirdata.loading.batches import Batches
from stirdata.loading.selection import Selection, StoredImages, split_named
from stirdata.loading.tensors import (
    Level,
    check_not_rounded,
    checked_device,
    checked_form,
    converted,
    numpy_type,
)
from stirdata.loading.views import SelectedTensors, View, selected_tensors, view_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.augment import Transform


class ImageDataset(ABC):
    """Labelled images in splits, whatever the family: the base of all loaders.

    No file stays open: objects can be pickled and used in worker processes, which open the file again.

    A family's loader gives :attr:`splits`, :attr:`classes`, :attr:`metadata` and the four methods
    ``_images``, ``_labels``, ``_latents`` and ``_rows``; everything else follows from these. What else
    chooses images, such as ``scales``, are keyword arguments of ``_rows``, and of all methods here.

    Attributes:
        path: The file or folder.
    """

    published_statistics: ClassVar[tuple[Level, Level] | None] = None
    """Mean and standard deviation that were published for the family, in units of [0, 1]."""

    path: Path

    @abstractmethod
    def __init__(self, path: str | os.PathLike[str]) -> None: ...

    @property
    @abstractmethod
    def metadata(self) -> dict[str, Any]:
        """What the dataset says of itself; ``title`` is always there."""

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""

    @abstractmethod
    def _images(self, split: str) -> StoredImages:
        """Return where the images of a split are."""

    @abstractmethod
    def _labels(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split in stored order: int64 (N,)."""

    @abstractmethod
    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        """Return what else is known of every image, (N, …) by name, its scale first.

        Raises:
            FormatError: The files do not hold it.
        """

    def _rows(self, split: str) -> Sequence[range]:
        """Return the images that are chosen, as runs of numbers within the split; here all of them."""
        return (range(self._images(split).count),)

    @property
    def choices(self) -> list[str]:
        """Names of the arguments by which images of a split are chosen."""
        named = {**signature(self.select).parameters, **signature(self._rows).parameters}
        return [name for name in named if name not in ("split", "shuffle", "choice")]

    def sized(self, size: int | None) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Return what makes stored images (N, channels, height, width) as large as asked for.

        Args:
            size: Side in pixels; None for the stored one.

        Returns:
            A function of bytes; None if nothing is to be done.

        Raises:
            ParameterError: The family has no images of this size.
        """
        if size is None or size == self.image_shape[1]:
            return None
        raise ParameterError(
            "there are no images of this size", where="size", expected=self.image_shape[1], got=size
        )

    def split_named(self, name: str) -> str:
        """Return what the dataset calls a split; ``val``, ``valid`` and ``validation`` are the same.

        Raises:
            ParameterError: There is no such split.
        """
        return split_named(name, self.splits)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""
        return {name: label for label, name in enumerate(self.classes)}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def num_channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.image_shape[0]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        height, width, *channels = self._images(self.splits[0]).shape
        return (channels[0] if channels else 1), height, width

    def __len__(self) -> int:
        """Return the number of images in all splits."""
        return sum(self._images(split).count for split in self.splits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what the dataset is, and a small sheet of images."""
        from stirdata.loading.notebook import as_html

        return as_html(self)

    def targets(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split, in the order in which its images are stored: int64 (N,)."""
        return self._labels(self.split_named(split))

    def latents(self, split: str) -> dict[str, NDArray[Any]]:
        """Return what is known of every image of a split beside its label, by name, in stored order.

        Returns:
            Arrays (N, …); the first is the scale.

        Raises:
            ParameterError: There is no such split.
            FormatError: The files do not hold them.
        """
        return dict(self._latents(self.split_named(split)))

    def scale_of_images(self, split: str) -> NDArray[Any] | None:
        """Return the scale of every image of a split, in stored order: (N,).

        Returns:
            None where there are no scales, or the files do not tell them.

        Raises:
            ParameterError: There is no such split.
        """
        try:
            return next(iter(self.latents(split).values()), None)
        except FormatError:
            return None

    def source_index(self, split: str) -> NDArray[np.int32]:
        """Return the position of every image's original among those of the source: int32 (N,), read-only.

        Raises:
            ParameterError: There is no such split.
            FormatError: The dataset does not tell.
        """
        raise FormatError(
            "the dataset does not tell which image of its source each one is made of", where=self.path
        )

    def select(self, split: str = "train", *, shuffle: bool = False, **choice: Any) -> Selection:
        """Return which images the arguments mean, and in which order.

        Args:
            split: Name of a split.
            shuffle: Whether to permute them, always in the same way: by ``RandomState(42).permutation(N)``.
            **choice: Which of the split's images, as far as the family lets choose.

        Raises:
            ParameterError: Unknown split, or a wrong choice.
            TypeError: There is no argument of a name.
        """
        named, known = self.split_named(split), self.choices if choice else []
        unknown = [name for name in choice if name not in known]
        if unknown:
            chosen = f"; its images are chosen by {', '.join(known)}" if known else ""
            raise TypeError(f"{type(self).__name__} knows no argument {unknown[0]!r}{chosen}")
        rows = tuple(self._rows(named, **choice))
        images = self._images(named)
        return Selection(named, rows, images.shape, checked_flag("shuffle", shuffle), images.dtype)

    def read(self, split: str, numbers: NDArray[np.integer]) -> NDArray[Any]:
        """Return single images of a split by their numbers; only what is needed is read.

        Args:
            split: Name of a split.
            numbers: Integers (N,), 0 or more.

        Returns:
            uint8, or float32 with the same levels if they are stored so: (N, height, width), or
            (N, height, width, 3) in colour.
        """
        return self._images(self.split_named(split)).pick(numbers)

    def stored(self, selection: Selection) -> NDArray[Any]:
        """Return the images of a selection as they are stored, in order, even of a shuffled one.

        Returns:
            As :meth:`read`.
        """
        return self._images(selection.split).read(selection.runs)

    def mean_and_std(
        self, split: str = "train", **choice: Any
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of all pixels per channel, in units of [0, 1].

        They are what ``normalize`` takes. The sums are of integers, so that the results are exact but
        for the last rounding; those of images stored as float32 are of float64.
        """
        selection = self.select(split, **choice)
        blocks = (block for _, block in self.blocks(selection))
        return (mean_and_std if selection.dtype == "uint8" else mean_and_std_of_floats)(
            blocks, self.num_channels
        )

    def to_numpy(
        self,
        split: str = "train",
        *,
        shuffle: bool = False,
        dtype: Any = None,
        channels_last: bool = False,
        channels: int | None = None,
        normalize: Any = None,
        latents: bool = False,
        **choice: Any,
    ) -> tuple[NDArray[Any], ...]:
        """Return images and labels as arrays, with the values of :meth:`to_torch`.

        Args:
            split: As for :meth:`to_torch`, and so are the others.
            shuffle: As there.
            dtype: NumPy's or torch's float32 (also for None), float16 or uint8.
            channels_last: Whether the channels of a pixel are together in memory; the axes stay.
            channels: As for :meth:`to_torch`.
            normalize: As there.
            latents: As there.
            **choice: As there.

        Raises:
            As :meth:`to_torch`.
        """
        tensors = self.to_torch(
            split,
            shuffle=shuffle,
            dtype=numpy_type(dtype),
            channels_last=channels_last,
            channels=channels,
            normalize=normalize,
            latents=latents,
            **choice,
        )
        return tuple(tensor.numpy() for tensor in tensors)

    def to_torch(
        self,
        split: str = "train",
        *,
        shuffle: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
        channels: int | None = None,
        normalize: Any = None,
        latents: bool = False,
        **choice: Any,
    ) -> SelectedTensors:
        """Return images and labels as tensors on a device; bytes travel there and are converted there.

        Args:
            split: Name of a split; ``val``, ``valid`` and ``validation`` are the same.
            shuffle: Whether to permute them, always in the same way.
            device: Of torch; None is the CPU.
            dtype: ``torch.float32`` (also for None), ``float16`` or ``bfloat16`` for images in [0, 1];
                ``uint8`` for 0 to 255 as stored.
            channels_last: Whether the images' memory format is ``torch.channels_last``.
            channels: 3 for grey images repeated in three channels; None for those that there are.
            normalize: Mean and standard deviation, numbers or one per channel, in units of [0, 1]: images
                become ``(image - mean) / std``, computed in float32. True for the published ones, or where
                none are published those of the whole training split; see :meth:`mean_and_std`.
            latents: Whether what else is known of the images is returned as well.
            **choice: Which of the split's images, as far as the family lets choose.

        Returns:
            A :class:`torch.utils.data.TensorDataset` that unpacks into its tensors: images
            (N, channels, height, width), the same bits on every device; labels int64 (N,); with ``latents``
            what :meth:`get_latents` returns.

        Raises:
            ParameterError: An argument is wrong, or the device does not exist.
            FormatError: The file is damaged.
            NotEnoughMemoryError: They do not fit into the memory of the device.
        """
        selection = self.select(split, shuffle=shuffle, **choice)
        return self._tensors(selection, device, dtype, channels_last, channels, normalize, latents)

    def to_hf(self, *, lossy: bool = False) -> Any:
        """Return all splits as a ``datasets.DatasetDict`` in memory: nothing is written to the disk.

        Its columns are ``image`` (a Pillow image, kept as a PNG file), ``label`` (a ``ClassLabel`` with the
        names of the classes) and what else is known of every image: ``scale``, ``position``,
        ``source_index`` and so on.

        Args:
            lossy: Whether levels that are no whole numbers, which some published files have, are rounded.

        Raises:
            MissingLibraryError: The package ``datasets`` is not installed.
            FormatError: The file is damaged, or has such levels and ``lossy`` is false.
        """
        from stirdata.loading.arrow import to_hugging_face

        return to_hugging_face(self, lossy=lossy)

    def _tensors(
        self,
        selection: Selection,
        device: Any,
        dtype: torch.dtype | None,
        channels_last: bool,
        channels: int | None,
        normalize: Any,
        latents: bool,
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> SelectedTensors:
        """Return a selection as tensors; ``change`` gets the bytes before anything else is done to them."""
        import torch

        count = self._checked_channels(channels)
        wanted = torch.float32 if dtype is None else dtype
        form = checked_form(wanted, channels_last, self.levels(normalize), count)
        check_not_rounded(form.dtype, selection.dtype)
        place = checked_device(device)
        if count == self.num_channels and change is None:
            images = load(self.blocks(selection), selection, form, place)
        else:  # the bytes are repeated first: every channel may be normalised by levels of its own
            plain = load_levels(self.blocks(selection), selection, place)
            plain = plain if change is None else change(plain)
            images = converted(plain.expand(-1, count, -1, -1), form)
        return selected_tensors(images, *self._companions(selection, place, latents))

    def _companions(self, selection: Selection, place: torch.device, latents: bool) -> Iterator[torch.Tensor]:
        """Yield the labels of a selection, and its latents if they are wanted, on a device."""
        import torch

        arrays = [self._labels(selection.split)]
        arrays += self._latents(selection.split).values() if latents else []
        for array in arrays:
            yield torch.from_numpy(selection.gather(array)).to(place)

    def _checked_channels(self, channels: Any) -> int:
        if channels is None or channels == self.num_channels:
            return self.num_channels
        if channels == 3 and self.num_channels == 1:
            return 3
        raise ParameterError(
            "the images cannot be had with so many channels",
            where="channels",
            expected="1 or 3" if self.num_channels == 1 else "3",
            got=channels,
        )

    def levels(self, normalize: Any) -> Any:
        """Return mean and standard deviation to normalise by, or None; see :meth:`to_torch`."""
        if normalize is None or normalize is False:
            return None
        if normalize is not True:
            return normalize
        if self.published_statistics is not None:
            return self.published_statistics
        mean, std = self._own_statistics()
        return (mean[0], std[0]) if self.num_channels == 1 else (mean, std)

    def _own_statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        kept: dict[str, Any] = self.__dict__.setdefault("_kept", {})
        if "statistics" not in kept:
            kept["statistics"] = self.mean_and_std("train")
        statistics: tuple[tuple[float, ...], tuple[float, ...]] = kept["statistics"]
        return statistics

    def get_latents(self, split: str = "train", *, shuffle: bool = False, **choice: Any) -> Any:
        """Return what else is known of the images, in the order in which :meth:`to_torch` returns them.

        Args:
            split: Name of a split.
            shuffle: Whether to permute them, always in the same way.
            **choice: Which of the split's images, as far as the family lets choose.

        Returns:
            A tuple of arrays (N, …), the scale first; the array itself if there is only one.

        Raises:
            ParameterError: Unknown split, or a wrong choice.
            FormatError: The files do not hold them.
        """
        selection = self.select(split, shuffle=shuffle, **choice)
        arrays = tuple(selection.gather(array) for array in self._latents(selection.split).values())
        return arrays[0] if len(arrays) == 1 else arrays

    def batches(
        self,
        split: str = "train",
        *others: Any,
        batch_size: int = 128,
        shuffle: bool | None = None,
        seed: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        drop_last: bool = False,
        normalize: Any = None,
        channels_last: bool = False,
        channels: int | None = None,
        latents: bool = False,
        augment: Transform | Sequence[Transform] | None = None,
        rank: int = 0,
        world_size: int = 1,
        even: bool | None = None,
        reuse: bool = False,
        block: int | None = None,
        **choice: Any,
    ) -> Batches:
        """Return images and labels in batches: one epoch of tuples per iteration.

        The selection stays on the device as it is stored, mostly as bytes; each batch is gathered, augmented
        and converted there.

        Args:
            split: Name of a split.
            *others: Nothing: all that follows is given by name.
            batch_size: Images per batch and rank, 1 or more.
            shuffle: Whether every epoch has an order of its own; None for the training split only.
            seed: Of the orders, 0 or more.
            device: Of torch; None is the CPU.
            dtype: As for :meth:`to_torch`, of the images handed out.
            drop_last: Whether to leave out the last batch of an epoch if it is smaller.
            normalize: As for :meth:`to_torch`; None for what ``augment`` wants, if it wants anything.
            channels_last: As for :meth:`to_torch`.
            channels: As for :meth:`to_torch`.
            latents: Whether batches have what :meth:`get_latents` returns as well.
            augment: Called with each batch's uint8 images, such as :class:`stirdata.ScaleAugment` or
                :class:`stirdata.ShiftAugment`; several in a list, in their order.
            rank: Which part of each epoch, 0 to ``world_size - 1``.
            world_size: Number of parts without a common image.
            even: Whether all ranks get as many images, so that some are left out; else every image is on
                one of them. None for even ones when shuffling.
            reuse: Write the images of every batch into the same memory.
            block: Bytes of images that are made at once and handed out in batches; None for 4 MiB on a CPU
                and 64 MiB elsewhere.
            **choice: Which of the split's images, as far as the family lets choose.

        Returns:
            Batches of images (B, channels, height, width) and labels int64 (B,); see
            :class:`stirdata.Batches`, also for going on in the middle of an epoch.

        Raises:
            ParameterError: An argument is wrong, or the device does not exist.
            FormatError: The file is damaged.
            NotEnoughMemoryError: The bytes do not fit into the memory of the device.
        """
        if others:
            raise ParameterError(
                "after the split, everything is given by name",
                where="batches",
                expected=f"batches({split!r}, batch_size=…)",
                got=repr(others[0]),
                hint=" or ".join(f"{name}={others[0]!r}" for name in ("batch_size", *self.choices)) + "?",
            )
        named = self.split_named(split)
        selection, place = self.select(named, **choice), checked_device(device)
        return Batches(
            load_levels(self.blocks(selection), selection, place),
            *self._companions(selection, place, latents),
            batch_size=batch_size,
            shuffle=named == "train" if shuffle is None else shuffle,
            seed=seed,
            dtype=dtype,
            normalize=False if normalize is False else self.levels(normalize),
            channels_last=channels_last,
            channels=self._checked_channels(channels),
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
            even=even,
            augment=augment,
            reuse=reuse,
            block=block,
            dataset=self.view(named, latents=latents, **choice),
        )

    def view(
        self,
        split: str = "train",
        *,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        latents: bool = False,
        **choice: Any,
    ) -> View:
        """Return a split as a map-style dataset for :class:`torch.utils.data.DataLoader`.

        Args:
            split: Name of a split.
            transform: Gets each image as a Pillow image of mode L or RGB, as torchvision's data sets hand
                theirs out, or of mode F where images are stored as float32. Without one, images are float32
                tensors (channels, height, width) in [0, 1].
            target_transform: Gets each label as an int.
            latents: Whether items also hold what else is known of the image.
            **choice: Which of the split's images, as far as the family lets choose.
        """
        return view_of(self, self.select(split, **choice), transform, target_transform, latents)

    def blocks(self, selection: Selection) -> Iterable[tuple[int, NDArray[Any]]]:
        """Yield the images of a selection in parts, in the order in which they are stored.

        Yields:
            Where the part begins in the selection's order, even of a shuffled one, and its images, as
            :meth:`read` returns them; valid until the next part is asked for.
        """
        return self._images(selection.split).blocks(selection.runs)
