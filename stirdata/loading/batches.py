"""Batches of a selection that stays on the device as bytes: no workers, no copies, no waiting."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stirdata.arguments import checked_flag, checked_integer
from stirdata.errors import ParameterError
from stirdata.executors import busy
from stirdata.loading.augment import as_transform, finished, finishes, is_by_index
from stirdata.loading.epochs import Epochs
from stirdata.loading.memory import Recycled, empty_images
from stirdata.loading.tensors import (
    Converter,
    Form,
    Level,
    check_not_rounded,
    checked_form,
)
from stirdata.loading.views import selected_tensors

if TYPE_CHECKING:
    import torch

    from stirdata.loading.augment import Transform

_SCHEMA = "stirdata/batches/1"
_SAMPLED_IMAGES = 64
_CPU_BLOCK, _GPU_BLOCK = 1 << 22, 1 << 26
"""Bytes of images that are made at once if nothing else is asked for: on a CPU they stay in its cache."""
_FEWEST_TOGETHER = 4
"""Batches that are so large that fewer of them are a block gain nothing from being made together."""


@dataclass
class _Cursor:
    """Where an iteration is: its epoch, the batches done, and whether it has handed out any itself."""

    epoch: int
    position: int = 0
    begun: bool = False


class Batches:
    """One epoch of batches per iteration, gathered and converted where the images are.

    An iteration yields tuples ``(images, labels, *others)``. Every epoch has an order of its own, which
    depends on seed, epoch and number of images only: not on the machine, the device or the versions of
    NumPy and torch. ``len()`` is the number of batches per epoch. A DataLoader takes it with
    ``batch_size=None``, and torchdata's StatefulDataLoader does.

    Epochs are counted from 0. An iteration that ends moves on to the next epoch. So does starting
    another one after leaving an iteration before its end: the batches not handed out are left out, as with a
    DataLoader. :meth:`set_epoch` goes to the start of any epoch, :meth:`state_dict` and
    :meth:`load_state_dict` into the middle of one.

    With several ranks, every ``world_size``-th image of the order is a rank's: no image is on two ranks, and
    the ranks' batches number k together are the batch number k of a single process with
    ``world_size * batch_size``. If ranks are even, the last ``N % world_size`` images of the order are on
    none: other images in each epoch if shuffled. Else every image is on one rank, and some ranks may have a
    batch more: right for evaluating, and a trap for what waits for all ranks in every step.

    Small batches are made many at once and handed out as parts of one tensor, as far as an augmentation
    allows it: one whose images depend on their indices and the epoch alone says so by an attribute
    ``by_index = True``; any other is called for every batch by itself. A batch that is kept keeps the
    memory of all that were made with it: ``clone()`` what is to be kept for long, or saved.

    On a CPU torch's threads make the batches, or one thread if the machine is busy when an epoch begins.

    Args:
        images: uint8, or float32 with the same levels, 0 to 255; shape (N, channels, height, width), on any
            device; only read.
        labels: Shape (N, ...), on the same device.
        others: Further tensors of N items on the same device, for example scales and positions.
        batch_size: Images per batch and rank, 1 or more.
        shuffle: Whether every epoch has another order; else all have that of the images.
        seed: Of the orders, 0 or more.
        dtype: Of the images handed out: float32 (also for None), float16, bfloat16 or uint8.
        normalize: Mean and standard deviation in units of [0, 1], each a number or one per channel; None for
            those that ``augment`` wants, if it wants any; False for none.
        channels_last: Whether images handed out have the memory format ``torch.channels_last``.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller.
        rank: Which part of each epoch, 0 to ``world_size - 1``.
        world_size: Number of parts, 1 or more.
        even: Whether all ranks have as many images; None for even ones when shuffling.
        augment: Called with each batch's uint8 images, their indices in ``images`` (int64, on the device)
            and the epoch; returns as many uint8 images. :class:`stirdata.ScaleAugment` is one,
            :class:`stirdata.ShiftAugment` another; several in a list are applied in their order. If it has
            a method ``finish``, that gets and returns the floats, once they are converted and normalised.
        channels: 3 for grey images repeated in three channels; None for those that there are.
        dataset: What :attr:`dataset` is to be; None for the tensors.
        reuse: Write the images of every batch into the same memory. Then they are valid until the next
            batch is asked for; otherwise they are the caller's for good. Labels and others always are.
            Then every batch is made by itself.
        block: Bytes of images, as they are handed out, that are made at once, 1 or more; batches of
            more than a quarter of it are made one by one. None for 4 MiB on a CPU and 64 MiB elsewhere.

    Attributes:
        dataset: All images, item by item: it has a length, and where the batches come from a loader also
            ``classes``, ``class_to_idx`` and ``targets``.

    Raises:
        ParameterError: An argument is out of range, or the tensors do not fit each other.

    Examples:
        >>> import torch
        >>> images = torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1)
        >>> batches = Batches(images, torch.arange(10), batch_size=4, seed=1)
        >>> len(batches)
        3
        >>> [labels.tolist() for _, labels in batches]
        [[3, 1, 7, 9], [8, 6, 2, 4], [5, 0]]
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *others: torch.Tensor,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        normalize: tuple[Level, Level] | Literal[False] | None = None,
        channels_last: bool = False,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
        even: bool | None = None,
        augment: Transform | Sequence[Transform] | None = None,
        channels: int | None = None,
        dataset: Any = None,
        reuse: bool = False,
        block: int | None = None,
    ) -> None:
        import torch
        from torch.utils.data import IterableDataset

        IterableDataset.register(Batches)  # so that a DataLoader iterates over it
        _check_tensors(images, (labels, *others))
        self._epochs = Epochs(len(images), batch_size, shuffle, seed, drop_last, rank, world_size, even)
        self.dataset = selected_tensors(images, labels, *others) if dataset is None else dataset
        self._images, self._companions = images, (labels, *others)
        # Colour images as they lie in files are a view with the channels moved, which torch would gather
        # value by value; moved back, whole images are copied.
        self._moved = not images.is_contiguous() and images.permute(0, 2, 3, 1).is_contiguous()
        self._rows = images.permute(0, 2, 3, 1) if self._moved else images
        wanted = torch.float32 if dtype is None else dtype
        self._channels = images.shape[1] if channels is None else channels
        self._augment = as_transform(augment)
        if normalize is None:
            normalize = getattr(self._augment, "normalize", None)
        self._form = checked_form(wanted, channels_last, normalize or None, self._channels)
        check_not_rounded(self._form.dtype, _name(images.dtype))
        if self._form.dtype == torch.uint8 and finishes(self._augment):
            raise ParameterError(
                "the augmentation does something to floats, which batches of this type are not",
                where="dtype",
                expected="a float dtype",
                got=self._form.dtype,
            )
        self._reuse, self._channels_last = checked_flag("reuse", reuse), bool(channels_last)
        self._buffer: torch.Tensor | None = None
        self._recycled = Recycled()
        by_itself = self._reuse or (self._augment is not None and not is_by_index(self._augment))
        self._asked_block = 1 if by_itself else None if block is None else checked_integer("block", block, 1)
        self._bytes_each = self._channels * images[0, 0].numel() * self._form.dtype.itemsize
        self._fingerprint: str | None = None
        self._cursor = _Cursor(0)
        self._set_threads(in_one_thread=False)

    def _set_threads(self, *, in_one_thread: bool) -> None:
        """Let NumPy make the batches in this thread alone, or torch in all that it has; see tensors."""
        on_cpu = self._images.device.type == "cpu"
        plain = in_one_thread and on_cpu and self._rows.is_contiguous()
        self._array = self._rows.numpy() if plain else None
        as_stored = self._channels == self._images.shape[1]
        self._block = self._asked_block or (_CPU_BLOCK if on_cpu else _GPU_BLOCK)
        self._in_pieces = on_cpu and self._augment is None and as_stored
        self._converter = _converter(self._images.device, self._form, in_one_thread)

    @property
    def batch_size(self) -> int:
        """Images per batch and rank."""
        return self._epochs.batch_size

    @property
    def device(self) -> torch.device:
        """Where the images are, and all that is handed out."""
        return self._images.device

    @property
    def epoch(self) -> int:
        """The epoch of the iteration started last, or after its end the next one."""
        return self._cursor.epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be that of a certain epoch, from its first batch on.

        Raises:
            ParameterError: The epoch is no integer of 0 or more.
        """
        self._cursor = _Cursor(checked_integer("epoch", epoch, 0))

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self._epochs)

    def __repr__(self) -> str:
        epochs, shape = self._epochs, " x ".join(str(size) for size in self._images.shape)
        part = f", rank {epochs.rank} of {epochs.world_size}" if epochs.world_size > 1 else ""
        images = f"{shape} {_name(self._images.dtype)} on {self._images.device}"
        return f"Batches({images}, {len(self)} batches of {epochs.batch_size}, epoch {self.epoch}{part})"

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """Start the next epoch, or go on where a loaded state was.

        Raises:
            ParameterError: In a worker process of a DataLoader, each of which would yield everything.
        """
        from torch.utils.data import get_worker_info

        if get_worker_info() is not None:
            raise ParameterError(
                "batches are made where the images are, not in worker processes",
                where="num_workers",
                expected="0",
                hint="DataLoader(batches, batch_size=None, num_workers=0)",
            )
        last = self._cursor
        self._cursor = _Cursor(last.epoch + 1) if last.begun else _Cursor(last.epoch, last.position)
        return self._run(self._cursor)

    def state_dict(self) -> dict[str, Any]:
        """Return where the iteration started last is: plain values that JSON can hold.

        The batches handed out so far count as done. It does not matter which rank's state it is: all ranks
        that have handed out as many batches have the same one.
        """
        return {**self._identity(), "epoch": self._cursor.epoch, "position": self._cursor.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration yield exactly the batches that were left of an epoch, perhaps none.

        Raises:
            ParameterError: It is no state, or that of other images, labels, seed, batch size or ranks.
        """
        if not isinstance(state, Mapping):
            got = type(state).__name__
            raise ParameterError(
                "this is no state", where="state", expected="what state_dict returned", got=got
            )
        for name, expected in self._identity().items():
            if name not in state or state[name] != expected:
                raise ParameterError(
                    "the state is not that of these batches",
                    where=name,
                    expected=expected,
                    got=state.get(name, "nothing"),
                    hint="make the batches as they were made when the state was taken",
                )
        epoch = checked_integer("epoch", state.get("epoch"), 0)
        position = checked_integer("position", state.get("position"), 0)
        if position > len(self):
            expected = f"at most {len(self)}"
            raise ParameterError(
                "no epoch has that many batches", where="position", expected=expected, got=position
            )
        self._cursor = _Cursor(epoch, position)

    def _identity(self) -> dict[str, Any]:
        """Return what a state must have in common with these batches."""
        if self._fingerprint is None:
            self._fingerprint = _fingerprint(self._images, self._companions[0])
        return {"schema": _SCHEMA, **self._epochs.identity(), "fingerprint": self._fingerprint}

    def _run(self, cursor: _Cursor) -> Iterator[tuple[torch.Tensor, ...]]:
        import torch

        self._set_threads(in_one_thread=busy())
        members = torch.from_numpy(self._epochs.members(cursor.epoch)).to(self._images.device)
        size = max(1, min(self._epochs.batch_size, len(members)))
        start, end = cursor.position * size, min(len(self) * size, len(members))
        while start < end:
            together = self._block // (size * self._bytes_each)
            count = size * (together if together >= _FEWEST_TOGETHER else 1)
            for batch in self._made(members[start : min(start + count, end)], size, cursor.epoch):
                cursor.position += 1
                cursor.begun = True
                yield batch
            start += count
        cursor.epoch, cursor.position, cursor.begun = cursor.epoch + 1, 0, False

    def _made(self, members: torch.Tensor, size: int, epoch: int) -> Iterable[tuple[torch.Tensor, ...]]:
        """Return the batches of some images, which are made together."""
        import torch

        whole = self._batch(members, epoch)
        if len(members) <= size:
            return [whole]
        self._bytes_each = whole[0][0].numel() * whole[0].element_size()  # an augmentation may change it
        return zip(*(torch.split(tensor, size) for tensor in whole), strict=True)

    def _batch(self, members: torch.Tensor, epoch: int) -> tuple[torch.Tensor, ...]:
        companions = [tensor.index_select(0, members) for tensor in self._companions]
        if self._in_pieces and self._converter is not None:
            return self._converted_in_pieces(members, self._converter), *companions
        pixels = self._gathered(members)
        if self._augment is not None:
            pixels = self._augment(pixels, members, epoch)
            _check_augmented(pixels, members, self._images.dtype)
        if pixels.shape[1] != self._channels:
            pixels = pixels.expand(-1, self._channels, -1, -1)
        images = self._converted(pixels)
        if self._augment is not None and self._converter is not None:
            images = finished(self._augment, images, members, epoch)
        return images, *companions

    def _gathered(self, members: torch.Tensor) -> torch.Tensor:
        import torch

        if self._array is not None:
            rows = torch.from_numpy(self._array.take(members.numpy(), axis=0))
        else:
            rows = self._rows.index_select(0, members)
        return rows.permute(0, 3, 1, 2) if self._moved else rows

    def _converted_in_pieces(self, members: torch.Tensor, converter: Converter) -> torch.Tensor:
        """Gather and convert a few images after the other, whose bytes are still in the cache."""
        count, step = members.numel(), converter.images_at_once(self._images.shape[1:])
        target = self._target(count, self._images.shape[1:], converter.dtype)
        if count <= step:
            return converter(self._gathered(members), target)
        for start in range(0, count, step):
            converter(self._gathered(members[start : start + step]), target[start : start + step])
        return target

    def _converted(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return a batch's pixels as they are handed out, in memory of their own unless it is reused."""
        if self._converter is not None:
            return self._converter(pixels, self._target(len(pixels), pixels.shape[1:], self._converter.dtype))
        if self._reuse:
            return self._target(len(pixels), pixels.shape[1:], pixels.dtype).copy_(pixels)
        return pixels.contiguous(memory_format=_memory_format(self._channels_last))

    def _target(self, count: int, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """Return memory for the images of a batch: new, or always the same if it is reused."""
        device, layout = self._images.device, self._channels_last
        if not self._reuse and device.type == "cpu":
            return self._recycled.empty((count, *shape), dtype, channels_last=layout)
        if not self._reuse:
            return empty_images((count, *shape), dtype, device, channels_last=layout)
        if self._buffer is None or self._buffer.shape[1:] != shape:
            most = min(self._epochs.batch_size, self._epochs.images_per_rank)
            self._buffer = empty_images((most, *shape), dtype, device, channels_last=layout)
        return self._buffer[:count]


def _name(dtype: torch.dtype) -> str:
    """Return NumPy's name of a type."""
    return str(dtype).removeprefix("torch.")


def _memory_format(channels_last: bool) -> torch.memory_format:
    import torch

    return torch.channels_last if channels_last else torch.contiguous_format


def _converter(device: torch.device, form: Form, in_one_thread: bool) -> Converter | None:
    """Return what makes floats of pixels, or None if bytes are wanted."""
    import torch

    if form.dtype == torch.uint8:
        return None
    return Converter(
        device,
        form.mean,
        form.std,
        dtype=form.dtype,
        channels_last=form.channels_last,
        in_one_thread=in_one_thread,
    )


def _fingerprint(images: torch.Tensor, labels: torch.Tensor) -> str:
    """Return a digest of the shape, all labels and some images, by which a selection is recognised."""
    import torch

    count = min(_SAMPLED_IMAGES, len(images))
    sample = torch.arange(count, device=images.device) * (len(images) - 1) // max(1, count - 1)
    digest = hashlib.sha256(repr((tuple(images.shape), str(labels.dtype))).encode())
    for tensor in (labels, images.index_select(0, sample)):
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_tensors(images: Any, companions: tuple[Any, ...]) -> None:
    import torch

    known = (torch.uint8, torch.float32)
    if not isinstance(images, torch.Tensor) or images.dtype not in known or images.ndim != 4:
        raise ParameterError(
            "these are no images with levels from 0 to 255",
            where="images",
            expected="a uint8 or float32 tensor (N, channels, height, width)",
            got=_described(images),
        )
    for number, tensor in enumerate(companions):
        fits = isinstance(tensor, torch.Tensor) and tensor.ndim > 0 and len(tensor) == len(images)
        if not fits or tensor.device != images.device:
            raise ParameterError(
                "labels and others must be tensors with one item per image, on the images' device",
                where=f"others[{number - 1}]" if number else "labels",
                expected=f"({len(images)}, ...) on {images.device}",
                got=_described(tensor),
            )


def _check_augmented(pixels: Any, members: torch.Tensor, dtype: torch.dtype) -> None:
    import torch

    fits = isinstance(pixels, torch.Tensor) and pixels.dtype == dtype and pixels.ndim == 4
    if not fits or len(pixels) != len(members) or pixels.device != members.device:
        raise ParameterError(
            "the augmentation did not return as many images of the same type",
            where="augment",
            expected=f"{dtype} ({len(members)}, channels, height, width) on {members.device}",
            got=_described(pixels),
        )


def _described(value: Any) -> str:
    import torch

    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{value.dtype} {tuple(value.shape)} on {value.device}"
